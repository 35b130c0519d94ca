# SPDX-License-Identifier: MIT
"""ffi.py LANGUAGE: tests a binding. Follows its README, installs its package, and checks what its demo and its facts
program print.

The facts program prints one fact a line. The report that it prints must equal that of `fsgscheck --json`. Each name,
field and number that the binding has copied must equal that of the library or the header. All threads of the facts
program must get the same report. All of this runs with the library of this build. The tests that depend on the machine
run again with a library that reports other machines (ffi-shim.c).
"""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from support import Unavailable, npm

SOURCE = Path(os.environ['SOURCE'])
SHARED = Path(os.environ['SHARED'])
SHIM = Path(os.environ['SHIM'])
COMMAND = os.environ['FSGSCHECK']
BUILD = Path(os.environ['BUILD'])
HEADERS = [SOURCE / 'include/fsgscheck.h', SOURCE / 'include/fsgscheck/report.h']
ENVIRONMENT = {**os.environ, 'LC_ALL': 'C.UTF-8'}
# Every binding prints this command if the library is missing.
HELP = 'meson setup build -Dtests=disabled && sudo meson install -C build && sudo ldconfig'


def skip(reason):
    print('skipped:', reason)
    sys.exit(77)


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            skip(f'{tool} is not installed')


def attempt(*command, cwd=None, **environment):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=200, cwd=cwd, check=False,
                          stdin=subprocess.DEVNULL, env={**ENVIRONMENT, **environment})


def run(*command, **options):
    done = attempt(*command, **options)
    if done.returncode:
        raise SystemExit(f'{command}: status {done.returncode}\n{done.stdout}{done.stderr}')
    return done.stdout


def install(prefix):
    """Installs the library as `meson install` and ldconfig would, but into this prefix. The READMEs assume an installed
    library."""
    text = (BUILD / 'lib/fsgscheck.pc').read_text(encoding='utf-8')
    text = re.sub(r'^prefix=.*', f'prefix={prefix}', text, flags=re.M)
    libdir = Path(re.search(r'^libdir=(.*)', text, re.M)[1].replace('${prefix}', str(prefix)))
    (libdir / 'pkgconfig').mkdir(parents=True)
    (libdir / 'pkgconfig/fsgscheck.pc').write_text(text, encoding='utf-8')
    (prefix / 'include').symlink_to(SOURCE / 'include')
    for name in ('libfsgscheck.so', 'libfsgscheck.so.1'):
        (libdir / name).symlink_to(SHARED)
    ENVIRONMENT.update(PKG_CONFIG_PATH=str(libdir / 'pkgconfig'), LD_LIBRARY_PATH=str(libdir))


