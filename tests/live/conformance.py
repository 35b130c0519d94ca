# SPDX-License-Identifier: MIT
"""conformance.py CLASS: tests the conformance suite as its users run it: natively, with output as TAP, KTAP or JUnit, in
sandboxes, and in emulators that break rules."""

import contextlib
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

from support import SOURCE, TESTS, advertised, machine, parts

SUITE = os.environ['CONFORMANCE']
MUTATE = os.environ['MUTATE']
FOREIGN = os.environ['FOREIGN']
WITHOUT = os.environ['WITHOUT']
CONFINE, LAUNCH = os.environ.get('CONFINE'), os.environ.get('LAUNCH')

CANONICAL = set(range(201, 223)) | {805, 806}
# The cases that may fail in qemu-user. Each of these deviations was checked by hand and is in doc/conformance.md.
QEMU_USER = CANONICAL | {43, 246, 902, 626} | set(range(421, 427))


def run(*options, wrapper=(), timeout=120):
    return subprocess.run([*wrapper, SUITE, *options], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL)


def cases(done):
    return {case['number']: case for case in json.loads(done.stdout)['cases']}


def failed(done):
    return {number for number, case in cases(done).items() if case['result'] == 'fail'}


def present():
    """Whether the instructions run here. If not, the suite skips all cases, and ends with status 4."""
    return run('--only', '1').returncode != 4


class Ktap:
    """Parses KTAP as strictly as the kernel's Documentation/dev-tools/ktap.rst: version, plan, results in order. Parses
    TAP, too: there, the diagnostic lines of a result follow the result. In KTAP, they come directly before it."""

    def __init__(self, text, version='KTAP version 1'):
        lines = text.splitlines()
        assert text.endswith('\n'), 'the last line is not ended'
        assert lines[0] == version, lines[0]
        self.plan = int(re.fullmatch(r'1\.\.(\d+)', lines[1])[1])
        self.results = []
        block, blocks = [], []
        for line in lines[2:]:
            result = re.fullmatch(r'(ok|not ok) (\d+) - ([^#]+?)(?: # (SKIP)(?: ([^#]*))?)?', line)
            if result is None:
                assert line.startswith('# '), f'neither a result nor a diagnostic: {line}'
                block.append(line[2:])
                continue
            assert int(result[2]) == len(self.results) + 1, f'out of order: {line}'
            assert not (result[4] and result[1] == 'not ok'), f'failed and skipped: {line}'
            self.results.append((result[1], result[3], result[4]))
            blocks.append(block)
            block = []
        assert len(self.results) == self.plan, f'{self.plan} planned, {len(self.results)} there'
        if version.startswith('TAP'):
            blocks = blocks[1:] + [block]
        else:
            assert len(block) == 1 and block[0].startswith('Totals: '), f'about no test: {block}'
        self.diagnostics = blocks
        for result, about in zip(self.results, blocks):
            assert result[0] == 'ok' or any(': expected ' in line for line in about), f'no reason: {result}'
            assert result[0] == 'ok' or about[0].startswith('rule: '), f'not about {result}: {about}'
            assert result[0] == 'not ok' or not any(': expected ' in line for line in about), f'not its: {result}'


