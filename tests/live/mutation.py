# SPDX-License-Identifier: MIT
"""Tests that cases fail if their rule is broken: runs the suite under the tracer `mutate`, which breaks one rule at a
time."""

import json
import os
import subprocess
import sys

from support import advertised

SUITE, MUTATE = os.environ['CONFORMANCE'], os.environ['MUTATE']

# Cases that may fail under any tracer, because they use traps or stop a process themselves.
DISTURBED = set(range(37, 41)) | {639, 640, 709, 710, 717, 718, 727, 728, 757, 761}


def span(*numbers):
    """The arguments as a set. A pair stands for all numbers from its first to its second number."""
    return {n for item in numbers
            for n in (range(item[0], item[1] + 1) if isinstance(item, tuple) else [item])}


# Each row: the mutation, a theme of the suite, and its cases that must fail. In rows of EXACT, no other case may fail.
EXACT = [
    ('rd32-upper', 'encoding', span(1, 3, 9, 11, 17, 19, 25, 27, 43)),
    ('rd32-upper', 'values', span((139, 142))),
    ('rex-b-ignored', 'encoding', span((9, 12), (25, 28))),
    ('wr32-gp', 'values', span((131, 138), (149, 150))),
    ('gp-missing', 'faults', span((201, 214), (217, 222))),
    ('gp-missing', 'cpus', span(805, 806)),
    ('gp-maperr', 'faults', span(213, 214)),
    ('gp-stores', 'faults', span(215, 216, 219, 220)),
    ('lock-accepted', 'faults', span((231, 238), 240, 246)),
    ('lock-accepted', 'cpus', span(807)),
    ('flags', 'encoding', span((17, 24))),
    ('clobber', 'encoding', span((25, 32))),
    ('selector', 'selectors', span((323, 326))),
    ('ud-code', 'faults', span(239)),
    ('compat-runs', 'faults', span((241, 244))),
    ('limit-shifts', 'agreement', span((421, 424))),
    ('settls-ignored', 'inheritance', span((623, 626))),
    ('exec-spoils', 'inheritance', span(631)),
    ('hwcap2-missing', 'promises', span(902, 905, 906)),
]
AT_LEAST = [
    ('rd-value', 'encoding', span((1, 4), (9, 12))),
    ('wr-ignored', 'encoding', span((5, 8), (13, 16))),
    ('wr64-truncates', 'values', span((109, 116), (125, 130), (143, 148), (151, 154), 157, 158, 161, 162)),
    ('wr-aligns', 'values', span(103, 104, 107, 108, (135, 138))),
    ('kernel-half-gp', 'values', span((117, 124), 127, 128, 147, 148, 161, 162)),
    ('set-shifts', 'agreement', span((409, 414), 417, 418, 429, 430, (433, 436))),
    ('wr-ignored', 'faults', span(251, 252)),
    ('selector', 'faults', span(251, 252)),
    ('get-lies', 'agreement', span((401, 406), (415, 418))),
    ('fork-spoils', 'inheritance', span((601, 616), 623, 624)),
    ('signal-spoils', 'inheritance', span((633, 636))),
    ('signal-spoils', 'survival', span(707, 708, (711, 716), 758, 759, 760, 762, 776)),
    ('call-spoils', 'survival', span(701, 702, 705, 706, 725, 726, 729, 730, (733, 751), 755, 765, (766, 775))),
    ('call-spoils', 'cpus', span(808, 809)),
]


def run(mutation, theme):
    done = subprocess.run([MUTATE, mutation, SUITE, '--json', '--only', theme], capture_output=True,
                          text=True, timeout=100, stdin=subprocess.DEVNULL)
    if done.returncode not in (0, 1, 4):
        sys.exit(f'{mutation}: exit status {done.returncode}: {done.stderr}')
    return {case['number']: case['result'] for case in json.loads(done.stdout)['cases']}


def main():
    # A kernel that does not support the instructions may lose bases at any context switch, even if the probe below passes.
    if not advertised():
        print('this kernel does not advertise FSGSBASE')
        return 77
    probe = subprocess.run([MUTATE, 'none', SUITE, '--only', '4'], capture_output=True, text=True, timeout=60)
    if probe.returncode != 0:
        print('no FSGSBASE here, or no tracing:', probe.stderr)
        return 77
    control = {theme: run('none', theme) for theme in {row[1] for row in EXACT + AT_LEAST}}
    bad, shown = [], set()
    for theme, results in control.items():
        disturbed = {n for n, result in results.items() if result == 'fail'}
        if disturbed - DISTURBED:
            bad.append(f'{theme}: fails under the tracer alone: {sorted(disturbed - DISTURBED)}')
    for row in EXACT + AT_LEAST:
        mutation, theme, expected = row
        # Cases that this machine cannot run, for example without an LDT or with one CPU, cannot fail either.
        asked = {n for n, result in control[theme].items() if result != 'skip'} - DISTURBED
        failed = {n for n, result in run(mutation, theme).items() if result == 'fail'} & asked
        missed, wrong = (expected & asked) - failed, failed - expected
        shown |= failed & expected
        if missed:
            bad.append(f'{mutation}: not noticed by {sorted(missed)}')
        if wrong and row in EXACT:
            bad.append(f'{mutation}: also fails {sorted(wrong)}')
    # These cases need a second thread or process to run. rivals-held keeps it stopped, so the cases must skip.
    alone = run('rivals-held', '7[34]?') | run('rivals-held', '75[12]')
    if judged := sorted(n for n, result in alone.items() if result != 'skip'):
        bad.append(f'did not skip although no other thread ran: {judged}')
    print(f'{len(shown)} cases fail when their rule is broken')
    if len(shown) < 50:
        bad.append('fewer than 50')
    for line in bad:
        print(line)
    return bool(bad)


if __name__ == '__main__':
    sys.exit(main())