class Binding:
    """A binding's package. The language's own tools make and install it. Only the test of Node needs a network: npm fetches
    koffi and typedoc.

    `here` is a copy of the binding's folder, in which the commands of its README run. `clean` has what a user
    would have, and nothing else of the folder: the installed package, the demo, the facts program, and the sample program
    of the README.
    """
    # Whether findings have an enum type, which cannot hold unknown findings. The fact `known` then lists the known ones.
    closed = False
    # Whether the binding also prints findings without a name, as finding-NUMBER.
    every_bit = False
    # Facts that the binding cannot print: its types exclude the values, or cgo takes them from the header.
    impossible = set()
    # The tools that the binding needs. If one is missing, the test is skipped.
    needs = ()
    # The language that the README gives for its sample program after ```, and the command that runs this program.
    language, shown = '', ()
    # Each pair: a file with the library's version or its major number, and a pattern that finds this number.
    versions = ()

    def __init__(self, work, name):
        need(*self.needs)
        # In this folder, compilers keep their caches and npm keeps its packages for the next run.
        self.kept = BUILD / f'ffi-{name}'
        self.environment = {}
        self.here, self.clean = work / name, work / 'clean'
        self.copy(name)

    def copy(self, name):
        for folder in (self.here, self.clean):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(SOURCE / 'examples/ffi' / name, self.here, ignore=shutil.ignore_patterns(
            'node_modules', 'target', '__pycache__', 'tree', 'venv', 'Cargo.lock', 'classes', '*.jar'))
        self.clean.mkdir(parents=True)

    def run(self, *command, cwd=None, **environment):
        return run(*command, cwd=cwd or self.here, **{**self.environment, **environment})

    def take(self, *names):
        for name in names:
            shutil.copy(self.here / name, self.clean)

    def check(self):
        """Checks the documentation and the types, with the language's own tools."""

    def install(self):
        """Installs the package into `clean`."""

    def start_without(self):
        """Runs or builds the demo without the library."""
        return attempt(*self.demo, cwd=self.clean, **{**self.environment, 'LD_LIBRARY_PATH': ''})

    def readme(self):
        return (self.here / 'README.md').read_text(encoding='utf-8')

    def program(self, file):
        """Copies the program in the README to a file in the folder `clean`."""
        found = re.findall(rf'^```{self.language}\n(.*?)^```', self.readme(), re.M | re.S)
        if len(found) != 1:
            raise SystemExit(f'{len(found)} programs in the README')
        (self.clean / file).write_text(found[0], encoding='utf-8')

    def follow_readme(self):
        commands = re.findall(r'^    (.*)', re.sub(r'^```.*?^```', '', self.readme(), flags=re.M | re.S), re.M)
        if not commands:
            raise SystemExit('the README has no commands')
        return attempt('sh', '-ec', '\n'.join(commands), cwd=self.here, **self.environment)

    def wrong_versions(self):
        version = SHARED.name.partition('.so.')[2]
        wrong = []
        for file, pattern in self.versions:
            found = re.findall(pattern, (self.here / file).read_text(encoding='utf-8'), re.M)
            if found not in ([version], [version.partition('.')[0]]):
                wrong.append(f'{file} has the version {found}, the library {version}')
        return wrong

    def wrong_help(self):
        """Returns an error unless the binding, without the library, fails and prints how to install the library."""
        if 'libfsgscheck.so.1 ' in attempt('/sbin/ldconfig', '-p').stdout:
            print('the library is installed in this system: not tried without it')
            return []
        done = self.start_without()
        said = done.stdout + done.stderr
        return [] if done.returncode and HELP in said else [f'without the library, status {done.returncode}: {said}']


class Python(Binding):
    needs = ('stubtest',)
    versions = [('src/fsgscheck/__init__.py', r"^__version__ = '(.*)'")]
    demo = ['venv/bin/python', 'demo.py']
    test = ['venv/bin/python', 'facts.py']
    language, shown = 'python', ['venv/bin/python', 'program.py']

    def __init__(self, work, name):
        for module in ('ensurepip', 'pip', 'setuptools', 'wheel'):
            if attempt(sys.executable, '-c', f'import {module}').returncode:
                skip(f"Python's {module} is not installed")
        super().__init__(work, name)
        self.environment = {'PYTHONDONTWRITEBYTECODE': '1', 'PIP_DISABLE_PIP_VERSION_CHECK': '1',
                            'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}'}

    def check(self):
        self.run('stubtest', 'fsgscheck', PYTHONPATH='src')

    def install(self):
        self.run(sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-index', '--no-build-isolation', '--wheel-dir', 'dist',
                 '.')
        self.run(sys.executable, '-m', 'venv', '--without-pip', 'venv', cwd=self.clean)
        self.run(sys.executable, '-m', 'pip', '--python', 'venv/bin/python', 'install', '--quiet', '--no-index',
                 *self.here.glob('dist/*.whl'), cwd=self.clean)
        self.take('demo.py', 'facts.py')
        self.program('program.py')


