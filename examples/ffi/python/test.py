# SPDX-License-Identifier: MIT
"""Checks from many threads under the garbage collector, then prints facts for tests/ffi/ffi.py to compare."""

import gc
import threading

import fsgscheck
from fsgscheck import Check, Segment

THREADS = 8
CHECKS = 50


def facts(report):
    lines = [f'verdict {report.verdict}', f'proof {report.proof}',
             f'findings {",".join(map(str, report.findings))}', f'reason {report.reason}',
             f'library {fsgscheck.version()}', f'cpuid.vendor {report.vendor}',
             f'kernel.release {report.kernel}', f'cpuid.fsgsbase {report.cpuid}',
             f'hwcap2.fsgsbase {report.hwcap2}']
    for segment in Segment:
        lines += [f'{segment.name.lower()} {report.verdicts[segment]}',
                  f'access.{segment.name.lower()} {report.access[segment]}']
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


def main():
    report = fsgscheck.check(Check.CONTEXT)
    agreed = [0] * THREADS
    threads = [threading.Thread(target=worker, args=(i, report.verdict, agreed)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f'threads {sum(agreed)} of {THREADS * CHECKS}')

    try:
        fsgscheck.check(1 << 31)
    except OSError as error:
        print('error.check', error.errno)
    try:
        fsgscheck.set_base(Segment.GS, 1 << 63)
    except OSError as error:
        print('error.set_base', error.errno)
    print('\n'.join(facts(report)))
    for words in (fsgscheck.Verdict, fsgscheck.Finding, fsgscheck.Outcome, fsgscheck.Insn, fsgscheck.Access,
                  fsgscheck.Proof):
        for word in words:
            print(f'name {words.__name__.lower()} {word.value} {word.name}')
    for name, _ in fsgscheck.RawReport._fields_:
        print('layout', name, getattr(fsgscheck.RawReport, name).offset)
    print('layout sizeof', fsgscheck.ctypes.sizeof(fsgscheck.RawReport))
    for prefix, numbers in (('CHECK', Check), ('SEGMENT', Segment), ('LIST', fsgscheck.List)):
        for number in numbers:
            print(f'constant FSGS_{prefix}_{number.name} {number.value}')


main()
