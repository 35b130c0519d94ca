# SPDX-License-Identifier: MIT
"""The drop-in form as a host compiles it: by any compiler with any of the host's flags, without a warning."""

import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

from support import SOURCE, output, parts, run

MADE = Path(os.environ['DROPIN'])
COMPILERS = ('gcc', 'clang', 'clang-19', 'musl-gcc', 'i686-linux-gnu-gcc', 'aarch64-linux-gnu-gcc', 'x86_64-linux-gnux32-gcc')
FLAGS = (['-O0', '-std=c2x'], ['-O2', '-std=c11'], ['-O3', '-flto'])
# Flags of a host project that a file must not be compiled with if it runs while the FS base is
# foreign.
INSTRUMENTED = (['-fstack-protector-all', '-finstrument-functions'], ['-fsanitize=address,undefined'], ['-fsanitize=thread'])
ADDED = r'\b(__stack_chk_fail|__(?:asan_report|ubsan_handle|tsan_func|tsan_read|tsan_write|cyg_profile)\w*)'


class DropIn(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def compiled(self, compiler, form, *flags):
        made = self.folder / f'{form}.o'
        done = run(compiler, '-Wall', '-Wextra', *flags, '-c', MADE / f'{form}.c', '-o', made)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return made

    def test_no_warning(self):
        for compiler in filter(shutil.which, COMPILERS):
            for flags in FLAGS if compiler in ('gcc', 'clang') else FLAGS[1:2]:
                for form in ('fsgscheck', 'fsgscheck-core'):
                    with self.subTest(compiler=compiler, flags=flags, form=form):
                        self.compiled(compiler, form, *flags)

    def test_core_needs_nothing(self):
        for compiler in filter(shutil.which, ('gcc', 'clang')):
            for level in ('-O0', '-O2'):
                with self.subTest(compiler=compiler, level=level):
                    made = self.compiled(compiler, 'fsgscheck-core', level, '-fstack-protector-all')
                    self.assertEqual(output('nm', '-u', made), '')

    def test_nothing_is_added(self):
        for compiler in filter(shutil.which, ('gcc', 'clang')):
            for flags in INSTRUMENTED:
                with self.subTest(compiler=compiler, flags=flags):
                    made = self.compiled(compiler, 'fsgscheck', '-O1', *flags)
                    self.assertNotRegex(output('nm', '-u', made), ADDED)

    def test_link_time_optimisation(self):
        program = self.folder / 'program'
        for compiler, flags in (('gcc', ['-O2', '-flto']), ('gcc', ['-O2', '-fsanitize=address,undefined']), ('gcc', ['-O0'])):
            with self.subTest(flags=flags):
                output(compiler, *flags, f'-I{MADE}', SOURCE / 'doc/examples/usable.c', MADE / 'fsgscheck.c', '-o', program)
                done = run(program)
                self.assertIn(done.returncode, (0, 1, 2))
                self.assertRegex(done.stdout, r'^\w+: .+\.\n$')

    def test_consumers(self):
        """Programs of other standards, and in C++, that include the header."""
        output('gcc', '-O2', '-c', MADE / 'fsgscheck.c', '-o', self.folder / 'fsgscheck.o')
        text = """#include "fsgscheck.h"
int main(void)
{
	struct fsgs_report report;
	return fsgs_check(&report, sizeof report, 0) || fsgs_ensure_gs_base(fsgs_usable() ? 0x1000 : 0x2000);
}
"""
        for suffix, compilers, standards in (('c', ('gcc', 'clang'), ('c89', 'gnu89', 'c99', 'gnu2x')),
                                             ('cpp', ('g++', 'clang++'), ('c++11', 'c++20'))):
            source = self.folder / f'host.{suffix}'
            source.write_text(text, encoding='utf-8')
            for compiler in filter(shutil.which, compilers):
                for standard in standards:
                    with self.subTest(compiler=compiler, standard=standard):
                        done = run(compiler, f'-std={standard}', '-Wall', '-Wextra', f'-I{MADE}', source,
                                   self.folder / 'fsgscheck.o', '-o', self.folder / 'host')
                        self.assertEqual((done.returncode, done.stderr), (0, ''))
                        self.assertEqual(run(self.folder / 'host').returncode, 0)

    def test_equal_sources_give_equal_bytes(self):
        output(sys.executable, SOURCE / 'lib/dropin/amalgamation.py', self.folder)
        for name in ('fsgscheck.c', 'fsgscheck.h', 'fsgscheck-core.c', 'fsgscheck-core.h'):
            self.assertEqual((self.folder / name).read_bytes(), (MADE / name).read_bytes())


if __name__ == '__main__':
    parts.run()
