# SPDX-License-Identifier: MIT
"""Tests that fsgscheck-explain.exe, run under Wine, prints the same as `fsgscheck explain`."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import SOURCE, parts

COMMAND = os.environ['FSGSCHECK']
EXE = os.environ.get('EXE')
# Without Debian's package wine, wine64 is not in a folder of PATH.
WINE = next((found for name in ('wine64', 'wine', '/usr/lib/wine/wine64') if (found := shutil.which(name))), None)
LOGS = [SOURCE / 'tests/machines/logs/lie-6.1-generic.log', SOURCE / 'tests/live/logs/cpuinfo-epyc-7281.txt',
        SOURCE / 'tests/live/logs/unrelated-gp.log']


def run(program, *arguments, **options):
    return subprocess.run([*program, *arguments], capture_output=True, check=False, timeout=120, **options)


class Windows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not EXE:
            raise unittest.SkipTest('fsgscheck-explain.exe was not built: gcc-mingw-w64-x86-64 is not installed')
        if not WINE:
            raise unittest.SkipTest('Wine is not installed')
        cls.folder = tempfile.TemporaryDirectory()
        # Wine's own folder is kept in the build directory, because creating it takes long and prints messages. Without
        # XDG_RUNTIME_DIR, Wine's Wayland driver would print an error into the program's standard error.
        os.environ.update(WINEPREFIX=os.environ['PREFIX'], WINEDEBUG='-all', WINEDLLOVERRIDES='mscoree,mshtml=',
                          XDG_RUNTIME_DIR=cls.folder.name)
        run([WINE, EXE], '--help')
        for log in LOGS:
            shutil.copy(log, cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def both(self, *arguments, **options):
        here = run([COMMAND, 'explain'], *arguments, cwd=self.folder.name, **options)
        there = run([WINE, EXE], *arguments, cwd=self.folder.name, **options)
        self.assertEqual(there.returncode, here.returncode)
        # Windows ends lines with CR LF.
        self.assertEqual(there.stdout.replace(b'\r\n', b'\n'), here.stdout)
        self.assertEqual(there.stderr.replace(b'\r\n', b'\n'), here.stderr)
        return here.stdout

    def test_same_words(self):
        self.both('--json', *(log.name for log in LOGS))
        self.both(*(log.name for log in LOGS), 'missing.log')

    def test_byte_26(self):
        """On Windows, byte 26 (CTRL-Z) ends a text file. It must not end a log."""
        self.assertIn(b'FSGSBASE: broken', self.both('-', input=b'\x1a\n' + LOGS[0].read_bytes()))
        (Path(self.folder.name) / 'ctrl-z').write_bytes(b'\x1a\n' + LOGS[0].read_bytes())
        self.assertIn(b'FSGSBASE: broken', self.both('ctrl-z'))

    def test_wildcard_and_folder(self):
        """fsgscheck-explain.exe expands wildcards itself, because the Windows shell does not."""
        folder = Path(self.folder.name) / 'dumps'
        folder.mkdir()
        for name in ('a', 'b'):
            shutil.copy(LOGS[1], folder / name)
        said = run([WINE, EXE], r'dumps\*', cwd=self.folder.name).stdout.replace(b'\r\n', b'\n')
        self.assertEqual(said, run([COMMAND, 'explain'], 'dumps/a', 'dumps/b', cwd=self.folder.name).stdout)


if __name__ == '__main__':
    parts.run()
