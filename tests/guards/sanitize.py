# SPDX-License-Identifier: MIT
"""Runs the unit tests and a short torture under one sanitizer or tool of valgrind, or checks the marks for CET.

    sanitize.py address,undefined|thread|memory|cet|memcheck|helgrind

The sanitizers and CET use a build directory of their own, $SCRATCH. valgrind uses the programs of $BUILD, which Meson has
built. $UNITS and $TORTURE name the programs that the meson.build files list. All of them run here, except those in
LEFT_OUT, which gives the reasons. FSGSCHECK_TORTURE_SECONDS is the time for which torture/threads.c runs.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from support import SKIP, TESTS, Unavailable, builds, output, parts, run

UNITS, TORTURE = os.environ['UNITS'].split(), os.environ['TORTURE'].split()
BUILD, SCRATCH = Path(os.environ['BUILD']), Path(os.environ['SCRATCH'])
VALGRIND = ('valgrind', '-q', '--error-exitcode=99', '--exit-on-first-error=yes', '--trace-children=yes')

GUARD = {name for name in UNITS if name.startswith('guard-')}

# Programs that do not run under a tool, with the reasons.
LEFT_OUT = {
    # `reading`, `text` and `efi-guard` define C library functions that MemorySanitizer also defines. Most of the others
    # run trials or CPUID. MemorySanitizer does not see that lib/linux/trial.c and lib/core/cpuid.c store results, because
    # these files are not instrumented. So it would report the results as uninitialised.
    'memory': {'reading', 'text', 'efi-guard', 'base', 'check', 'sweep', 'trial', *GUARD, *TORTURE},
    # valgrind runs none of the four instructions and handles signals itself.
    'memcheck': {'base', 'check', 'reading', 'device', 'text', *GUARD, *TORTURE},
    # helgrind looks for races. Of the unit tests, only `check` runs under helgrind: in it, several threads check at the same time.
    'helgrind': {*UNITS, *TORTURE} - {'check'},
    # ThreadSanitizer 14 itself fails if a signal arrives at a child of vfork(), or at a thread that ends.
    'thread': {'sandbox', 'threads', 'threads-undefined'},
    # A sandbox that refuses memory to the test would refuse it to the tool, too, and the tool needs more memory.
    'address,undefined': {'sandbox'},
    # For CET, only the marks of the library's objects are checked here. In the hardened rows of matrix.py, every unit test
    # is built with -fcf-protection and runs.
    'cet': {*UNITS, *TORTURE},
}

# Tests that cannot pass under a tool, in any program. Depending on the test, the reason is one of these. The tool's own
# code uses the FS base while the test has set a foreign base. The tool delays signals, delivers them with another mask
# and errno, hides the kernel's actions, or answers system calls itself. After a bare clone, it takes the lock of the
# child for that of the parent. It does not support processes that share memory. It does not know what assembly writes.
TESTS_LEFT_OUT = {
    'thread': ('fs_goes_away_and_comes_back', 'the_owner_may_change_errno', 'passes_on_with_the_owners_mask',
               'runs_as_the_owners_would', 'returns_as_the_owner_does', 'a_bare_clone_is_sane',
               'a_process_in_the_same_memory_keeps_away', 'serves_after_the_trial', 'a_chain_has_an_end',
               'too_many_actions', 'too_many_actions_of_a_later_signal', 'a_held_back_signal_has_its_threads_mask'),
    'memory': ('keeps_floating_point_control', 'fs_goes_away_and_comes_back', 'early_answer'),
    'helgrind': ('asks_whether_cpuid_faults',),
}
# Tests in which a signal must stay pending for the process. ThreadSanitizer 19 has a thread of its own that does not
# block SIGILL. That thread receives the signal although all threads of the program block it. ThreadSanitizer 14 has no
# such thread.
PENDING = ('a_blocked_signal_stays_pending', 'both_pending_signals_stay_pending', 'many_sent_signals_coalesce',
           'a_killed_signal_stays_pending_for_the_process', 'each_sent_signal_reaches_its_handler',
           'a_sandbox_may_hide_whose_a_signal_is', 'a_sandbox_may_refuse_siginfo',
           'a_sandbox_may_refuse_siginfo_for_the_process')

os.environ.setdefault('FSGSCHECK_TORTURE_SECONDS', '3')


def configured(tool, targets):
    """Configures the build directory of a tool, and builds the targets."""
    compiler = 'gcc' if tool == 'cet' else 'clang'
    if not shutil.which(compiler):
        raise Unavailable(f'{compiler} is not installed')
    sanitize = 'none' if tool == 'cet' else tool
    with tempfile.TemporaryDirectory() as folder:
        if run(compiler, f'-fsanitize={sanitize}', '-x', 'c', '-', '-o', f'{folder}/program',
               input='int main(void) { return 0; }').returncode and sanitize != 'none':
            raise Unavailable(f'{compiler} has no runtime for -fsanitize={sanitize}')
    return builds.meson(SCRATCH, f'-Db_sanitize={sanitize}', '-Db_lundef=false', '-Doptimization=1',
                        # A report needs line numbers only. All other debugging information would take long to write.
                        '-Ddebug=false', '-Dc_args=' + ('-fcf-protection=full' if tool == 'cet' else '-gline-tables-only'),
                        targets=targets,
                        compiler=compiler)


def unmarked(build):
    """The library's objects without CET's mark. One such object disables CET for the whole process. The linked files
    cannot be checked, because the distribution's C library may add unmarked objects.
    """
    return [path for path in sorted((build / 'lib').rglob('*.o')) if 'IBT, SHSTK' not in output('readelf', '-n', path)]


def main():
    tool, = sys.argv[1:]
    units = [name for name in UNITS if name not in LEFT_OUT[tool]]
    torture = [name for name in TORTURE if name not in LEFT_OUT[tool]]
    wrapper = ()
    if tool in ('memcheck', 'helgrind'):
        if not shutil.which('valgrind'):
            raise Unavailable('valgrind is not installed')
        build, wrapper = BUILD, (*VALGRIND, f'--tool={tool}')
        if tool == 'helgrind':
            wrapper += (f'--suppressions={TESTS}/guards/helgrind.supp',)
    else:
        build = configured(tool, [*(f'tests/unit/plain-{name}' for name in units),
                                  *(f'tests/torture/torture-{name}' for name in torture),
                                  'lib/libfsgscheck.a', 'lib/libfsgscheck-core.a'])
    if tool == 'cet' and unmarked(build):
        print('not marked:', *unmarked(build))
        return 1
    left_out = TESTS_LEFT_OUT.get(tool, ())
    if tool == 'thread' and int(output('clang', '-dumpversion').partition('.')[0]) > 14:
        left_out += PENDING
    commands = [[build / f'tests/unit/plain-{name}', *left_out] for name in units]
    commands += [[build / f'tests/torture/torture-{name}'] for name in torture]
    for command in commands:
        print('==', *command, flush=True)
        if subprocess.run([*wrapper, *command], env=os.environ | builds.SANITIZERS, check=False).returncode not in (0, SKIP):
            return 1
    if wrapper:
        # Under valgrind the instructions do not run: the trial faults four times, and any verdict is allowed.
        print('== fsgscheck', flush=True)
        if subprocess.run([*wrapper, os.environ['FSGSCHECK'], '--all-cpus', '--survival'], check=False).returncode > 3:
            return 1
    print(f'{tool}: clean')
    return 0


if __name__ == '__main__':
    parts.run_main(main)
