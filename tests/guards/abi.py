# SPDX-License-Identifier: MIT
"""The exported symbols, the headers, and what the libraries must not contain."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from support import SOURCE, output, parts

SHARED = os.environ['SHARED']
CORE = os.environ['CORE']
INCLUDE = SOURCE / 'include'
PUBLIC = sorted(INCLUDE.rglob('*.h'))
STRICT = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow', '-Werror', '-fsyntax-only']


def exported():
    """Name and version node of each symbol that the shared library defines."""
    symbols = {}
    for line in output('nm', '-D', '--defined-only', SHARED).splitlines():
        name, _, node = line.split()[2].partition('@@')
        symbols[name] = node
    return {name: node for name, node in symbols.items() if name != node and not name.startswith('LIB')}


def declared():
    """Functions that the headers mark as exported."""
    names = set()
    for header in PUBLIC:
        text = re.sub(r'/\*.*?\*/', '', header.read_text(encoding='utf-8'), flags=re.S)
        names |= set(re.findall(r'FSGS_API\b[^;{]*?\b(fsgs_\w+)\s*[([]', text))
    return names


def inline():
    """Functions that the headers define for their users; a trailing underscore marks those that only they may call."""
    names = set()
    for header in PUBLIC:
        text = re.sub(r'/\*.*?\*/', '', header.read_text(encoding='utf-8'), flags=re.S)
        names |= set(re.findall(r'^(?:FSGS_MUST_CHECK )?FSGS_INLINE\b[^;{]*?\b(fsgs_\w+[^\W_])\s*\(', text, re.M))
    return names


@unittest.skipIf(os.environ['INSTRUMENTED'], 'an instrumented build has symbols of its tool')
class Symbols(unittest.TestCase):
    def test_prefix_and_node(self):
        self.assertTrue(exported())
        for name, node in exported().items():
            self.assertRegex(name, r'^fsgs_')
            self.assertRegex(node, r'^LIBFSGSCHECK_\d+\.\d+$')

    def test_headers_and_library_agree(self):
        self.assertEqual(declared(), set(exported()))

    @unittest.skipUnless(shutil.which('doxygen'), 'doxygen is not installed')
    def test_headers_and_reference_agree(self):
        with tempfile.TemporaryDirectory() as directory:
            settings = (f'INPUT={INCLUDE}\nRECURSIVE=YES\nQUIET=YES\nGENERATE_HTML=NO\nGENERATE_LATEX=NO\n'
                        f'GENERATE_XML=YES\nEXTRACT_ALL=NO\nEXTRACT_STATIC=YES\nOUTPUT_DIRECTORY={directory}\n'
                        'MACRO_EXPANSION=YES\nEXPAND_ONLY_PREDEF=YES\nPREDEFINED=FSGS_API=exported FSGS_NOTHROW= FSGS_CONST= FSGS_PURE= FSGS_MUST_CHECK= '
                        '"FSGS_INLINE=static inline" FSGS_INLINE_NOTHROW= FSGS_BASE_ALIGNED_=\n')
            subprocess.run(['doxygen', '-'], input=settings, text=True, check=True, timeout=60, capture_output=True)
            documented = set()
            for page in Path(directory, 'xml').glob('group__*.xml'):
                for member in ElementTree.parse(page).iter('memberdef'):
                    kind = ''.join(member.find('type').itertext()) if member.find('type') is not None else ''
                    public = 'exported' in kind or (member.get('inline') == 'yes' and member.get('static') == 'yes')
                    if public and ''.join(member.find('briefdescription').itertext()).strip():
                        documented.add(member.findtext('name'))
        self.assertTrue(inline())
        self.assertEqual(documented, set(exported()) | inline())

    def test_version_script_and_headers_agree(self):
        script = re.sub(r'/\*.*?\*/', '', (SOURCE / 'lib/libfsgscheck.map').read_text(encoding='utf-8'), flags=re.S)
        self.assertEqual(set(re.findall(r'\b(\w+);', script)), declared())

    def test_debian_symbols_agree(self):
        text = (SOURCE / 'doc/debian/libfsgscheck1.symbols').read_text(encoding='utf-8')
        self.assertEqual(set(re.findall(r'^ (fsgs_\w+)@', text, re.M)), declared())

    def test_soname(self):
        version = re.search(r'FSGS_VERSION_MAJOR (\d+)',
                            (INCLUDE / 'fsgscheck/version.h').read_text(encoding='utf-8'))[1]
        self.assertIn(f'[libfsgscheck.so.{version}]', output('readelf', '-dW', SHARED))

    def test_prints_nothing_and_allocates_nothing(self):
        imported = {line.split()[-1].partition('@')[0]
                    for line in output('nm', '-D', '--undefined-only', SHARED).splitlines()}
        forbidden = {'malloc', 'calloc', 'realloc', 'free', 'printf', '__printf_chk', 'fprintf',
                     '__fprintf_chk', 'puts', 'perror', 'fputs', 'abort', 'exit', '_exit', '__assert_fail'}
        self.assertEqual(imported & forbidden, set())

    def test_no_constructor(self):
        """One entry each is the C runtime's own (frame_dummy, __do_global_dtors_aux). One destructor is ours."""
        for section, size in re.findall(r'\.(init_array|fini_array|ctors|preinit_array)\s+\w+\s+\w+ \w+ (\w+)',
                                        output('readelf', '-SW', SHARED)):
            self.assertLessEqual(int(size, 16), 16 if section == 'fini_array' else 8, section)

    def test_no_text_relocation(self):
        self.assertNotIn('TEXTREL', output('readelf', '-dW', SHARED))


