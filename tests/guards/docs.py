# SPDX-License-Identifier: MIT
"""Checks the documentation: the samples compile and run, links within the tree lead to a file, and codespell finds no
misspelt word."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import SOURCE, TESTS, parts

SHARED = Path(os.environ['SHARED'])
FSGSCHECK = os.environ['FSGSCHECK']
PAGES = [SOURCE / 'README.md', SOURCE / 'NEWS.md', TESTS / 'README.md', *sorted((SOURCE / 'doc').glob('*.md')),
         *sorted((SOURCE / 'examples').rglob('README.md'))]
# Files that the pages name, but that are not in the source tree. A test or a target makes them in the build directory.
MADE = {'tests/machines/peers.md', 'doc/html', 'examples/fsgscheck/fsgscheck', 'examples/page/fsgscheck.html',
        'examples/page/fsgscheck-explain.exe', *(f'examples/boot/fsgscheck-boot.{form}' for form in ('elf', 'efi', 'iso'))}
# Words that codespell would report, but that are right here: names of registers, flags and tools, for example.
WORDS = 'inout,fsgs,gs,te,ist,bu,alse,nd,crate,useable,ags'
STRICT = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror', f'-I{SOURCE}/include']

# In the pages of WHOLE, each sample is a whole program. The samples of ring0.md are parts of a kernel, so only the first
# sample is compiled, with the declarations of RING0.
WHOLE = [SOURCE / 'README.md', SOURCE / 'doc/README.md', *sorted((SOURCE / 'doc').glob('guide-*.md'))]
RING0 = ('#include <fsgscheck/core.h>\nvoid print(const char *text);\nvoid interrupts_off(void);\n'
         'void interrupts_on(void);\nvoid test_fsgsbase(void);\n')
LINKED = ['-x', 'none', SHARED, f'-Wl,-rpath,{SHARED.parent}']


def beside(example):
    """The compiler's arguments for the assembly file of a sample. Empty if the sample has none."""
    assembly = example.with_suffix('.S')
    return ['-x', 'assembler-with-cpp', assembly] if assembly.exists() else []


def samples(page):
    return re.findall(r'^```c\n(.*?)^```', page.read_text(encoding='utf-8'), re.M | re.S)


def shown(example):
    """A sample as a page shows it, without the licence line."""
    return example.read_text(encoding='utf-8').partition('\n')[2].strip('\n') + '\n'


class Samples(unittest.TestCase):
    def compile(self, text, *options):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        program = Path(directory.name, 'sample')
        done = subprocess.run([*os.environ['CC'].split(), *STRICT, '-x', 'c', '-', '-o', program, *options], input=text, text=True,
                              capture_output=True, check=False, timeout=60)
        self.assertEqual(done.stderr, '')
        self.assertEqual(done.returncode, 0)
        return program

    def run_it(self, text, *more):
        program = self.compile(text, *more, *LINKED)
        done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=60)
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        self.assertTrue(done.stdout.strip())

    def test_examples(self):
        """Every C file in doc/examples compiles and runs. The pages show these files."""
        for example in sorted((SOURCE / 'doc/examples').glob('*.c')):
            with self.subTest(example=example.name):
                self.run_it(example.read_text(encoding='utf-8'), *beside(example))

    @unittest.skipIf(os.environ['INSTRUMENTED'], 'a plain program cannot load an instrumented library')
    def test_base_access(self):
        """Each sample that changes a base works with both accesses. If the instructions are `unadvertised`, the kernel
        may lose the base, so one of up to 40 runs must work."""
        verdict = json.loads(subprocess.run([FSGSCHECK, '--json'], capture_output=True, check=False, timeout=60).stdout)['verdict']
        runs = {'arch_prctl': 1, 'instruction': {'usable': 1, 'unadvertised': 40}.get(verdict, 0)}
        for example in sorted((SOURCE / 'doc/examples').glob('*.c')):
            text = example.read_text(encoding='utf-8')
            if 'fsgscheck/base.h' not in text:
                continue
            program = self.compile(text, *beside(example), *LINKED)
            for access, times in runs.items():
                with self.subTest(example=example.name, access=access):
                    for left in reversed(range(times)):
                        done = subprocess.run([program], env={**os.environ, 'FSGSCHECK_BASE': access}, text=True,
                                              capture_output=True, check=False, timeout=60)
                        if not left or not done.returncode:
                            self.assertEqual(done.returncode, 0, f'{times} runs: {done.stdout}{done.stderr}')
                            self.assertIn(f'by {access}', done.stdout)
                            break
        if not runs['instruction']:
            self.skipTest(f'by arch_prctl alone: the instructions are {verdict} here')

    @unittest.skipIf(os.environ['INSTRUMENTED'], 'a plain program cannot load an instrumented library')
    def test_pages(self):
        files = {shown(example) for example in (SOURCE / 'doc/examples').glob('*.c')}
        found = 0
        for page in WHOLE:
            for number, text in enumerate(samples(page)):
                found += 1
                if text not in files:
                    with self.subTest(page=page.name, sample=number):
                        self.run_it(text)
        self.assertGreater(found, 0)

    def test_ring0(self):
        self.compile(RING0 + samples(SOURCE / 'doc/ring0.md')[0], '-c', '-Wno-unused-parameter')

    def test_pages_show_the_files(self):
        """If a page links to a file of doc/examples before a sample, the sample must be equal to the file."""
        seen = set()
        for page in WHOLE:
            for name, text in re.findall(r'\]\(examples/([\w.-]+)\)[^\n]*:\n(?:\n {4}[^\n]+\n)?\n```\w+\n(.*?)^```',
                                         page.read_text(encoding='utf-8'), re.M | re.S):
                seen.add(name)
                with self.subTest(page=page.name, sample=name):
                    self.assertEqual(text, shown(SOURCE / 'doc/examples' / name))
        # No page shows switch.c, which only calls switch.S.
        self.assertEqual(seen | {'switch.c'}, {example.name for example in (SOURCE / 'doc/examples').iterdir()})


