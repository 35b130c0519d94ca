# SPDX-License-Identifier: MIT
"""Compiles the drop-in form as host projects do: with several compilers and with flags of the host, without a
warning."""

import concurrent.futures
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

from support import SKIP, SOURCE, builds, output, parts, run

MADE = Path(os.environ['DROPIN'])
SAMPLE = SOURCE / 'doc/examples/usable.c'
I386, AARCH64 = '/usr/i686-linux-gnu', '/usr/aarch64-linux-gnu'
SANITIZED = ['-O1', '-fsanitize=address,undefined']
# Flags with which a host project may compile all its files. Even then the compiler must add nothing to the drop-in form,
# because some functions of the form run while the FS base is foreign.
INSTRUMENTED = (['-fstack-protector-all', '-finstrument-functions'], SANITIZED, ['-fsanitize=thread'])
ADDED = r'\b(__stack_chk_fail|__(?:asan_report|ubsan_handle|tsan_func|tsan_read|tsan_write|cyg_profile)\w*)'
# The ways in which host projects compile the form: the compiler, its flags, and the command that runs the result
# (empty: it runs directly). None means that this system cannot link or run the result.
ROWS = [
    *((compiler, flags, []) for compiler in ('gcc', 'clang')
      for flags in (['-O0'], ['-O1', '-std=c2x'], ['-O2', '-std=c11', '-fstack-protector-all'], ['-O3'], SANITIZED)),
    ('gcc', ['-O3', '-flto'], []),
    ('clang', ['-O3', '-flto', '-fuse-ld=lld'], []),
    *(('clang-19', flags, []) for flags in (['-O0'], ['-O1', '-std=c23'], ['-O2'], ['-O3'])),
    *(('musl-gcc', flags, []) for flags in (['-O0'], ['-O1'], ['-O2', '-static'], ['-O3'])),
    # With -m32, Debian's gcc can use the headers of the cross compiler, but not its linker and libraries.
    ('gcc', ['-m32', '-O0', f'-I{I386}/include'], None),
    ('i686-linux-gnu-gcc', ['-O2'], ['qemu-i386', '-L', I386]),
    ('aarch64-linux-gnu-gcc', ['-O2'], ['qemu-aarch64', '-L', AARCH64]),
    ('x86_64-linux-gnux32-gcc', ['-O2'], None),
]


def to_compile(flags):
    """The flags without the linker's option, for which clang would print a warning."""
    return [flag for flag in flags if not flag.startswith('-fuse-ld')]


