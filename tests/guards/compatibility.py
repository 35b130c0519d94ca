# SPDX-License-Identifier: MIT
"""Checks that programs which were linked with an earlier library still work. libabigail compares the interface of the
library with the baseline in libfsgscheck.abi. The argument `update` writes a new baseline:

    PYTHONPATH=tests python3 tests/guards/compatibility.py update      after a compatible addition, or a new major version

The library is built here with fixed options, independent of the build directory's options. The interface passes
enumerations as fixed-width integers, from which abidiff cannot find their declarations. So the build adds a function
witness_TYPE for each public TYPE, with a pointer to it as the parameter. These functions are part of the baseline.
"""

import re
import shutil
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from support import SOURCE, TESTS, output, parts, run

BASELINE = TESTS / 'guards/libfsgscheck.abi'
HEADERS = ('fsgscheck.h', 'fsgscheck/report.h', 'fsgscheck/base.h')
FLAGS = ['-g', '-O0', '-std=c11', '-D_GNU_SOURCE', '-fPIC', '-shared', '-pthread', '-fno-stack-protector']

# Bits of abidiff's exit status. If a bit of CHANGE is set, the interfaces differ. If a bit of ERROR is set, abidiff
# itself has failed.
ERROR, CHANGE = 3, 12


def without_comments(path):
    return re.sub(r'/\*.*?\*/', '', path.read_text(encoding='utf-8'), flags=re.S)


def build(tree, work, compiler='gcc'):
    """Builds the shared library of a source tree. Adds a function witness_TYPE for each public type."""
    types = []
    for header in HEADERS:
        types += re.findall(r'^(enum|struct) (\w+) \{', without_comments(tree / 'include' / header), re.M)
    witness = ''.join(f'#include <{header}>\n' for header in HEADERS)
    witness += ''.join(f'void witness_{name}(const {kind} {name} *it) {{ (void)it; }}\n' for kind, name in types)
    (work / 'witness.c').write_text(witness, encoding='utf-8')
    script = (tree / 'lib/libfsgscheck.map').read_text(encoding='utf-8')
    (work / 'witness.map').write_text(script.replace('global:', 'global:\n\twitness_*;', 1), encoding='utf-8')
    sources = [path for path in sorted((tree / 'lib').rglob('*'))
               if path.suffix in ('.c', '.S') and path.name != 'no-trial.c']
    library = work / f'{compiler}.so'
    # abidw sorts by path. So the debug information places witness.c in the tree, where it always sorts after lib.
    output(compiler, *FLAGS, f'-I{tree}/include', f'-fdebug-prefix-map={work}/witness.c={tree}/witness.c',
        f'-Wl,--version-script={work}/witness.map', '-Wl,-soname,libfsgscheck.so.1', *sources, work / 'witness.c', '-o', library)
    return library


def dump(tree, work, compiler='gcc'):
    """Builds the library of a tree. Returns its interface as text, without paths and line numbers of this machine."""
    text = output('abidw', '--headers-dir', tree / 'include', '--no-corpus-path', '--no-show-locs', '--no-comp-dir-path',
               '--exported-interfaces-only', '--drop-private-types', '--no-elf-needed', '--type-id-style', 'hash',
               build(tree, work, compiler))
    return re.sub(r" path='[^']*?(lib/\w+/[\w.-]+|witness\.c)'", r" path='\1'", text)


def as_seen_by_an_old_program(text, baseline):
    """The new interface as a program that was compiled with the baseline uses it. Such a program passes the old sizes
    of the structures, so newer members at their ends are removed."""
    new, old = ElementTree.fromstring(text), ElementTree.fromstring(baseline)
    for name in ('fsgs_report', 'fsgs_cpu_group'):
        was, one = (next(c for c in root.iter('class-decl') if c.get('name') == name) for root in (old, new))
        size = int(was.get('size-in-bits'))
        for member in one.findall('data-member'):
            if int(member.get('layout-offset-in-bits')) >= size:
                one.remove(member)
        if int(one.get('size-in-bits')) > size:
            one.set('size-in-bits', str(size))
    return ElementTree.tostring(new, encoding='unicode')


def compare(old, new, *options):
    done = run('abidiff', *options, old, new)
    if done.returncode & ERROR:
        raise AssertionError(f'abidiff: status {done.returncode}\n{done.stdout}{done.stderr}')
    return done.returncode & CHANGE, done.stdout


def judge(text, work, baseline=BASELINE):
    """Compares an interface with the baseline. Returns two texts of abidiff: the incompatible changes, and all changes
    including additions. A text is empty if there is nothing to report."""
    (work / 'new.abi').write_text(text, encoding='utf-8')
    (work / 'cut.abi').write_text(as_seen_by_an_old_program(text, baseline.read_text(encoding='utf-8')),
                                  encoding='utf-8')
    changed, breaks = compare(baseline, work / 'cut.abi', '--no-added-syms')
    _, everything = compare(baseline, work / 'new.abi', '--harmless')
    news = '\n'.join(line for line in everything.splitlines() if line.strip() and 'summary: 0 Removed, 0 Changed, 0 Added'
                     not in line)
    return (breaks if changed else ''), news


