# SPDX-License-Identifier: MIT
"""What the suites share. Meson tells Python where this package is (tests/meson.build), so no file inserts a path.

The project's own programs come to a test in its environment, and its `depends` in meson.build builds them.
"""

import contextlib
import fcntl
import re
import subprocess
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SOURCE = TESTS.parent

# The exit status of a skipped test.
SKIP = 77

# The exit status that goes with a verdict, by the command's contract, and the four instructions.
STATUS = {'usable': 0, 'unsupported': 1, 'disabled': 1, 'unadvertised': 2, 'broken': 2, 'inconsistent': 2, 'unknown': 3}
INSNS = ('rdfsbase', 'rdgsbase', 'wrfsbase', 'wrgsbase')


class Unavailable(unittest.SkipTest):
    """Software outside the project is missing: a reason to skip, not to fail."""


def run(*command, **options):
    """Runs a program with captured text; the caller checks its exit status."""
    settings = {'capture_output': True, 'text': True, 'check': False, 'timeout': 200}
    if 'input' not in options:
        settings['stdin'] = subprocess.DEVNULL
    return subprocess.run([str(word) for word in command], **settings | options)


def output(*command, **options):
    """The output of a program that must succeed."""
    done = run(*command, **options)
    if done.returncode:
        raise AssertionError(f'{" ".join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}')
    return done.stdout


def fetched(*command, **options):
    """The same for a program that needs a network or a package: that it fails is a reason to skip."""
    try:
        done = run(*command, **{'timeout': 600} | options)
    except FileNotFoundError as error:
        raise Unavailable(f'{command[0]} is not installed') from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f'{" ".join(map(str, command[:2]))} took longer than {error.timeout:.0f} s') from error
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f'status {done.returncode}']
        raise Unavailable(f'{" ".join(map(str, command[:2]))} failed: {words[0]}')
    return done.stdout


def for_dropin(text, header='fsgscheck.h'):
    """C code that includes the installed headers: the same for the drop-in form."""
    return re.sub(r'#include <fsgscheck[\w/]*\.h>', f'#include "{header}"', text)


def cpu_flags():
    """The features that this kernel lists of its first CPU."""
    found = re.search(r'^flags\s*:(.*)', Path('/proc/cpuinfo').read_text(encoding='utf-8'), re.M)
    return found[1].split() if found else []


def advertised():
    """Whether this kernel advertises FSGSBASE: only then do its own rules hold. Independent of the library."""
    words = memoryview(Path('/proc/self/auxv').read_bytes()).cast('N')
    hwcap2 = dict(zip(words[::2], words[1::2])).get(26, 0)
    return bool(hwcap2 & 2) and 'fsgsbase' in cpu_flags()


@contextlib.contextmanager
def locked(folder):
    """A lock, so that two tests that need the same files make them in turn."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
