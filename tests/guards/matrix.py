# SPDX-License-Identifier: MIT
"""Builds the library in many ways, runs the tests of each build, and prints a table.

    PYTHONPATH=tests python3 tests/guards/matrix.py [--fast | --list | NAME...]        all rows take some minutes

Each row has its own build directory, in which the unit tests and the tests of the command run. Criterion does not exist
for musl, so the rows with musl run only the tests of the command. The row `musl static-pie` only builds the command and
runs it once.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support import SOURCE, builds

HARDENED = '-fcf-protection=full -fstack-protector-strong -D_FORTIFY_SOURCE=3'
NOW = '-Wl,-z,now,-z,relro'
MUSL = '/usr/lib/x86_64-linux-musl'
UNIT = ('unit', 'command')
STATIC_PIE = ()

# The name of each row, with its compiler, C flags, link flags, options of Meson, and suites.
ROWS = {
    'gcc -O0': ('gcc', '', '', ['-Dbuildtype=debug'], UNIT),
    'gcc -O2': ('gcc', '', '', ['-Dbuildtype=plain', '-Doptimization=2'], UNIT),
    'gcc -O3': ('gcc', '', '', ['-Dbuildtype=release'], UNIT),
    'gcc -O2 -flto': ('gcc', '', '', ['-Doptimization=2', '-Db_lto=true'], UNIT),
    'gcc hardened': ('gcc', HARDENED, NOW, ['-Doptimization=2'], UNIT),
    'gcc hardened -flto': ('gcc', HARDENED, NOW, ['-Doptimization=2', '-Db_lto=true'], UNIT),
    'gcc -O3 -march=native': ('gcc', '-march=native', '', ['-Doptimization=3'], UNIT),
    'clang -O0': ('clang', '', '', ['-Dbuildtype=debug'], UNIT),
    'clang -O2': ('clang', '', '', ['-Doptimization=2'], UNIT),
    'clang -O3': ('clang', '', '', ['-Dbuildtype=release'], UNIT),
    'clang -O2 -flto': ('clang', '', '-fuse-ld=lld', ['-Doptimization=2', '-Db_lto=true'], UNIT),
    'clang hardened': ('clang', HARDENED, NOW, ['-Doptimization=2'], UNIT),
    'only shared': ('gcc', '', '', ['-Ddefault_library=shared'], UNIT),
    'only static': ('gcc', '', '', ['-Ddefault_library=static'], UNIT),
    'musl -O2': ('musl-gcc', '', '', ['-Doptimization=2'], ('command',)),
    'musl -O0': ('musl-gcc', '', '', ['-Dbuildtype=debug'], ('command',)),
    'musl static-pie': ('musl-gcc', '-fPIE', '', ['-Doptimization=2', '-Ddefault_library=static'], STATIC_PIE),
}
# The row that tests/run builds, because no other test of that run links a static PIE with musl.
FAST = ('musl static-pie',)


def call(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, timeout=900,
                          **options)


def static_pie(build):
    """Builds the command as a static PIE: position-independent, but without a dynamic loader. Then runs it. musl-gcc
    has no option for this, so the start files are passed by their paths."""
    done = call('ninja', '-C', build, 'lib/libfsgscheck.a')
    if done.returncode:
        return 'FAIL', done.stdout
    command = build / 'command'
    # Leaves out the file that needs elfutils, and the file that replaces the tracer on other systems.
    sources = sorted(path for path in (SOURCE / 'examples/fsgscheck').rglob('*.c')
                     if path.name not in ('place-dwarf.c', 'no-tracer.c'))
    done = call('musl-gcc', '-std=c11', '-D_GNU_SOURCE', '-fPIE', '-nostartfiles',
                '-Wl,-static,-pie,--no-dynamic-linker,-z,text', f'{MUSL}/rcrt1.o', f'{MUSL}/crti.o', f'-I{SOURCE}/include',
                f'-I{SOURCE}/examples/fsgscheck', *sources, build / 'lib/libfsgscheck.a', f'{MUSL}/crtn.o', '-o', command)
    if done.returncode:
        return 'FAIL', done.stderr
    kind = call('readelf', '-hlW', command).stdout
    if not re.search(r'Type: +DYN', kind) or 'INTERP' in kind:
        return 'FAIL', kind
    done = call(command, '--all-cpus', '--survival')
    return ('OK' if done.returncode in (0, 1, 2) else 'FAIL'), done.stdout


def suites(build, names):
    # The tests of the suite own-flags choose their own compiler flags. In each row they would repeat the tests of the main
    # build.
    done = call('meson', 'test', '-C', build, '--num-processes', '2', '--print-errorlogs', '--no-suite', 'own-flags',
                *(word for name in names for word in ('--suite', name)))
    passed = re.search(r'^Ok: +(\d+)', done.stdout, re.M)
    if done.returncode or not passed or passed[1] == '0':
        return 'FAIL', done.stdout + done.stderr
    return 'OK', passed[1]


def build_and_test(name, work):
    """Builds the library as the row says, and runs its tests. Returns OK, FAIL or SKIP, with a detail."""
    compiler, cflags, ldflags, options, tests = ROWS[name]
    if not shutil.which(compiler):
        return 'SKIP', f'{compiler} is not installed'
    build = work / re.sub(r'\W+', '-', name)
    done = call('meson', 'setup', '--werror', *builds.PLAIN, *options, build, SOURCE,
                env={**os.environ, 'CC': compiler, 'CFLAGS': cflags, 'LDFLAGS': ldflags})
    if done.returncode:
        return 'FAIL', done.stdout + done.stderr
    status, detail = static_pie(build) if tests == STATIC_PIE else suites(build, tests)
    shutil.rmtree(build)
    return status, detail


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--fast', action='store_true', help='the row that tests/run takes')
    parser.add_argument('--list', action='store_true', help='print the names of the rows')
    parser.add_argument('name', nargs='*', help='rows to build; none: all')
    options = parser.parse_args()
    unknown = set(options.name) - set(ROWS)
    if unknown:
        parser.error(f'no such row: {", ".join(sorted(unknown))}; --list names them')
    if options.list:
        print(*ROWS, sep='\n')
        return 0
    rows = options.name or (FAST if options.fast else ROWS)
    table = []
    with tempfile.TemporaryDirectory() as directory:
        for name in rows:
            begin = time.monotonic()
            status, detail = build_and_test(name, Path(directory))
            table.append((name, status, time.monotonic() - begin))
            print(f'{name}: {status}', flush=True)
            if status != 'OK':
                print(detail)
    print(f'\n{"build":24} {"result":8} seconds')
    for name, status, seconds in table:
        print(f'{name:24} {status:8} {seconds:7.1f}')
    return any(status == 'FAIL' for _, status, _ in table)


if __name__ == '__main__':
    sys.exit(main())
