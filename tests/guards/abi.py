# SPDX-License-Identifier: MIT
"""Checks the exported symbols, the headers, and what the libraries must not contain."""

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
    """The symbols that the shared library exports, each with its version node."""
    symbols = {}
    for line in output('nm', '-D', '--defined-only', SHARED).splitlines():
        name, _, node = line.split()[2].partition('@@')
        symbols[name] = node
    return {name: node for name, node in symbols.items() if name != node and not name.startswith('LIB')}


def declared():
    """The functions and variables that the headers mark as exported."""
    names = set()
    for header in PUBLIC:
        text = re.sub(r'/\*.*?\*/', '', header.read_text(encoding='utf-8'), flags=re.S)
        names |= set(re.findall(r'FSGS_API\b[^;{]*?\b(fsgs_\w+)\s*[([]', text))
    return names


def inline():
    """The inline functions that programs may call. Names that end with an underscore are left out, because only the
    headers may call these functions."""
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
        """Each array may have one entry, which the C runtime adds (frame_dummy, __do_global_dtors_aux). fini_array may
        also have the library's one destructor."""
        for section, size in re.findall(r'\.(init_array|fini_array|ctors|preinit_array)\s+\w+\s+\w+ \w+ (\w+)',
                                        output('readelf', '-SW', SHARED)):
            self.assertLessEqual(int(size, 16), 16 if section == 'fini_array' else 8, section)

    def test_no_thread_local_storage(self):
        """Thread-local storage in a library that dlopen() loads would cost each thread an allocation."""
        self.assertNotRegex(output('readelf', '-lW', SHARED), r'\bTLS\b')

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
class OlderHeaders(unittest.TestCase):
    """Programs that were compiled when a structure had fewer members still work with the current library. Here, the
    structure under test ends at the end of mapped memory, so an access beyond it crashes.
    """

    UNIT = r'''
#include <fsgscheck.h>
#include <string.h>

extern char *page_end;

int TRY(const struct fsgs_report *whole, const struct fsgs_cpu_group *whole_group, const struct fsgs_field *whole_field);

int TRY(const struct fsgs_report *whole, const struct fsgs_cpu_group *whole_group, const struct fsgs_field *whole_field)
{
	struct fsgs_report *const report = (void *)(page_end - sizeof *report);
	struct fsgs_cpu_group *const group = (void *)(page_end - sizeof *group), kept;
	struct fsgs_field *const field = (void *)(page_end - sizeof *field);
	struct fsgs_report *const elsewhere = (void *)(page_end - 1024);
	uint32_t count = 1;

	if (!fsgs_report_field(0, field, sizeof *field) || memcmp(field, whole_field, sizeof *field))
		return 1;
	if (fsgs_check_cpus(elsewhere, sizeof *report, FSGS_CHECK_CONTEXT, group, sizeof *group, &count) ||
	    memcmp(group, whole_group, sizeof *group))
		return 2;
	kept = *group;
	if (fsgs_json(elsewhere, sizeof *report, group, sizeof *group, count, NULL, 0) < 1000)
		return 3;
	if (fsgs_check_early(report, sizeof *report, NULL) || report->verdict == FSGS_VERDICT_USABLE)
		return 4;
	if (fsgs_check(report, sizeof *report, FSGS_CHECK_CONTEXT) || memcmp(report, whole, sizeof *report))
		return 5;
	if (!fsgs_reason(report, sizeof *report) || fsgs_json(report, sizeof *report, &kept, sizeof kept, 1, NULL, 0) < 1000)
		return 6;
	for (uint32_t step = 0; fsgs_advice(report, sizeof *report, step); step++)
		;
	return fsgs_decide(report, sizeof *report) ? 7 : 0;
}
'''

    MAIN = r'''
#include <fsgscheck.h>
#include <stdio.h>
#include <sys/mman.h>

enum { ROOM = 4096 };
char *page_end;

int main(void)
{
	struct fsgs_report whole, all;
	struct fsgs_cpu_group group;
	struct fsgs_field field;
	uint32_t count = 1;
	int wrong = 0;
	char *const room = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	page_end = room + ROOM;
	if (room == MAP_FAILED || mprotect(page_end, ROOM, PROT_NONE) || fsgs_check(&whole, sizeof whole, FSGS_CHECK_CONTEXT) ||
	    fsgs_check_cpus(&all, sizeof all, 0, &group, sizeof group, &count) || !fsgs_report_field(0, &field, sizeof field))
		return 1;
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		const int failed = tries[i].run(&whole, &group, &field);

		if (failed)
			printf("without %s: step %d\n", tries[i].without, failed);
		wrong |= failed;
	}
	return wrong != 0;
}
'''

    TRY = 'int %s(const struct fsgs_report *, const struct fsgs_cpu_group *, const struct fsgs_field *)'

    # For each structure, its header and the first member that an old caller may not know.
    OPTIONAL = {'fsgs_report': ('fsgscheck/report.h', 'vantage'), 'fsgs_field': ('fsgscheck/report.h', 'reserved'),
                'fsgs_cpu_group': ('fsgscheck.h', 'reserved')}

    def guarded(self, include):
        """Changes the headers so that -DCUT=n removes member number n and all later members of its structure. Only
        members that an old caller may not know have a number. Returns the names of these members."""
        names = []
        for structure, (file, first) in self.OPTIONAL.items():
            header = include / file
            text = header.read_text(encoding='utf-8')
            body = re.search(rf'struct {structure} \{{\n(.*?)\n\}};', text, re.S)[1]
            start, lines = len(names), []
            for line in body.splitlines():
                member = re.match(r'\t(?:struct )?\w+ (\w+)(?:\[\w+\])?;$', line)
                if member and (member[1] == first or len(names) > start):
                    line = f'#if CUT < {start} || CUT > {len(names)}\n{line}\n#endif'
                    names.append(f'{structure}.{member[1]}')
                lines.append(line)
            self.assertGreater(len(names), start, structure)
            header.write_text(text.replace(body, '\n'.join(lines), 1), encoding='utf-8')
        return names

    def test_each_size_of_each_structure(self):
        with tempfile.TemporaryDirectory() as directory:
            include = shutil.copytree(INCLUDE, Path(directory, 'include'))
            names = self.guarded(include)
            self.assertGreater(len(names), 35)
            whole, objects = len(names), []

            def compile(source, cut):
                objects.append(os.path.join(directory, f'{len(objects)}.o'))
                subprocess.run([*os.environ['CC'].split(), '-x', 'c', '-', '-c', f'-I{include}', f'-DCUT={cut}', f'-DTRY=try_{cut}',
                                '-o', objects[-1]], input=source, text=True, check=True, timeout=60)

            for cut in range(whole + 1):
                compile(self.UNIT, cut)
            compile('#include <fsgscheck.h>\n' + ''.join(f'{self.TRY % f"try_{cut}"};\n' for cut in range(whole + 1))
                    + f'static const struct {{ {self.TRY % "(*run)"}; const char *without; }} tries[] = {{\n'
                    + ''.join(f'{{try_{cut}, "{name}"}},\n' for cut, name in enumerate([*names, 'nothing']))
                    + '};\n' + self.MAIN, whole)
            program = os.path.join(directory, 'program')
            subprocess.run([*os.environ['CC'].split(), *objects, '-o', program, SHARED, f'-Wl,-rpath,{os.path.dirname(SHARED)}'],
                           check=True, timeout=60)
            done = subprocess.run([program], check=False, capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (0, ''))


