# SPDX-License-Identifier: MIT
"""Runs the conformance suite on every available machine, and writes doc/conformance-runs.md.

    meson compile -C BUILD
    export PYTHONPATH=tests
    python3 tests/machines/conformance_table.py --build BUILD --cache DIR [--runs FILE] [--real DIR] [--render]

The results are stored in FILE as JSON. With --render, the page is written from that file, without new runs. With --real, the
runs in DIR are added: with RESULTS=DIR, the tests hypervisors-* and machines-real-* store the suite's output there.
"""

import argparse
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from support import SOURCE, aside, machine

SYMBOLS = {'pass': '+', 'classified': 'm', 'fail': '**F**', 'skip': '-', 'none': ''}
HOST_RING0 = ['honest', 'lie', 'hide', 'refuse', 'drop', 'hidden', 'unenforced', 'software',
              'partial insn=wrgsbase', 'wrong', 'narrow', 'lose']
HOST_LINUX = ['software ring=3', 'partial insn=wrgsbase ring=3', 'wrong ring=3', 'narrow ring=3']
LIMIT = 300


def parse(text):
    """Returns the name, result and note of each case, by number, from the suite's TAP in ring 3 or ring 0. If the machine
    died, the cases after that are missing."""
    cases, last = {}, None
    for line in text.splitlines():
        if found := re.match(r'(ok|not ok) \d+ - (\d+) (\S+)(?: # SKIP ?(.*))?$', line):
            last = {'name': found[3], 'result': 'fail' if found[1] == 'not ok' else
                    'skip' if found[4] is not None else 'pass', 'note': found[4] or ''}
            cases[int(found[2])] = last
        elif last and (found := re.match(r'# measured: (.*)', line)):
            last.update(result='classified', note=found[1])
        elif last and last['result'] == 'fail' and (found := re.match(r'# (.*: expected .*, seen .*)', line)):
            last['note'] = last['note'] or found[1]
    return cases


