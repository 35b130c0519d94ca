# SPDX-License-Identifier: MIT
"""Tests the kernel module on sound and on defective machines, and how fsgscheck uses the module's answer.

    kmod.py [CLASS]     runs the tests of one class, or all
    kmod.py --write     writes the current output into doc/kernel-module.md, the page for operators
"""

import concurrent.futures
import difflib
import json
import os
import pathlib
import re
import sys
import tempfile
import unittest


import kbuild

from support import INSNS, parts

machine = kbuild.machine
PAGE = kbuild.SOURCE / 'doc/kernel-module.md'
SCHEMA = kbuild.SOURCE / 'doc/fsgscheck.schema.json'
NEWER = 'linux-image-6.12-cloud-amd64'
EACCES, EBUSY, EIO, ENODEV, EPERM = 13, 16, 5, 19, 1

# Harmless messages of a kernel: about any external module, about any processor of this generation, and this module's own
# messages about a refusal or about CR4.
HARMLESS = re.compile('Speculative Return Stack Overflow|loading out-of-tree module|module verification failed'
                      '|fsgscheck: not loaded: |fsgscheck: CPU 0: (CR4 was|not tested)')

# For each machine: its kernel's package, its host's mode (None: no host), the number of CPUs, additional words of the
# command line, and the steps. The machines that take longest come first, because two run at a time.
OFF = 'nofsgsbase'
SETTLED = {
    # Only 10 cycles and not 100: on two cores, a cycle takes ten times as long with four CPUs as with one.
    'sound-4': (machine.CLOUD, None, 4, OFF, 'load read check unload cycle-10 check log'),
    'honest': (machine.CLOUD, 'honest', 1, OFF, 'page load page unload cycle-100 log'),
    'lie': (machine.CLOUD, 'lie', 1, OFF, 'page load page check read unload cycle-100 check log'),
    'drop': (machine.CLOUD, 'drop', 1, OFF, 'load check unload cycle-100 check log'),
    'sound': (machine.CLOUD, None, 1, OFF, 'check load read check user-read user-check unload check log'),
}
OTHERS = {
    'refuse': (machine.CLOUD, 'refuse', 1, OFF, 'load check unload log'),
    # On this host, WRGSBASE stores a wrong value into the GS base, which the kernel itself uses.
    'wrong': (machine.CLOUD, 'wrong insn=wrgsbase', 1, OFF, 'load check unload log'),
    'clearcpuid': (machine.CLOUD, 'lie', 1, 'clearcpuid=fsgsbase', 'load check unload log'),
    # This machine loads a changed module (EDITS), which leaves CR4.FSGSBASE set, as if the bit could not be cleared.
    'stuck': (machine.CLOUD, None, 1, OFF, 'load read check unload log'),
    # Only the boot CPU is a guest of the host, so only this CPU is defective.
    'cpus-differ': (machine.CLOUD, 'lie', 2, OFF, 'load check unload log'),
    'newer-sound': (NEWER, None, 2, OFF, 'load check unload log'),
    'newer-lie': (NEWER, 'lie', 1, OFF, 'load check unload log'),
}
# The kernels of oldest-* are from before 5.9 and do not use the instructions, so they need no nofsgsbase.
OLDER = {
    'older-sound': (machine.CLOUD, None, 1, OFF, 'check load read check unload cycle-10 check log'),
    'older-lie': (machine.CLOUD, 'lie', 1, OFF, 'load check unload log'),
    'oldest-sound': (machine.CLOUD, None, 1, '', 'check load check unload log'),
    'oldest-lie': (machine.CLOUD, 'lie', 1, '', 'load check unload log'),
}
SUITES = {'older': kbuild.OLDER, 'oldest': kbuild.OLDEST}
REFUSED = {
    'in-use': (machine.CLOUD, None, 1, '', 'load check log'),
    'not-offered': (machine.CLOUD, None, 1, '', 'load user-load check log'),
    'pressed': (machine.CLOUD, None, 2, '', 'load read check unload log'),
}
CPUS = {'not-offered': 'EPYC,-fsgsbase'}


class Steps(dict):
    """The output and status of each step, by the step's name. Repeated steps are called name, name.2, ..."""

    def __init__(self, run, steps):
        super().__init__()
        self.run = run
        for number, step in enumerate(steps.split(), 1):
            found = run.section(f'{number}-{step}')
            if found is None:
                raise AssertionError(f'step {step} did not end:\n{run.log[-3000:]}\n{run.errors}')
            name, again = step, 2
            while name in self:
                name, again = f'{step}.{again}', again + 1
            self[name] = found

    def report(self, name):
        text, status = self[name]
        report = json.loads(text[text.index('{'):])
        report['status'] = status
        return report


