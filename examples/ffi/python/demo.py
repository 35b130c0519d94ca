# SPDX-License-Identifier: MIT
"""Prints the verdict and the GS base."""

import fsgscheck

report = fsgscheck.check(fsgscheck.Check.CONTEXT)
print(f'{report.verdict}: {report.reason}')
print(f'GS base {fsgscheck.get_base(fsgscheck.Segment.GS):#x}')
