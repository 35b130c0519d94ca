# SPDX-License-Identifier: MIT
"""Other builds of the project, each configured once, and copies of the library with one changed file."""

import os
import shutil
from pathlib import Path

from support import SOURCE, locked, output


# Options that leave out parts which take long to configure and build, and have tests of their own.
PLAIN = ('-Ddocs=disabled', '-Dboot-elf=disabled', '-Dboot-efi=disabled', '-Dboot-iso=disabled', '-Dpage=disabled',
         '-Dwindows=disabled')

# With these options, a sanitizer's report makes a test fail, but a child that the test kills on purpose does not. The
# sanitizers do not replace the handlers and the alternate stacks of the tests.
SANITIZERS = {
    'ASAN_OPTIONS': 'detect_leaks=0:abort_on_error=0:use_sigaltstack=0:handle_segv=0:handle_sigbus=0',
    'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
    'TSAN_OPTIONS': 'halt_on_error=1:die_after_fork=0:report_signal_unsafe=0',
}


def meson(folder, *options, targets, compiler=None, **variables):
    """Configures a build directory at its first use, and builds the targets. With an empty list of targets, builds the
    target "all". Returns the directory."""
    folder = Path(folder)
    with locked(folder.parent / f'{folder.name}.lock'):
        if not (folder / 'build.ninja').exists():
            shutil.rmtree(folder, ignore_errors=True)
            environment = {**os.environ, **({'CC': compiler} if compiler else {}), **variables}
            output('meson', 'setup', folder, SOURCE, *PLAIN, *options, env=environment, timeout=600)
        output('ninja', '-C', folder, *targets, timeout=1200)
    return folder


def with_file(archive, member, changed, to):
    """A copy of a static library in which one member is replaced by another object."""
    shutil.copyfile(archive, to)
    members = [name for name in output('ar', 't', to).split() if name.endswith(member)]
    if len(members) != 1:
        raise AssertionError(f'{archive} has {members} for {member}')
    output('ar', 'd', to, members[0])
    output('ar', 'q', to, changed)
    return to