class Core(unittest.TestCase):
    @unittest.skipIf(os.environ['INSTRUMENTED'], 'an instrumented build has symbols of its tool')
    def test_no_undefined_symbol(self):
        with tempfile.TemporaryDirectory() as directory:
            whole = os.path.join(directory, 'core.o')
            subprocess.run(['ld', '-r', '--whole-archive', CORE, '-o', whole], check=True, timeout=60)
            self.assertEqual(output('nm', '-u', whole), '')

    def test_no_undefined_symbol_with_any_compiler(self):
        flags = ['-std=c11', '-ffreestanding', '-mgeneral-regs-only', '-mno-red-zone',
                 '-fno-stack-protector', '-fvisibility=hidden', '-fPIC', f'-I{INCLUDE}', '-c']
        sources = sorted(str(p) for p in (SOURCE / 'lib/core').iterdir() if p.suffix in ('.c', '.S'))
        for compiler in filter(shutil.which, ('gcc', 'clang')):
            for level in ('-Os', '-O1', '-O2', '-O3'):
                extra = ['-fno-tree-loop-distribute-patterns'] if compiler == 'gcc' else []
                with self.subTest(compiler=compiler, level=level), tempfile.TemporaryDirectory() as directory:
                    subprocess.run([compiler, *flags, *extra, level, *sources], check=True, cwd=directory,
                                   timeout=60)
                    objects = [str(p) for p in Path(directory).glob('*.o')]
                    whole = os.path.join(directory, 'core.o')
                    subprocess.run(['ld', '-r', *objects, '-o', whole], check=True, timeout=60)
                    self.assertEqual(output('nm', '-u', whole), '')


@unittest.skipIf(os.environ['INSTRUMENTED'], 'a plain program cannot load an instrumented library')
class OlderHeader(unittest.TestCase):
    """A program that was compiled when the report was shorter, with the library of today."""

    PROGRAM = r'''
#include <fsgscheck.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	struct { struct fsgs_report report; unsigned char beyond[1024]; } it;

	memset(&it, 0xa5, sizeof it);
	if (fsgs_check(&it.report, sizeof it.report, FSGS_CHECK_CONTEXT))
		return 1;
	for (size_t i = 0; i < sizeof it.beyond; i++)
		if (it.beyond[i] != 0xa5)
			return 2;
	printf("%zu %s %s %s", sizeof it.report, fsgs_name(FSGS_LIST_VERDICT, it.report.verdict),
	       fsgs_name(FSGS_LIST_OUTCOME, it.report.trials[3].outcome), fsgs_reason(&it.report, sizeof it.report));
	return fsgs_decide(&it.report, sizeof it.report) ? 3 : 0;
}
'''

    def say(self, cut):
        with tempfile.TemporaryDirectory() as directory:
            include = shutil.copytree(INCLUDE, Path(directory, 'include'))
            header = include / 'fsgscheck/report.h'
            text = header.read_text(encoding='utf-8')
            if cut:
                shorter = re.sub(cut + r'[\s\S]*?\n};', '};', text, count=1)
                self.assertNotEqual(shorter, text)
                header.write_text(shorter, encoding='utf-8')
            program = os.path.join(directory, 'program')
            subprocess.run([os.environ['CC'], '-x', 'c', '-', f'-I{include}', '-o', program, '-x', 'none', SHARED,
                            f'-Wl,-rpath,{os.path.dirname(SHARED)}'], input=self.PROGRAM, text=True, check=True,
                           timeout=60)
            return output(program).split(maxsplit=1)

    def test_shorter_report(self):
        size, words = self.say(None)
        for cut in (r'\tuint32_t family;', r'\tuint32_t refusal;'):
            with self.subTest(cut=cut):
                shorter, same = self.say(cut)
                self.assertLess(int(shorter), int(size))
                self.assertEqual(same, words)