@unittest.skipUnless(shutil.which('abidiff') and shutil.which('gcc'), 'abidiff or gcc is not installed')
class Baseline(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.work = Path(directory.name)

    def copied(self, name):
        tree = self.work / name
        for folder in ('include', 'lib'):
            shutil.copytree(SOURCE / folder, tree / folder)
        return tree

    def changed(self, *edits):
        """Edits a copy of the tree, and returns the two texts of judge() for it."""
        tree = self.copied('tree')
        for file, old, new in edits:
            text = (tree / file).read_text(encoding='utf-8')
            self.assertRegex(text, old)
            (tree / file).write_text(re.sub(old, new, text, count=1), encoding='utf-8')
        return judge(dump(tree, self.work), self.work)

    def test_this_tree(self):
        for compiler in filter(shutil.which, ('gcc', 'clang')):
            with self.subTest(compiler=compiler):
                breaks, news = judge(dump(SOURCE, self.work, compiler), self.work)
                self.assertEqual(breaks, '', 'old programs would break; if that is intended, run compatibility.py update')
                if news:
                    print('Compatible additions, to be put into the baseline:', news, sep='\n')

    def test_the_baseline_names_no_machine(self):
        self.assertNotRegex(BASELINE.read_text(encoding='utf-8'), r"path='[/.]|comp-dir-path|filepath")

    def test_any_folder_makes_the_same_baseline(self):
        """abidw sorts by path. The folder `tree` sorts before witness.c, and `zone` after it."""
        first, last = (dump(self.copied(name), self.work) for name in ('tree', 'zone'))
        self.assertEqual(first, last)

    def test_removed_symbol(self):
        breaks, _ = self.changed(('lib/libfsgscheck.map', r'\tfsgs_usable;\n', ''))
        self.assertIn('fsgs_usable', breaks)

    def test_changed_enum_value(self):
        breaks, _ = self.changed(('include/fsgscheck/report.h', 'FSGS_VERDICT_USABLE = 1,', 'FSGS_VERDICT_USABLE = 7,'))
        self.assertIn('FSGS_VERDICT_USABLE', breaks)

    def test_grown_member(self):
        breaks, _ = self.changed(('include/fsgscheck/report.h', r'char vendor\[16\]', 'char vendor[24]'))
        self.assertIn('vendor', breaks)

    def test_grown_last_member(self):
        breaks, _ = self.changed(('include/fsgscheck/report.h', r'char kernel\[72\];',
                                  'char kernel[80]; uint32_t more;'))
        self.assertIn('kernel', breaks)

    def test_member_in_the_middle(self):
        breaks, _ = self.changed(('include/fsgscheck/report.h', r'uint32_t signs;', 'uint32_t more, signs;'))
        self.assertIn('more', breaks)

    def test_grown_element(self):
        """struct fsgs_trial is the type of members in the middle of a report, so it must not grow."""
        breaks, _ = self.changed(('include/fsgscheck/report.h', r'int32_t code;', 'int32_t code, more;'))
        self.assertIn('fsgs_trial', breaks)

    def test_changed_argument(self):
        breaks, _ = self.changed(
            ('include/fsgscheck/report.h', r'fsgs_exit_status\(uint32_t', 'fsgs_exit_status(uint64_t'),
            ('lib/core/names.c', r'fsgs_exit_status\(uint32_t', 'fsgs_exit_status(uint64_t'))
        self.assertIn('fsgs_exit_status', breaks)

    def test_compatible_additions_are_reported(self):
        breaks, news = self.changed(
            ('include/fsgscheck/report.h', r'char kernel\[72\];', 'char kernel[72]; uint64_t more;'),
            ('include/fsgscheck.h', r'uint32_t reserved\[2\];', 'uint32_t reserved[2]; uint32_t still_more;'),
            ('include/fsgscheck/report.h', r'FSGS_VERDICT_INCONSISTENT = 6', 'FSGS_VERDICT_INCONSISTENT = 6, FSGS_MORE = 7'),
            ('include/fsgscheck/report.h', r'(FSGS_API int fsgs_exit_status)', r'FSGS_API int fsgs_more(void);\n\1'),
            ('lib/core/names.c', r'(int fsgs_exit_status)', r'int fsgs_more(void) { return 0; }\n\1'),
            ('lib/libfsgscheck.map', r'\tfsgs_name;', '\tfsgs_more;\n\tfsgs_name;'))
        self.assertEqual(breaks, '')
        for name in ('uint64_t more', 'still_more', 'FSGS_MORE', 'fsgs_more'):
            self.assertIn(name, news)


def update():
    with tempfile.TemporaryDirectory() as directory:
        text = dump(SOURCE, Path(directory))
    head, _, rest = text.partition('\n')
    BASELINE.write_text(f'{head}\n<!-- SPDX-License-Identifier: MIT -->\n<!-- By tests/guards/compatibility.py update -->\n'
                        f'{rest}', encoding='utf-8')


if __name__ == '__main__':
    if sys.argv[1:] == ['update']:
        update()
    else:
        parts.run()
