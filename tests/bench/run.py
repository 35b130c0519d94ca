# SPDX-License-Identifier: MIT
"""run.py FSGSCHECK SOURCE FILE.json: measures how much time `fsgscheck run` adds to a compilation of this project.

Compiles the library in pairs, from a clean directory: with `fsgscheck run --` in front of ninja, and without. Prints the
median ratio of the pairs for the elapsed time and for the processor time, and writes both as JSON. Exits with 1 if a
ratio is above the bound. On a busy machine the elapsed time is not meaningful.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

PAIRS = 9
BOUND = 1.05
TARGET = 'lib/libfsgscheck.a'


def seconds(before, folder):
    """The elapsed time and the processor time of one compilation, with the words of `before` in front of the command."""
    subprocess.run(['ninja', '-C', folder, '-t', 'clean'], check=True, stdout=subprocess.DEVNULL)
    started = time.monotonic()
    process = subprocess.Popen([*before, 'ninja', '-C', folder, TARGET], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    elapsed = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return elapsed, used.ru_utime + used.ru_stime


def main():
    command, source, file = sys.argv[1:]
    # With ccache, nothing would be compiled.
    os.environ['CCACHE_DISABLE'] = '1'
    ways = {'without': [], 'with': [command, 'run', '--']}
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(['meson', 'setup', folder, source], check=True, stdout=subprocess.DEVNULL)
        seconds([], folder)
        for pair in range(PAIRS):
            order = list(ways) if pair % 2 else list(reversed(ways))
            taken = {way: seconds(ways[way], folder) for way in order}
            pairs.append(taken)
            print(', '.join('{} {:.2f} s elapsed, {:.2f} s used'.format(way, *taken[way]) for way in ways), flush=True)
    figures = {what: statistics.median(pair['with'][n] / pair['without'][n] for pair in pairs)
               for n, what in enumerate(('elapsed', 'used'))}
    for what, ratio in figures.items():
        print(f'{what:8} {ratio:.3f}  bound {BOUND}')
    with open(file, 'w', encoding='ascii') as out:
        json.dump({'ratios': figures, 'bound': BOUND, 'pairs': pairs}, out, indent=2)
    return int(max(figures.values()) > BOUND)


if __name__ == '__main__':
    sys.exit(main())