class Node(Binding):
    needs = ('node', 'npm', 'tsc')
    versions = [('package.json', r'^  "version": "(.*)"')]
    demo = ['node', 'demo.js']
    test = ['node', '--expose-gc', 'facts.js']
    language, shown = 'js', ['node', 'program.js']

    def __init__(self, work, name):
        super().__init__(work, name)
        # Install scripts do not run, because koffi's package is complete without them.
        self.environment = {'npm_config_ignore_scripts': 'true', 'npm_config_audit': 'false', 'npm_config_fund': 'false',
                            'npm_config_package_lock': 'false', 'npm_config_prefer_offline': 'true',
                            'npm_config_update_notifier': 'false'}

    def copy(self, name):
        # The folders are in the build directory and are kept, so that npm fetches koffi only once.
        self.here, self.clean = self.kept / 'package', self.kept / 'clean'
        shutil.copytree(SOURCE / 'examples/ffi' / name, self.here, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns('node_modules'))
        self.clean.mkdir(exist_ok=True)

    def follow_readme(self):
        done = super().follow_readme()
        if done.returncode and not (self.here / 'node_modules/koffi').is_dir():
            skip('npm cannot fetch koffi: ' + done.stderr.strip().partition('\n')[0])
        return done

    def check(self):
        try:
            modules = npm.packages(self.kept / 'typedoc', 'typedoc@0.28', 'typescript@5')
        except Unavailable as reason:
            skip(f'npm cannot fetch typedoc: {reason}')
        # Links to the sources are left out: they need a remote repository, which a copy of the tree may not have.
        self.run('node', modules / 'typedoc/bin/typedoc', '--treatWarningsAsErrors', '--disableSources', '--out', 'checked',
                 'fsgscheck.d.ts')

    def install(self):
        for old in self.here.glob('*.tgz'):
            old.unlink()
        self.run('npm', 'pack', '--silent')
        modules = self.clean / 'node_modules'
        (modules / '.package-lock.json').unlink(missing_ok=True)
        shutil.rmtree(modules / 'fsgscheck', ignore_errors=True)
        (self.clean / 'package.json').write_text('{"private": true}\n', encoding='utf-8')
        self.run('npm', 'install', '--no-save', *self.here.glob('*.tgz'), cwd=self.clean)
        self.take('demo.js', 'facts.js')
        self.program('program.js')
        # tsc accepts these objects only if the types list exactly the names that the library has.
        lists = [f'const {which}: Record<keyof typeof fsgscheck.{which.capitalize()}, string> = '
                 + json.dumps({word.upper().replace('-', '_'): word for word in words.values()}) + ';'
                 for which, words in library_names().items()]
        (self.clean / 'types.ts').write_text('\n'.join([
            "import * as fsgscheck from 'fsgscheck';",
            'const report: fsgscheck.Report = fsgscheck.check(fsgscheck.Check.CONTEXT);',
            'const base: bigint = fsgscheck.getBase(fsgscheck.Segment.GS);',
            *lists, f'console.log(report, base, {", ".join(library_names())});']), encoding='utf-8')
        self.run('tsc', '--noEmit', '--strict', '--target', 'es2020', '--module', 'node16', '--moduleResolution', 'node16',
                 'types.ts', cwd=self.clean)


class Rust(Binding):
    demo = ['bin/demo']
    test = ['bin/facts']
    language, shown = 'rust', ['bin/program']
    closed = True
    impossible = {'error.check', 'refused'}
    needs = ('cargo', 'rustdoc', 'pkg-config')
    versions = [('Cargo.toml', r'^version = "(.*)"')]

    def __init__(self, work, name):
        super().__init__(work, name)
        self.environment = {'CARGO_TARGET_DIR': str(self.kept), 'CARGO_NET_OFFLINE': 'true', 'RUSTDOCFLAGS': '-D warnings',
                            'RUSTFLAGS': '-D warnings'}

    def install(self):
        self.run('cargo', 'package', '--quiet', '--no-verify', '--allow-dirty')
        crate = next((self.kept / 'package').glob('*.crate'))
        shutil.unpack_archive(crate, self.clean, 'gztar')
        crate.unlink()
        (self.clean / 'src/bin').mkdir(parents=True)
        self.run('cargo', 'init', '--quiet', '--vcs', 'none', '--lib', '--name', 'program', cwd=self.clean)
        self.run('cargo', 'add', '--quiet', '--path', next(self.clean.glob('fsgscheck-*')), cwd=self.clean)
        for name in ('demo', 'facts'):
            shutil.copy(self.here / f'examples/{name}.rs', self.clean / 'src/bin')
        self.program('src/bin/program.rs')
        self.run('cargo', 'build', '--quiet', cwd=self.clean)
        (self.clean / 'bin').mkdir()
        for name in ('demo', 'facts', 'program'):
            shutil.copy(self.kept / 'debug' / name, self.clean / 'bin')

    def start_without(self):
        return attempt('cargo', 'build', cwd=self.clean, **{**self.environment, 'PKG_CONFIG_PATH': '', 'LD_LIBRARY_PATH': ''})


