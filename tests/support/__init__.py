# SPDX-License-Identifier: MIT
"""What the suites share. Meson tells Python where this package is (tests/meson.build), so no file inserts a path."""

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SOURCE = TESTS.parent
