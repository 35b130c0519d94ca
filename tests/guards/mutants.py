# SPDX-License-Identifier: MIT
"""Shows that the tests detect defects: seeds one defect after another into the library, and expects the named test to
fail.

    mutants.py [--short | NAME...]

An edit names a function and a pattern of C in it (support/mutation.py). So the edits here stay valid if code is
reformatted, if variables get other names, or if a function moves to another file. The objects of the test and the
library come from the build directory, so each defect takes one compilation and one link. First, the same tests run with
the unchanged library, and must pass or skip. If a test hangs, the defect counts as detected: with the unchanged library,
the test ends in a fraction of its time limit.
"""

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from support import SKIP, SOURCE, Unavailable, advertised, builds, mutation, output, parts, run

COMPILER, LIBRARY, BUILD = os.environ['CC'].split(), os.environ['LIBRARY'], Path(os.environ['BUILD'])
FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O1', '-g', '-pthread', '-fno-stack-protector', '-w']
INCLUDE = [f'-I{SOURCE / folder}' for folder in ('include', 'lib', 'lib/core', 'lib/linux')]

# The defects of --short, one of each kind. Every run of tests/run seeds them.
SHORT = {'handler not restored on the fault path', 'mask not restored', 'RIP not looked at', 'no lock',
         'SA_ONSTACK left out', 'errno changed', 'FS written with a foreign value', 'an ignored signal is not ignored'}

# Defects that have no effect under a kernel that does not support the instructions: at each fault, such a kernel
# restores the base that it has stored.
KEPT = {'GS not put back after a fault'}

LOCK = [('fsgs_lock_take', 'prepare();', 'prepare(); return acquired();'),
        ('fsgs_lock_release', 'if (!$exchanged) return;', 'if (name) return;')]
OWNERS = ('ours', '(SA_ONSTACK | SA_RESTART | SA_NODEFER)')
IGNORED = ('fsgs_handover_pass', 'if ($old->handler == SIG_IGN && $info->si_code <= 0)')

