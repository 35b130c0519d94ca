#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures which lines and branches of lib/ the quick tests execute, and holds them to a floor.

  coverage.py SOURCE-ROOT BUILD-DIRECTORY

Every line that is missing has to be named in missing.txt, with a reason. The branches that are missing are
listed in branches.txt in the build directory; what kinds there are, missing.txt says, too.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

LINES, BRANCHES = 95.0, 90.0
# With the unit tests: what needs a tracer or another process to happen.
TESTS = ['torture-callers', 'torture-inject', 'torture-sandbox',
         *(f'states-{state}' for state in (
             'forged-vendor', 'masked', 'unaware-kernel', 'all-undefined', 'xen-pv-loses', 'lost-fork', 'lost-yield',
             'arch_prctl-lies-fs', 'arch_prctl-lies-gs', 'cpuid-faulting', 'cpus-differ-insn', 'only-wrfsbase-wrong',
             'only-rdfsbase-ud'))]
SKIP = 77


def run(*command):
    result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        sys.exit(f'{command[0]}: status {result.returncode}\n{result.stdout}')


def measure(source, build):
    if not (build / 'build.ninja').exists():
        shutil.rmtree(build, ignore_errors=True)
        run('meson', 'setup', build, source, '-Db_coverage=true', '-Ddocs=disabled', '-Dbuildtype=debug')
    run('ninja', '-C', build)
    for counters in build.rglob('*.gcda'):
        counters.unlink()
    # What some tests count, others must not share: they write where the program was built.
    run('meson', 'test', '-C', build, '--no-rebuild', '--suite', 'unit')
    run('meson', 'test', '-C', build, '--no-rebuild', *TESTS)
    run('gcovr', '--root', source, '--filter', source / 'lib', '--exclude-throw-branches',
        '--exclude-unreachable-branches', '--json', build / 'coverage.json', build / 'lib')
    return json.loads((build / 'coverage.json').read_text(encoding='utf-8'))['files']


def named(mark=''):
    """The lines that are missing, or with a mark may be, as pairs of file with function, and text."""
    listed = pathlib.Path(__file__).with_name('missing.txt').read_text(encoding='utf-8').splitlines()
    return {tuple(line.removeprefix(mark).split(': ', 1)) for line in listed if line.startswith(mark + 'lib/')}


def is_there(source, where, text):
    return text in (source / where.split()[0]).read_text(encoding='utf-8')


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    for tool in ('gcovr', 'gcov'):
        if not shutil.which(tool):
            print(f'{tool} is not installed')
            return SKIP
    source, build = (pathlib.Path(os.path.abspath(path)) for path in sys.argv[1:])
    executed = taken = lines = branches = 0
    missing, untaken = set(), []
    for file in measure(source, build):
        text = (source / file['file']).read_text(encoding='utf-8').splitlines()
        starts = {function['lineno']: function['name'] for function in file['functions']}
        for line in file['lines']:
            if line['gcovr/noncode']:
                continue
            lines += 1
            executed += line['count'] > 0
            branches += len(line['branches'])
            taken += sum(branch['count'] > 0 for branch in line['branches'])
            number = line['line_number']
            if line['count'] and not all(branch['count'] for branch in line['branches']):
                untaken.append(f"{file['file']}:{number}: {text[number - 1].strip()}\n")
            if not line['count']:
                function = starts[max(start for start in starts if start <= number)]
                missing.add((f"{file['file']} {function}", text[number - 1].strip()))
    (build / 'branches.txt').write_text(''.join(untaken), encoding='utf-8')
    if not lines:
        sys.exit('nothing was counted')

    line_rate, branch_rate = 100 * executed / lines, 100 * taken / branches
    failures = [f'not executed, and not in missing.txt: {where}: {text}'
                for where, text in sorted(missing - named() - named('? '))]
    failures += [f'in missing.txt, and executed or gone: {where}: {text}' for where, text in sorted(named() - missing)]
    failures += [f'in missing.txt, and gone: {where}: {text}'
                 for where, text in sorted(named('? ')) if not is_there(source, where, text)]
    if line_rate < LINES:
        failures.append(f'fewer than {LINES} % of the lines')
    if branch_rate < BRANCHES:
        failures.append(f'fewer than {BRANCHES} % of the branches')
    for failure in failures:
        print(failure)
    print(f'lines {executed} of {lines}, {line_rate:.1f} %; branches {taken} of {branches}, {branch_rate:.1f} %')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