def boot(kernel, module, name, what, work):
    _, host, smp, append, steps = what
    given = os.environ
    files = machine.initrd(work / f'{name}.cpio',
                           [('/init', given['INIT']), ('/drive', given['DRIVE']),
                            ('/fsgscheck', given['FSGSCHECK']), ('/fsgscheck.ko', module)])
    run = machine.boot(kernel, host=host, host_elf=given['HOST'], smp=smp, cpu=CPUS.get(name, machine.CPU_OF_REPORT),
                       initrd=files, timeout=240,
                       append=f'console=ttyS0 panic=-1 quiet loglevel=1 {append} fsgs.run=/drive '
                              f'fsgs.args={",".join(steps.split())}')
    return Steps(run, steps)


# For each machine that loads a changed module: the source file, the original text, and the replacement.
EDITS = {
    # This module sets CR4.FSGSBASE where the correct core clears it.
    'stuck': ('core/ring0.c', 'if (write_cr4(walk, cr4 & ~CR4_FSGSBASE) ==', 'if (write_cr4(walk, cr4 | CR4_FSGSBASE) =='),
    # This module loads although the kernel uses the instructions.
    'pressed': ('main.c', 'if (used) {', 'if (used && !THIS_MODULE) {'),
}


def edited(out, file, old, new):
    file = out / file
    text = file.read_text(encoding='utf-8')
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding='utf-8')


def kernel_and_module(package, suites, edit):
    cache = pathlib.Path(os.environ['CACHE'])
    kernel = kbuild.image(cache, package, suites)
    release = kernel.name.removeprefix('vmlinuz-')
    tree = kbuild.headers(cache / 'headers', release, suites)
    return kernel, kbuild.built(cache / 'modules', tree, edit and (lambda out: edited(out, *EDITS[edit])))


def boot_all(machines):
    """Boots the machines, two at a time. Returns for each its Steps, or the exception that has stopped it. If this exception
    is Unavailable, the machine's tests skip."""
    seen, made = {}, {}
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        work = pathlib.Path(folder)
        jobs = {}
        for name, what in machines.items():
            key = what[0], SUITES.get(name.split('-')[0]), name if name in EDITS else None
            try:
                if key not in made:
                    made[key] = kernel_and_module(*key)
                jobs[name] = pool.submit(boot, *made[key], name, what, work)
            except Exception as error:  # fails only the tests of this machine
                seen[name] = error
        for name, job in jobs.items():
            seen[name] = job.exception() or job.result()
    return seen


class Machines(unittest.TestCase):
    machines = {}

    @classmethod
    def setUpClass(cls):
        cls.seen = boot_all(cls.machines)

    def machine(self, name):
        steps = self.seen[name]
        if isinstance(steps, machine.Unavailable):
            self.skipTest(str(steps))
        if isinstance(steps, Exception):
            raise AssertionError(f'machine {name}: {steps}') from steps
        return steps

    def nothing_else_is_left_behind(self):
        """The kernel printed only harmless messages, and no base has changed."""
        for name in self.machines:
            if isinstance(self.seen[name], machine.Unavailable):
                continue
            with self.subTest(machine=name):
                steps = self.machine(name)
                self.assertFalse(steps.run.timed_out)
                self.assertNotIn('bases changed', steps.run.log)
                odd = [line for line in steps['log'][0].splitlines() if not HARMLESS.search(line)]
                self.assertEqual(odd, [])

    def proven(self, report):
        self.assertEqual((report['verdict'], report['status']), ('disabled', 1))
        self.assertIn('proven', report['findings'])
        self.assertNotIn('unproven', report['findings'])
        self.assertIn('upgrade freely', report['advice'])
        self.assertEqual(report['ring0']['set'], dict.fromkeys(INSNS, 'ok'))
        self.assertEqual(report['ring0']['cleared'], dict.fromkeys(INSNS, 'undefined'))

    def broken(self, report, finding):
        self.assertEqual((report['verdict'], report['status']), ('broken', 2))
        self.assertEqual([word for word in report['findings'] if word in ('insn-ud', 'cr4-refused', 'cr4-dropped')],
                         [finding] if finding else [])
        self.assertEqual(report['access'], {'fs': 'arch_prctl', 'gs': 'arch_prctl'})
        self.assertTrue(report['advice'].startswith('Guest: keep nofsgsbase'), report['advice'])

    def unproven(self, report):
        self.assertEqual((report['verdict'], report['status']), ('disabled', 1))
        self.assertIn('unproven', report['findings'])
        self.assertNotIn('ring0', report)

    def loaded(self, steps):
        for name, (said, status) in steps.items():
            if name.split('.')[0].split('-')[0] in ('load', 'unload', 'read', 'cycle'):
                self.assertEqual(status, 0, f'{name}: {said}')

    def settles(self, kernel):
        """Under one kernel, the module must find the sound machine proven, and the machine on the host `lie` broken."""
        sound = self.machine(f'{kernel}-sound')
        self.loaded(sound)
        self.proven(sound.report('check.2' if 'check.2' in sound else 'check'))
        lie = self.machine(f'{kernel}-lie')
        self.loaded(lie)
        self.broken(lie.report('check'), 'insn-ud')

    def schema(self, report):
        try:
            import jsonschema
        except ImportError:
            self.skipTest('python3-jsonschema is not installed')
        report = {key: value for key, value in report.items() if key != 'status'}
        jsonschema.validate(report, json.loads(SCHEMA.read_text(encoding='utf-8')))


