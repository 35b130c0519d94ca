#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares the time until the boot image prints its verdict with the time until a kernel starts its first process.

Both times begin when QEMU starts. They are measured alternately, and the shortest time of all rounds counts. The image must
be at least eight times as fast as the kernel, and must print its verdict within a second.
"""

import argparse
import pathlib
import sys
import tempfile

from support import machine, parts

RATIO = 8
LIMIT = 1.0

VERDICT = r"^fsgscheck: verdict=usable .*$"
USER_SPACE = r"^=== begin "


def seconds(kernel, until, **settings):
    """The time from the start of QEMU to the first line that matches `until`."""
    run = machine.boot(kernel, until=until, debug_exit=False, **settings)
    if run.timed_out or run.status is not None:
        sys.exit(f"no line matched {until}:\n{run.log}")
    return run.seconds


def main():
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--init", type=pathlib.Path, required=True)
    parser.add_argument("--probe", type=pathlib.Path, required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    kernel = machine.kernel(options.cache)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        initrd = machine.initrd(pathlib.Path(folder) / "initrd",
                                [("/init", options.init), ("/fsgscheck", options.probe)])
        for _ in range(options.rounds):
            ours.append(seconds(options.image, VERDICT))
            theirs.append(seconds(kernel, USER_SPACE, initrd=initrd,
                                  append="console=ttyS0 quiet panic=-1"))
    print(f"boot image: verdict after {min(ours):.3f} s; {kernel.name}: user space after "
          f"{min(theirs):.3f} s; {min(theirs) / min(ours):.1f} times as fast")
    return 0 if min(theirs) >= RATIO * min(ours) and min(ours) < LIMIT else 1


if __name__ == '__main__':
    parts.run_main(main)