# Words that make a sentence hard to understand. doc/contributing.md has the same list.
BANNED = ('somebody', 'nobody', 'anybody', 'everybody', 'whoever', 'one that', 'is worth')
PLAIN = [SOURCE / 'README.md', SOURCE / 'NEWS.md', *sorted((SOURCE / 'doc').glob('*.md'))]
SHORT = [SOURCE / 'README.md', SOURCE / 'doc/README.md', SOURCE / 'doc/building.md', SOURCE / 'doc/security.md',
         *sorted((SOURCE / 'doc').glob('guide-*.md'))]
LONGEST = 28


def prose(page):
    """A page without its samples, commands and comments."""
    text = re.sub(r'^```.*?^```|<!--.*?-->', '', page.read_text(encoding='utf-8'), flags=re.M | re.S)
    return re.sub(r'^(?: {4}|\t).*$', '', text, flags=re.M)


def sentences(page):
    """The sentences of paragraphs and lists, but not those of headings and tables. Code counts as one word, and a link
    as its text."""
    text = re.sub(r'^(?:#|\|).*$', '\n', prose(page), flags=re.M)
    text = re.sub(r'`[^`]*`', 'code', re.sub(r'!?\[([^]]*)\]\([^)]*\)', r'\1', text))
    for paragraph in re.split(r'\n\s*\n|^\s*(?:[-*]|\d+\.)\s+', text, flags=re.M):
        yield from (part.strip() for part in re.split(r'(?<=[.?!:])\s+', paragraph.replace('**', '')) if part.strip())


DECLARATION = re.compile(r'^(?!typedef|extern)((?:FSGS_API |static inline )?[\w ]+?[ *](fsgs_\w*[^\W_])\(([^;{]*?)\))'
                         r'[^;{()]*[;{]', re.M)
PARAGRAPHS = ('@brief ', r'@par (?:Threads and signals|Interrupts)\n', r'@par Early use\n', r'@par Cost\n', '@since ')
SOURCE_PARAGRAPH = r'@par Source\n'
# The comments of these functions need no manual as their source, because the functions return names, layouts and
# choices of this library.
WITHOUT_SOURCE = {'fsgs_base_force', 'fsgs_describe', 'fsgs_exit_status', 'fsgs_name', 'fsgs_number', 'fsgs_report_field',
                  'fsgs_report_size', 'fsgs_version', 'fsgs_version_string'}


def uncommented(text):
    """The text without comments, in which every line keeps its number."""
    return re.sub(r'/\*.*?\*/', lambda comment: re.sub(r'[^\n]', ' ', comment[0]), text, flags=re.S)


def functions(header):
    """The name, prototype, parameters and comment of each function in a header."""
    text = header.read_text(encoding='utf-8')
    for found in DECLARATION.finditer(uncommented(text)):
        before = re.search(r'/\*\*((?:(?!\*/).)*)\*/\n$', text[:found.start()], re.S)
        comment = '\n'.join(re.sub(r'^ \* ?', '', line) for line in before[1].splitlines()) if before else ''
        yield found[2], found[1], re.findall(r'(\w+)(?:\[\d*\])?(?:,|$)', found[3]), comment


