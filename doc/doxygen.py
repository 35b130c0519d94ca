# SPDX-License-Identifier: MIT
"""Prints a page for Doxygen: its title gets a label, and links to other pages refer to the labels of these pages.

A forge needs no labels. Doxygen's own resolution of such links fails in a folder whose name has a blank.
"""

import re
import sys
from pathlib import Path

PAGE = Path(sys.argv[1])
TEXT = re.sub(r'\]\(([\w-]+)\.md\)', r'](@ref page-\1)', PAGE.read_text(encoding='utf-8'))
sys.stdout.reconfigure(encoding='utf-8')
print(re.sub(r'^# .*', rf'\g<0> {{#page-{PAGE.stem}}}', TEXT, count=1, flags=re.M), end='')
