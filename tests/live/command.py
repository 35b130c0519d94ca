# SPDX-License-Identifier: MIT
"""Tests the contract of the command fsgscheck: options, forms of output, exit statuses."""

import json
import os
import pty
import pwd
import re
import shutil
import subprocess
import tempfile
import termios
import unittest

from support import STATUS, advertised, parts

COMMAND = os.environ['FSGSCHECK']
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STATIC = os.environ['FSGSCHECK_STATIC']


def run(*options, command=COMMAND, **environment):
    return subprocess.run([command, *options], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, env={**os.environ, **environment})


class Json(unittest.TestCase):
    def test_keys(self):
        done = run('--json')
        report = json.loads(done.stdout)
        self.assertEqual(report['schema'], 1)
        for key in ('verdict', 'fs', 'gs', 'proof', 'findings', 'cpuid', 'hwcap2', 'cpuinfo_flag',
                    'trials', 'access', 'kernel', 'reason', 'advice', 'library'):
            self.assertIn(key, report)
        self.assertEqual(set(report['cpuid']), {'max_leaf', 'fsgsbase', 'vendor', 'brand', 'family', 'model',
                                                'stepping', 'hypervisor', 'hypervisor_build'})
        self.assertEqual(set(report['hwcap2']), {'present', 'fsgsbase'})
        self.assertEqual(list(report['trials']), ['rdfsbase', 'rdgsbase', 'wrfsbase', 'wrgsbase'])
        for trial in report['trials'].values():
            self.assertEqual(set(trial), {'outcome', 'signal', 'si_code'})
        self.assertEqual(set(report['access']), {'fs', 'gs'})
        self.assertEqual(report['kernel']['release'], os.uname().release)
        self.assertEqual(done.returncode, STATUS[report['verdict']])
        self.assertEqual(done.stderr, '')

    @unittest.skipUnless(advertised(), 'this kernel does not advertise FSGSBASE')
    def test_native(self):
        report = json.loads(run('--json').stdout)
        self.assertEqual(report['verdict'], 'usable')
        self.assertEqual(report['proof'], 'tried')
        self.assertEqual({t['outcome'] for t in report['trials'].values()}, {'ok'})
        self.assertEqual(report['access'], {'fs': 'instruction', 'gs': 'instruction'})

    def test_trial_refused(self):
        for options, environment in ((['--no-trial'], {}), ([], {'FSGSCHECK_TRIAL': '0'})):
            report = json.loads(run('--json', *options, **environment).stdout)
            self.assertEqual(report['proof'], 'advertised')
            self.assertEqual({t['outcome'] for t in report['trials'].values()}, {'not-tried'})

    def test_all_cpus(self):
        report = json.loads(run('--json', '--all-cpus', '--survival').stdout)
        self.assertEqual(sum(group['count'] for group in report['cpus']), len(os.sched_getaffinity(0)))
        # The command tests survival only if the kernel advertises the instructions: another kernel may lose a base.
        self.assertEqual(report.get('survival', {}).get('lost'), [] if advertised() else None)

    @unittest.skipIf(STATIC == COMMAND, 'a setuid program does not find its uninstalled library')
    @unittest.skipUnless(os.geteuid() == 0, 'making a setuid program takes root')
    def test_environment_ignored_with_privileges(self):
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            program = shutil.copy(STATIC, directory)
            os.chown(program, pwd.getpwnam('nobody').pw_uid, -1)
            os.chmod(program, 0o4755)
            report = json.loads(run('--json', command=program, FSGSCHECK_TRIAL='0').stdout)
            self.assertEqual(report['proof'], 'tried')


class Tap(unittest.TestCase):
    def test_form(self):
        lines = run('--tap', '--all-cpus').stdout.splitlines()
        self.assertEqual(lines[0], 'TAP version 13')
        plan = int(re.fullmatch(r'1\.\.(\d+)', lines[1])[1])
        tests = [line for line in lines if re.match(r'(not )?ok ', line)]
        self.assertEqual(len(tests), plan)
        for number, line in enumerate(tests, 1):
            self.assertRegex(line, rf'^(not )?ok {number} - ')
        for line in lines[2:]:
            self.assertRegex(line, r'^((not )?ok \d|# )')


class Prometheus(unittest.TestCase):
    def test_series(self):
        text = run('--prometheus').stdout
        verdict = json.loads(run('--json').stdout)['verdict']
        self.assertIn(f'fsgscheck_verdict{{verdict="{verdict}"}} 1\n', text)
        self.assertEqual(len(re.findall(r'^fsgscheck_verdict\{.*\} 1$', text, re.M)), 1)
        self.assertEqual(len(re.findall(r'^fsgscheck_insn_ok\{insn="\w+"\} [01]$', text, re.M)), 4)
        for metric in set(re.findall(r'^(\w+)', text, re.M)):
            self.assertIn(f'# HELP {metric} ', text)
            self.assertIn(f'# TYPE {metric} gauge', text)