class Native(unittest.TestCase):
    @unittest.skipUnless(advertised(), 'this kernel does not advertise FSGSBASE')
    def test_passes(self):
        done = run('--json')
        seen = cases(done)
        for number in sorted(failed(done)):
            case = seen[number]
            print(number, case['name'], case['what'], case['expected'], case['seen'], file=sys.stderr)
        self.assertEqual(failed(done), set())
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr, '')
        self.assertGreaterEqual(len(seen), 150)
        for case in seen.values():
            self.assertTrue(case['source'] and case['text'])
            self.assertTrue(case['checks'] or case['result'] != 'pass', case['name'])
            self.assertTrue(case['note'] or case['result'] not in ('skip', 'classified'), case['name'])
        covered = {k for case in seen.values() for k in case['covers']}
        self.assertEqual(covered, {f'K{n}' for n in range(1, 16)})

    @unittest.skipUnless(present(), 'the instructions do not run here')
    def test_every_case_finishes(self):
        """Every case finishes, even on a machine that breaks its rule: a case that dies cannot report whether the rule
        holds."""
        for number, case in cases(run('--json', '--repeat', '2')).items():
            self.assertNotIn('did not finish', case.get('what', ''), f'{number}: {case}')

    @unittest.skipUnless(advertised(), 'this kernel does not advertise FSGSBASE')
    def test_inherited(self):
        """Ignored and blocked signals and limits that the parent passes on must not change the result of a case."""
        def ignoring():
            for number in (signal.SIGCHLD, signal.SIGQUIT, signal.SIGUSR1, signal.SIGTRAP, signal.SIGSEGV):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

        plain = cases(run('--json'))
        done = subprocess.run([SUITE, '--json'], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, preexec_fn=ignoring)
        self.assertEqual({number: case['result'] for number, case in cases(done).items()},
                         {number: case['result'] for number, case in plain.items()})

    @unittest.skipUnless(advertised(), 'this kernel does not advertise FSGSBASE')
    def test_repeat_and_cpus(self):
        cpu = min(os.sched_getaffinity(0))
        done = run('--json', '--only', 'cpus', '--repeat', '3', '--cpus', str(cpu))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual({case['runs'] for case in cases(done).values() if case['result'] != 'skip'}, {3})

    @unittest.skipUnless(advertised(), 'this kernel does not advertise FSGSBASE')
    def test_repeat_goes_on_after_a_skip(self):
        """If one run of a case skips, the suite still makes the other runs, and counts the runs that skip."""
        seen = cases(run('--json', '--only', '73[78]', '--repeat', '3', wrapper=[WITHOUT, 'modify_ldt', '--']))
        for case in seen.values():
            self.assertEqual((case['result'], case['runs'], case['skipped_runs']), ('skip', 3, 3))
        # Without --risky, a risky case skips once and is not repeated.
        seen = cases(run('--json', '--only', '541', '--repeat', '3'))
        self.assertEqual(seen[541]['runs'], 1)

    @unittest.skipUnless(present(), 'the instructions do not run here')
    def test_descriptor_that_the_processor_does_not_see(self):
        """If the kernel accepts a descriptor, but the processor does not find it, the case skips: a load of its selector
        would fault."""
        seen = cases(run('--json', '--only', '33', wrapper=[WITHOUT, 'ldt-ignored', 'set_thread_area', '--']))
        self.assertEqual(seen[33]['result'], 'skip')
        self.assertIn('LSL finds no descriptor', seen[33]['note'])

    @unittest.skipUnless(present(), 'the instructions do not run here')
    def test_limit(self):
        """The suite ends a case that takes longer than the limit, and says so in the note. To exceed the limit, the test
        stops the case's process, which it finds as the leader of a process group."""
        with subprocess.Popen([SUITE, '--json', '--only', '129', '--repeat', '3', '--limit', '1'], text=True,
                              stdout=subprocess.PIPE) as suite:
            stopped = None
            while not stopped and suite.poll() is None:
                for child in Path(f'/proc/{suite.pid}/task/{suite.pid}/children').read_text(encoding='ascii').split():
                    with contextlib.suppress(ProcessLookupError):
                        if os.getpgid(int(child)) == int(child):
                            os.kill(int(child), signal.SIGSTOP)
                            stopped = child
            case, = json.loads(suite.communicate(timeout=20)[0])['cases']
        self.assertIn('stopped after 1 seconds', case['note'])

    def test_one_process(self):
        """With --no-fork, a case gives the same report as in its own process, apart from the time. Case 541 skips in
        both."""
        for number in (201, 541, 902):
            apart, here = (cases(run('--json', '--only', str(number), *more))[number] for more in ((), ('--no-fork',)))
            for case in (apart, here):
                del case['microseconds']
            self.assertEqual(apart, here)

    @unittest.skipUnless(shutil.which('gdb') and present(), 'gdb is not installed, or the instructions do not run here')
    def test_debugger(self):
        """The gdb command in doc/conformance.md stops before the case sets the bases, and shows the instruction under
        test. gdb then reaches the instruction, although the case has changed the FS base."""
        text = (SOURCE / 'doc/conformance.md').read_text(encoding='utf-8').replace('\\\n', '')
        command, = re.findall(r'^    (gdb -iex .* --args) \./fsgs-conformance (.*)$', text, re.M)
        *words, last = shlex.split(command[0])
        more = ['-ex', 'break *w->stub', '-ex', 'continue', '-ex', 'info registers rax']
        done = subprocess.run([*words, *more, last, SUITE, *command[1].split()], capture_output=True, text=True, input='k\n',
                              timeout=120, check=False)
        self.assertRegex(done.stdout, r'<window_stubs\+\d+>:\twrfsbase %rax', done.stderr)
        self.assertRegex(done.stdout, r'rax +0x8000000000000000', done.stderr)

    def test_risky_only_when_asked(self):
        seen = cases(run('--json', '--only', '*bad-selector'))
        self.assertEqual({case['result'] for case in seen.values()}, {'skip'})
        self.assertTrue(all(case['risky'] for case in seen.values()))

    def test_numbers(self):
        lines = [line.split('\t') for line in run('--list').stdout.splitlines()]
        numbers = [int(line[0]) for line in lines]
        self.assertEqual(numbers, sorted(set(numbers)))
        # A case keeps its number for ever. So lines may be added to conformance-numbers.txt, but not changed or removed.
        with open(TESTS / 'live/conformance-numbers.txt', encoding='utf-8') as file:
            pinned = [tuple(line.split()) for line in file if ' ring0/' not in line]
        self.assertEqual([(line[0], line[1]) for line in lines], pinned)
        self.assertEqual(len({line[1] for line in lines}), len(lines))

    def test_usage(self):
        for options in (['--no-such'], ['--only', 'no-such'], ['--repeat', '0'], ['--repeat', 'x'],
                        ['--repeat', '4294967297'], ['--cpus', '1-'], ['--tap', '--json'], ['--list', '--json'],
                        ['--cpus', '3-1'], ['word'], ['--no-fork'], ['--no-fork', '--only', '20?'],
                        ['--no-fork', '--only', '201', '--repeat', '2'], ['--limit', '0'], ['--limit', '1s'], ['--xml', 'html'], ['--xml', 'junit', '--tap']):
            done = run(*options)
            self.assertEqual((done.returncode, done.stdout), (64, ''), options)
        for option in ('--', '--cpus=', '--only=', '--xml=', ''):
            self.assertRegex(run(f'{option}\033[31m\n\u202ez').stderr, r'\Afsgs-conformance: .*\?\[31m\?\?z.*\n\Z', option)
            self.assertEqual(len(done.stderr.splitlines()), 1, options)

    def test_full_device(self):
        for options in (['--list'], ['--help'], ['--version'], ['--json', '--only', '1']):
            with open('/dev/full', 'w', encoding='utf-8') as full:
                done = subprocess.run([SUITE, *options], stdout=full, stderr=subprocess.PIPE, text=True,
                                      stdin=subprocess.DEVNULL, timeout=120)
            self.assertEqual(done.returncode, 3, options)
            self.assertIn('cannot write the output', done.stderr)


