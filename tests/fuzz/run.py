# SPDX-License-Identifier: MIT
"""run.py REPLAY CORPUS SECONDS: runs the program REPLAY with all files of the folder CORPUS. Meson itself cannot list
the files of a folder."""

import os
import sys

replay, corpus, seconds = sys.argv[1:]
files = sorted(os.path.join(corpus, name) for name in os.listdir(corpus))
os.execv(replay, [replay, seconds, *files])