def lacking(name, prototype, parameters, comment):
    """The required parts that are missing or empty in the comment of a function."""
    wanted = list(PARAGRAPHS) + ([] if name in WITHOUT_SOURCE else [SOURCE_PARAGRAPH])
    wanted += [rf'@param\[[a-z,]+\] +{name} ' for name in parameters if name != 'void']
    if not re.match(r'(FSGS_API )?void fsgs', prototype):
        wanted += ['@ret(?:val|urn) ']
    return [what.strip() for what in wanted if not re.search(rf'^{what}\s*(?!@)\S', comment, re.M)]


class Reference(unittest.TestCase):
    """The comment of each function in the headers has all required parts."""

    def test_every_function_is_complete(self):
        seen = set()
        for header in sorted((SOURCE / 'include').rglob('*.h')):
            for name, prototype, parameters, comment in functions(header):
                seen.add(name)
                with self.subTest(function=name):
                    self.assertEqual(lacking(name, prototype, parameters, comment), [])
        script = uncommented((SOURCE / 'lib/libfsgscheck.map').read_text(encoding='utf-8'))
        exported = set(re.findall(r'\b(fsgs_\w+);', script)) - {'fsgs_base_limit'}
        self.assertEqual(exported - seen, set())
        for other in ('fsgs_get_fs_base', 'fsgs_ensure_gs_base', 'fsgs_stub_recover', 'fsgs_core_ring0'):
            self.assertIn(other, seen)

    def test_paragraphs_say_it_themselves(self):
        """The paragraphs of a comment contain the facts, and do not refer to the comment of another function instead."""
        for header in sorted((SOURCE / 'include').rglob('*.h')):
            for name, _, _, comment in functions(header):
                with self.subTest(function=name):
                    self.assertNotRegex(comment, r'(?m)^@par (?:Threads and signals|Early use|Environment)\nAs (?:for )?fsgs_\w+\(\)')
                    self.assertNotRegex(comment, r"(?m)^@par Source\nThis library's own")

    def test_each_gap_is_seen(self):
        """lacking() reports each required part that is removed from the comment of fsgs_get_base()."""
        name, prototype, parameters, comment = next(
            entry for entry in functions(SOURCE / 'include/fsgscheck/base.h') if entry[0] == 'fsgs_get_base')
        self.assertEqual(lacking(name, prototype, parameters, comment), [])
        parts_of_it = re.findall(r'^@(?:brief|param|retval|par|since).*$', comment, re.M)
        retvals = [part for part in parts_of_it if part.startswith('@retval')]
        for part in [part for part in parts_of_it if part not in [*retvals, '@par Environment']] + ['|'.join(map(re.escape, retvals))]:
            with self.subTest(without=part):
                gone = re.sub(part if '|' in part else re.escape(part), '', comment)
                self.assertEqual(len(lacking(name, prototype, parameters, gone)), 1, name)


