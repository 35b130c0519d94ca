# SPDX-License-Identifier: MIT
"""run.py REPLAY CORPUS SECONDS: a corpus is many files, which a test's arguments cannot name."""

import os
import sys

replay, corpus, seconds = sys.argv[1:]
files = sorted(os.path.join(corpus, name) for name in os.listdir(corpus))
os.execv(replay, [replay, seconds, *files])
