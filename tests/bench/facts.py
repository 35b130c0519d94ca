# SPDX-License-Identifier: MIT
"""facts.py LIBRARY BENCH FILE.json: measures the size, symbols, relocations and system calls of the shared library.

Prints a table with the bounds, writes it as JSON, and exits with 1 if a bound is not met.
"""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

MAX_SIZE = 56 * 1024
# System calls that the loader makes for any library.
LOADING = {'openat', 'read', 'pread64', 'fstat', 'newfstatat', 'mmap', 'mprotect', 'munmap', 'close',
           'access', 'readlink', 'brk'}


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def stripped_size(library):
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, 'stripped')
        subprocess.run(['strip', '--strip-unneeded', '-o', copy, library], check=True)
        return os.path.getsize(copy)


def exported(library):
    return [line.split()[-1] for line in output('nm', '-D', '--defined-only', library).splitlines()
            if line.split()[-2] != 'A']


def constructors(library):
    """The number of entries in .init_array, without the compiler's own frame_dummy."""
    sections = output('readelf', '-S', '-W', library)
    place = re.search(r'\.init_array\s+INIT_ARRAY\s+([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)', sections)
    if not place:
        return 0
    start, size = (int(text, 16) for text in place.groups())
    own = {int(line.split()[0], 16) for line in output('nm', library).splitlines()
           if line.endswith(' frame_dummy')}
    foreign = 0
    for line in output('readelf', '-r', '-W', library).splitlines():
        match = re.match(r'^([0-9a-f]{12,})\s+\S+\s+R_X86_64_RELATIVE\s+([0-9a-f]+)', line)
        if match and start <= int(match.group(1), 16) < start + size:
            foreign += int(match.group(2), 16) not in own
    return foreign


def traced(*command, env=()):
    """The names of the system calls that a program makes, in order. None if strace is missing or fails."""
    options = [option for setting in env for option in ('-E', setting)]
    with tempfile.NamedTemporaryFile('r') as log:
        try:
            done = subprocess.run(['strace', '-o', log.name, *options, *command],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        except FileNotFoundError:
            return None
        if done.returncode:
            return None
        return [match.group(1) for match in map(re.compile(r'^(\w+)\(').match, log) if match]


def at_load(library):
    without = traced('true')
    preloaded = traced('true', env=[f'LD_PRELOAD={os.path.abspath(library)}'])
    if without is None or preloaded is None:
        return None
    more = collections.Counter(preloaded) - collections.Counter(without)
    return sorted(name for name in more if name not in LOADING)


def per_check(bench):
    """How often a check and the floor make each system call. The check is the second of the process, because the
    first also prepares the lock."""
    calls = traced(bench, '--once')
    if calls is None:
        return None, None
    marks = [i for i, name in enumerate(calls) if name == 'getppid'][-3:]
    return tuple(collections.Counter(calls[a + 1:b]) for a, b in zip(marks, marks[1:]))


def main():
    library, bench, target = sys.argv[1:]
    library = os.path.realpath(library)
    dynamic = output('readelf', '-d', '-W', library)
    relocations = re.findall(r'R_X86_64_\w+', output('readelf', '-r', '-W', library))
    size, names, loading = stripped_size(library), exported(library), at_load(library)
    check, floor = per_check(bench)
    data = [line.split()[-1] for line in output('nm', '-D', '--defined-only', library).splitlines()
            if line.split()[-2] in 'BDRVbdr']
    untraced = 'not measured: strace is missing or not allowed'
    facts = [
        ('stripped size, bytes', size, f'<= {MAX_SIZE}', size <= MAX_SIZE),
        ('exported symbols', len(names), None, True),
        ('of them data', ' '.join(data), None, True),
        ('relocations', ' '.join(f'{kind[9:]}:{count}' for kind, count
                                 in sorted(collections.Counter(relocations).items())), None, True),
        ('text relocations', dynamic.count('TEXTREL'), '0', 'TEXTREL' not in dynamic),
        ('constructors', constructors(library), '0', constructors(library) == 0),
        ('system calls at load', untraced if loading is None else ' '.join(loading) or 'none',
         'none', not loading),
        ('system calls per check', untraced if check is None else
         f'{sum(check.values())}: ' + ' '.join(f'{n} {name}' for name, n in sorted(check.items())),
         None if floor is None else f'the floor has {sum(floor.values())}', True),
    ]
    for name, value, bound, good in facts:
        print(f'{name:24} {value}' + (f'   [{bound}: {"ok" if good else "NOT MET"}]' if bound else ''))
    with open(target, 'w', encoding='ascii') as out:
        json.dump({'schema': 1, 'facts': [
            {'name': n, 'value': v, **({'bound': b, 'ok': g} if b else {})}
            for n, v, b, g in facts]}, out, indent=1)
        out.write('\n')
    return 0 if all(good for *_, good in facts) else 1


sys.exit(main())
