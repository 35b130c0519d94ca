# SPDX-License-Identifier: MIT
"""A test file of many parts, as Meson counts it.

Where a part was skipped the whole is a skip, with the reasons: what is missing on a machine must be seen.
"""

import sys
import unittest

SKIP = 77


def run():
    """Runs the parts of the program's own file that its command line names, or all; does not return."""
    result = unittest.main(exit=False, verbosity=2).result
    for part, reason in result.skipped:
        print(f'skipped: {part}: {reason}')
    sys.exit(1 if not result.wasSuccessful() else SKIP if result.skipped else 0)
