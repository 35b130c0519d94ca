# SPDX-License-Identifier: MIT
"""One binding: follows its README, and compares what its demo and its test print with the truth.

A binding's test prints facts, one a line. What it found must be what `fsgscheck --json` says; each word, field and
number that it has a copy of must be the library's or the header's; a thread that disagreed is counted. All of this
with the library that was built, and what depends on the machine also with one that sees other machines (shim.c).
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

SOURCE = Path(os.environ['SOURCE'])
SHARED = Path(os.environ['SHARED'])
SHIM = Path(os.environ['SHIM'])
COMMAND = os.environ['FSGSCHECK']
BUILD = Path(os.environ['BUILD'])
HEADERS = [SOURCE / 'include/fsgscheck.h', SOURCE / 'include/fsgscheck/report.h']
ENVIRONMENT = {**os.environ, 'LC_ALL': 'C.UTF-8'}


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
    """Installed as by `meson install` and ldconfig, except for the prefix: the READMEs start from here."""
    text = (BUILD / 'lib/fsgscheck.pc').read_text(encoding='utf-8')
    text = re.sub(r'^prefix=.*', f'prefix={prefix}', text, flags=re.M)
    libdir = Path(re.search(r'^libdir=(.*)', text, re.M)[1].replace('${prefix}', str(prefix)))
    (libdir / 'pkgconfig').mkdir(parents=True)
    (libdir / 'pkgconfig/fsgscheck.pc').write_text(text, encoding='utf-8')
    (prefix / 'include').symlink_to(SOURCE / 'include')
    for name in ('libfsgscheck.so', 'libfsgscheck.so.1'):
        (libdir / name).symlink_to(SHARED)
    ENVIRONMENT.update(PKG_CONFIG_PATH=str(libdir / 'pkgconfig'), LD_LIBRARY_PATH=str(libdir))
    return libdir


class Binding:
    """Built by its README's commands in `here`, a copy of its folder."""
    environment = {}
    # The type of findings is an enumeration; the names of all findings are a list beside it.
    closed = False
    # Findings are numbers, also those without a name.
    every_bit = False
    # Values that its types exclude, and values that cgo takes from the header.
    impossible = set()
    # The tools without which it is skipped.
    needs = ()

    def __init__(self, work, name):
        need(*self.needs)
        self.here = work / name
        shutil.copytree(SOURCE / 'examples/ffi' / name, self.here)

    def build(self, libdir):
        """The test."""

    def follow_readme(self):
        text = (self.here / 'README.md').read_text(encoding='utf-8')
        commands = re.findall(r'^    (.*)', text, re.M)
        if not commands:
            raise SystemExit('the README has no commands')
        return attempt('sh', '-ec', '\n'.join(commands), cwd=self.here, **self.environment)


class Python(Binding):
    environment = {'PYTHONDONTWRITEBYTECODE': '1'}
    demo = [sys.executable, 'demo.py']
    test = [sys.executable, 'test.py']


class Node(Binding):
    # Without install scripts, because koffi's package is complete.
    environment = {'npm_config_ignore_scripts': 'true', 'npm_config_audit': 'false', 'npm_config_fund': 'false',
                   'npm_config_package_lock': 'false', 'npm_config_prefer_offline': 'true',
                   'npm_config_update_notifier': 'false'}
    demo = ['node', 'demo.js']
    test = ['node', '--expose-gc', 'test.js']

    def __init__(self, work, name):
        need('node', 'npm')
        # In the build directory, where koffi is kept after one download.
        self.here = BUILD / 'ffi-node'
        shutil.copytree(SOURCE / 'examples/ffi' / name, self.here, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns('node_modules'))

    def follow_readme(self):
        done = super().follow_readme()
        if done.returncode and not (self.here / 'node_modules/koffi').is_dir():
            skip('npm cannot fetch koffi: ' + done.stderr.strip().partition('\n')[0])
        return done


class Rust(Binding):
    demo = ['./demo']
    test = ['./test']
    closed = True
    impossible = {'error.check', 'refused'}
    needs = ('rustc', 'pkg-config')

    def build(self, libdir):
        common = ['--edition=2018', '-D', 'warnings', '-L', libdir]
        run('rustc', *common, '--extern', 'fsgscheck=libfsgscheck.rlib', 'test.rs', cwd=self.here)
        run('rustc', *common, '--test', '--crate-name=unit', 'fsgscheck.rs', cwd=self.here)
        run('./unit', cwd=self.here)