class Compiled(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def compiled(self, compiler, form, *flags):
        made = Path(tempfile.mkdtemp(dir=self.folder)) / f'{form}.o'
        done = run(compiler, '-Wall', '-Wextra', *flags, '-c', MADE / f'{form}.c', '-o', made)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return made


class DropIn(Compiled):
    def row(self, compiler, flags, runner):
        """The form compiles without a warning, and a program that uses it prints a verdict. With -O2, the form of the
        core must compile, too."""
        for tool in (compiler, *(runner or ())[:1]):
            if not shutil.which(tool):
                self.skipTest(f'{tool} is not installed')
        own = to_compile(flags)
        if '-O2' in flags:
            self.compiled(compiler, 'fsgscheck-core', *own)
        made = self.compiled(compiler, 'fsgscheck', *own)
        if runner is None:
            return
        program = made.with_suffix('')
        done = run(compiler, *flags, '-Wall', '-Wextra', f'-I{MADE}', SAMPLE, made, '-pthread', '-o', program)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        done = run(*runner, program)
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        self.assertEqual(done.stderr, '')
        # A runner is for another architecture. There, the library runs no trial, and the verdict is always
        # `unsupported`.
        self.assertRegex(done.stdout, r'^unsupported: .+\.\n$' if runner else r'^\w+: .+\.\n$')

    def test_rows(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for row, made in [(row, pool.submit(self.row, *row)) for row in ROWS]:
                with self.subTest(row=row):
                    made.result()

    def test_core_needs_nothing(self):
        for compiler in filter(shutil.which, ('gcc', 'clang')):
            for level in ('-O0', '-O2'):
                with self.subTest(compiler=compiler, level=level):
                    made = self.compiled(compiler, 'fsgscheck-core', level, '-fstack-protector-all')
                    self.assertEqual(output('nm', '-u', made), '')

    def test_nothing_is_added(self):
        for compiler in filter(shutil.which, ('gcc', 'clang')):
            for flags in INSTRUMENTED:
                for form in ('fsgscheck', 'fsgscheck-core'):
                    with self.subTest(compiler=compiler, flags=flags, form=form):
                        self.assertNotRegex(output('nm', '-u', self.compiled(compiler, form, '-O1', *flags)), ADDED)

    def test_nothing_is_exported(self):
        """A plug-in that contains the form exports none of its symbols, and has no thread-local storage."""
        for compiler in filter(shutil.which, ('gcc', 'clang')):
            for form in ('fsgscheck', 'fsgscheck-core'):
                with self.subTest(compiler=compiler, form=form):
                    made = self.compiled(compiler, form, '-O0', '-fPIC', '-fvisibility=default')
                    output(compiler, '-shared', made, '-pthread', '-o', made.with_suffix('.so'))
                    self.assertNotIn('fsgs', output('nm', '-D', '--defined-only', made.with_suffix('.so')))
                    self.assertNotRegex(output('readelf', '-lW', made.with_suffix('.so')), r'\bTLS\b')

    def test_users_export_nothing(self):
        """A plug-in does not export the inline functions of the header either, so no plug-in uses those of another
        plug-in."""
        names = [f'fsgs_{what}_{segment}_base' for what in ('get', 'set', 'ensure') for segment in ('fs', 'gs')]
        text = '#include "fsgscheck.h"\nextern "C" int user(uint64_t *base)\n{\n\treturn ' + ' + '.join(
            f'{name}({"base" if "get" in name else "*base"})' for name in names) + ';\n}\n'
        # A pointer to an inline function makes the compiler emit the function.
        text += ''.join(f'__typeof__(&{name}) volatile table_{name} = {name};\n' for name in names)
        made = self.compiled('gcc', 'fsgscheck', '-fPIC')
        for compiler, language in (('gcc', 'c'), ('clang', 'c'), ('g++', 'c++'), ('clang++', 'c++')):
            for level in ('-O0', '-O2'):
                if not shutil.which(compiler):
                    continue
                with self.subTest(compiler=compiler, level=level):
                    library = self.folder / f'{compiler}.so'
                    source = self.folder / 'user.c'
                    source.write_text(text if language == 'c++' else text.replace('extern "C" ', ''), encoding='utf-8')
                    output(compiler, '-x', language, level, '-fPIC', '-shared', f'-I{MADE}', source,
                           '-x', 'none', made, '-pthread', '-o', library)
                    symbols = output('nm', '-D', '--defined-only', library)
                    self.assertIn(' user\n', symbols)
                    self.assertNotRegex(symbols, r' fsgs_')

    def test_consumers(self):
        """C programs of other standards, and C++ programs, can include the header."""
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


class Units(Compiled):
    """The unit tests pass with the drop-in form as compiled by each compiler."""

    def test_rows(self):
        tests, explain = Path(os.environ['BUILD']) / 'tests/unit', Path(os.environ['EXPLAIN'])
        for compiler, flags, runner in ROWS:
            # The tests' objects need this system's C library, so musl is left out.
            if runner != [] or compiler == 'musl-gcc' or not shutil.which(compiler):
                continue
            # Meson compiles the tests with this flag, so they replace open64() instead of open(). The form must call
            # the same function.
            own = ['-D_FILE_OFFSET_BITS=64', *to_compile(flags)]
            made = {form: self.compiled(compiler, form, *own) for form in ('fsgscheck', 'fsgscheck-core')}
            for name in os.environ['UNITS'].split():
                with self.subTest(compiler=compiler, flags=flags, unit=name):
                    program = self.folder / name
                    form = 'fsgscheck-core' if name == 'ring0' else 'fsgscheck'
                    output(compiler, *flags, *(tests / f'plain-{name}.p').glob('*.o'), made[form], explain, '-pthread', '-ldl',
                           '-o', program)
                    done = run(program, env=os.environ | builds.SANITIZERS)
                    self.assertIn(done.returncode, (0, SKIP), done.stdout + done.stderr)


if __name__ == '__main__':
    parts.run()