class Human(unittest.TestCase):
    def test_one_screen(self):
        for options in ([], ['--all-cpus', '--survival'], ['--no-trial']):
            lines = run(*options).stdout.splitlines()
            self.assertRegex(lines[0], r'^FSGSBASE: \S+, \w')
            # Each finding adds a sentence, so the page may be longer if there are findings.
            if 'Findings' not in lines:
                self.assertLessEqual(len(lines), 24)
            self.assertLessEqual(max(map(len, lines)), 80)
            self.assertEqual([line for line in lines if line != line.rstrip()], [])

    def test_help_fits_a_terminal(self):
        for command in ([], ['explain'], ['run']):
            shown = run(*command, '--help')
            self.assertEqual(shown.returncode, 0)
            self.assertLessEqual(max(map(len, shown.stdout.splitlines())), 80, command)

    def test_narrow_terminal(self):
        """No line is wider than the terminal, except rows of the evidence: these do not wrap, and a processor's name may be
        long."""
        for columns in (40, 60, 80):
            lines = self.on_terminal(columns=columns, NO_COLOR='1').decode().replace('\r', '').splitlines()
            sentences = [line for line in lines if not re.match(r'  \S+ {2,}', line)]
            self.assertLessEqual(max(map(len, sentences)), columns)
        # If the width is 0 (unknown), below 40 or above 80, the command writes the same lines as into a pipe.
        for columns in (0, 5, 200):
            lines = self.on_terminal(columns=columns, NO_COLOR='1').decode().replace('\r', '').splitlines()
            self.assertEqual(lines, run().stdout.splitlines())

    def on_terminal(self, columns=80, **environment):
        try:
            reader, writer = pty.openpty()
        except OSError as error:
            self.skipTest(f'no terminal is available: {error}')
        termios.tcsetwinsize(writer, (24, columns))
        with subprocess.Popen([COMMAND], stdout=writer, stdin=subprocess.DEVNULL,
                              env={**os.environ, **environment}) as process:
            os.close(writer)
            text = b''
            while True:
                try:
                    text += (piece := os.read(reader, 4096))
                except OSError:
                    break
                if not piece:
                    break
            process.wait(30)
        os.close(reader)
        return text

    def test_colour(self):
        self.assertNotIn('\033', run().stdout)
        self.assertIn(b'\033[', self.on_terminal(NO_COLOR=''))
        self.assertNotIn(b'\033', self.on_terminal(NO_COLOR='1'))


class Usage(unittest.TestCase):
    def test_bad(self):
        for options in (['--nonsense'], ['-x'], ['operand'], ['--json', '--tap'], ['--json=1'],
                        ['--quiet', '--prometheus'], ['--all-cpus', '--', 'operand']):
            done = run(*options)
            self.assertEqual(done.returncode, 64, options)
            self.assertEqual(done.stdout, '')
            self.assertEqual(done.stderr.count('\n'), 1)
            self.assertIn('--help', done.stderr)

    def test_help_and_version(self):
        done = run('--help')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        for option in ('--json', '--tap', '--prometheus', '--quiet', '--all-cpus', '--survival',
                       '--no-trial'):
            self.assertIn(option, done.stdout)
        self.assertRegex(run('--version').stdout, r'^fsgscheck \d+\.\d+\.\d+\n$')

    def test_script_takes_the_callers_paths(self):
        """examples/run changes to its source tree, but its arguments are paths relative to the caller's directory."""
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, 'tree', 'examples'))
            os.makedirs(os.path.join(folder, 'tree', 'tests'))
            script = shutil.copy(os.path.join(SOURCE, 'examples', 'run'), os.path.join(folder, 'tree', 'examples'))
            with open(os.path.join(folder, 'tree', 'tests', 'install-packages.sh'), 'w', encoding='ascii') as file:
                file.write('install_packages() { :; }\nconfigure() { :; }\nninja() { :; }\n')
            os.makedirs(os.path.join(folder, 'here', 'own', 'examples', 'fsgscheck'))
            os.symlink(COMMAND, os.path.join(folder, 'here', 'own', 'examples', 'fsgscheck', 'fsgscheck'))
            for name, text in (('here', '{"schema": 1, "verdict": "usable"}'), ('tree', 'nothing')):
                with open(os.path.join(folder, name, 'log'), 'w', encoding='ascii') as file:
                    file.write(text)
            done = subprocess.run([script, 'explain', 'log'], cwd=os.path.join(folder, 'here'), text=True,
                                  env={**os.environ, 'FSGSCHECK_BUILD': 'own'}, capture_output=True, timeout=60)
            self.assertIn('FSGSBASE: usable', done.stdout, done.stderr)

    def test_quiet(self):
        done = run('--quiet')
        self.assertEqual((done.stdout, done.stderr), ('', ''))
        self.assertEqual(done.returncode, run().returncode)

    def test_output_cannot_be_written(self):
        for options in ([], ['--json'], ['--help']):
            with open('/dev/full', 'w', encoding='utf-8') as full:
                done = subprocess.run([COMMAND, *options], stdout=full, stderr=subprocess.PIPE, text=True,
                                      timeout=30)
            self.assertEqual(done.returncode, 3)
            self.assertIn('cannot write', done.stderr)


if __name__ == '__main__':
    parts.run()
