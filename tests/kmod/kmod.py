# SPDX-License-Identifier: MIT
"""The kernel module on machines that are sound and that are not, and what fsgscheck makes of its answer.

    kmod.py --write     puts what was seen into the operators' page
"""

import concurrent.futures
import json
import os
import pathlib
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import kbuild  # noqa: E402  (the path has to be known first)
import parts  # noqa: E402

machine = kbuild.machine
PAGE = kbuild.SOURCE / 'doc/kernel-module.md'
SCHEMA = kbuild.SOURCE / 'doc/fsgscheck.schema.json'
NEWER = 'linux-image-6.12-cloud-amd64'
EACCES, EBUSY, ENODEV, EPERM = 13, 16, 19, 1
INSNS = ('rdfsbase', 'rdgsbase', 'wrfsbase', 'wrgsbase')

# What a kernel says of any module from outside, of any machine of this age, and the module of its refusals.
HARMLESS = re.compile('Speculative Return Stack Overflow|loading out-of-tree module|module verification failed'
                      '|fsgscheck: not loaded: ')

# Each machine: its kernel's package, its host's mode (None: none), how many CPUs, what is on its command line, and
# the steps.
OFF = 'nofsgsbase'
SETTLED = {
    'sound': (machine.CLOUD, None, 1, OFF, 'check load read check user-read user-check unload check log'),
    'sound-4': (machine.CLOUD, None, 4, OFF, 'load read check unload cycle-100 check log'),
    'honest': (machine.CLOUD, 'honest', 1, OFF, 'page load page unload log'),
    'lie': (machine.CLOUD, 'lie', 1, OFF, 'page load page check read unload cycle-100 check log'),
    'drop': (machine.CLOUD, 'drop', 1, OFF, 'load check unload cycle-100 check log'),
}
OTHERS = {
    'refuse': (machine.CLOUD, 'refuse', 1, OFF, 'load check unload log'),
    # Stores another value into the base that the kernel lives by.
    'wrong': (machine.CLOUD, 'wrong insn=wrgsbase', 1, OFF, 'load check unload log'),
    'clearcpuid': (machine.CLOUD, 'lie', 1, 'clearcpuid=fsgsbase', 'load check unload log'),
    # Only its boot CPU is inside that host.
    'cpus-differ': (machine.CLOUD, 'lie', 4, OFF, 'load check unload log'),
    'newer-sound': (NEWER, None, 2, OFF, 'load check unload log'),
    'newer-lie': (NEWER, 'lie', 1, OFF, 'load check unload log'),
}
REFUSED = {
    'in-use': (machine.CLOUD, None, 1, '', 'load check log'),
    'not-offered': (machine.CLOUD, None, 1, '', 'load user-load check log'),
}
CPUS = {'not-offered': 'EPYC,-fsgsbase'}


class Steps(dict):
    """What each step printed, and its status, by its name; a repeated one's are name, name.2, ..."""

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


def boot_all(machines):
    """Two machines at a time; what is not to be had is left out, with its reason."""
    seen, missing, kernels = {}, {}, {}
    cache = pathlib.Path(os.environ['CACHE'])
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        work = pathlib.Path(folder)
        jobs = {}
        for name, what in machines.items():
            try:
                if what[0] not in kernels:
                    kernel = machine.kernel(os.environ['KERNELS'], what[0])
                    release = kernel.name.removeprefix('vmlinuz-')
                    kernels[what[0]] = kernel, kbuild.build(work / release, kbuild.headers(cache, release))[0]
                jobs[name] = pool.submit(boot, *kernels[what[0]], name, what, work)
            except machine.Unavailable as reason:
                missing[name] = str(reason)
        for name, job in jobs.items():
            seen[name] = job.result()
    return seen, missing


class Machines(unittest.TestCase):
    machines = {}

    @classmethod
    def setUpClass(cls):
        cls.seen, cls.missing = boot_all(cls.machines)

    def machine(self, name):
        if name in self.missing:
            self.skipTest(self.missing[name])
        return self.seen[name]

    def nothing_else_is_left_behind(self):
        """No kernel had anything to say that was not about modules in general, and no base has changed."""
        for name, steps in self.seen.items():
            with self.subTest(machine=name):
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
        self.assertIn('ring 0 was not asked: /dev/fsgscheck: Permission denied; run this as root', said)
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
        """The operators' page shows what is seen."""
        for name in ('honest', 'lie'):
            self.machine(name)
        text = PAGE.read_text(encoding='utf-8')
        self.assertEqual(text, filled(text, self.seen), 'kmod.py --write mends it')

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
        self.loaded(self.machine('newer-sound'))
        self.proven(self.seen['newer-sound'].report('check'))
        self.loaded(self.machine('newer-lie'))
        self.broken(self.seen['newer-lie'].report('check'), 'insn-ud')

    def test_nothing_else_is_left_behind(self):
        self.nothing_else_is_left_behind()


class Refused(Machines):
    machines = REFUSED

    def test_refuses_where_the_kernel_uses_it(self):
        steps = self.machine('in-use')
        self.assertEqual(steps['load'][1], EBUSY)
        self.assertIn('not loaded: this kernel uses FSGSBASE itself', steps['log'][0])
        self.assertEqual(steps.report('check')['verdict'], 'usable')

    def test_refuses_without_an_offer(self):
        steps = self.machine('not-offered')
        self.assertEqual(steps['load'][1], ENODEV)
        self.assertIn('not loaded: CPUID does not offer FSGSBASE', steps['log'][0])

    def test_refuses_users(self):
        self.assertEqual(self.machine('not-offered')['user-load'][1], EPERM)

    def test_nothing_else_is_left_behind(self):
        self.nothing_else_is_left_behind()


def filled(text, seen):
    """The page, with the outputs put between their marks."""
    for name in ('honest', 'lie'):
        for title, step in (('without', 'page'), ('with', 'page.2')):
            shown = re.sub(r'(Linux \d+\.\d+)\.\S+', r'\1', seen[name][step][0])
            begin, end = f'<!-- begin: {name}, {title} the module -->\n', '<!-- end -->'
            head, tail = text.split(begin)
            text = f'{head}{begin}```\n# fsgscheck\n{shown}```\n{tail[tail.index(end):]}'
    return text


if __name__ == '__main__':
    if sys.argv[1:] == ['--write']:
        PAGE.write_text(filled(PAGE.read_text(encoding='utf-8'), boot_all(SETTLED)[0]), encoding='utf-8')
    else:
        parts.run()