# Each row has the name of the defect, its edits (the function, or None for the file; pattern; replacement), the program,
# and the test in it.
MUTANTS = [
    ('handler not restored on the fault path',
     [('recover', 'return 1;', 'return faulted = 1;'),
      (None, 'static int is_trying(void)', 'static int faulted; static int is_trying(void)'),
      ('fsgs_guard_leave', 'fsgs_handover_give_back();', 'if (!faulted) fsgs_handover_give_back();')],
     'unit-guard-actions', 'catches_again_and_again'),
    ('mask not restored',
     [('fsgs_guard_leave', 'change_mask(SIG_SETMASK, mask, NULL); for', 'for')],
     'unit-guard-actions', 'restores_any_action_and_mask'),
    ('RIP not looked at',
     [('recover', 'if ((uint64_t)$mark != mark || $pointer != $stack) return 0;', ''),
      ('recover', 'if ($address == $rip) {', 'if (regs[REG_RIP]) {')],
     'unit-guard-owner', 'passes_on_its_own_threads_fault'),
    ('thread not looked at',
     [('is_trying', 'return $thread && (unsigned)thread_id() == $again;', 'return $thread != 0;')],
     'unit-guard-sent', 'passes_on_another_threads_sent_signal'),
    ('no lock', LOCK, 'torture-threads', None),
    ('a child keeps what it inherits', [('restore', 'replace($slot, $now, was == $spent ? &none : $old);', ';')],
     'unit-guard-fork', 'fork_in_another_thread'),
    ('a copy does not know itself', [('prepare', 'MADV_WIPEONFORK, 0)', '0, 0)')],
     'unit-guard-fork', 'a_bare_clone_is_sane'),
    ('a lock over fork',
     [('prepare', 'atomic_store($prepared, 1);', 'atomic_store($prepared, 1); extern int pthread_atfork(void (*)(void), '
       'void (*)(void), void (*)(void)); pthread_atfork(before_fork, after_fork, after_fork);'),
      (None, 'static void prepare(void)', 'static uint64_t forking; static void before_fork(void) {'
       'fsgs_lock_take(&forking); } static void after_fork(void) { fsgs_lock_release(forking); }'
       'static void prepare(void)')],
     'unit-guard-fork', 'fork_takes_no_lock'),
    ('a trial is lost over fork', [('recover', 'if ((uint64_t)$mark != mark', 'if (!is_trying() || (uint64_t)$mark != mark')],
     'unit-guard-fork', 'a_trial_goes_on_in_a_child'),
    ('a dead owner keeps the lock', [('fsgs_lock_take', '!fsgs_lock_state($owner)', '0')],
     'unit-guard-lock', 'a_dead_owner_loses_the_lock'),
    ('each waiter waits as long', [('fsgs_lock_take', 'atomic_load($stuck) == turn + 1', '0')],
     'unit-guard-lock', 'a_lock_that_is_not_given_back_is_waited_for_once'),
    ("the C library's signals blocked in the library's threads",
     [('fsgs_apart', 'EXCHANGING & ~SIGNALS_OF_LIBC', 'EXCHANGING'),
      ('run_errand', 'const kernel_sigset open = SIGNALS_OF_LIBC;', 'const kernel_sigset open = 0;')],
     'torture-hostile', 'setxid'),
    ('SIGSEGV blocked while actions are exchanged',
     [('fsgs_guard_enter', 'change_mask(SIG_BLOCK, EXCHANGING, &$old)', 'change_mask(SIG_BLOCK, EXCHANGING | SERVED, &$old)')],
     'torture-hostile', 'write barrier'),
    ('the stack touched at its end alone',
     [(None, 'volatile char below[10 * 1024];',
       'volatile char first[5 * 4096]; first[0] = 0; volatile char below[10 * 1024];')],
     'torture-hostile', 'a stack committed page by page'),
    ('a copy of the process for survival', [(None, 'CLONE_VM | CLONE_VFORK', '0')],
     'torture-hostile', 'survival in a large process'),
    ('a forged file keeps the check', [('fsgs_open_file', 'O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY', 'O_RDONLY')],
     'torture-hostile', 'forged files'),
    ('an endless file is read to its end', [('fsgs_cpuinfo', 'size < CPUINFO_SIZE &&', '')],
     'torture-hostile', 'forged files'),
    ('a value that a switch of threads changed counts', [('fsgs_try', 'try_again($report, $ops);', '')],
     'torture-switched', None),
    ('a wrong value tried again where the kernel promised to keep it',
     [('try_again', 'report->hwcap2_fsgsbase != FSGS_ANSWER_YES &&', '')], 'torture-switched', None),
    ('a thread\'s own signal goes to the process', [('is_for_process', '($nth == 0 && ($own & $bit))', '0')],
     'unit-guard-sent', 'a_signal_queued_to_a_thread_stays_pending_there'),
    ('a signal of the process goes to the checker',
     [('fsgs_handover_send', '!($whole && system_call(SYS_kill, $pid, $sig, 0, 0) == 0)', '1')],
     'unit-guard-sandbox', 'a_sandbox_may_refuse_siginfo_for_the_process'),
    ('bad memory taken for a fault',
     [('fsgs_guard_handle', '&& !($sig == SIGBUS && $info->si_code == BUS_MCEERR_AO)', '')],
     'unit-guard-sent', 'puts_aside_news_of_bad_memory'),
    ('the owner\'s way back is not taken',
     [('ours', 'SA_RESTORER ? $found->restorer : $other', 'SA_RESTORER && 0 ? $found->restorer : $other')],
     'unit-guard-actions', 'returns_as_the_owner_does'),
    ('SA_ONSTACK left out', [(*OWNERS, '(SA_RESTART | SA_NODEFER)')], 'unit-guard-owner', 'the_owner_chooses_the_stack'),
    ('mask of the owner left out', [('ours', 'memcpy($to, $old->mask, sizeof $size);', ';')],
     'unit-guard-owner', 'passes_on_with_the_owners_mask'),
    ('errno changed', [('check', 'errno = $error;', '')], 'torture-callers', None),
    ('FS written with a foreign value', [('try_fs', '$io.in[0] = base;', '$io.in[0] = base + 64;')],
     'unit-trial', None),
    ('GS not put back after a fault', [('try_marked', 'restore_base($ops, $segment, $base);', '')], 'torture-inject', None),
    ('an ignored signal is not ignored', [(*IGNORED, 'if (0)')], 'unit-guard-sent', 'a_sent_signal_stays_ignored'),
    ('a fault is ignored', [(*IGNORED, 'if ($old->handler == SIG_IGN)')], 'unit-guard-owner', 'a_fault_cannot_be_ignored'),
    ('SA_RESETHAND left out', [('fsgs_handover_pass', 'if (($flags & SA_RESETHAND) &&', 'if (0 &&')],
     'unit-guard-owner', 'passes_on_once_with_resethand'),
    ('a foreign handler is replaced', [('restore', 'if (!was) break;', 'replace(slot, &now, &behind[slot][was / 2 - 1]); break;')],
     'unit-guard-actions', 'leaves_a_new_handler'),
    ('sent signals taken for faults', [('fsgs_guard_handle', 'if ($info->si_code > 0 &&', 'if (')],
     'unit-guard-sent', 'a_sent_signal_reaches_its_handler'),
    ('a put-aside signal repeated under the wrong id',
     [('fsgs_handover_send', 'system_call(SYS_rt_sigqueueinfo, tid,', 'system_call(SYS_rt_sigqueueinfo, pid,')],
     'unit-guard-sent', 'a_killed_signal_stays_pending_for_the_process'),
    ('one of two pending signals lost', [(None, '#define PARKED 4', '#define PARKED 1')],
     'unit-guard-sent', 'both_pending_signals_stay_pending'),
    ('one handler for all actions',
     [('variant_for', 'if (same(&$variant, $found))', 'if ($variant = *$found, 1)')],
     'unit-guard-owner', 'a_chain_has_an_end'),
    ('a signal lost where its siginfo is refused',
     [('fsgs_handover_send', 'system_call(SYS_tgkill, $pid, $tid, $sig, 0);', ';')],
     'unit-guard-sandbox', 'a_sandbox_may_refuse_siginfo'),
    ('handlers left behind by a trial that could not begin',
     [('fsgs_handover_take', 'for (int $i = $slot; error && $left-- > 0;) restore($again);', '')],
     'unit-guard-sandbox', 'a_sandbox_may_refuse_one_action'),
    ('CR4 left set when it cannot be read back',
     [('try_on_and_off', 'if (read_cr4($walk, &$after) == 0) {', 'if (read_cr4($walk, &$after)) return; {')],
     'unit-ring0', 'any_stub_may_fault_once'),
    ('mask not restored after survival',
     [('fsgs_apart', 'syscall(SYS_rt_sigprocmask, SIG_SETMASK, &$old, NULL, $size);', '')], 'torture-callers', None),
    ('mask of no owner left out', [('ours', 'memcpy($to, &$mask, sizeof $size);', ';')],
     'unit-guard-actions', 'holds_back_everything_where_there_is_no_handler'),
    ('SA_RESTART of no owner left out',
     [('ours', '|= SA_ONSTACK | SA_RESTART;', '|= SA_ONSTACK;')],
     'unit-guard-actions', 'holds_back_everything_where_there_is_no_handler'),
    ('SA_RESTART of the owner left out', [(*OWNERS, '(SA_ONSTACK | SA_NODEFER)')],
     'unit-guard-actions', 'runs_as_the_owners_would'),
    ('SA_NODEFER of the owner left out', [(*OWNERS, '(SA_ONSTACK | SA_RESTART)')],
     'unit-guard-actions', 'runs_as_the_owners_would'),
    ('asynchronous signals not blocked for the trial',
     [('fsgs_guard_enter', '($old | ~SIGNAL_BIT(SIGTRAP)) & ~caught_set()', '$old & ~caught_set()')],
     'unit-guard-actions', 'blocks_all_but_its_own'),
    ("every SIGSYS taken for the trial's",
     [('recover', 'if ((uint64_t)$mark != mark', "if (sig == SIGSYS) { regs[REG_RAX] = -38; return 1; } if ((uint64_t)$mark != mark")],
     'unit-guard-sandbox', 'passes_on_its_own_threads_foreign_system_call'),
    ('put-aside signals sent after the mask is restored',
     [('fsgs_guard_leave', 'change_mask(SIG_BLOCK, caught_set(), NULL); for (int i = 0; $within; i++) if (parked[i])',
       'change_mask(SIG_SETMASK, mask, NULL); for (int i = 0; $within; i++) if (parked[i])')],
     'unit-guard-sent', 'a_handler_may_leave_with_another_signal_to_come'),
    ('a handler after the trial runs with all signals blocked',
     [('fsgs_guard_leave', 'if (any) change_mask(SIG_BLOCK, caught_set(), NULL);', '')],
     'unit-guard-sent', 'a_held_back_signal_has_its_threads_mask'),
    ('the first process not spared', [('take_default', 'if ($info->si_code <= 0 && getpid() == 1)', 'if (0)')],
     'unit-guard-sent', 'the_first_process_outlives_what_its_container_sends'),
    ('a check can be cancelled',
     [('check', 'pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, $cancel);', ''),
      ('check', 'pthread_setcancelstate($cancel, $unused);', '')],
     'unit-check', 'is_no_cancellation_point'),
    ("signals not blocked in the library's threads", [('fsgs_apart', 'SIG_BLOCK, &$mask, &$old',
                                                       'SIG_BLOCK, NULL, &$old')],
     'unit-check', 'no_handler_runs_in_the_librarys_threads'),
    ('no lock where each trial faults', LOCK, 'torture-threads-undefined', None),
    ('limits stored without a second look',
     [('store_limits', '} while (atomic_load(&decided) != $word);', '} while (0);')],
     'unit-base', 'a_decision_may_come_inside_another'),
    ('an earlier survey has the last word',
     [('update', 'while ((int32_t)($ticket - ($old & ~FIELDS)) > 0) {', 'for (;;) {')],
     'unit-base', 'a_decision_may_come_inside_another'),
]