class Settled(Machines):
    machines = SETTLED

    def test_sound_machine(self):
        steps = self.machine('sound')
        self.unproven(steps.report('check'))
        self.assertEqual(steps['load'][1], 0)
        answer = steps.report('read')
        self.schema(answer)
        self.assertEqual(answer['verdict'], 'usable')
        self.assertEqual({trial['outcome'] for trial in answer['trials'].values()}, {'ok'})
        self.assertEqual(answer['ring0']['set'], dict.fromkeys(INSNS, 'ok'))
        self.proven(steps.report('check.2'))
        self.schema(steps.report('check.2'))
        self.assertEqual(steps['unload'][1], 0)
        self.unproven(steps.report('check.3'))

    def test_users_are_told_to_become_root(self):
        steps = self.machine('sound')
        self.assertEqual(steps['user-read'][1], EACCES)
        said, _ = steps['user-check']
        self.assertIn('the report has no evidence from ring 0: /dev/fsgscheck: Permission denied; run this as root', said)
        self.unproven(steps.report('user-check'))

    def test_sound_machine_with_4_cpus(self):
        steps = self.machine('sound-4')
        self.loaded(steps)
        self.assertIs(steps.report('read')['ring0']['cpus_differ'], False)
        self.proven(steps.report('check'))

    def test_lie(self):
        steps = self.machine('lie')
        self.loaded(steps)
        self.broken(steps.report('check'), 'insn-ud')
        self.assertIs(steps.report('check')['ring0']['cr4_sticks'], True)
        self.assertEqual(steps.report('read')['verdict'], 'broken')
        self.schema(steps.report('read'))
        self.unproven(steps.report('check.2'))

    def test_drop(self):
        steps = self.machine('drop')
        self.loaded(steps)
        self.broken(steps.report('check'), 'cr4-dropped')

    def test_page(self):
        """The page for operators shows the current output. Only the version of Linux may differ."""
        seen = {name: self.machine(name) for name in ('honest', 'lie')}
        text = PAGE.read_text(encoding='utf-8')
        shown, now = (re.sub(r'Linux \d+\.\d+', 'Linux', page) for page in (text, filled(text, seen)))
        self.assertEqual(shown, now, 'kmod.py --write mends it')

    def test_nothing_else_is_left_behind(self):
        self.nothing_else_is_left_behind()


