# SPDX-License-Identifier: MIT
"""Makes checks in many threads while the garbage collector runs, then prints facts, which tests/live/ffi.py compares.

With the argument "facts" it only prints the facts.
"""

import gc
import sys
import threading

import fsgscheck
from fsgscheck import Check, Segment

THREADS = 8
CHECKS = 50


def facts(report):
    lines = [f'verdict {report.verdict}', f'proof {report.proof}',
             f'findings {",".join(map(str, report.findings))}', f'bits {report.raw["findings"]:#x}',
             f'reason {report.reason}',
             f'library {fsgscheck.version()}', f'cpuid.vendor {report.vendor}',
             f'kernel.release {report.kernel}', f'cpuid.fsgsbase {report.cpuid}',
             f'hwcap2.fsgsbase {report.hwcap2}']
    for segment in Segment:
        lines += [f'{segment.name.lower()} {report.verdicts[segment]}',
                  f'access.{segment.name.lower()} {report.access[segment]}',
                  f'base_access.{segment.name.lower()} {fsgscheck.base_access(segment)}']
    lines += [f'trial.{insn} {outcome}' for insn, outcome in report.outcomes.items()]
    return lines + [f'advice {step}' for step in report.advice]


def worker(number, expected, agreed):
    marker = 0x1000 * (number + 1)
    before = fsgscheck.get_base(Segment.GS)
    fsgscheck.set_base(Segment.GS, marker)
    for i in range(CHECKS):
        garbage = [[] for _ in range(100)]
        garbage.append(garbage)
        flags = Check.CONTEXT if i % 10 == 0 else Check(0)
        if fsgscheck.check(flags).verdict is expected and fsgscheck.get_base(Segment.GS) == marker:
            agreed[number] += 1
        if i % 10 == 0:
            gc.collect()
    fsgscheck.set_base(Segment.GS, before)


def check_in_threads(expected):
    agreed = [0] * THREADS
    threads = [threading.Thread(target=worker, args=(i, expected, agreed)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f'threads {sum(agreed)} of {THREADS * CHECKS}')


def errors():
    for name, call, arguments in (('check', fsgscheck.check, [1 << 31]),
                                  ('set_base', fsgscheck.set_base, [Segment.GS, 1 << 63]),
                                  ('ensure_base', fsgscheck.ensure_base, [Segment.GS, 1 << 63])):
        try:
            call(*arguments)
        except OSError as error:
            print(f'error.{name}', error.errno)
    calls = [(fsgscheck.check, [1 << 32]), (fsgscheck.set_base, [Segment.GS, 1 << 64]),
             (fsgscheck.set_base, [Segment.GS, -1]), (fsgscheck.ensure_base, [Segment.GS, 1 << 64]),
             (fsgscheck.set_base, [1 << 32, 0]), (fsgscheck.get_base, [1 << 32]), (fsgscheck.base_access, [1 << 32])]
    refused = 0
    for call, arguments in calls:
        try:
            call(*arguments)
        except OverflowError:
            refused += 1
    print(f'refused {refused} of {len(calls)}')


def ensure():
    before = fsgscheck.get_base(Segment.GS)
    fsgscheck.ensure_base(Segment.GS, 0x7000)
    print(f'ensured {fsgscheck.get_base(Segment.GS):#x}')
    fsgscheck.ensure_base(Segment.GS, before)


def main():
    report = fsgscheck.check(Check.CONTEXT)
    if sys.argv[1:] != ['facts']:
        check_in_threads(report.verdict)
    errors()
    ensure()
    print('\n'.join(facts(report)))
    print('usable', fsgscheck.usable())
    fsgscheck.refresh()
    print('refreshed', fsgscheck.usable())
    for words in (fsgscheck.Verdict, fsgscheck.Finding, fsgscheck.Outcome, fsgscheck.Insn, fsgscheck.Access,
                  fsgscheck.Proof):
        for word in words:
            print(f'name {words.__name__.lower()} {word.value} {word.name}')
    for name in report.raw:
        print('field', name)
    for prefix, numbers in (('CHECK', Check), ('SEGMENT', Segment), ('LIST', fsgscheck.List)):
        for number in numbers:
            print(f'constant FSGS_{prefix}_{number.name} {number.value}')


main()
