# SPDX-License-Identifier: MIT
"""A log of 1 GiB: `explain` against grep for one fixed string, interleaved, minimum of three rounds.

explain-log.py COMMAND. FSGSCHECK_BENCH_MIB makes it smaller. Fails above 6 times grep's time or 8 MiB."""

import glob
import os
import re
import subprocess
import sys
import tempfile
import time

command = sys.argv[1]
size = int(os.environ.get('FSGSCHECK_BENCH_MIB', '1024')) << 20
logs = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'machines', 'logs')


def read(pattern):
    texts = []
    for path in sorted(glob.glob(os.path.join(logs, pattern))):
        with open(path, 'rb') as file:
            texts.append(file.read())
    return b''.join(texts)


def seconds(*arguments, **other):
    start = time.perf_counter()
    done = subprocess.run(arguments, stdout=subprocess.PIPE, check=False, **other)
    return time.perf_counter() - start, done


def peak(path):
    """In KiB. The second file is a pipe that holds less than is written: it is read after the first."""
    with subprocess.Popen([command, 'explain', path, '-'], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL) as child:
        child.stdin.write(b'\n' * (1 << 20))
        child.stdin.flush()
        with open(f'/proc/{child.pid}/status', encoding='ascii') as status:
            return int(re.search(r'VmHWM:\s+(\d+)', status.read())[1])


with tempfile.NamedTemporaryFile() as log:
    healthy = read('honest-*.log') * 50
    crash = read('lie-6.1-cloud.log')
    if not healthy or not crash:
        print('no logs in tests/machines/logs')
        sys.exit(77)
    while log.tell() + len(healthy) + len(crash) < size:
        log.write(healthy)
    log.write(healthy[:size - log.tell() - len(crash)] + b'\n')
    log.write(crash)
    log.flush()

    best = {'grep': float('inf'), 'explain': float('inf')}
    for _ in range(3):
        took, done = seconds('grep', '-c', 'invalid opcode', log.name, env={**os.environ, 'LC_ALL': 'C'})
        assert done.stdout == b'1\n', done
        best['grep'] = min(best['grep'], took)
        took, done = seconds(command, 'explain', log.name)
        assert done.returncode == 2 and b'insn-ud' in done.stdout, done
        best['explain'] = min(best['explain'], took)
    memory = peak(log.name)

ratio = best['explain'] / best['grep']
print(f'{size >> 20} MiB: explain {best["explain"]:.2f} s, grep {best["grep"]:.2f} s, '
      f'ratio {ratio:.1f}, peak {memory} KiB')
sys.exit(ratio > 6 or memory > 8192)
