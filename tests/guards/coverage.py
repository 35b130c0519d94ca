# SPDX-License-Identifier: MIT
"""Measures which lines and branches of lib/ the unit tests and the tests of TRACED execute, and fails if these are too few.

Each line that is not executed must be between two comments, GCOV_EXCL_START: REASON and GCOV_EXCL_STOP, or must have
GCOV_EXCL_LINE: REASON at its end. The test also fails if an excluded line is executed, unless the reason begins with
"by chance". The file branches.txt in the build directory lists the lines with branches that were not taken. These
branches are of these kinds:
- branches to an excluded line: the process ends there, or another process continues;
- a system call that fails although it has just succeeded with the same arguments;
- a compare-and-exchange in which another thread was faster, and a thread that reads while another thread stores: the
  torture of 64 threads takes these branches, but is not counted;
- a trial whose owner is inside fork(): only handlers that programs register for fork() see this state, and children end
  by _exit(), which writes no counters;
- limits that no kernel or processor exceeds: 4 GiB in one word of /proc/cpuinfo, CPU numbers beyond CPU_SETSIZE;
- a caller of the core that lacks a hook, together with a broken instruction: the tests cover the missing hook alone, and the
  broken instruction with the hook.
"""

import json
import os
import re
import shutil
from pathlib import Path

from support import SOURCE, Unavailable, advertised, builds, output, parts

LINES, BRANCHES = 95.0, 90.0
# Tests that need a tracer or another process. They execute further paths of lib/, and run after the unit tests.
TRACED = ['torture-callers', 'torture-inject', 'torture-sandbox',
          *(f'states-{state}' for state in (
              'forged-vendor', 'masked', 'unaware-kernel', 'all-undefined', 'xen-pv-loses', 'lost-fork', 'lost-yield',
              'arch_prctl-lies-fs', 'arch_prctl-lies-gs', 'cpuid-faulting', 'cpus-differ-insn', 'only-wrfsbase-wrong',
              'only-rdfsbase-ud'))]
MARK = re.compile(r'GCOV_EXCL_(START|STOP|LINE)(?:: (\S.*))?')


def tests(build, *which):
    """Runs some tests. Returns the names of those that were skipped."""
    output('meson', 'test', '-C', build, *which, timeout=1200)
    log = (build / 'meson-logs/testlog.json').read_text(encoding='utf-8').splitlines()
    return [test['name'] for test in map(json.loads, log) if test['result'] == 'SKIP']


def measure(build):
    """Runs the tests. Returns gcovr's result for each file, and the names of the tests that could not run here."""
    builds.meson(build, '-Db_coverage=true', '-Dbuildtype=debug', targets=['lib/libfsgscheck.a'])
    for counters in build.rglob('*.gcda'):
        counters.unlink()
    # The tests write their counters into the directory in which the programs were built, so the measurement needs its own
    # build directory.
    skipped = tests(build, '--suite', 'unit', '--no-suite', 'enumeration') + tests(build, *TRACED)
    # --exclude-pattern-prefix makes gcovr ignore the markers. main() checks them itself, because gcovr does not report
    # whether an excluded line was executed.
    output('gcovr', '--root', SOURCE, '--filter', SOURCE / 'lib', '--exclude-throw-branches',
           '--exclude-unreachable-branches', '--exclude-pattern-prefix', 'NONE', '--json', build / 'coverage.json',
           build / 'lib')
    return json.loads((build / 'coverage.json').read_text(encoding='utf-8'))['files'], skipped


def excluded(path):
    """Maps the number of each excluded line to the reason in its marker."""
    marked, reason = {}, None
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        found = MARK.search(line)
        if found and found[1] != 'STOP' and not found[2]:
            raise AssertionError(f'{path}:{number}: a marker needs a reason')
        if found and found[1] == 'LINE':
            marked[number] = found[2]
        elif found:
            if (found[1] == 'START') == bool(reason):
                raise AssertionError(f'{path}:{number}: markers are not in pairs')
            marked[number] = found[2] or reason
            reason = found[2] if found[1] == 'START' else None
        elif reason:
            marked[number] = reason
    if reason:
        raise AssertionError(f'{path}: a marker has no end')
    return marked


def main():
    if not advertised():
        raise Unavailable('this kernel does not enable FSGSBASE, so survival and access by instruction do not run')
    for tool in ('gcovr', 'gcov'):
        if not shutil.which(tool):
            raise Unavailable(f'{tool} is not installed')
    build = Path(os.environ['SCRATCH'])
    files, skipped = measure(build)
    executed = taken = lines = branches = 0
    failures, untaken = [], []
    for file in files:
        name, marked = file['file'], excluded(SOURCE / file['file'])
        text = (SOURCE / name).read_text(encoding='utf-8').splitlines()
        used = set()
        for line in file['lines']:
            number = line['line_number']
            if line['gcovr/noncode']:
                continue
            lines += 1
            executed += line['count'] > 0
            branches += len(line['branches'])
            taken += sum(branch['count'] > 0 for branch in line['branches'])
            here = f'{name}:{number}: {text[number - 1].strip()}'
            if line['count'] and not all(branch['count'] for branch in line['branches']):
                untaken.append(here + '\n')
            if not line['count'] and number not in marked:
                failures.append(f'not executed, and no marker says why: {here}')
            if line['count'] and number in marked and not marked[number].startswith('by chance'):
                failures.append(f'executed, and marked: {here}')
            used.add(number)
        failures += [f'marked, and no code: {name}:{number}' for number, reason in marked.items()
                     if number not in used and 'GCOV_EXCL_LINE' in text[number - 1]]
    (build / 'branches.txt').write_text(''.join(untaken), encoding='utf-8')
    if not lines:
        raise AssertionError('nothing was counted')

    line_rate, branch_rate = 100 * executed / lines, 100 * taken / branches
    if line_rate < LINES:
        failures.append(f'fewer than {LINES} % of the lines')
    if branch_rate < BRANCHES:
        failures.append(f'fewer than {BRANCHES} % of the branches')
    print(*failures, f'lines {executed} of {lines}, {line_rate:.1f} %; branches {taken} of {branches}, '
          f'{branch_rate:.1f} %', sep='\n')
    missing = [name for name in skipped if name in TRACED]
    if failures and missing:
        raise Unavailable(f'{" ".join(missing)} cannot run here, and what only they execute is not counted')
    return 1 if failures else 0


if __name__ == '__main__':
    parts.run_main(main)
