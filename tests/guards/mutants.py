#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that the tests notice: seeds one defect after another into a copy of the library, and expects
the named test to fail. The unchanged library has to pass the same tests first.

  mutants.py [--short] SOURCE-ROOT SCRATCH-DIRECTORY COMPILER...

A test that hangs has noticed, too: the unchanged library ends it in a fraction of the time that it is given.
"""
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys

short = sys.argv[1] == '--short'
if short:
    del sys.argv[1]
root, scratch, compiler = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
GUARD, HANDOVER, CHECK, TRIAL = 'lib/linux/guard.c', 'lib/linux/handover.c', 'lib/linux/check.c', 'lib/core/trial.c'
APART, ACCESS = 'lib/linux/apart.c', 'lib/linux/access.c'
FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O1', '-g', '-pthread', '-fno-stack-protector', '-w']

# With every run of the tests: one of each kind.
SHORT = {'handler not restored on the fault path', 'mask not restored', 'RIP not looked at', 'no lock', 'SA_ONSTACK left out',
         'errno changed', 'FS written with a foreign value', 'an ignored signal is not ignored'}

# Name, file, replacements, program, test in it.
MUTANTS = [
    ('handler not restored on the fault path', GUARD,
     [('static _Noreturn void recover(void)\n{',
       'static int faulted;\nstatic _Noreturn void recover(void)\n{\n\tfaulted = 1;'),
      ('mask | EXCHANGING, NULL);\n\tfsgs_handover_give_back();',
       'mask | EXCHANGING, NULL);\n\tif (!faulted)\n\t\tfsgs_handover_give_back();')],
     'unit-guard', 'catches_again_and_again'),
    ('mask not restored', GUARD, [('\tchange_mask(SIG_SETMASK, mask, NULL);\n\tfor', '\tfor')],
     'unit-guard', 'restores_any_action_and_mask'),
    ('RIP not looked at', GUARD,
     [('if (!fsgs_stub_recover(&rip, (uint64_t)regs[REG_RDI], fsgs_caught[slot], info->si_code))\n\t\treturn 0;',
       'fsgs_stub_recover(&rip, (uint64_t)regs[REG_RDI], fsgs_caught[slot], info->si_code);')],
     'unit-guard', 'passes_on_its_own_threads_fault'),
    ('thread not looked at', GUARD,
     [('return thread && thread_id() == thread;', 'return thread != 0;')],
     'unit-guard', 'passes_on_another_threads_sent_signal'),
    ('no lock', GUARD,
     [('\tpthread_mutex_lock(&lock);', '\t;'), ('\tpthread_mutex_unlock(&lock);', '')],
     'torture-threads', None),
    ('a child keeps what it inherits', GUARD,
     [('\telse\n\t\trepair();\n', '')],
     'unit-guard', 'fork_in_another_thread'),
    ('a copy does not know itself', GUARD, [('MADV_WIPEONFORK, 0);', '0, 0);')],
     'unit-guard', 'a_bare_clone_is_sane'),
    ('a lock over fork', GUARD,
     [('static void after_fork_in_child(void);',
       'static void after_fork_in_child(void);\nstatic int take_lock(void);\nstatic void release_lock(void);\n'
       'static void before_fork(void) { take_lock(); turn = NOTHING; }'),
      ('pthread_atfork(NULL, NULL, after_fork_in_child)',
       'pthread_atfork(before_fork, release_lock, after_fork_in_child)')],
     'unit-guard', 'fork_takes_no_lock'),
    ('a trial is lost over fork', GUARD, [('if (turn == OWNING)', 'if (0)')],
     'unit-guard', 'a_trial_goes_on_in_a_child'),
    ('a thread\'s own signal goes to the process', GUARD, [('(nth == 0 && (own & bit))', '0')],
     'unit-guard', 'a_signal_queued_to_a_thread_stays_pending_there'),
    ('a signal of the process goes to the checker', HANDOVER,
     [('!(to_process && system_call(SYS_kill, pid, sig, 0, 0) == 0)', '1')],
     'unit-guard', 'a_sandbox_may_refuse_siginfo_for_the_process'),
    ('bad memory taken for a fault', GUARD, [(' || (fsgs_caught[slot] == SIGBUS && info->si_code == BUS_MCEERR_AO)', '')],
     'unit-guard', 'puts_aside_news_of_bad_memory'),
    ('the owner\'s way back is not taken', HANDOVER,
     [('old->flags & SA_RESTORER ? old->restorer : fsgs_sigreturn', 'fsgs_sigreturn')],
     'unit-guard', 'returns_as_the_owner_does'),
    ('SA_ONSTACK left out', HANDOVER, [('(SA_ONSTACK | SA_RESTART | SA_NODEFER)', '(SA_RESTART | SA_NODEFER)')],
     'unit-guard', 'the_owner_chooses_the_stack'),
    ('mask of the owner left out', HANDOVER,
     [('memcpy(action.mask, old->mask, sizeof action.mask);', ';')],
     'unit-guard', 'passes_on_with_the_owners_mask'),
    ('errno changed', CHECK, [('\terrno = error;\n', '')], 'torture-callers', None),
    ('FS written with a foreign value', TRIAL, [('\tio.in[0] = base;', '\tio.in[0] = base + 64;')],
     'unit-trial', None),
    ('GS not put back after a fault', TRIAL, [('\trestore(ops, segment, known ? base : io.old);', '')],
     'torture-inject', None),
    ('an ignored signal is not ignored', HANDOVER,
     [('if (old->handler == SIG_IGN && info->si_code <= 0)', 'if (0)')],
     'unit-guard', 'a_sent_signal_stays_ignored'),
    ('a fault is ignored', HANDOVER,
     [('if (old->handler == SIG_IGN && info->si_code <= 0)', 'if (old->handler == SIG_IGN)')],
     'unit-guard', 'a_fault_cannot_be_ignored'),
    ('SA_RESETHAND left out', HANDOVER, [('if ((old->flags & SA_RESETHAND) &&', 'if (0 &&')],
     'unit-guard', 'passes_on_once_with_resethand'),
    ('a foreign handler is replaced', HANDOVER,
     [('if (variant < FSGS_VARIANTS)\n\t\treplace(slot, &now, was == 3 + 2 * variant ? &none : &behind[slot][variant]);',
       'if (was)\n\t\texchange_action(slot, was & 1 ? &none : &behind[slot][was / 2 - 1], &now);')],
     'unit-guard', 'leaves_a_new_handler'),
    ('sent signals taken for faults', GUARD, [('if (info->si_code <= 0 || ', 'if (')],
     'unit-guard', 'a_sent_signal_reaches_its_handler'),
    ('a put-aside signal repeated under the wrong id', HANDOVER,
     [('system_call(SYS_rt_sigqueueinfo, tid,', 'system_call(SYS_rt_sigqueueinfo, pid,')],
     'unit-guard', 'a_killed_signal_stays_pending_for_the_process'),
    ('one of two pending signals lost', GUARD, [('#define PARKED 4', '#define PARKED 1')],
     'unit-guard', 'both_pending_signals_stay_pending'),
    ('one handler for all actions', HANDOVER,
     [('if (same(&behind[slot][variant], found))',
       'if (behind[slot][variant] = *found, 1)')],
     'unit-guard', 'a_chain_has_an_end'),
    ('a replacement taken for an interposer', HANDOVER,
     [('differed = !error && same(&again, found) ? differed + 1 : 0;', 'differed = 2;')],
     'unit-interposed', 'is_not_what_a_replacement_is'),
    ('an interposer passed over', HANDOVER,
     [('interposed[slot] = !error && differed == 2;', 'interposed[slot] = 0;')],
     'unit-interposed', 'goes_through_it'),
    ('a signal lost where its siginfo is refused', HANDOVER,
     [('\t\tsystem_call(SYS_tgkill, pid, tid, sig, 0);', '\t\t;')],
     'unit-guard', 'a_sandbox_may_refuse_siginfo'),
    ('handlers left behind by a trial that could not begin', HANDOVER,
     [('for (int i = slot; error && i-- > 0;)\n\t\t\trestore(i);', '')],
     'unit-guard', 'a_sandbox_may_refuse_one_action'),
    ('CR4 left set when it cannot be read back', 'lib/core/ring0.c',
     [('if (read_cr4(walk, &after) == 0) {', 'if (read_cr4(walk, &after))\n\t\treturn;\n\t{')],
     'unit-ring0', 'any_stub_may_fault_once'),
    ('mask not restored after survival', APART,
     [('syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);', '')],
     'torture-callers', None),
    ('mask of no owner left out', HANDOVER, [('memcpy(action.mask, &mask, sizeof action.mask);', ';')],
     'unit-guard', 'holds_back_everything_where_there_is_no_handler'),
    ('SA_RESTART of no owner left out', HANDOVER,
     [('action.flags |= SA_ONSTACK | SA_RESTART;', 'action.flags |= SA_ONSTACK;')],
     'unit-guard', 'holds_back_everything_where_there_is_no_handler'),
    ('SA_RESTART of the owner left out', HANDOVER, [('(SA_ONSTACK | SA_RESTART | SA_NODEFER)', '(SA_ONSTACK | SA_NODEFER)')],
     'unit-guard', 'runs_as_the_owners_would'),
    ('SA_NODEFER of the owner left out', HANDOVER, [('(SA_ONSTACK | SA_RESTART | SA_NODEFER)', '(SA_ONSTACK | SA_RESTART)')],
     'unit-guard', 'runs_as_the_owners_would'),
    ('asynchronous signals not blocked for the trial', GUARD,
     [('(old | EXCHANGING) & ~caught_set()', 'old & ~caught_set()')], 'unit-guard', 'blocks_all_but_its_own'),
    ("every SIGSYS taken for the trial's", GUARD,
     [('return frame && frame - (uintptr_t)regs[REG_RSP] < 512;', 'return frame != 1 && regs != NULL;')],
     'unit-guard', 'passes_on_its_own_threads_foreign_system_call'),
    ('put-aside signals sent after the mask is restored', GUARD,
     [('\tfor (int i = 0; i < FSGS_CAUGHT; i++)\n\t\tif (parked[i])\n',
       '\tchange_mask(SIG_SETMASK, mask, NULL);\n\tfor (int i = 0; i < FSGS_CAUGHT; i++)\n\t\tif (parked[i])\n')],
     'unit-guard', 'a_handler_may_leave_with_another_signal_to_come'),
    ('the first process not spared', HANDOVER, [('if (info->si_code <= 0 && getpid() == 1)', 'if (0)')],
     'unit-guard', 'the_first_process_outlives_what_its_container_sends'),
    ('a check can be cancelled', CHECK, [('\tpthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);\n', ''),
                                        ('\tpthread_setcancelstate(cancel, &cancel);\n', '')],
     'unit-check', 'is_no_cancellation_point'),
    ("signals not blocked in the library's threads", APART, [('SIG_BLOCK, &mask, &old', 'SIG_BLOCK, NULL, &old')],
     'unit-check', 'no_handler_runs_in_the_librarys_threads'),
    ('no lock where each trial faults', GUARD,
     [('\tpthread_mutex_lock(&lock);', '\t;'), ('\tpthread_mutex_unlock(&lock);', '')],
     'torture-threads-undefined', None),
    ('limits stored without a second look', ACCESS,
     [('} while (atomic_load(&decided) != word);', '} while (0);')], 'unit-base', 'a_decision_may_come_inside_another'),
    ('an earlier survey has the last word', ACCESS, [('while ((int32_t)(ticket - (old & ~FIELDS)) > 0) {', 'for (;;) {')],
     'unit-base', 'a_decision_may_come_inside_another'),
]


if short:
    MUTANTS = [mutant for mutant in MUTANTS if mutant[0] in SHORT]


def program_sources(program):
    """Its sources, and what else the compiler has to be told."""
    kind, name, *variant = program.split('-')
    special = {'unit': ['-lcriterion'], 'torture': []}[kind]
    if variant:
        special = ['-DTORTURE_UNDEFINED', '-Wl,--wrap=fsgs_guard_run']
    return [root / 'tests' / kind / (name + '.c')], special


def compile_object(source, to, include):
    subprocess.run([*compiler, *FLAGS, '-I', include / 'include', '-I', include / 'lib',
                    *[x for d in ('core', 'linux') for x in ('-I', include / 'lib' / d)],
                    '-c', source, '-o', to], check=True)


def library(tree):
    sources = sorted(p for p in (tree / 'lib').glob('*/*.[cS]') if p.name != 'no-trial.c')
    return {str(p.relative_to(tree)): p for p in sources}


def run(program, objects, test, directory):
    sources, libraries = program_sources(program)
    binary = directory / program
    subprocess.run([*compiler, *FLAGS, '-I', root / 'include', '-I', root / 'lib', '-o', binary,
                    *sources, *objects, *libraries, '-pthread'], check=True)
    arguments = ['--filter', '*/' + test, '--timeout', '20'] if test else []
    # In a session of its own: what hangs has children that would outlive it, and go on. One that gets away all the
    # same has not much time.
    process = subprocess.Popen([binary, *arguments], cwd=directory, stdout=subprocess.DEVNULL,
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
    return {0: 'passes', 77: 'skips'}.get(status, 'fails')


def main():
    if subprocess.run([*compiler, '-E', '-x', 'c', '-include', 'criterion/criterion.h', '/dev/null'],
                      capture_output=True).returncode:
        print('no criterion')
        return 77
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    objects = {}
    for name, path in library(root).items():
        objects[name] = scratch / (name.replace('/', '-') + '.o')
        compile_object(path, objects[name], root)

    tests = sorted({(m[3], m[4]) for m in MUTANTS}, key=str)
    skipped = set()
    for program, test in tests:
        result = run(program, objects.values(), test, scratch)
        if result == 'skips':
            skipped.add(program)
        elif result != 'passes':
            print(f'the unchanged library {result}: {program} {test or ""}')
            return 1

    missed = 0
    for name, file, replacements, program, test in MUTANTS:
        text = (root / file).read_text()
        for old, new in replacements:
            if text.count(old) != 1:
                print(f'{name}: "{old}" is not there once: this script is out of date')
                return 1
            text = text.replace(old, new)
        mutant = scratch / file.replace('/', '-')
        mutant.write_text(text)
        changed = scratch / 'mutant.o'
        compile_object(mutant, changed, root)
        if program in skipped:
            result = 'skips'
        else:
            result = run(program, [changed if n == file else o for n, o in objects.items()], test, scratch)
        print(f'{name}: {program} {test or ""} {result}', flush=True)
        missed += result == 'passes'
    print(f'{len(MUTANTS)} defects, {missed} not noticed')
    return 1 if missed else 0


sys.exit(main())
