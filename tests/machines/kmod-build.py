# SPDX-License-Identifier: MIT
"""Tests that the module builds for old and new kernels, and that compiler, objtool, sparse and DKMS find no problem."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest


import kbuild

from support import output, parts

machine = kbuild.machine
KMOD = kbuild.SOURCE / 'examples/kmod'
CACHE = pathlib.Path(os.environ['CACHE']) / 'headers'

# Harmless messages: a build step was skipped, or another version of a tool built the kernel.
HARMLESS = re.compile(r'Skipping BTF generation|the compiler differs from the one|The kernel was built by|You are using'
                      '|pahole version differs')


def complaints(said):
    return [line for line in said.splitlines()
            if re.search('warning|error', line, re.I) and not HARMLESS.search(line)]


class Build(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def build(self, which, suites, *arguments):
        """Builds for the oldest (`which` = 0) or the newest (-1) kernel of the Debian releases `suites`; None is this
        machine's release. Skips the test if there is none. Returns the kernel's release, the module and make's output."""
        try:
            release = kbuild.releases(CACHE, suites)[which]
            return release, *kbuild.build(self.work / release, kbuild.headers(CACHE, release, suites), *arguments)
        except machine.Unavailable as reason:
            self.skipTest(str(reason))

    def clean(self, which, suites):
        """The build must print no warning: from the compiler, also with W=1, or from objtool, which checks the object files.
        Returns the kernel's release."""
        release, module, said = self.build(which, suites, 'W=1')
        self.assertEqual(complaints(said), [])
        self.assertIn('license=Dual MIT/GPL'.encode(), module.read_bytes())
        print(f'built for {release}: {module.stat().st_size} bytes')
        return release

    def test_before_5_18(self):
        """Kernels before 5.18 need C89, and have no ENDBR and RET macros. kmod.py also boots such a kernel."""
        self.assertLess(kbuild.numbers(self.clean(-1, kbuild.OLDER)), [5, 18])

    def test_since_6_13(self):
        """Since 6.13, kbuild works in the module's folder, and $(src) is relative."""
        self.assertGreater(kbuild.numbers(self.clean(-1, kbuild.NEWER)), [6, 13])

    @unittest.skipUnless(shutil.which('sparse'), 'sparse is not installed')
    def test_sparse(self):
        # This is the oldest kernel of this machine's release, because newer headers use features that Debian's sparse does
        # not support yet.
        _, _, said = self.build(0, None, 'C=2', 'W=1')
        sources = set(re.findall(r'[\w/-]+\.o', (KMOD / 'Kbuild').read_text(encoding='utf-8'))) - {'fsgscheck.o', 'core/stubs.o'}
        self.assertEqual(len(re.findall(r'^  CHECK ', said, re.M)), len(sources))
        self.assertEqual(complaints(said), [])

    @unittest.skipUnless(shutil.which('dkms'), 'dkms is not installed')
    def test_dkms(self):
        """DKMS builds from the source tree that `make install-source` makes, and needs no other files."""
        try:
            release = kbuild.releases(CACHE)[-1]
            tree = kbuild.headers(CACHE, release)
        except machine.Unavailable as reason:
            self.skipTest(str(reason))
        output('make', '-s', '-C', KMOD, 'install-source', f'DESTDIR={self.work}')
        laid_out, = (self.work / 'usr/src').iterdir()
        (self.work / 'dkms').mkdir()
        said = output('dkms', 'build', laid_out.name.replace('-', '/'), '-k', release, '--kernelsourcedir', tree,
                      '--sourcetree', laid_out.parent, '--dkmstree', self.work / 'dkms')
        built, = (self.work / 'dkms').rglob('module/fsgscheck.ko*')
        print(built, said)
        log, = (self.work / 'dkms').rglob('make.log')
        self.assertEqual(complaints(log.read_text(encoding='utf-8')), [])

    def test_32_bit(self):
        """For a 32-bit kernel, the compiler says that the module is only for x86-64, not only that names are missing."""
        for config, refused in (('-DCONFIG_X86_32', True), ('-DCONFIG_X86_64', False)):
            said = subprocess.run(['gcc', '-fsyntax-only', config, KMOD / 'main.c'], capture_output=True, text=True,
                                  check=False).stderr
            self.assertEqual('#error "fsgscheck is for x86-64 kernels' in said, refused)

    def test_version(self):
        header = (kbuild.SOURCE / 'include/fsgscheck/version.h').read_text(encoding='utf-8')
        version = '.'.join(re.search(rf'FSGS_VERSION_{part} (\d+)', header)[1] for part in ('MAJOR', 'MINOR', 'PATCH'))
        self.assertIn(f'PACKAGE_VERSION="{version}"', (KMOD / 'dkms.conf').read_text(encoding='utf-8'))

    def test_small(self):
        lines = sum(len(file.read_text(encoding='utf-8').splitlines())
                    for file in KMOD.rglob('*') if file.suffix in ('.c', '.h', '.S') and 'build' not in file.parts)
        print(f'{lines} lines')
        self.assertLess(lines, 400)


if __name__ == '__main__':
    parts.run()