class Protocols(unittest.TestCase):
    @unittest.skipUnless(advertised(), 'this kernel does not advertise FSGSBASE')
    def test_ktap(self):
        done = run('--ktap')
        parsed = Ktap(done.stdout)
        totals = re.search(r'^# Totals: pass:(\d+) fail:(\d+) xfail:0 xpass:0 skip:(\d+) error:0$', done.stdout,
                           re.M)
        skipped = sum(1 for result in parsed.results if result[2])
        failures = sum(1 for result in parsed.results if result[0] == 'not ok')
        self.assertEqual([int(n) for n in totals.groups()],
                         [parsed.plan - skipped - failures, failures, skipped])

    def test_tap(self):
        Ktap(run('--tap', '--only', 'values').stdout, 'TAP version 13')

    @unittest.skipUnless(advertised(), 'this kernel does not advertise FSGSBASE')
    def test_diagnostics(self):
        """The diagnostic lines of a case come before its result in KTAP, and after it in TAP."""
        for form, version in (('--ktap', 'KTAP version 1'), ('--tap', 'TAP version 13')):
            text = run(form, '--only', '2[0-3]?', wrapper=[MUTATE, 'gp-missing']).stdout
            parsed = Ktap(text, version)
            about = dict(zip((result[1].split()[0] for result in parsed.results), parsed.diagnostics))
            self.assertTrue(any('write of 0x8000000000000000: expected #GP' in line for line in about['201']))
            self.assertTrue(any(line.startswith('measured: 0x800000000000') for line in about['223']))
            self.assertEqual(about['231'], [])
            with self.assertRaises(AssertionError):
                Ktap(text.replace(version, 'KTAP version 1' if form == '--tap' else 'TAP version 13'),
                     'KTAP version 1' if form == '--tap' else 'TAP version 13')

    def test_parser_is_strict(self):
        for text in ('KTAP version 1\n1..1\nok 2 - a\n', 'KTAP version 1\n1..2\nok 1 - a\n',
                     'KTAP version 1\n1..1\nok 1 - a\nnoise\n', 'TAP version 13\n1..1\nok 1 - a\n',
                     'KTAP version 1\n1..1\nok 1 - a', 'KTAP version 1\n1..1\nnot ok 1 - a\n# Totals: \n',
                     'KTAP version 1\n1..1\nok 1 - a\n# of nothing\n# Totals: \n'):
            with self.assertRaises(AssertionError):
                Ktap(text)

    def test_junit(self):
        """The XML is well formed, its totals match its cases, and each failure and each skip has a reason."""
        done = run('--xml', 'junit', '--only', 'faults', wrapper=[MUTATE, 'gp-missing'])
        suite, = ElementTree.fromstring(done.stdout)
        found = {case.get('name').split()[0]: case for case in suite.findall('testcase')}
        listed = [line.split('\t')[0] for line in run('--list', '--only', 'faults').stdout.splitlines()]
        self.assertEqual(sorted(found), sorted(listed))
        self.assertEqual(int(suite.get('tests')), len(listed))
        for what, count in (('failure', 'failures'), ('skipped', 'skipped')):
            those = [case.find(what) for case in found.values() if case.find(what) is not None]
            self.assertEqual(len(those), int(suite.get(count)))
            self.assertTrue(all(element.get('message') for element in those))
        self.assertEqual(done.returncode, 1 if int(suite.get('failures')) else 4)
        if present():
            failure = found['201'].find('failure')
            self.assertIn('expected #GP', failure.get('message'))
            self.assertIn('SDM vol. 2', failure.text)

    @unittest.skipUnless(shutil.which('prove'), 'prove is not installed')
    @unittest.skipUnless(advertised(), 'this kernel does not advertise FSGSBASE')
    def test_prove(self):
        with tempfile.TemporaryDirectory() as directory:
            script = os.path.join(directory, 'conformance.t')
            # gp-missing makes cases fail. Where the instructions do not run, all cases skip instead, and prove passes.
            for wrapper, passes in (('', True), (f'{MUTATE} gp-missing', not present())):
                with open(script, 'w', encoding='utf-8') as file:
                    file.write(f'exec {wrapper} {SUITE} --tap --only faults\n')
                done = subprocess.run(['prove', '--exec', 'sh', script], capture_output=True, text=True,
                                      timeout=60)
                self.assertEqual(done.returncode == 0, passes, done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which('prove') and shutil.which('qemu-x86_64'), 'prove or qemu-user is missing')
    def test_prove_without_the_feature(self):
        with tempfile.TemporaryDirectory() as directory:
            script = os.path.join(directory, 'conformance.t')
            with open(script, 'w', encoding='utf-8') as file:
                file.write(f'exec qemu-x86_64 -cpu Nehalem {SUITE} --tap\n')
            done = subprocess.run(['prove', '--exec', 'sh', script], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for form, status in (('--tap', 0), ('--ktap', 4), ('--json', 4)):
            done = run(form, wrapper=['qemu-x86_64', '-cpu', 'Nehalem'])
            self.assertEqual(done.returncode, status, form)


class Machines(unittest.TestCase):
    @unittest.skipUnless(shutil.which('qemu-x86_64'), 'qemu-user is not installed')
    def test_qemu_user(self):
        done = run('--json', wrapper=['qemu-x86_64', '-cpu', 'max'])
        found = failed(done)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(CANONICAL - found, set(), 'the missing #GP must be found')
        self.assertEqual(found - QEMU_USER, set(), 'nothing else is known to deviate')
        for number in found:
            self.assertIn('qemu', cases(done)[number]['known'].lower(), number)

    @unittest.skipUnless(shutil.which('qemu-x86_64'), 'qemu-user is not installed')
    def test_processor_cannot_steer_a_terminal(self):
        """The host chooses the processor's name. Control characters in the name must not reach the output."""
        for form in ([], ['--json'], ['--xml', 'junit']):
            done = run('--only', '1', *form, wrapper=['qemu-x86_64', '-cpu', 'max,model-id=a\033[31m\n\u202ez'])
            self.assertEqual(done.returncode, 0, form)
            self.assertIn('a?[31m??z', done.stdout, form)

    @unittest.skipUnless(shutil.which('qemu-x86_64'), 'qemu-user is not installed')
    def test_without_the_feature(self):
        for model in ('Nehalem', 'qemu64', 'Haswell,-fsgsbase'):
            done = run('--json', wrapper=['qemu-x86_64', '-cpu', model])
            self.assertEqual(done.returncode, 4, model)
            self.assertEqual({case['result'] for case in cases(done).values()}, {'skip'}, model)
            self.assertTrue(all(case['note'] for case in cases(done).values()))

    @unittest.skipUnless(shutil.which('valgrind'), 'valgrind is not installed')
    def test_valgrind(self):
        done = run('--json', wrapper=['valgrind', '-q'])
        self.assertEqual(failed(done), {239})
        self.assertIn('si_code', cases(done)[239]['what'])
        self.assertEqual({case['result'] for number, case in cases(done).items() if number != 239}, {'skip'})

    def test_one_instruction_that_faults(self):
        """If WRGSBASE faults, cases 702 and 706, which execute it, fail and report the signal. They must not blame system
        calls or skip. Case 1, which only reads FS, passes."""
        if not LAUNCH:
            self.skipTest('this build has no launcher (libzydis-dev)')
        for fault, signal in (('ud', 'signal 4'), ('gp', 'signal 11')):
            wrapper = [LAUNCH, f'--insn=wrgsbase:{fault}', '--everywhere', '--']
            seen = {number: case for only in ('1', '70[26]')
                    for number, case in cases(run('--json', '--only', only, wrapper=wrapper)).items()}
            for number in (702, 706):
                self.assertEqual(seen[number]['result'], 'fail', seen)
                self.assertIn(signal, seen[number]['seen'], seen)
            self.assertEqual(seen[1]['result'], 'pass', seen)


@unittest.skipUnless(CONFINE and advertised(), 'this kernel does not advertise FSGSBASE, or has no filters')
class Sandboxed(unittest.TestCase):
    """If a sandbox refuses arch_prctl, or a kernel does not know AT_HWCAP2, the suite must not report deviations."""

    def test_refused_arch_prctl(self):
        for how, reason in (('eperm', 'not permitted'), ('enosys', 'not implemented'), ('trap', 'ends the calling process')):
            done = run('--json', wrapper=[CONFINE, f'arch_prctl={how}', '--'])
            self.assertEqual((failed(done), done.returncode), (set(), 0), how)
            words = {number: (case['result'], case['note']) for number, case in cases(done).items()}
            # Cases about arch_prctl skip. Cases that need only some base pass without the call.
            for number in (401, 416, 418, 430):
                self.assertEqual(words[number][0], 'skip', how)
                self.assertIn(reason, words[number][1], how)
            for number in (*range(1, 33), 213, 215, 231, 801):
                self.assertEqual(words[number][0], 'pass', how)


    def test_unaware_kernels(self):
        """Linux has AT_HWCAP2 since 4.11. Where it is missing in a later release, an emulator runs the suite, and all
        cases run. A kernel of an earlier or unreadable release may be genuine. Cases that could crash such a kernel
        skip."""
        if not LAUNCH:
            self.skipTest('this build has no launcher (libzydis-dev)')
        for release, asked in (('6.1.0-13-amd64', True), ('4.11.0', True), ('4.10.17', False),
                               ('4.4.0-210-generic', False), ('3.10.0-1160.el7.x86_64', False), ('x', False)):
            # The launcher can trace 32 processes at most, and each case is a process, so only a few cases run.
            done = run('--json', '--only', '1[124][78]',
                       wrapper=[LAUNCH, '--hwcap2=absent', '--everywhere', f'--uname=release:{release}', '--'])
            seen = cases(done)
            for number in (118, 128, 148):
                self.assertEqual(seen[number]['result'], 'pass' if asked else 'skip', (release, number))
            self.assertEqual({seen[number]['result'] for number in (117, 127, 147)}, {'pass'}, release)


class Without(unittest.TestCase):
    """Runs of the suite in which a system call fails or is missing."""

    @unittest.skipUnless(advertised(), 'this kernel does not advertise FSGSBASE')
    def test_no_ldt(self):
        """Without an LDT, cases about the LDT skip, with the reason. Cases for which any descriptor will do use one for
        TLS, made by set_thread_area, and skip if that is missing, too."""
        def words(*what):
            done = run('--json', wrapper=[WITHOUT, *what, '--'])
            self.assertEqual(failed(done), set(), what)
            return {number: (case['result'], case['note']) for number, case in cases(done).items()}

        needs_any = {33, 247, 251, 328, 525, 557, 563, 743, 752}
        without = words('modify_ldt')
        for number in needs_any:
            self.assertEqual(without[number], ('pass', 'with a TLS descriptor, because modify_ldt is not available'), number)
        for number in (311, 319, 613, 737):
            self.assertEqual(without[number][0], 'skip', number)
            self.assertIn('modify_ldt', without[number][1])
        without = words('modify_ldt', 'set_thread_area')
        for number in needs_any:
            self.assertEqual(without[number][0], 'skip', number)
            self.assertIn('neither modify_ldt nor set_thread_area', without[number][1])

    def test_no_process(self):
        for options in (['--json'], ['--tap'], []):
            done = run(*options, wrapper=[WITHOUT, 'fork', '--'])
            self.assertEqual((done.returncode, done.stdout), (3, ''), options)
            self.assertIn('no child process can be created', done.stderr)


@unittest.skipUnless(CONFINE and shutil.which('linux.uml'), 'user-mode Linux is not installed')
@unittest.skipUnless(advertised(), 'this kernel does not advertise FSGSBASE, so it may lose the bases of user-mode Linux')
class UserMode(unittest.TestCase):
    def test_user_mode_linux(self):
        """User-mode Linux breaks many rules. Each line "known of" of the output must name user-mode Linux."""
        there = machine.user_mode_linux(CONFINE, os.environ['INIT'], os.environ['STATIC'], ['--tap'], timeout=100)
        text, status = there.section('fsgs-conformance-static')
        self.assertEqual(status, 1)
        # In user-mode Linux, the FS cases 557, 561 and 766 fail, and the GS case 562 passes.
        self.assertRegex(text, r'not ok \d+ - 561 ')
        self.assertRegex(text, r'\nok \d+ - 562 ')
        self.assertRegex(text, r'not ok \d+ - 557 ')
        self.assertRegex(text, r'not ok \d+ - 766 ')
        known = re.findall(r'^# known of: (.*)', text, re.M)
        self.assertGreater(len(known), 50)
        self.assertEqual([words for words in known if 'user-mode Linux' not in words], [])


@unittest.skipUnless(CONFINE and shutil.which('qemu-system-x86_64'), 'QEMU is not installed')
class Risky(unittest.TestCase):
    """The cases that may crash a defective kernel pass on a distribution's kernel in an emulated machine."""

    def test_risky(self):
        try:
            kernel = machine.kernel(os.environ['KERNELS'])
        except machine.Unavailable as reason:
            self.skipTest(str(reason))
        # Case 777 uses SYSENTER in 64-bit code, which only Intel supports. Case 778 uses SYSCALL in 32-bit code: only AMD.
        for cpu, skipped in (('EPYC', {777}), ('Haswell', {778})):
            with tempfile.TemporaryDirectory() as folder:
                initrd = machine.initrd(os.path.join(folder, 'initrd'), [
                    ('/init', os.environ['INIT']), ('/suite', os.environ['STATIC'])])
                there = machine.boot(kernel, initrd=initrd, cpu=cpu, timeout=80, until=r'=== end \S+ status=\d+\n',
                                     append='console=ttyS0 panic=-1 quiet fsgs.run=/suite '
                                            'fsgs.args=--tap,--risky,--only,[57][4-7]?')
            text, status = there.section('suite')
            self.assertEqual(status, 0, text)
            seen = {int(number): skip for number, skip in re.findall(r'^ok \d+ - (\d+) \S+(.*)$', text, re.M)}
            self.assertEqual({number for number in (541, 542, 555, 556, 776, 777, 778) if seen[number]}, skipped)


class Foreign(unittest.TestCase):
    """The code in the object file FOREIGN runs while FS and GS have foreign bases. Only functions that test the segments
    may access memory through them."""

    @unittest.skipUnless(shutil.which('objdump') and shutil.which('nm'), 'binutils are not installed')
    def test_code(self):
        text = subprocess.run(['objdump', '-d', FOREIGN], capture_output=True, text=True, check=True,
                              timeout=60).stdout
        # The functions listed below test the segments, so they may use FS and GS.
        function, places = None, set()
        for line in text.splitlines():
            if match := re.match(r'[0-9a-f]+ <(\w+)>:', line):
                function = match[1]
            if re.search(r'%[fg]s:', line):
                places.add(re.sub(r'_(fs|gs)_(at|on)$', '', function))
        self.assertLessEqual(places, {'look', 'foreign_window', 'in_child', 'in_changing_child', 'event_lea',
                                      'event_load', 'event_addr32', 'event_store'})
        self.assertNotRegex(text, r'%[xyz]mm')
        undefined = subprocess.run(['nm', '-u', FOREIGN], capture_output=True, text=True, check=True,
                                   timeout=60).stdout
        self.assertLessEqual(set(re.findall(r'U (\w+)', undefined)),
                             {'foreign_clone', 'window_back', 'window_end', 'window_enter', 'window_stubs'})


if __name__ == '__main__':
    parts.run()
