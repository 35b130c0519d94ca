# SPDX-License-Identifier: MIT
"""Code that the suites share. Meson sets PYTHONPATH (tests/meson.build), so no test file inserts a path.

A test finds the project's programs by environment variables. The test's `depends` in meson.build lists these programs, so
that they are built before.
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

# The exit status of the command for each verdict, and the four instructions.
STATUS = {'usable': 0, 'unsupported': 1, 'disabled': 1, 'unadvertised': 2, 'broken': 2, 'inconsistent': 2, 'unknown': 3}
INSNS = ('rdfsbase', 'rdgsbase', 'wrfsbase', 'wrgsbase')


class Unavailable(unittest.SkipTest):
    """Software from outside the project is missing: the test skips, and does not fail."""


def run(*command, **options):
    """Runs a program and captures its output as text. The caller checks the exit status."""
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
    """The output of a program that needs a network or a package: if it fails, the test skips."""
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
    """Changes C code for the installed headers to code for the drop-in form, which has only one header."""
    return re.sub(r'#include <fsgscheck[\w/]*\.h>', f'#include "{header}"', text)


def cpu_flags():
    """The flags that this kernel lists for its first CPU."""
    found = re.search(r'^flags\s*:(.*)', Path('/proc/cpuinfo').read_text(encoding='utf-8'), re.M)
    return found[1].split() if found else []


def advertised():
    """Whether this kernel advertises FSGSBASE, in AT_HWCAP2 and in /proc/cpuinfo. Does not use the library, which the
    callers test."""
    words = memoryview(Path('/proc/self/auxv').read_bytes()).cast('N')
    hwcap2 = dict(zip(words[::2], words[1::2])).get(26, 0)
    return bool(hwcap2 & 2) and 'fsgsbase' in cpu_flags()


@contextlib.contextmanager
def locked(folder):
    """Holds the lock of a folder inside `with`. If two tests need the same files, one makes them while the other waits."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