class Go(Binding):
    demo = ['bin/demo']
    test = ['bin/test']
    every_bit = True
    impossible = {'refused', 'fields', 'constant'}
    needs = ('go', 'pkg-config')

    def __init__(self, work, name):
        super().__init__(work, name)
        # The compiled standard library is kept in the build directory for the next run.
        self.environment = {'GOCACHE': str(BUILD / 'ffi-go'), 'GOFLAGS': '-mod=mod', 'GOPROXY': 'off',
                            'HOME': str(work / 'home'), 'CGO_ENABLED': '1'}

    def build(self, libdir):
        run('go', 'vet', './...', cwd=self.here, **self.environment)
        (self.here / 'bin').mkdir()
        run('go', 'build', '-o', 'bin/', './demo', './test', cwd=self.here, **self.environment)


class Java(Binding):
    # A small heap, so that the collector runs often.
    java = ['java', '-Xmx64m', '-cp', '/usr/share/java/jna.jar:.']
    demo = [*java, 'Demo']
    test = [*java, 'Test']
    closed = True
    impossible = {'refused'}

    def __init__(self, work, name):
        need('java', 'javac')
        if not Path('/usr/share/java/jna.jar').exists():
            skip('libjna-java is not installed')
        super().__init__(work, name)
        # The client compiler compiles fast and never removes null checks that trap.
        self.environment = {'JDK_JAVAC_OPTIONS': '-Xlint:all,-path -Werror',
                            'JAVA_TOOL_OPTIONS': f'-XX:TieredStopAtLevel=1 -Djava.io.tmpdir={work}'}


class Lua(Binding):
    environment = {'LUA_PATH': './?.lua'}
    demo = ['luajit', 'demo.lua']
    test = ['luajit', 'test.lua']
    needs = ('luajit',)


LANGUAGES = {'python': Python, 'node': Node, 'rust': Rust, 'go': Go, 'java': Java, 'lua': Lua}


def plain(word):
    """KERNEL_TOO_OLD, KernelTooOld and kernel-too-old are one word."""
    return re.sub(r'[^a-z0-9]', '', word.lower())


def header(file):
    return re.sub(r'/\*.*?\*/', '', file.read_text(encoding='utf-8'), flags=re.S)


def constants():
    return re.findall(r'\bFSGS_(?:CHECK|SEGMENT|LIST)_\w+(?= =)', ''.join(map(header, HEADERS)))


def header_truth(work):
    """The values of the constants, from a C compiler, and the library's own fields."""
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
    """Facts by their first word; some occur more than once."""
    facts = {}
    for line in lines:
        key, _, value = line.replace('\t', ' ').partition(' ')
        facts.setdefault(key, []).append(value)
    return facts


# Values that shim.c reports as `future`: the command has no name for them, and this is what each
# counts as.
FUTURE = {'verdict': 'unknown', 'gs': 'unknown', 'proof': 'advertised', 'access.gs': 'none', 'base_access.gs': 'none',
          'trial.rdfsbase': 'not-tried', 'cpuid.fsgsbase': 'none', 'bits': hex(1 << 7 | 1 << 21 | 1 << 40 | 1 << 63)}


def expected(state, binding, report, healthy):
    """The output that a binding must give for the machine that the command has checked."""
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
    """Facts about this machine, and about calls that fail."""
    wrong = []
    for key, wanted in wanted_facts.items():
        got = facts.get(key, [None])[0]
        if key in ('cpuid.fsgsbase', 'hwcap2.fsgsbase', 'usable', 'refreshed'):
            # The words of each language for yes, no and nothing.
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
    """The binding's own copies of names and numbers, compared with the library and the header; and its threads."""
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


def look(state, binding, demo, truth):
    """The differences on one machine, the real one if `state` is empty; `demo` is the demo's output, if it has run."""
    environment = {**binding.environment, 'SHIM_STATE': state}
    if state:
        environment['LD_LIBRARY_PATH'] = str(SHIM.parent)
    # Its exit status is about the machine.
    report = json.loads(attempt(COMMAND, '--json', **environment).stdout)
    healthy = json.loads(attempt(COMMAND, '--json').stdout)['verdict'] == 'usable'

    wrong = []
    if demo is None:
        demo = run(*binding.demo, cwd=binding.here, **environment)
    wanted = rf'{report["verdict"] or "unknown"}: {re.escape(report["reason"])}\nGS base 0x[0-9a-f]+\n'
    if not re.search(rf'^{wanted}\Z', demo, re.M):
        wrong.append(f'the demo printed:\n{demo}')
    lines = run(*binding.test, *(['facts'] if state else []), cwd=binding.here, **environment).splitlines()
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
        libdir = install(work / 'prefix')
        binding = LANGUAGES[name](work, name)
        readme = binding.follow_readme()
        if readme.returncode:
            raise SystemExit(f'the commands of the README:\n{readme.stdout}{readme.stderr}')
        binding.build(libdir)
        wrong = look('', binding, readme.stdout, header_truth(work))
        for state in ('disabled', 'mixed', 'future'):
            wrong += look(state, binding, None, None)
    for line in wrong:
        print(line)
    sys.exit(bool(wrong))


if __name__ == '__main__':
    main(sys.argv[1])
