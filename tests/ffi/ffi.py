# SPDX-License-Identifier: MIT
"""One binding: builds it, runs its demo and its test, and compares what they print with the truth.

A binding's test prints facts, one a line. What it found must be what `fsgscheck --json` says; each word, field and
number that it has a copy of must be the library's or the header's; a thread that disagreed is counted.
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
COMMAND = os.environ['FSGSCHECK']
BUILD = Path(os.environ['BUILD'])
HEADERS = [SOURCE / 'include/fsgscheck.h', SOURCE / 'include/fsgscheck/report.h']
ENVIRONMENT = {**os.environ, 'LD_LIBRARY_PATH': str(SHARED.parent), 'LC_ALL': 'C.UTF-8'}


def skip(reason):
    print('skipped:', reason)
    sys.exit(77)


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            skip(f'{tool} is not installed')


def run(*command, cwd=None, **environment):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=200, cwd=cwd, check=False,
                          stdin=subprocess.DEVNULL, env={**ENVIRONMENT, **environment})
    if done.returncode:
        raise SystemExit(f'{command}: status {done.returncode}\n{done.stdout}{done.stderr}')
    return done.stdout


class Python:
    def __init__(self, folder, work):
        self.environment = {'PYTHONPATH': str(folder), 'PYTHONDONTWRITEBYTECODE': '1'}
        self.demo = [sys.executable, folder / 'demo.py']
        self.test = [sys.executable, folder / 'test.py']


class Node:
    def __init__(self, folder, work):
        need('node', 'npm')
        # Kept in the build directory: fetched once. Without install scripts: koffi's package has it all.
        modules = BUILD / 'ffi-node'
        modules.mkdir(exist_ok=True)
        shutil.copy(folder / 'package.json', modules)
        if not (modules / 'node_modules/koffi').is_dir():
            done = subprocess.run(['npm', 'install', '--omit=dev', '--no-package-lock', '--ignore-scripts', '--no-audit',
                                   '--no-fund'], cwd=modules, capture_output=True, text=True, timeout=200, check=False)
            if done.returncode:
                skip('npm cannot fetch koffi: ' + done.stderr.strip().partition('\n')[0])
        self.environment = {'NODE_PATH': str(modules / 'node_modules')}
        self.demo = ['node', folder / 'demo.js']
        self.test = ['node', '--expose-gc', folder / 'test.js']


class Rust:
    def __init__(self, folder, work):
        need('rustc')
        self.environment = {}
        common = ['--edition=2018', '-D', 'warnings', '-L', SHARED.parent]
        run('rustc', *common, '--crate-type=rlib', '--crate-name=fsgscheck', folder / 'fsgscheck.rs', cwd=work)
        for program in ('demo', 'test'):
            run('rustc', *common, '-L', work, '--extern', 'fsgscheck=libfsgscheck.rlib', '-o', work / program,
                folder / f'{program}.rs', cwd=work)
        run('rustc', *common, '--test', '--crate-name=unit', '-o', work / 'unit', folder / 'fsgscheck.rs', cwd=work)
        run(work / 'unit')
        self.demo = [work / 'demo']
        self.test = [work / 'test']


class Go:
    def __init__(self, folder, work):
        need('go', 'pkg-config')
        self.environment = {}
        # The compiled standard library stays in the build directory, for the next time.
        settings = {'PKG_CONFIG_PATH': str(BUILD / 'meson-uninstalled'), 'GOCACHE': str(BUILD / 'ffi-go'),
                    'GOFLAGS': '-mod=mod', 'GOPROXY': 'off', 'HOME': str(work), 'CGO_ENABLED': '1'}
        run('go', 'vet', './...', cwd=folder, **settings)
        for program in ('demo', 'test'):
            run('go', 'build', '-o', work / program, f'./{program}', cwd=folder, **settings)
        self.demo = [work / 'demo']
        self.test = [work / 'test']


class Java:
    def __init__(self, folder, work):
        need('java', 'javac')
        jar = Path('/usr/share/java/jna.jar')
        if not jar.exists():
            skip('libjna-java is not installed')
        self.environment = {}
        run('javac', '-Xlint:all,-path', '-Werror', '-cp', jar, '-d', work, *folder.glob('*.java'))
        # A small heap: the collector has work. The client compiler: it never replaces null checks that trap.
        java = ['java', '-Xmx64m', '-XX:TieredStopAtLevel=1', '-Djava.io.tmpdir=' + str(work), '-cp', f'{jar}:{work}']
        self.demo = [*java, 'Demo']
        self.test = [*java, 'Test']


class Lua:
    def __init__(self, folder, work):
        need('luajit')
        self.environment = {'LUA_PATH': f'{folder}/?.lua'}
        self.demo = ['luajit', folder / 'demo.lua']
        self.test = ['luajit', folder / 'test.lua']


LANGUAGES = {'python': Python, 'node': Node, 'rust': Rust, 'go': Go, 'java': Java, 'lua': Lua}


def plain(word):
    """KERNEL_TOO_OLD, KernelTooOld and kernel-too-old are one word."""
    return re.sub(r'[^a-z0-9]', '', word.lower())


def members():
    """The members of struct fsgs_report, from the header."""
    text = re.sub(r'/\*.*?\*/', '', HEADERS[1].read_text(encoding='utf-8'), flags=re.S)
    return re.findall(r'(\w+)\s*(?:\[\w+\])?\s*;', re.search(r'struct fsgs_report \{(.*?)\n\};', text, re.S)[1])


def constants():
    text = ''.join(re.sub(r'/\*.*?\*/', '', h.read_text(encoding='utf-8'), flags=re.S) for h in HEADERS)
    return re.findall(r'\bFSGS_(?:CHECK|SEGMENT|LIST)_\w+(?= =)', text)


def header_truth(work):
    """Where the members are and what the constants are: asked of a C compiler."""
    lines = [f'printf("layout {m} %zu\\n", offsetof(struct fsgs_report, {m}));' for m in members()]
    lines += ['printf("layout sizeof %zu\\n", sizeof(struct fsgs_report));']
    lines += [f'printf("constant {c} %d\\n", (int){c});' for c in constants()]
    program = '#include <fsgscheck.h>\n#include <stdio.h>\nint main(void) { %s return 0; }\n' % '\n'.join(lines)
    (work / 'truth.c').write_text(program, encoding='utf-8')
    run(os.environ['CC'], f'-I{SOURCE}/include', work / 'truth.c', '-o', work / 'truth')
    return set(run(work / 'truth').splitlines())


def library_names():
    library = ctypes.CDLL(str(SHARED))
    library.fsgs_name.restype = ctypes.c_char_p
    names = {}
    for number, which in enumerate(('verdict', 'finding', 'outcome', 'insn', 'access', 'proof')):
        value = 0
        while name := library.fsgs_name(number, value):
            names.setdefault(which, {})[value] = name.decode()
            value += 1
    return names


def findings(report):
    facts = {'verdict': report['verdict'], 'fs': report['fs'], 'gs': report['gs'], 'proof': report['proof'],
             'findings': ','.join(report['findings']), 'reason': report['reason'], 'library': report['library'],
             'cpuid.vendor': report['cpuid']['vendor'] or '', 'kernel.release': report['kernel']['release'],
             'cpuid.fsgsbase': str(report['cpuid']['fsgsbase']).lower(),
             'hwcap2.fsgsbase': str(report['hwcap2']['fsgsbase']).lower()}
    facts.update({f'access.{segment}': means for segment, means in report['access'].items()})
    facts.update({f'trial.{insn}': trial['outcome'] for insn, trial in report['trials'].items()})
    return facts


def split(lines):
    """Facts by their first word; some come more than once."""
    facts = {}
    for line in lines:
        key, _, value = line.replace('\t', ' ').partition(' ')
        facts.setdefault(key, []).append(value)
    return facts


def compare(name, facts, report, truth):
    wrong = []

    def expect(what, got, wanted):
        if got != wanted:
            wrong.append(f'{what}: {got!r}, expected {wanted!r}')

    for key, wanted in findings(report).items():
        got = facts.get(key, [None])[0]
        if key in ('cpuid.fsgsbase', 'hwcap2.fsgsbase'):
            # Each language has its own word for nothing.
            got = 'none' if got is not None and got.lower() in ('none', 'null', 'nil') else got and got.lower()
        expect(key, got, wanted)
    expect('advice', facts.get('advice', []), (report['advice'] or '').split('\n') if report['advice'] else [])
    agreed, _, all_checks = facts.get('threads', ['0 of ?'])[0].partition(' of ')
    expect('threads', agreed, all_checks)
    expect('error.set_base', facts.get('error.set_base'), ['1'])
    if name != 'rust':  # where the flags have a type that allows no other
        expect('error.check', facts.get('error.check'), ['22'])

    copies = {}
    for line in facts.get('name', []):
        which, value, word = line.split()
        copies.setdefault(which, {})[int(value)] = plain(word)
    names = library_names()
    for which, words in copies.items():
        expect(f'names of {which}', words, {value: plain(word) for value, word in names[which].items()})
    if not {'verdict', 'access'} <= set(copies):
        wrong.append('the names were not checked')

    # What cgo takes from the header needs no check.
    if name != 'go':
        for kind in ('layout', 'constant'):
            lines = {f'{kind} {line}' for line in facts.get(kind, [])}
            expect(f'{kind} beside the header', sorted(lines - truth), [])
            if not lines:
                wrong.append(f'{kind} was not checked')
        expect('layout that is missing', sorted(line for line in truth if line.startswith('layout')
                                                and line[7:] not in facts.get('layout', [])), [])
    return wrong


def main(name):
    folder = SOURCE / 'examples/ffi' / name
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        binding = LANGUAGES[name](folder, work)
        report = json.loads(subprocess.run([COMMAND, '--json'], capture_output=True, check=False, timeout=30).stdout)
        demo = run(*binding.demo, **binding.environment)
        wanted = rf'{report["verdict"]}: {re.escape(report["reason"])}\nGS base 0x[0-9a-f]+\n'
        if not re.fullmatch(wanted, demo):
            raise SystemExit(f'the demo printed:\n{demo}')
        # FSGSCHECK_FIELDS: for a binding whose language cannot enumerate its structures.
        lines = run(*binding.test, **binding.environment, FSGSCHECK_FIELDS=' '.join(members())).splitlines()
        wrong = compare(name, split(lines), report, header_truth(work))
    for line in wrong:
        print(line)
    print(*(line for line in lines if line.startswith('threads')))
    sys.exit(bool(wrong))


if __name__ == '__main__':
    main(sys.argv[1])
