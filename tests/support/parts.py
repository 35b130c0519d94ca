# SPDX-License-Identifier: MIT
"""How a Python test ends, as Meson counts it: 0, 1, or 77 with the reasons."""

import sys
import unittest

from support import SKIP, Unavailable


def run():
    """Runs the parts of the program's own file that its command line names, or all; does not return.

    Where a part was skipped the whole is a skip, with the reasons: what is missing on a machine must be seen.
    """
    result = unittest.main(exit=False, verbosity=2).result
    for part, reason in result.skipped:
        print(f'skipped: {part}: {reason}')
    sys.exit(1 if not result.wasSuccessful() else SKIP if result.skipped else 0)


def run_main(main):
    """Runs a program that is no unittest; does not return. Its main() returns the exit status."""
    try:
        sys.exit(main())
    except Unavailable as missing:
        # A line for the reader of the log and for TAP.
        print(f'1..0 # SKIP {missing}')
        sys.exit(SKIP)