class Pages(unittest.TestCase):
    def test_links(self):
        for page in PAGES:
            for target in re.findall(r'\]\(([^)#\s]+)\)', page.read_text(encoding='utf-8')):
                if not target.startswith('https://'):
                    self.assertTrue((page.parent / target).exists(), f'{page.name}: {target}')

    def test_files_named(self):
        """Each path in backquotes exists in this tree, or is in MADE."""
        for page in PAGES:
            for path in re.findall(r'`((?:lib|include|tests|examples|doc)/[\w./-]+)`', page.read_text(encoding='utf-8')):
                self.assertTrue(path in MADE or (SOURCE / path).exists(), f'{page.name}: {path}')

    def test_each_recipe_names_files(self):
        """doc/contributing.md has a recipe for each kind of addition. Each recipe begins with a test, and names at
        least three files."""
        page = (SOURCE / 'doc/contributing.md').read_text(encoding='utf-8')
        recipes = dict(re.findall(r'^### (.*?)\n(.*?)(?=^##)', page, re.M | re.S))
        for kind in ('finding', 'signature', 'advice', 'log wording', 'metric', 'ring 3', 'ring 0', 'machine state',
                     'signal of the guard', 'binding'):
            self.assertTrue(any(kind in name for name in recipes), kind)
        for name, recipe in recipes.items():
            with self.subTest(recipe=name):
                self.assertRegex(recipe, r'1\. Test: [^`]*`tests/|1\. Test:[^\n]*\n? *[^`]*`tests/')
                self.assertGreaterEqual(len(re.findall(r'`(?:lib|include|tests|examples|doc)/', recipe)), 3)

    def test_every_suite_is_in_the_table(self):
        said = (TESTS / 'README.md').read_text(encoding='utf-8')
        rows = re.findall(r'^\| `([\w-]+)` \| .*\?', said, re.M)
        further = re.findall(r'`([\w-]+)`', re.search(r'^`quick`.*further suites', said, re.M)[0])
        tests = json.loads((Path(os.environ['BUILD']) / 'meson-info/intro-tests.json').read_text(encoding='utf-8'))
        found = {suite.partition(':')[2] for test in tests for suite in test['suite']}
        self.assertEqual(found - {*rows, *further}, set())
        self.assertEqual(len(rows), len(set(rows)))

    def test_a_test_is_named_after_its_suite(self):
        tests = json.loads((Path(os.environ['BUILD']) / 'meson-info/intro-tests.json').read_text(encoding='utf-8'))
        for test in tests:
            suite = test['suite'][0].partition(':')[2]
            self.assertRegex(test['name'], rf'^{suite}(-|$)')
            self.assertTrue(test['depends'], f'{test["name"]} says `depends: nothing`, or Meson 1.0 builds everything for it')
        self.assertEqual(len({test['name'] for test in tests}), len(tests), 'a name occurs twice')

    def test_every_guide_is_linked_from_the_readme(self):
        readme = (SOURCE / 'README.md').read_text(encoding='utf-8')
        for guide in (*(SOURCE / 'doc').glob('guide-*.md'), SOURCE / 'doc/contributing.md'):
            self.assertIn(f'doc/{guide.name}', readme)

    def test_every_page_is_linked_from_the_table_of_contents(self):
        page = (SOURCE / 'doc/README.md').read_text(encoding='utf-8')
        for other in (SOURCE / 'doc').glob('*.md'):
            if other.name != 'README.md':
                self.assertIn(f']({other.name})', page)

    def test_markdown_alone(self):
        """No page contains a command of Doxygen, because a forge shows such a command as text."""
        for page in PAGES:
            text = prose(page)
            found = re.search(r'[\\@](?:ref|include|dotfile|subpage|page)\b|\{#|(?<![\w:])::\w', text)
            self.assertIsNone(found, f'{page.name}: {found and found[0]}')

    def test_marks_below_the_crash(self):
        """Below the crash in the README, carets mark the bytes of the instruction, and the digit of CR4 that contains
        bit 16."""
        text = (SOURCE / 'README.md').read_text(encoding='utf-8')
        for line, marked in ((r'Code: .*', '<f3> 48 0f ae c0'), (r'CR2: .* CR4: (?P<cr4>\w+)', None)):
            found = re.search(rf'^{line}\n( +)(\^+)', text, re.M)
            start = len(found[found.lastindex - 1])
            shown = found[0].splitlines()[0]
            if marked:
                self.assertEqual(shown[start:start + len(found[found.lastindex])], marked)
            else:
                self.assertEqual(start, len(shown) - 5)
                self.assertTrue(int(found['cr4'], 16) >> 16 & 1)

    def test_no_emphasis_begins_with_code(self):
        """Emphasis must not begin with code, because Doxygen would show the asterisks."""
        for page in PAGES:
            self.assertIsNone(re.search(r'(?:^|\s)\*{1,2}`', prose(page)), page.name)

    def test_words(self):
        """No page of PLAIN contains a word of BANNED. doc/contributing.md names the words to use instead."""
        banned = re.compile(r'\b(?:' + '|'.join(word.replace(' ', r'\s+') for word in BANNED) + r')\b', re.I)
        for page in PLAIN:
            found = [match[0] for match in banned.finditer(prose(page))]
            with self.subTest(page=page.name):
                self.assertEqual(found, [])

    def test_words_in_sources(self):
        """No source file of include, lib and examples contains a word of BANNED, not even across a line end."""
        banned = re.compile(r'\b(?:' + '|'.join(BANNED) + r')\b', re.I)
        for folder in ('include', 'lib', 'examples'):
            for path in (SOURCE / folder).rglob('*'):
                if path.suffix in ('.c', '.h', '.S', '.def', '.go', '.java', '.js', '.lua', '.py', '.rs', '.sh'):
                    text = re.sub(r'\s*\n\s*(?:[*#]|//|--)?\s*', ' ', path.read_text(encoding='utf-8'))
                    with self.subTest(file=path.name):
                        self.assertEqual([text[max(0, match.start() - 30):match.end()] for match in banned.finditer(text)], [])

    def test_banned_words_are_in_the_word_list(self):
        self.assertIn(', '.join(BANNED), (SOURCE / 'doc/contributing.md').read_text(encoding='utf-8'))

    def test_sentences(self):
        """No sentence of the pages in SHORT has more than LONGEST words."""
        for page in SHORT:
            for sentence in sentences(page):
                with self.subTest(page=page.name, words=len(sentence.split())):
                    self.assertLessEqual(len(sentence.split()), LONGEST, sentence)

    def test_verdicts(self):
        """Pages that list the verdicts list all of them."""
        header = (SOURCE / 'include/fsgscheck/report.h').read_text(encoding='utf-8')
        verdicts = {name.lower() for name in re.findall(r'FSGS_VERDICT_(\w+) =', header)}
        for page in (SOURCE / 'README.md', SOURCE / 'doc/README.md'):
            rows = set(re.findall(r'^\| `(\w+)` \|', page.read_text(encoding='utf-8'), re.M))
            self.assertEqual(rows & verdicts, verdicts, page.name)

    def test_number_of_states(self):
        """The README gives the number of machine states in the table of doc/peers.md."""
        page = (SOURCE / 'doc/peers.md').read_text(encoding='utf-8')
        states = re.findall(r'^\| (?!state \|)(?:[^|\n]*\|){9}$', page, re.M)
        told = re.search(r'(\d+) machine states', (SOURCE / 'README.md').read_text(encoding='utf-8'))
        self.assertEqual(int(told[1]), len(states))

    def test_lines_that_name_the_library(self):
        """Two pages say how many lines of a program name the library. The numbers must be right."""
        for page, file in (('guide-runtimes.md', 'runtime/wasm2c/host.c'), ('ring0.md', 'boot/gnu-efi.c')):
            program = SOURCE / 'examples' / file
            lines = re.findall(r'^.*(?:\bfsgs_|\bFSGS_|<fsgscheck).*$', program.read_text(encoding='utf-8'), re.M)
            said = ' '.join((SOURCE / 'doc' / page).read_text(encoding='utf-8').split())
            with self.subTest(page=page):
                self.assertIn(f'{len(lines)} lines of `{program.name}` name', said)

    def test_terminal_picture(self):
        """The README's picture of a terminal has the same labels as the command's output here. Only `hypervisor` may be
        missing in one of them."""
        done = subprocess.run([FSGSCHECK], capture_output=True, text=True, check=False, timeout=60)
        picture = re.search(r'^```\n(FSGSBASE: .*?)^```', (SOURCE / 'README.md').read_text(encoding='utf-8'), re.M | re.S)
        here, there = ({line[2:16].strip() for line in page.splitlines() if line.startswith('  ')} - {'hypervisor'}
                       for page in (re.split(r'\n\n(?!  )', done.stdout)[0], picture[1]))
        self.assertEqual(there, here)
        for page in (done.stdout, picture[1]):
            self.assertRegex(page, r'^FSGSBASE: [a-z]+, .*\n(?:\S.*\n)*\S.*\.\n\n')


