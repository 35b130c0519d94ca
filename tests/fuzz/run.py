# SPDX-License-Identifier: MIT
"""run.py REPLAY CORPUS SECONDS: passes all files of a corpus to the replay program, because the arguments of a test in
Meson cannot list them."""

import os
import sys

replay, corpus, seconds = sys.argv[1:]
files = sorted(os.path.join(corpus, name) for name in os.listdir(corpus))
os.execv(replay, [replay, seconds, *files])
