# SPDX-License-Identifier: MIT
"""The documentation: every sample is compiled and run, every link leads somewhere, every word is one."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

import parts  # noqa: E402  (the path has to be known first)

SOURCE = Path(os.environ['SOURCE'])
SHARED = Path(os.environ['SHARED'])
PAGES = [SOURCE / 'README.md', SOURCE / 'NEWS.md', *sorted((SOURCE / 'doc').glob('*.md')),
         *sorted((SOURCE / 'examples').rglob('README.md'))]
# Made in the build directory by a test.
MADE = {'tests/states/peers.md'}
# Registers, flags and tools that look like slips.
WORDS = 'inout,fsgs,gs,te,ist,bu,alse,nd,crate,useable'
STRICT = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror', f'-I{SOURCE}/include']

# Those whose samples are whole programs. Those of ring0.md belong into other projects' trees; the first compiles here.
WHOLE = [SOURCE / 'README.md', SOURCE / 'doc/mainpage.md', *sorted((SOURCE / 'doc').glob('guide-*.md'))]
RING0 = ('#include <fsgscheck/core.h>\nvoid print(const char *text);\nvoid interrupts_off(void);\n'
         'void interrupts_on(void);\nvoid test_fsgsbase(void);\n')


def samples(page):
    return re.findall(r'^```c\n(.*?)^```', page.read_text(encoding='utf-8'), re.M | re.S)


class Samples(unittest.TestCase):
    def compile(self, text, *options):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        program = Path(directory.name, 'sample')
        done = subprocess.run([os.environ['CC'], *STRICT, '-x', 'c', '-', '-o', program, *options], input=text, text=True,
                              capture_output=True, check=False, timeout=60)
        self.assertEqual(done.stderr, '')
        self.assertEqual(done.returncode, 0)
        return program

    def run_it(self, text):
        program = self.compile(text, '-x', 'none', SHARED, f'-Wl,-rpath,{SHARED.parent}')
        done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=60)
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        self.assertTrue(done.stdout.strip())

    def test_examples(self):
        """The files that the pages include."""
        for example in sorted((SOURCE / 'doc/examples').glob('*.c')):
            with self.subTest(example=example.name):
                self.run_it(example.read_text(encoding='utf-8'))

    @unittest.skipIf(os.environ['INSTRUMENTED'], 'a plain program cannot load an instrumented library')
    def test_pages(self):
        found = 0
        for page in WHOLE:
            for number, text in enumerate(samples(page)):
                with self.subTest(page=page.name, sample=number):
                    found += 1
                    self.run_it(text)
        self.assertGreater(found, 0)

    def test_ring0(self):
        self.compile(RING0 + samples(SOURCE / 'doc/ring0.md')[0], '-c', '-Wno-unused-parameter')

    def test_included_examples_exist(self):
        for page in PAGES:
            for name in re.findall(r'\\include (\S+)', page.read_text(encoding='utf-8')):
                self.assertTrue((SOURCE / 'doc/examples' / name).exists(), f'{page.name}: {name}')


class Pages(unittest.TestCase):
    def test_links(self):
        for page in PAGES:
            for target in re.findall(r'\]\(([^)#\s]+)\)', page.read_text(encoding='utf-8')):
                if not target.startswith('https://'):
                    self.assertTrue((page.parent / target).exists(), f'{page.name}: {target}')

    def test_files_named(self):
        """A path in backquotes is one of this tree."""
        for page in PAGES:
            for path in re.findall(r'`((?:lib|include|tests|examples|doc)/[\w./-]+)`', page.read_text(encoding='utf-8')):
                self.assertTrue(path in MADE or (SOURCE / path).exists(), f'{page.name}: {path}')

    def test_every_guide_is_linked_from_the_readme(self):
        readme = (SOURCE / 'README.md').read_text(encoding='utf-8')
        for guide in (SOURCE / 'doc').glob('guide-*.md'):
            self.assertIn(f'doc/{guide.name}', readme)

    def test_verdicts(self):
        """Pages that tell all verdicts tell the library's."""
        header = (SOURCE / 'include/fsgscheck/report.h').read_text(encoding='utf-8')
        verdicts = {name.lower() for name in re.findall(r'FSGS_VERDICT_(\w+) =', header)}
        for page in (SOURCE / 'README.md', SOURCE / 'doc/mainpage.md'):
            rows = set(re.findall(r'^\| `(\w+)` \|', page.read_text(encoding='utf-8'), re.M))
            self.assertEqual(rows & verdicts, verdicts, page.name)

    @unittest.skipUnless(shutil.which('codespell'), 'codespell is not installed')
    def test_spelling(self):
        done = subprocess.run(['codespell', '--skip=*.log,conformance.md', '-L', WORDS, *map(str, PAGES),
                               str(SOURCE / 'include'), str(SOURCE / 'doc'), str(SOURCE / 'lib'),
                               str(SOURCE / 'examples')], capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.stdout, '')


if __name__ == '__main__':
    parts.run()
