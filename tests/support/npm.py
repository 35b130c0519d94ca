# SPDX-License-Identifier: MIT
"""Fetches packages of npm by name: npm.py FOLDER PACKAGE... puts them into FOLDER/node_modules.

Two tests may need the same folder at the same time. The first test fetches while the second test waits. Neither sees a
folder that is half full: npm works in another folder, which is renamed at the end. If the packages are not available,
this program exits with 77 and prints the reason.
"""

import shutil
import sys
from pathlib import Path

from support import SKIP, Unavailable, fetched, locked

OPTIONS = ('--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--no-update-notifier')


def packages(folder, *names):
    """The folder of the modules. They are fetched once, and again if other packages or versions are requested."""
    folder = Path(folder)
    wanted = '\n'.join(names)
    with locked(folder):
        modules, part, stamp = (folder / name for name in ('node_modules', 'part', 'packages'))
        if not modules.exists() or not stamp.exists() or stamp.read_text(encoding='utf-8') != wanted:
            for old in (modules, part):
                shutil.rmtree(old, ignore_errors=True)
            part.mkdir()
            fetched('npm', 'install', '--prefix', part, *OPTIONS, *names, cwd=part, timeout=200)
            (part / 'node_modules').rename(modules)
            stamp.write_text(wanted, encoding='utf-8')
            shutil.rmtree(part)
    return modules


if __name__ == '__main__':
    try:
        packages(*sys.argv[1:])
    except Unavailable as reason:
        print(reason)
        sys.exit(SKIP)