class Go(Binding):
    demo = ['bin/demo']
    test = ['bin/facts']
    language, shown = 'go', ['bin/program']
    every_bit = True
    impossible = {'refused', 'fields', 'constant'}
    needs = ('go',)
    versions = [('fsgscheck/fsgscheck.go', r'^// #if FSGS_VERSION_MAJOR != (\d+)')]

    def __init__(self, work, name):
        super().__init__(work, name)
        # Go keeps its compiled standard library in GOCACHE for the next run.
        self.environment = {'GOCACHE': str(self.kept), 'GOFLAGS': '-mod=mod', 'GOPROXY': 'off',
                            'HOME': str(work / 'home'), 'CGO_ENABLED': '1', 'CGO_CFLAGS': f'-I{SOURCE}/include',
                            'CGO_LDFLAGS': f'-L{ENVIRONMENT["LD_LIBRARY_PATH"]}'}

    def check(self):
        self.run('go', 'vet', './...')

    def install(self):
        self.run('go', 'mod', 'init', 'example.com/program', cwd=self.clean)
        self.run('go', 'mod', 'edit', f'-replace=fsgscheck.example={self.here}', cwd=self.clean)
        for name in ('demo', 'facts'):
            shutil.copytree(self.here / name, self.clean / name)
        (self.clean / 'program').mkdir()
        self.program('program/main.go')
        self.run('go', 'get', 'fsgscheck.example/fsgscheck', cwd=self.clean)
        (self.clean / 'bin').mkdir()
        self.run('go', 'build', '-o', 'bin/', './demo', './facts', './program', cwd=self.clean)

    def start_without(self):
        return attempt('go', 'build', '-o', '/dev/null', './demo', cwd=self.clean, **{**self.environment, 'CGO_CFLAGS': '', 'CGO_LDFLAGS': ''})


