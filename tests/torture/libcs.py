# SPDX-License-Identifier: MIT
"""Compiles hostile.c with other C libraries, and runs its rows in which a first check runs during fork().

musl, and glibc from 2.28 to 2.35, hold a lock of their own while they run fork's handlers. If a library registers
handlers at its first use, it may wait for this lock for ever. This system's C library is newer and does not have that
problem.
"""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

from support import SOURCE, Unavailable, aside, output, parts, run

ROWS = ("first check in fork's handlers", "first check under a lock of fork's handlers")
# The kernel headers come from this system. `__data_start` is a symbol of glibc's start files. Only rows that this test
# leaves out use it, so --defsym may give it any value.
FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-DFSGS_STATIC', '-O1', '-fno-stack-protector', '-fvisibility=hidden', '-pthread',
         '-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu',
         '-Wl,--defsym=__data_start=__bss_start',
         *(f'-I{SOURCE / folder}' for folder in ('include', 'lib', 'lib/core', 'lib/linux'))]
SOURCES = [SOURCE / 'tests/torture/hostile.c', *sorted(path for path in (SOURCE / 'lib').glob('*/*.[cS]')
                                                       if path.name != 'no-trial.c')]


class CLibraries(unittest.TestCase):
    def rows(self, folder, *build, start=()):
        program = Path(folder) / 'hostile'
        output(*build, *FLAGS, *SOURCES, '-ldl', '-o', program)
        for row in ROWS:
            with self.subTest(row):
                done = run(*start, program, '-', row)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_musl(self):
        if not shutil.which('musl-gcc'):
            raise Unavailable('musl-gcc is not installed (musl-tools)')
        with tempfile.TemporaryDirectory() as folder:
            self.rows(folder, 'musl-gcc')

    def test_glibc_2_31(self):
        """Uses glibc 2.31 from packages of Debian 11, which are unpacked into a folder."""
        tree, version = aside.unpacked('libc6', 'libc6-dev', 'linux-libc-dev', release='bullseye')
        self.assertTrue(version.startswith('2.31-'), version)
        libraries, development = tree / 'lib/x86_64-linux-gnu', tree / 'usr/lib/x86_64-linux-gnu'
        with tempfile.TemporaryDirectory() as folder:
            # The links and the linker script of the package lead to this system's libraries. So the test makes links and a
            # linker script of its own.
            for name in ('libpthread.so.0', 'libdl.so.2'):
                (Path(folder) / name[:-2]).symlink_to(libraries / name)
            (Path(folder) / 'libc.so').write_text(f'GROUP({libraries}/libc.so.6 {development}/libc_nonshared.a '
                                                  f'AS_NEEDED({libraries}/ld-2.31.so))', encoding='utf-8')
            self.rows(folder, *os.environ['CC'].split(), f'--sysroot={tree}', f'-B{development}', f'-L{folder}',
                      start=(libraries / 'ld-2.31.so', '--inhibit-cache', '--library-path', libraries))


if __name__ == '__main__':
    parts.run()
