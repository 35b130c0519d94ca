# SPDX-License-Identifier: MIT
"""How a Python test reports its end to Meson: status 0, 1, or 77 with the reasons of the skips."""

import sys
import unittest

from support import SKIP, Unavailable


def run():
    """Runs the tests of the program's own file: those that the command line names, or all. Does not return.

    If no part failed and a part was skipped, the whole test is reported as skipped, with the reasons, so that missing
    software is noticed.
    """
    result = unittest.main(exit=False, verbosity=2).result
    for part, reason in result.skipped:
        print(f'skipped: {part}: {reason}')
    sys.exit(1 if not result.wasSuccessful() else SKIP if result.skipped else 0)


def run_main(main):
    """Runs main(), which returns the exit status, and exits with this status. For programs that do not use unittest."""
    try:
        sys.exit(main())
    except Unavailable as missing:
        # A line for the reader of the log, in the form of TAP.
        print(f'1..0 # SKIP {missing}')
        sys.exit(SKIP)