class Tools(unittest.TestCase):
    """The checks that Doxygen and codespell make."""

    @unittest.skipUnless(shutil.which('doxygen'), 'doxygen is not installed')
    def test_reference_in_a_folder_with_a_space(self):
        with tempfile.TemporaryDirectory(prefix='a folder ') as directory:
            for part in ('doc', 'include'):
                shutil.copytree(SOURCE / part, Path(directory, part))
            settings = (SOURCE / 'doc/Doxyfile.in').read_text(encoding='utf-8')
            for key, value in {'SOURCE': directory, 'OUTPUT': directory + '/to', 'VERSION': '0', 'PYTHON': sys.executable,
                               'WARN_AS_ERROR': 'FAIL_ON_WARNINGS'}.items():
                settings = settings.replace(f'@{key}@', value)
            done = subprocess.run(['doxygen', '-'], input=settings, text=True, capture_output=True, check=False, timeout=100)
            self.assertEqual(done.stderr, '')
            self.assertIn('fsgs_ensure_gs_base', Path(directory, 'to/html/group__base.html').read_text(encoding='utf-8'))

    @unittest.skipUnless(shutil.which('codespell'), 'codespell is not installed')
    def test_spelling(self):
        done = subprocess.run(['codespell', '--skip=*.log,conformance-runs.md', '-L', WORDS, *map(str, PAGES),
                               str(SOURCE / 'include'), str(SOURCE / 'doc'), str(SOURCE / 'lib'),
                               str(SOURCE / 'examples')], capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.stdout, '')


if __name__ == '__main__':
    parts.run()