def program(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    return {'cases': parse(done.stdout), 'status': done.returncode}


def ring0(image, **settings):
    run = machine.boot(image, memory=64, timeout=60, **settings)
    last = re.search(r'# CPU \d+: (\d+ \S+)\n(?!# |1\.\.)', run.log)
    cases = parse(run.log)
    return {'cases': cases, 'status': run.status,
            'died': '' if cases else (last[1] if last else run.log.strip().splitlines()[-1:])}


def linux(build, cache, folder, append='', **settings):
    initrd = machine.initrd(folder / 'initrd', [
        ('/init', build / 'tests/support/init'),
        ('/fsgs-conformance', build / 'tests/fsgs-conformance-static')])
    run = machine.boot(machine.kernel(cache), initrd=initrd, timeout=LIMIT, until=r'=== end \S+ status=\d+\n',
                       append='console=ttyS0 panic=-1 quiet fsgs.run=/fsgs-conformance fsgs.args=--tap '
                              + append, **settings)
    section = run.section('fsgs-conformance')
    if section is None:
        oops = re.search(r'(invalid opcode|general protection)[^\n]*', run.log)
        return {'cases': parse(run.log), 'status': None, 'died': oops[0] if oops else 'no output'}
    return {'cases': parse(section[0]), 'status': section[1]}


def qemu_user(release, suite):
    tree, _ = aside.unpacked('qemu-user', release=release, only=['./usr/bin/qemu-x86_64'])
    return program(tree / 'usr/bin/qemu-x86_64', '-cpu', 'max', suite, '--tap')


def valgrind(release, suite):
    tree, _ = aside.unpacked('valgrind', release=release, libraries=True)
    return program('env', f'VALGRIND_LIB={tree}/usr/libexec/valgrind', *aside.command(tree, 'usr/bin/valgrind.bin'), '-q',
                   suite, '--tap')


def machines(build, cache, folder):
    suite = str(build / 'examples/conformance/fsgs-conformance')
    static = build / 'tests/fsgs-conformance-static'
    image = build / 'examples/conformance/fsgs-conformance-boot.elf'
    host = build / 'tests/machines/host/host.elf'
    yield 'native', lambda: program(suite, '--tap')
    for model in ('max', 'EPYC', 'Haswell', 'Nehalem'):
        yield f'qemu-user {model}', lambda model=model: program('qemu-x86_64', '-cpu', model, suite, '--tap')
    yield 'qemu-user 11.1 max', lambda: qemu_user('sid', static)
    yield 'valgrind', lambda: program('valgrind', '-q', suite, '--tap')
    yield 'valgrind 3.27', lambda: valgrind('sid', static)
    yield 'Linux in QEMU EPYC', lambda: linux(build, cache, folder)
    yield 'Linux in QEMU EPYC, nofsgsbase', lambda: linux(build, cache, folder, 'nofsgsbase')
    for mode in HOST_LINUX:
        yield f'Linux in host {mode}', lambda mode=mode: linux(build, cache, folder, host=mode, host_elf=host)
    yield 'ring 0, QEMU EPYC, 2 CPUs', lambda: ring0(image, smp=2)
    yield 'ring 0, QEMU max', lambda: ring0(image, cpu='max')
    yield 'ring 0, QEMU Nehalem', lambda: ring0(image, cpu='Nehalem')
    for mode in HOST_RING0:
        yield f'ring 0, host {mode}', lambda mode=mode: ring0(image, host=mode, host_elf=host)


def this_machine(build):
    """Describes the machine `native` for the page, as the suite reports it, with the date."""
    done = subprocess.run([str(build / 'examples/conformance/fsgs-conformance'), '--json', '--only', '905'],
                          capture_output=True, text=True, timeout=60, check=False)
    seen = json.loads(done.stdout)['machine']
    guest = f', a guest of {seen["hypervisor"]}' if seen['hypervisor'] else ''
    return f'{seen["brand"] or seen["vendor"]}{guest}, Linux {seen["kernel"]}, on {datetime.date.today()}'


def collect(build, cache, real):
    runs = {'native': None, **{file.stem: {'cases': parse(file.read_text(encoding='utf-8')), 'status': None}
                               for file in (sorted(real.glob('*.tap')) if real else ())}}
    for name, run in machines(build, cache, pathlib.Path(tempfile.mkdtemp())):
        try:
            runs[name] = run()
        except (machine.Unavailable, FileNotFoundError, subprocess.TimeoutExpired) as reason:
            runs[name] = {'cases': {}, 'status': None, 'died': f'not run: {type(reason).__name__}'}
        counts = [sum(c['result'] == word for c in runs[name]['cases'].values())
                  for word in ('pass', 'classified', 'fail', 'skip')]
        print(f'{name}: {counts} {runs[name].get("died") or ""}', file=sys.stderr)
    runs['native']['machine'] = this_machine(build)
    return runs


def clean(text):
    """Replaces addresses that differ from run to run. Escapes each bar, which would end a table's cell, and each #, because
    Doxygen takes # before a word for a link."""
    text = re.sub(r'0x(40000|7f|55)[0-9a-f]{8,}', 'an address', str(text))
    return text.replace('|', '\\|').replace('#', '\\#')


def listing(build):
    done = subprocess.run([str(build / 'examples/conformance/fsgs-conformance'), '--list'],
                          capture_output=True, text=True, check=True, timeout=60)
    rows = [line.split('\t') for line in done.stdout.splitlines()]
    return [{'number': int(r[0]), 'name': r[1], 'rule': r[2], 'source': r[3],
             'covers': [k for k in r[4:] if k.startswith('K')]} for r in rows]


def deviations(run):
    """Groups the failed cases that have the same reason. Yields the case numbers and the first case of each group."""
    groups = {}
    for number, case in sorted(run['cases'].items(), key=lambda item: int(item[0])):
        if case['result'] != 'fail':
            continue
        words = re.sub(r'0x[0-9a-f]+|CPU \d+', '…', case['note'].split(', first on')[0])
        groups.setdefault(words, []).append((number, case))
    for members in groups.values():
        yield [m[0] for m in members], members[0][1]


def table(names, runs, cases):
    legend = [f'{chr(ord("A") + i)}' for i in range(len(names))]
    lines = [''] + [f'* **{letter}** {name}' for letter, name in zip(legend, names)] + ['']
    lines += ['| no. | case | ' + ' | '.join(legend) + ' |', '|---' * (len(names) + 2) + '|']
    for number, name in cases:
        row = [SYMBOLS[runs[m]['cases'].get(str(number), {}).get('result', 'none')] for m in names]
        lines.append(f'| {number} | {name} | ' + ' | '.join(row) + ' |')
    return lines + ['']


def render(runs, cases):
    out = ['# Conformance: the runs', '',
           '`tests/machines/conformance_table.py` generates this page from runs of `fsgs-conformance` and of its',
           'ring-0 image: do not edit the page. If a name has no version, QEMU, valgrind and Linux are the packages of',
           'Debian 12: QEMU 7.2, valgrind 3.19 and Linux 6.1. The real hypervisors and Bochs come first, then the',
           'emulators, and then the defective hosts of the tests, which `tests/machines/host/policy.c` describes. A host',
           'with `ring=3` changes what user mode sees, and leaves the guest\'s kernel alone. The machines in QEMU have',
           'QEMU\'s deviations, too, except those whose host emulates the instructions (`software`, `partial`, `wrong` and',
           '`narrow`).', '',
           *([f'`native` is {clean(runs["native"]["machine"])}.', ''] if runs['native'].get('machine') else []),
           'In the tables, `+` means that the rule holds, and **F** that it does not hold. `m` means that the behaviour',
           'was measured, because vendors differ or no manual specifies it. `-` means that the case cannot be tested on',
           'this machine. An empty cell means that the machine ended before this case.', '', '## Summary', '',
           '| machine | holds | measured | fails | cannot be tested | remark |', '|---|---|---|---|---|---|']
    ring0_names = {number for name, run in runs.items() if name.startswith('ring 0') for number in run['cases']}
    for name, run in runs.items():
        counts = [sum(c['result'] == word for c in run['cases'].values())
                  for word in ('pass', 'classified', 'fail', 'skip')]
        # The remark says why a machine did not finish. A run with all cases needs none.
        died = '' if len(run['cases']) == (len(ring0_names) if name.startswith('ring 0') else len(cases)) \
            else run.get('died') or ''
        remark = clean(' '.join(died) if isinstance(died, list) else died)
        out.append(f'| {name} | ' + ' | '.join(map(str, counts)) + f' | {remark} |')
    out += ['', '## Deviations', '',
            'Cases whose messages differ only in numbers share one line, which has the name and message of the first. A',
            'line lists the numbers of at most twelve cases; … stands for further cases.',
            '[Conformance](conformance.md) describes the known deviations, and lists the reproducers.', '']
    for name, run in runs.items():
        rows = list(deviations(run))
        if not rows:
            continue
        out += [f'### {name}', '']
        for numbers, case in rows:
            shown = ', '.join(map(str, numbers[:12])) + (' …' if len(numbers) > 12 else '')
            out.append(f'* {shown} (`{case["name"]}`): {clean(case["note"])}')
        out.append('')
    out += ['## What the kernel selftest checks, and which cases cover it', '',
            '[Conformance](conformance.md) defines K1 to K15. The number before the colon is the number of cases.', '',
            '| item | cases |', '|---|---|']
    for n in range(1, 16):
        covering = [str(c['number']) for c in cases if f'K{n}' in c['covers']]
        out.append(f'| K{n} | {len(covering)}: {", ".join(covering)} |')
    user = [name for name in runs if not name.startswith('ring 0')]
    kernel = [name for name in runs if name.startswith('ring 0')]
    out += ['', '## User space', *table(user, runs, [(c['number'], c['name']) for c in cases])]
    seen = {}
    for name in kernel:
        for number, case in runs[name]['cases'].items():
            seen[int(number)] = case['name']
    out += ['## Ring 0', *table(kernel, runs, sorted(seen.items()))]
    return '\n'.join(out).rstrip() + '\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', type=pathlib.Path, required=True)
    parser.add_argument('--cache', type=pathlib.Path, default=pathlib.Path('build/kernels'))
    parser.add_argument('--runs', type=pathlib.Path, default=pathlib.Path('conformance-runs.json'))
    parser.add_argument('--real', type=pathlib.Path, help='the folder RESULTS of the other tests')
    parser.add_argument('--render', action='store_true', help='write the page from the stored runs')
    options = parser.parse_args()
    build = options.build.resolve()
    if not options.render:
        options.runs.write_text(json.dumps(collect(build, options.cache, options.real)), encoding='utf-8')
    runs = json.loads(options.runs.read_text(encoding='utf-8'))
    (SOURCE / 'doc/conformance-runs.md').write_text(render(runs, listing(build)), encoding='utf-8')


if __name__ == '__main__':
    main()