class Java(Binding):
    # The heap is small, so that the garbage collector runs.
    java = ['java', '-Xmx64m', '-cp', '/usr/share/java/jna.jar:fsgscheck.jar:classes']
    demo = [*java, 'Demo']
    test = [*java, 'fsgscheck.Facts']
    language, shown = 'java', [*java, 'Program']
    closed = True
    impossible = {'refused'}
    needs = ('java', 'javac', 'javadoc', 'mvn')
    versions = [('pom.xml', r'^  <version>(.*)</version>'),
                ('src/main/java/fsgscheck/Fsgscheck.java', r'String VERSION = "(.*)"')]

    def __init__(self, work, name):
        for file in ('java/jna.jar', 'maven-repo/org/apache/maven/plugins/maven-source-plugin', 'maven-repo/junit/junit'):
            if not Path('/usr/share', file).exists():
                skip(f'/usr/share/{file} is not installed')
        super().__init__(work, name)
        # Facts.java needs real SIGSEGVs. Code of the client compiler (level 1) always detects a null pointer by SIGSEGV.
        # After some faults, the server compiler makes code that tests the pointer instead.
        self.environment = {'JDK_JAVAC_OPTIONS': '-Xlint:all,-path -Werror',
                            'JAVA_TOOL_OPTIONS': f'-XX:TieredStopAtLevel=1 -Djava.io.tmpdir={work}'}
        # Maven writes files next to those that it reads, so it gets a folder of links to the files of Debian's packages.
        self.repository = work / 'repository'
        shutil.copytree('/usr/share/maven-repo', self.repository, copy_function=os.symlink)

    def own_version(self, found):
        """The XML of a dependency in pom.xml, with a version that this Debian has."""
        name, version = found.groups()
        there = [pom.parent.name for pom in self.repository.rglob(f'{name}-*.pom')
                 if re.fullmatch(rf'{name}-\d[\d.]*\.pom', pom.name)]
        if version not in there:
            version = max(there, key=lambda text: [int(part) for part in text.split('.')])
        return f'<artifactId>{name}</artifactId><version>{version}</version>'

    def check(self):
        self.run('javadoc', '-Xdoclint:all,-missing', '-Werror', '-quiet', '-cp', '/usr/share/java/jna.jar', '-d', 'checked',
                 *self.here.glob('src/main/java/fsgscheck/*.java'))

    def install(self):
        pom = self.here / 'pom.xml'
        pom.write_text(re.sub(r'<artifactId>(.+)</artifactId><version>(.+)</version>', self.own_version,
                              pom.read_text(encoding='utf-8')), encoding='utf-8')
        self.run('mvn', '--quiet', '--offline', f'-Dmaven.repo.local={self.repository}', 'package')
        version = SHARED.name.partition('.so.')[2]
        if not (self.here / f'target/fsgscheck-{version}-sources.jar').exists():
            raise SystemExit('Maven made no JAR of the sources')
        shutil.copy(self.here / f'target/fsgscheck-{version}.jar', self.clean / 'fsgscheck.jar')
        self.program('Program.java')
        self.run('javac', '-cp', '/usr/share/java/jna.jar:fsgscheck.jar', '-d', 'classes', self.here / 'Demo.java', 'Program.java',
                 self.here / 'src/test/java/fsgscheck/Facts.java', cwd=self.clean)


class Lua(Binding):
    demo = ['luajit', 'demo.lua']
    test = ['luajit', 'facts.lua']
    language, shown = 'lua', ['luajit', 'program.lua']
    needs = ('luajit', 'luarocks', 'ldoc')
    versions = [('fsgscheck.lua', r"^local VERSION = '(.*)'"), ('fsgscheck-1.0.0-1.rockspec', r"^version = '(.*)-1'"),
                ('fsgscheck-1.0.0-1.rockspec', r"^\ttag = 'v(.*)'")]

    def __init__(self, work, name):
        super().__init__(work, name)
        self.environment = {'HOME': str(work / 'home')}
        (work / 'home').mkdir()

    def check(self):
        self.run('ldoc', '--fatalwarnings', '--dir', 'checked', 'fsgscheck.lua')

    def install(self):
        self.run('luarocks', '--lua-version=5.1', '--tree=tree', 'make', '--pack-binary-rock')
        self.run('luarocks', '--lua-version=5.1', '--tree=tree', 'install', next(self.here.glob('*.rock')), cwd=self.clean)
        self.take('demo.lua', 'facts.lua')
        self.program('program.lua')
        self.environment = {**self.environment, 'LUA_PATH': str(self.clean / 'tree/share/lua/5.1/?.lua')}


# The bindings, by the name of their folder in examples/ffi.
LANGUAGES = {binding.__name__.lower(): binding for binding in Binding.__subclasses__()}


def plain(word):
    """Makes KERNEL_TOO_OLD, KernelTooOld and kernel-too-old equal."""
    return re.sub(r'[^a-z0-9]', '', word.lower())


def header(file):
    return re.sub(r'/\*.*?\*/', '', file.read_text(encoding='utf-8'), flags=re.S)


def constants():
    return re.findall(r'\bFSGS_(?:CHECK|SEGMENT|LIST)_\w+(?= =)', ''.join(map(header, HEADERS)))


