# SPDX-License-Identifier: MIT
"""python3 -m unittest"""

import unittest

import fsgscheck


class Tests(unittest.TestCase):
    def test_a_check_decides_and_says_why(self):
        report = fsgscheck.check()
        self.assertIsInstance(report.verdict, fsgscheck.Verdict)
        self.assertTrue(report.reason)
        self.assertEqual(report.verdict is fsgscheck.Verdict.USABLE, fsgscheck.usable())

    def test_an_unknown_flag_is_an_error(self):
        with self.assertRaises(OSError) as caught:
            fsgscheck.check(1 << 31)
        self.assertEqual(caught.exception.errno, 22)

    def test_a_base_that_does_not_fit_is_refused(self):
        with self.assertRaises(OverflowError):
            fsgscheck.set_base(fsgscheck.Segment.GS, 1 << 64)

    def test_an_unlisted_result_counts_as_the_one_that_says_the_least(self):
        self.assertIs(fsgscheck.Verdict(1000), fsgscheck.Verdict.UNKNOWN)
        self.assertIs(fsgscheck.Access(1000), fsgscheck.Access.NONE)

    def test_the_bases_can_be_read(self):
        for segment in fsgscheck.Segment:
            self.assertLess(fsgscheck.get_base(segment), 1 << 64)

    def test_the_library_has_the_soname_of_this_version(self):
        self.assertEqual(fsgscheck.version().split('.')[0], fsgscheck.__version__.split('.')[0])


if __name__ == '__main__':
    unittest.main()