class Headers(unittest.TestCase):
    """Each compiles alone, in C and in C++, without any option for the instruction set."""

    def compile(self, compiler, language, standard, header):
        text = f'#include <{header.relative_to(INCLUDE)}>\nextern int not_an_empty_unit;\n'
        subprocess.run([compiler, '-x', language, f'-std={standard}', *STRICT, f'-I{INCLUDE}', '-'],
                       input=text, text=True, check=True, timeout=60)

    def test_alone(self):
        for compiler, language, standard in (('gcc', 'c', 'c11'), ('clang', 'c', 'c11'),
                                             ('g++', 'c++', 'c++17'), ('clang++', 'c++', 'c++17'),
                                             ('g++', 'c++', 'c++98'), ('clang++', 'c++', 'c++98')):
            if not shutil.which(compiler):
                continue
            for header in PUBLIC:
                with self.subTest(compiler=compiler, header=header.name):
                    self.compile(compiler, language, standard, header)

    def test_an_ignored_result_is_a_warning(self):
        """Where the result says whether anything was done at all."""
        calls = ('fsgs_check(&r, sizeof r, 0)', 'fsgs_check_early(&r, sizeof r, 0)', 'fsgs_check_cpu(0, &r, sizeof r, 0)',
                 'fsgs_check_cpus(&r, sizeof r, 0, &g, sizeof g, &n)', 'fsgs_get_base(1, &b)', 'fsgs_set_base(1, b)',
                 'fsgs_ensure_base(1, b)', *(f'fsgs_{what}_{segment}_base({"&b" if what == "get" else "b"})'
                                             for what in ('get', 'set', 'ensure') for segment in ('fs', 'gs')))
        text = ('#include <fsgscheck.h>\n#include <fsgscheck/base.h>\nvoid user(void);\nvoid user(void)\n{\n'
                'struct fsgs_report r; struct fsgs_cpu_group g; uint32_t n = 1; uint64_t b = 0;\n'
                + ''.join(f'{call};\n' for call in calls) + '(void)!fsgs_base_force(0, (uint32_t)b);\n(void)g; (void)n; }\n')
        for compiler, language in (('gcc', 'c'), ('clang', 'c'), ('g++', 'c++'), ('clang++', 'c++')):
            if not shutil.which(compiler):
                continue
            done = subprocess.run([compiler, '-x', language, '-c', '-O1', f'-I{INCLUDE}', '-', '-o', '/dev/null'], input=text, text=True,
                                  check=True, capture_output=True, timeout=60)
            for number, call in enumerate(calls, 7):
                with self.subTest(compiler=compiler, call=call):
                    self.assertRegex(done.stderr, rf'<stdin>:{number}:.*warning: ignoring return value')

    def test_inline_forms_in_cplusplus(self):
        """noexcept, and with external linkage, without which the functions of a module cannot use them."""
        forms = [f'fsgs_{what}_{segment}_base' for what in ('get', 'set', 'ensure') for segment in ('fs', 'gs')]
        text = '#include <fsgscheck/base.h>\n' + ''.join(
            f'static_assert(noexcept({form}({"nullptr" if "_get_" in form else "0"})), "");\n'
            f'extern decltype(&{form}) pointer_{form}; decltype(&{form}) pointer_{form} = {form};\n' for form in forms)
        for compiler in filter(shutil.which, ('g++', 'clang++')):
            with self.subTest(compiler=compiler), tempfile.TemporaryDirectory() as directory:
                unit = os.path.join(directory, 'unit.o')
                subprocess.run([compiler, '-x', 'c++', '-std=c++17', '-c', f'-I{INCLUDE}', '-', '-o', unit], input=text,
                               text=True, check=True, timeout=60)
                self.assertGreaterEqual(set(re.findall(r' W (\w+)', output('nm', unit))), set(forms))

    def test_numbers_that_programs_hold(self):
        """Macros leave no trace in the library, and programs keep the value that they were compiled with."""
        numbers = {'FSGS_BASE_LIMIT': '0x7ffffffff000', 'FSGS_BASE_AUTO': '0xffffffff', 'FSGS_SEGMENTS': '2', 'FSGS_INSNS': '4',
                   'FSGS_CPU_RANGES': '8', 'FSGS_REPORT_MIN': '32', 'FSGS_FIELD_MIN': '28', 'FSGS_BASE_LIMITS': '8',
                   'FSGS_CPU_GROUP_MIN': '96'}
        text = '#include <fsgscheck.h>\n#include <fsgscheck/base.h>\n' + ''.join(
            f'_Static_assert({name} == {number}, "{name} is part of the ABI");\n' for name, number in numbers.items())
        done = subprocess.run([os.environ['CC'], '-x', 'c', '-std=c11', '-fsyntax-only', f'-I{INCLUDE}', '-'], input=text,
                              text=True, check=False, capture_output=True, timeout=60)
        self.assertEqual(done.stderr, '')


if __name__ == '__main__':
    parts.run()