def header_truth(work):
    """Lines with each constant of the headers and its value, by a C compiler, and with each field of the report, by the
    library."""
    lines = [f'printf("constant {c} %d\\n", (int){c});' for c in constants()]
    program = '#include <fsgscheck.h>\n#include <stdio.h>\nint main(void) { %s return 0; }\n' % '\n'.join(lines)
    (work / 'truth.c').write_text(program, encoding='utf-8')
    run(*os.environ['CC'].split(), f'-I{SOURCE}/include', work / 'truth.c', '-o', work / 'truth')
    library = ctypes.CDLL(str(SHARED))
    library.fsgs_report_field.restype = ctypes.c_char_p
    fields, field = [], (ctypes.c_uint32 * 8)()
    while name := library.fsgs_report_field(len(fields), field, ctypes.sizeof(field)):
        fields.append(f'field {name.decode()}')
    return {*run(work / 'truth').splitlines(), *fields}


def library_names():
    library = ctypes.CDLL(str(SHARED))
    library.fsgs_name.restype = ctypes.c_char_p
    names = {}
    for number, which in enumerate(('verdict', 'finding', 'outcome', 'insn', 'access', 'proof'), 1):
        value = 0
        while name := library.fsgs_name(number, value):
            names.setdefault(which, {})[value] = name.decode()
            value += 1
    return names


def split(lines):
    """Maps the first word of each line to a list: the rest of every line that begins with this word."""
    facts = {}
    for line in lines:
        key, _, value = line.replace('\t', ' ').partition(' ')
        facts.setdefault(key, []).append(value)
    return facts


# In the state `future`, a binding must print these facts, and not those of the command, which has no names for the numbers.
FUTURE = {'verdict': 'unknown', 'gs': 'unknown', 'proof': 'advertised', 'access.gs': 'none', 'base_access.gs': 'none',
          'trial.rdfsbase': 'not-tried', 'cpuid.fsgsbase': 'none', 'bits': hex(1 << 7 | 1 << 21 | 1 << 40 | 1 << 63)}


def expected(state, binding, report, healthy):
    """The facts that a binding must print, if the command has printed this report in the same state."""
    names = library_names()['finding']
    known = {word: value for value, word in names.items() if word in report['findings']}
    facts = {'verdict': report['verdict'], 'fs': report['fs'], 'gs': report['gs'], 'proof': report['proof'],
             'findings': ','.join(word for word in report['findings'] if word),
             'bits': hex(sum(1 << value for value in known.values())),
             'reason': report['reason'], 'library': report['library'],
             'cpuid.vendor': report['cpuid']['vendor'] or '', 'kernel.release': report['kernel']['release'],
             'cpuid.fsgsbase': str(report['cpuid']['fsgsbase']).lower(),
             'hwcap2.fsgsbase': str(report['hwcap2']['fsgsbase']).lower(),
             'usable': str(report['verdict'] == 'usable').lower(), 'refreshed': str(healthy).lower()}
    for segment, access in report['access'].items():
        facts.update({f'access.{segment}': access, f'base_access.{segment}': access})
    facts.update({f'trial.{insn}': trial['outcome'] for insn, trial in report['trials'].items()})
    if state == 'future':
        facts.update(FUTURE, usable=str(healthy).lower())
        if binding.every_bit:
            facts['findings'] += ',finding-40,finding-63'
    if binding.closed:
        facts['known'] = ','.join(known)
    return facts


def expect(wrong, what, got, wanted):
    if got != wanted:
        wrong.append(f'{what}: {got!r}, expected {wanted!r}')


def differences(binding, facts, wanted_facts, advice):
    """Returns the errors in the facts about the machine, and in the facts about calls that must fail."""
    wrong = []
    for key, wanted in wanted_facts.items():
        got = facts.get(key, [None])[0]
        if key in ('cpuid.fsgsbase', 'hwcap2.fsgsbase', 'usable', 'refreshed'):
            # Each language has its own words for yes, no and nothing.
            got = 'none' if got in ('None', 'null', 'nil') else got and got.lower()
        expect(wrong, key, got, wanted)
    expect(wrong, 'advice', facts.get('advice', []), advice)
    expect(wrong, 'ensured', facts.get('ensured'), ['0x7000'])
    for error, number in {'set_base': '1', 'ensure_base': '1', 'check': '22'}.items():
        if f'error.{error}' not in binding.impossible:
            expect(wrong, f'error.{error}', facts.get(f'error.{error}'), [number])
    if 'refused' not in binding.impossible:
        refused, _, tried = facts.get('refused', ['0 of ?'])[0].partition(' of ')
        expect(wrong, 'refused', refused, tried)
    return wrong