class Headers(unittest.TestCase):
    """Tests of the headers. Each must compile alone, in C and in C++, without any option for the instruction set."""

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
        """The compiler warns if a program ignores the result of a function that can fail."""
        calls = ('fsgs_check(&r, sizeof r, 0)', 'fsgs_check_early(&r, sizeof r, 0)', 'fsgs_check_cpu(0, &r, sizeof r, 0)',
                 'fsgs_check_cpus(&r, sizeof r, 0, &g, sizeof g, &n)', 'fsgs_get_base(1, &b)',
                 'fsgs_get_base_value(1)', 'fsgs_set_base(1, b)',
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

    def test_limits_are_read_only_for_users(self):
        for compiler, language in (('gcc', 'c'), ('clang', 'c'), ('g++', 'c++'), ('clang++', 'c++')):
            if shutil.which(compiler):
                done = subprocess.run([compiler, '-x', language, '-fsyntax-only', f'-I{INCLUDE}', '-'], check=False, timeout=60,
                                      input='#include <fsgscheck/base.h>\nvoid user(void) { fsgs_base_limit[1] = 0; }\n',
                                      text=True, capture_output=True)
                with self.subTest(compiler=compiler):
                    self.assertRegex(done.stderr, 'read-only|const-qualified|not assignable')

    @unittest.skipIf(os.environ['INSTRUMENTED'], 'a plain program cannot load an instrumented library')
    def test_a_copy_of_the_limits_has_its_own_line(self):
        """Without position-independent code, the linker copies the limits into the program's own data (copy relocation).
        The copy must fill one cache line."""
        text = ('#include <fsgscheck/base.h>\n#include <stdio.h>\nint main(void)\n{\nuint64_t base;\n'
                'if (fsgs_get_gs_base(&base)) return 1;\nprintf("%p %zu", (void *)fsgs_base_limit, sizeof fsgs_base_limit);\n}\n')
        with tempfile.TemporaryDirectory() as directory:
            program = os.path.join(directory, 'program')
            subprocess.run([*os.environ['CC'].split(), '-x', 'c', '-', '-fno-pic', '-no-pie', f'-I{INCLUDE}', '-o', program, '-x', 'none',
                            SHARED, f'-Wl,-rpath,{os.path.dirname(SHARED)}'], input=text, text=True, check=True, timeout=60)
            self.assertRegex(output('readelf', '-rW', program), 'R_X86_64_COPY .*fsgs_base_limit')
            address, size = output(program).split()
            self.assertEqual((int(address, 16) % 64, int(size)), (0, 64))

    def test_inline_forms_in_cplusplus(self):
        """In C++ the inline forms are noexcept. They have external linkage, so that inline functions of a C++ module
        may call them."""
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
        """The values of macros must not change: programs keep the values that they were compiled with."""
        numbers = {'FSGS_BASE_LIMIT': '0x7ffffffff000', 'FSGS_BASE_AUTO': '0xffffffff', 'FSGS_SEGMENTS': '2', 'FSGS_INSNS': '4',
                   'FSGS_CPU_RANGES': '8', 'FSGS_REPORT_MIN': '32', 'FSGS_FIELD_MIN': '28', 'FSGS_BASE_LIMITS': '8',
                   'FSGS_CPU_GROUP_MIN': '96'}
        text = '#include <fsgscheck.h>\n#include <fsgscheck/base.h>\n' + ''.join(
            f'_Static_assert({name} == {number}, "{name} is part of the ABI");\n' for name, number in numbers.items())
        done = subprocess.run([*os.environ['CC'].split(), '-x', 'c', '-std=c11', '-fsyntax-only', f'-I{INCLUDE}', '-'], input=text,
                              text=True, check=False, capture_output=True, timeout=60)
        self.assertEqual(done.stderr, '')


if __name__ == '__main__':
    parts.run()
