# SPDX-License-Identifier: MIT
"""Runs the ring-0 half of the conformance suite in QEMU: with FSGSBASE, without it, and on the defective hosts."""

import os
import pathlib
import re
import shutil
import tempfile
import unittest

from support import TESTS, machine, parts
from boot import without_multiboot
import conformance_table as table

IMAGE, HANG, HOST = os.environ['IMAGE'], os.environ['HANG'], os.environ['HOST']

# These cases fail because QEMU does not check whether the operands of WRFSBASE, WRGSBASE and WRMSR are canonical.
CANONICAL = set(range(1050, 1059))
# QEMU's exit statuses: 2 * (16 + the suite's exit status) + 1.
PASS, FAIL, CRASH, SKIP = (2 * (16 + status) + 1 for status in (0, 1, 3, 4))


def boot(image=IMAGE, **settings):
    run = machine.boot(image, memory=64, timeout=60, **settings)
    return run, table.parse(run.log)


def failed(cases):
    return {number for number, case in cases.items() if case['result'] == 'fail'}


@unittest.skipUnless(shutil.which('qemu-system-x86_64'), 'QEMU is not installed')
class Ring0(unittest.TestCase):
    def test_every_processor(self):
        run, cases = boot(smp=2)
        self.assertGreaterEqual(len(cases), 40)
        pinned = [line.split() for line in (TESTS / 'live/conformance-numbers.txt').read_text(encoding='utf-8').splitlines()]
        self.assertEqual([[str(number), case['name']] for number, case in cases.items()],
                         [line for line in pinned if line[1].startswith('ring0/')])
        self.assertEqual(failed(cases), CANONICAL)
        self.assertEqual(run.status, FAIL)
        self.assertRegex(run.log, r'\nfsgs-conformance: passed=\d+ failed=9 skipped=0 cpus=2\n\Z')
        # For each failed case, the image prints the rule and its source, the expected and the seen value, and a known
        # machine with the same deviation.
        blocks = re.findall(r'\nnot ok .*\n# rule: .+\n# source: .+\n# .+: expected .+, seen .+\n# known of: QEMU', run.log)
        self.assertEqual(len(blocks), len(CANONICAL))

    def test_one_case(self):
        """The image reads only= from its command line, whether it is booted by Multiboot or by PVH."""
        with tempfile.TemporaryDirectory() as folder:
            pvh = without_multiboot(pathlib.Path(IMAGE), pathlib.Path(folder))
            for image in (IMAGE, pvh):
                run, cases = boot(image, append='only=1050', smp=2)
                self.assertEqual(failed(cases), {1050})
                self.assertIn('\n1..1\nnot ok 1 - 1050 ', run.log)
                self.assertRegex(run.log, r'\nfsgs-conformance: passed=0 failed=1 skipped=0 cpus=2\n\Z')
                self.assertEqual(run.status, FAIL)
        run, cases = boot(append='only=99')
        self.assertEqual((run.log, run.status), ('\nTAP version 13\nBail out! only=: no case has this number\n', CRASH))

    def test_hanging_processor(self):
        """If a processor hangs in a case, this case fails. The processors after it are not tested."""
        run, cases = boot(HANG, smp=3)
        self.assertEqual(failed(cases), CANONICAL | {1045})
        self.assertIn('comes back', cases[1045]['note'])
        self.assertIn('first on CPU 1', cases[1045]['note'])
        self.assertEqual(run.status, FAIL)
        self.assertIn('\n# CPU 1 hangs in case 1045 swapgs-exchanges\n', run.log)
        self.assertIn('\n# processors: 1 not tested\n', run.log)
        self.assertRegex(run.log, r'\nfsgs-conformance: passed=\d+ failed=10 skipped=0 cpus=1 of=3 hung=1 case=1045\n\Z')

    def test_without_timer(self):
        """Without an APIC, the image has no timer and starts no other processor. It must report how many are missing."""
        run, cases = boot(smp=2, cpu='EPYC,-apic')
        self.assertEqual(failed(cases), CANONICAL)
        self.assertIn('\n# processors: 1 not started: no timer\n', run.log)
        self.assertRegex(run.log, r' cpus=1 of=2\n\Z')

    def test_sound_host(self):
        """The host `software` obeys every rule, so all cases pass."""
        run, cases = boot(host='software', host_elf=HOST)
        self.assertEqual({case['result'] for case in cases.values()}, {'pass'})
        self.assertEqual(run.status, PASS)

    def test_without_the_feature(self):
        run, cases = boot(cpu='Nehalem')
        self.assertEqual({case['result'] for case in cases.values()}, {'skip'})
        self.assertEqual(run.status, SKIP)

    def test_defective_hosts(self):
        """On each defective host, cases fail that pass on the host `honest`: at least those in the set `first`."""
        for mode, first in (('lie', {1011, 1012, 1013, 1014, 1017}), ('drop', {1001}), ('refuse', {1001}),
                            ('unenforced', set(range(1003, 1015))), ('partial insn=wrgsbase', {1022, 1024}),
                            ('wrong', {1018, 1034}), ('lose', set())):
            _, cases = boot(host=mode, host_elf=HOST)
            self.assertLessEqual(first, failed(cases), mode)
            self.assertTrue(failed(cases) - CANONICAL, mode)
        _, cases = boot(host='honest', host_elf=HOST)
        self.assertEqual(failed(cases), CANONICAL)


if __name__ == '__main__':
    parts.run()
