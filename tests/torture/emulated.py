# SPDX-License-Identifier: MIT
"""Runs rows of hostile.c and held.c on an emulated machine, because this machine may lack what they need: protection
keys, and segments of the local descriptor table.

In the row for protection keys, the caller's stack has a key that signal handlers have no right to use. Each row runs on
two processor models. One model has no FSGSBASE, so each trial on it faults and a handler runs.
"""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

from support import machine, parts

CPUS = {'with the feature': 'max', 'without it': 'max,-fsgsbase'}
SECONDS = int(os.environ.get('FSGSCHECK_TORTURE_SECONDS', '0'))


def boot(cpu, script, timeout):
    """Runs the script on an emulated machine. Returns the script's output and exit status."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'script'
        path.write_text(f'export PATH=/bin LD_LIBRARY_PATH=/lib64:/lib\n{script}\n', encoding='ascii')
        files = [('/init', os.environ['INIT']), ('/bin/sh', shutil.which('dash')), ('/bin/true', shutil.which('true')),
                 ('/script', path), ('/hostile', os.environ['HOSTILE']), ('/threads', os.environ['THREADS']),
                 ('/held', os.environ['HELD']),
                 ('/library.so', os.environ['LIBRARY'])]
        image = machine.initrd(Path(folder) / 'initrd', machine.with_libraries(files))
        run = machine.boot(machine.kernel(os.environ['KERNELS']), initrd=image, cpu=cpu, memory=1024, smp=2,
                           append='console=ttyS0 panic=-1 quiet no_timer_check fsgs.run=/bin/sh fsgs.args=/script', timeout=timeout)
    if not run.section('sh'):
        raise AssertionError(run.log)
    return run.section('sh')


class Rows(unittest.TestCase):
    def test_rows(self):
        for what, cpu in CPUS.items():
            with self.subTest(what):
                said, status = boot(cpu, '/hostile /library.so "protection keys" && '
                                    '/held "selectors of the local descriptor table"', 60)
                self.assertRegex(said, r'(?m)^protection keys +ok$')
                self.assertRegex(said, r'(?m)^selectors of the local descriptor table +ok$')
                self.assertEqual(status, 0)


class Everything(unittest.TestCase):
    """Runs every row of hostile.c and held.c, and the program `threads` for FSGSCHECK_TORTURE_SECONDS. This test is run
    by hand."""

    def test_hostile_and_threads(self):
        for what, cpu in CPUS.items():
            with self.subTest(what):
                said, status = boot(cpu, f'export FSGSCHECK_TORTURE_SLOW=1 FSGSCHECK_TORTURE_SECONDS={SECONDS}\n'
                                    '/hostile /library.so && /held && /threads /library.so', 600 + 3 * SECONDS)
                print(what, said, sep='\n')
                self.assertRegex(said, r'(?m)^checks with a key for the stack +[1-9]')
                self.assertEqual(status, 0)


if __name__ == '__main__':
    parts.run()
