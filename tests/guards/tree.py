# SPDX-License-Identifier: MIT
"""Checks the tests' own files: the number of folders, how files import shared code, which packages every suite installs,
and that no code is repeated.

    PYTHONPATH=tests python3 tests/guards/tree.py
"""

import collections
import re
import unittest

from support import TESTS, output, parts

FOLDERS = 9
LINES = 6  # this many equal lines in a row count as repeated code
FILES = sorted(TESTS.rglob('*.py'))


def code(path):
    """The number and the text of each line with code: no comment, no import, no lone bracket."""
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        line = line.strip()
        if re.search(r'\w', line) and not re.match(r'#|import |from \S+ import ', line):
            yield number, line


class Tree(unittest.TestCase):
    def test_folders(self):
        folders = [path.name for path in TESTS.iterdir() if path.is_dir() and path.name != '__pycache__']
        self.assertLessEqual(len(folders), FOLDERS, folders)

    def test_no_path_is_inserted(self):
        """No test file inserts a path, because Meson sets PYTHONPATH."""
        for path in FILES:
            with self.subTest(file=path.name):
                self.assertNotRegex(path.read_text(encoding='utf-8'), r'\bsys\.path\b')

    def test_packages_of_a_suite(self):
        """packages_of prints the packages that the build needs, whatever the suite."""
        printed = output('sh', '-c', '. tests/install-packages.sh; packages_of no-such-suite', cwd=TESTS.parent).split()
        self.assertEqual(printed, ['gcc', 'libc6-dev', 'meson', 'ninja-build', 'pkg-config', 'python3'])

    def test_no_lines_stand_twice(self):
        places = collections.defaultdict(dict)
        for path in FILES:
            lines = list(code(path))
            for first in range(len(lines) - LINES + 1):
                run = lines[first:first + LINES]
                places[tuple(text for _, text in run)].setdefault(str(path.relative_to(TESTS)), run[0][0])
        self.assertEqual([files for files in places.values() if len(files) > 1], [])


if __name__ == '__main__':
    parts.run()