class Others(Machines):
    machines = OTHERS

    def test_refuse(self):
        steps = self.machine('refuse')
        self.loaded(steps)
        self.broken(steps.report('check'), 'cr4-refused')

    def test_wrong_value_in_the_kernels_own_base(self):
        steps = self.machine('wrong')
        self.loaded(steps)
        self.broken(steps.report('check'), None)
        self.assertEqual(steps.report('check')['ring0']['set']['wrgsbase'], 'wrong-value')

    def test_clearcpuid(self):
        steps = self.machine('clearcpuid')
        self.loaded(steps)
        self.broken(steps.report('check'), 'insn-ud')

    def test_cpus_differ(self):
        steps = self.machine('cpus-differ')
        self.loaded(steps)
        report = steps.report('check')
        self.assertEqual((report['verdict'], report['status']), ('inconsistent', 2))
        self.assertIn('cpus-differ', report['findings'])

    def test_newer_kernel(self):
        self.settles('newer')

    def test_cr4_that_is_not_put_back(self):
        """If CR4 cannot be restored, the answer cannot be read, and fsgscheck does not report the verdict as proven."""
        steps = self.machine('stuck')
        self.assertEqual(steps['read'], ('', EIO))
        self.assertIn('the report has no evidence from ring 0: /dev/fsgscheck: CR4 could not be restored', steps['check'][0])
        self.unproven(steps.report('check'))
        was, then, end = re.search(r'CR4 was (\S+), then (\S+), and (\S+) when', steps['log'][0]).groups()
        self.assertEqual(int(then, 16) ^ int(was, 16), 1 << 16)
        self.assertEqual(end, was)
        self.assertEqual(steps['unload'][1], 0)

    def test_nothing_else_is_left_behind(self):
        self.nothing_else_is_left_behind()


class Older(Machines):
    machines = OLDER

    def test_5_10(self):
        self.settles('older')
        steps = self.machine('older-sound')
        self.assertIn('Linux 5.10', f"Linux {steps.report('read')['kernel']['release']}")
        self.schema(steps.report('read'))
        self.unproven(steps.report('check'))

    def test_before_5_9(self):
        """A kernel before 5.9 lists the feature in /proc/cpuinfo, but does not use it, so it needs no nofsgsbase."""
        self.settles('oldest')
        self.assertIn('kernel-too-old', self.machine('oldest-sound').report('check')['findings'])

    def test_nothing_else_is_left_behind(self):
        self.nothing_else_is_left_behind()


class Refused(Machines):
    machines = REFUSED

    def test_refuses_where_the_kernel_uses_it(self):
        steps = self.machine('in-use')
        self.assertEqual(steps['load'][1], EBUSY)
        self.assertIn('not loaded: this kernel uses FSGSBASE itself', steps['log'][0])
        self.assertEqual(steps.report('check')['verdict'], 'usable')

    def test_leaves_a_cpu_alone_where_the_kernel_uses_it(self):
        """A changed module (EDITS) is loaded although the kernel uses the instructions. It must not test such a CPU, which
        could also come online after the module was loaded."""
        steps = self.machine('pressed')
        self.assertEqual([steps[name][1] for name in ('load', 'read', 'unload')], [0, EBUSY, 0])
        self.assertIn('CPU 0: not tested: the kernel uses FSGSBASE there', steps['log'][0])
        self.assertEqual(steps.report('check')['verdict'], 'usable')

    def test_refuses_without_an_offer(self):
        steps = self.machine('not-offered')
        self.assertEqual(steps['load'][1], ENODEV)
        self.assertIn('not loaded: CPUID does not offer FSGSBASE', steps['log'][0])

    def test_refuses_users(self):
        self.assertEqual(self.machine('not-offered')['user-load'][1], EPERM)

    def test_nothing_else_is_left_behind(self):
        self.nothing_else_is_left_behind()


def changes(before, after):
    """The lines that differ, marked with - and +."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm='', n=0))[2:]
    return ''.join(f'{line}\n' for line in lines if not line.startswith('@@'))


def filled(text, seen):
    """Returns the page with the current output between its marks: fsgscheck's output without the module, and for each
    machine the lines that differ once the module is loaded."""
    pages = {name: [re.sub(r'(Linux \d+\.\d+)\.\S+', r'\1', steps[step][0]) for step in ('page', 'page.2')]
             for name, steps in seen.items()}
    before = pages['honest'][0]
    if pages['lie'][0] != before:
        raise ValueError('without the module, the output on the two machines differs')
    blocks = {'without the module': f'```\n# fsgscheck\n{before}```\n'}
    for name, (_, after) in pages.items():
        blocks[f'{name}, with the module'] = f'```diff\n{changes(before, after)}```\n'
    for title, block in blocks.items():
        begin, end = f'<!-- begin: {title} -->\n', '<!-- end -->'
        head, tail = text.split(begin)
        text = f'{head}{begin}{block}{tail[tail.index(end):]}'
    return text


if __name__ == '__main__':
    if sys.argv[1:] == ['--write']:
        shown = boot_all({name: SETTLED[name] for name in ('honest', 'lie')})
        PAGE.write_text(filled(PAGE.read_text(encoding='utf-8'), shown), encoding='utf-8')
    else:
        parts.run()