def copies(binding, facts, truth):
    """Returns the errors in names, numbers and fields that the binding has copied, and differences between its threads."""
    wrong = []
    agreed, _, all_checks = facts.get('threads', ['0 of ?'])[0].partition(' of ')
    expect(wrong, 'threads', agreed, all_checks)
    listed = {}
    for line in facts.get('name', []):
        which, value, word = line.split()
        listed.setdefault(which, {})[int(value)] = plain(word)
    names = library_names()
    for which, words in listed.items():
        expect(wrong, f'names of {which}', words, {value: plain(word) for value, word in names[which].items()})
    if not {'verdict', 'access'} <= set(listed):
        wrong.append('the names were not checked')

    if 'constant' not in binding.impossible:
        lines = {f'constant {line}' for line in facts.get('constant', [])}
        expect(wrong, 'constant beside the header', sorted(lines - truth), [])
        if not lines:
            wrong.append('no constant was checked')
    if 'fields' not in binding.impossible:
        expect(wrong, 'fields', sorted(f'field {line}' for line in facts.get('field', [])),
               sorted(line for line in truth if line.startswith('field ')))
    return wrong


def look(state, binding, demos, truth):
    """Returns the errors on one machine: the real machine if `state` is empty, or else the machine that ffi-shim.c
    simulates in this state. `demos` has the output of earlier runs of the demo, which is checked, too."""
    environment = {**binding.environment, 'SHIM_STATE': state}
    if state:
        environment['LD_LIBRARY_PATH'] = str(SHIM.parent)
    # The command's exit status is ignored, because it depends on the verdict.
    report = json.loads(attempt(COMMAND, '--json', **environment).stdout)
    healthy = json.loads(attempt(COMMAND, '--json').stdout)['verdict'] == 'usable'

    wrong = []
    wanted = rf'{report["verdict"] or "unknown"}: {re.escape(report["reason"])}\nGS base 0x[0-9a-f]+\n'
    for demo in [*demos, run(*binding.demo, cwd=binding.clean, **environment)]:
        if not re.search(rf'^{wanted}', demo, re.M):
            wrong.append(f'the demo printed:\n{demo}')
    lines = run(*binding.test, *(['facts'] if state else []), cwd=binding.clean, **environment).splitlines()
    facts = split(lines)
    advice = report['advice'].split('\n') if report['advice'] else []
    wrong += differences(binding, facts, expected(state, binding, report, healthy), advice)
    if not state:
        wrong += copies(binding, facts, truth)
        print(*(line for line in lines if line.startswith('threads')))
    return [f'{state or "this machine"}: {line}' for line in wrong]


def main(name):
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        install(work / 'prefix')
        binding = LANGUAGES[name](work, name)
        readme = binding.follow_readme()
        if readme.returncode:
            raise SystemExit(f'the commands of the README:\n{readme.stdout}{readme.stderr}')
        binding.check()
        binding.install()
        wrong = [*binding.wrong_versions(), *binding.wrong_help()]
        # The program in the README must print something if the verdict is not `usable`.
        if not binding.run(*binding.shown, cwd=binding.clean, SHIM_STATE='disabled', LD_LIBRARY_PATH=str(SHIM.parent)).strip():
            wrong.append("the README's program printed nothing of a machine whose verdict is disabled")
        wrong += look('', binding, [readme.stdout], header_truth(work))
        for state in ('disabled', 'mixed', 'future'):
            wrong += look(state, binding, [], None)
    for line in wrong:
        print(line)
    sys.exit(bool(wrong))


if __name__ == '__main__':
    main(sys.argv[1])
