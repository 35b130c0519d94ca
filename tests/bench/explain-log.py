# SPDX-License-Identifier: MIT
"""explain-log.py COMMAND: compares the time of `COMMAND explain` on logs of 1 GiB with the time of grep for one string.

The two commands run alternately, and the minimum of three rounds counts. FSGSCHECK_BENCH_MIB sets another size of the
logs. Fails if `explain` takes more than 6 times grep's time or 8 MiB of memory. Logs of crash dumps without the lines of
a boot are measured, too, but have no bound."""

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
    """The peak memory of `explain` in KiB, once it has read the file. It reads its standard input after the file. The
    input is larger than a pipe's buffer, so the write returns only after the file was read."""
    with subprocess.Popen([command, 'explain', path, '-'], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL) as child:
        child.stdin.write(b'\n' * (1 << 20))
        child.stdin.flush()
        with open(f'/proc/{child.pid}/status', encoding='ascii') as status:
            return int(re.search(r'VmHWM:\s+(\d+)', status.read())[1])


def measure(name, text, last, wanted):
    """Runs grep and `explain` on a file that repeats one text and ends with another. Returns the ratio of their times,
    and the peak memory of `explain`."""
    with tempfile.NamedTemporaryFile() as log:
        while log.tell() + len(text) + len(last) < size:
            log.write(text)
        log.write(text[:size - log.tell() - len(last)] + b'\n')
        log.write(last)
        log.flush()

        best = {'grep': float('inf'), 'explain': float('inf')}
        for _ in range(3):
            took, done = seconds('grep', '-c', 'invalid opcode', log.name, env={**os.environ, 'LC_ALL': 'C'})
            assert int(done.stdout) >= 1, done
            best['grep'] = min(best['grep'], took)
            took, done = seconds(command, 'explain', log.name)
            assert done.returncode == 2 and wanted in done.stdout, done
            best['explain'] = min(best['explain'], took)
        memory = peak(log.name)
    ratio = best['explain'] / best['grep']
    print(f'{name}, {size >> 20} MiB: explain {best["explain"]:.2f} s, grep {best["grep"]:.2f} s, '
          f'ratio {ratio:.1f}, peak {memory} KiB', flush=True)
    return ratio, memory


healthy, crashes, crash = read('honest-*.log') * 50, read('lie-6*.log') * 50, read('lie-6.1-cloud.log')
if not healthy or not crash:
    print('no logs in tests/machines/logs')
    sys.exit(77)
# Three logs: machines that boot, machines that crash at each boot, and crash dumps without the lines of a boot. Each log
# ends with the same crash.
dumps = re.sub(rb'(?ms)^[^\n]*Linux version.*?(?=^[^\n]*invalid opcode)', b'', crashes)
results = [measure('boots', healthy, crash, b'insn-ud'), measure('boots that crash', crashes, crash, b'insn-ud')]
measure('dumps alone', dumps, crash, b'insn-ud')
sys.exit(any(ratio > 6 or memory > 8192 for ratio, memory in results))