def mutated(name, edits):
    """Finds the only file of lib/ that the edits fit. Returns its path and its new text."""
    fits, misses = [], []
    for path in sorted((SOURCE / 'lib').rglob('*.c')):
        text, fitted = path.read_text(encoding='utf-8'), 0
        try:
            for edit in edits:
                text = mutation.replaced(text, *edit)
                fitted += 1
            fits.append((path, text))
        except ValueError as reason:
            misses.append(((fitted, not isinstance(reason, mutation.NoFunction)), str(reason), path.name))
    if len(fits) == 1:
        return fits[0]
    # The message leaves out the files in which fewer edits fit.
    nearest = max(misses)[0]
    places = fits and [path.name for path, _ in fits] or sorted({reason for near, reason, _ in misses if near == nearest})
    raise SystemExit('\n'.join([f'The defect "{name}" fits {len(fits)} files of lib/ instead of one. Change its edits in {__file__}.',
                                *places]))


def compiled(path, text, folder):
    """Compiles the changed text of a file. Returns the object."""
    source, target = folder / path.name, folder / f'{path.stem}.o'
    source.write_text(text, encoding='utf-8')
    output(*COMPILER, *FLAGS, *INCLUDE, f'-I{path.parent}', '-c', source, '-o', target)
    return target


def linked(program, library, folder):
    """Links a test program of the build directory with this library."""
    kind = program.partition('-')[0]
    objects = sorted((BUILD / 'tests' / kind / f'{program}.p').glob('*.o'))
    special = ['-Wl,--wrap=fsgs_guard_run'] if program in ('torture-switched', 'torture-threads-undefined') else []
    output(*COMPILER, '-pthread', '-o', folder / program, *objects, library, *special,
           *(['-lcriterion'] if kind == 'unit' else []))
    return folder / program


def result(binary, test):
    """The result of a test: passes, fails, skips or hangs."""
    by_row = ['-', test] if binary.name == 'torture-hostile' else ['--filter', f'*/{test}', '--timeout', '20', '--tap=-']
    arguments = by_row if test else []
    with tempfile.TemporaryFile('w+', encoding='utf-8', errors='replace') as said:
        # The test runs in its own session, so that killpg() also ends the children of a test that hangs. A child that
        # has left the process group is ended by its limit of processor time.
        process = subprocess.Popen([binary, *arguments], cwd=binary.parent, stdout=said,
                                   stderr=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60)),
                                   env={'FSGSCHECK_TORTURE_SECONDS': '3', 'PATH': '/usr/bin:/bin'})
        try:
            status = process.wait(30)
        except subprocess.TimeoutExpired:
            return 'hangs'
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(0)
        # Criterion exits with 0 after a test that skips itself.
        if test and re.search(rf'^ok - \w+::{re.escape(test)} +# SKIP', said.read(), re.M):
            return 'skips'
    return {0: 'passes', SKIP: 'skips'}.get(status, 'fails')


def main():
    names = SHORT if sys.argv[1:] == ['--short'] else set(sys.argv[1:])
    chosen = [mutant for mutant in MUTANTS if not names or mutant[0] in names]
    if unknown := names - {mutant[0] for mutant in MUTANTS}:
        raise SystemExit(f'no such defect: {", ".join(sorted(unknown))}')
    if run(*COMPILER, '-E', '-x', 'c', '-include', 'criterion/criterion.h', '-', input='').returncode:
        raise Unavailable('Criterion is not installed')
    with tempfile.TemporaryDirectory() as scratch:
        return seed(chosen, Path(scratch))


def seed(chosen, scratch):
    """Seeds each chosen defect and runs its test. Returns the exit status."""
    results = {}
    for program, test in sorted({mutant[2:] for mutant in chosen}, key=str):
        results[program, test] = result(linked(program, LIBRARY, scratch), test)
        if results[program, test] not in ('passes', 'skips'):
            print(f'the unchanged library {results[program, test]}: {program} {test or ""}')
            return 1
    missed = skipped = 0
    for name, edits, program, test in chosen:
        path, text = mutated(name, edits)
        changed = compiled(path, text, scratch)
        if results[program, test] == 'skips' or (name in KEPT and not advertised()):
            found = 'skips'
        else:
            library = builds.with_file(LIBRARY, f'{path.parent.name}_{path.stem}.c.o', changed, scratch / 'libfsgscheck.a')
            found = result(linked(program, library, scratch), test)
        print(f'{name}: {program} {test or ""} {found}', flush=True)
        missed += found == 'passes'
        skipped += found == 'skips'
    print(f'{len(chosen)} defects, {missed} not noticed, {skipped} not tried')
    if skipped and not missed:
        raise Unavailable(f'{skipped} of the tests cannot run here')
    return 1 if missed else 0


if __name__ == '__main__':
    parts.run_main(main)
