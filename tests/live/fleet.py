# SPDX-License-Identifier: MIT
"""fleet.py CLASS: tests that each output of the command can be read by the program for which it is meant."""

import copy
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from support import parts, run

COMMAND = os.environ['FSGSCHECK']
STATIC = os.environ['FSGSCHECK_STATIC']
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FLEET = os.path.join(ROOT, 'examples', 'fleet')
SCHEMA = os.path.join(ROOT, 'doc', 'fsgscheck.schema.json')
CRASH = os.path.join(ROOT, 'tests', 'machines', 'logs', 'lie-6.1-cloud.log')
CPUINFO = os.path.join(ROOT, 'tests', 'live', 'logs', 'cpuinfo-epyc-7281.txt')


def needs(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    return unittest.skipIf(missing, f'not installed: {" ".join(missing)}')


def fsgscheck(*options):
    return run(COMMAND, *options).stdout


def wait_for(what, seconds=40):
    """Calls what() until it returns a true value, and returns that value. After the time limit, raises an AssertionError
    with the last error."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = what()
            if found:
                return found
            trouble = 'not so'
        except (OSError, ValueError, KeyError, IndexError) as error:
            trouble = error
        if time.monotonic() > end:
            raise AssertionError(f'{what}: {trouble}')
        time.sleep(0.1)


class Tap(unittest.TestCase):
    @needs('prove')
    def test_prove(self):
        done = run('prove', '--exec', '', os.path.join(FLEET, 'fsgscheck.t'),
                   env={**os.environ, 'FSGSCHECK': COMMAND})
        self.assertEqual(done.returncode == 0, run(COMMAND).returncode == 0, done.stdout + done.stderr)
        self.assertNotIn('Parse errors', done.stdout)

    @needs('prove')
    def test_prove_without_a_trial(self):
        for options in ('--tap', '--tap --no-trial'):
            with tempfile.TemporaryDirectory() as folder:
                script = os.path.join(folder, 'fsgscheck.sh')
                with open(script, 'w', encoding='utf-8') as file:
                    file.write(f'exec {COMMAND} {options}\n')
                done = run('prove', '--exec', 'sh', script)
            self.assertEqual(done.returncode == 0, json.loads(fsgscheck('--json'))['verdict'] == 'usable',
                             done.stdout + done.stderr)

    @needs('prove', 'qemu-x86_64')
    def test_prove_fails(self):
        """prove reports a failure on a processor without the instructions."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'command')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(f'#!/bin/sh\nexec qemu-x86_64 -cpu Nehalem {STATIC} "$@"\n')
            os.chmod(path, 0o755)
            done = run('prove', '--exec', '', os.path.join(FLEET, 'fsgscheck.t'),
                       env={**os.environ, 'FSGSCHECK': path})
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn('Result: FAIL', done.stdout)
        self.assertNotIn('Parse errors', done.stdout)


def read_json(path):
    with open(path, encoding='utf-8') as file:
        return json.load(file)


class Json(unittest.TestCase):
    """The command's JSON conforms to the published schema. schema.jq and, if installed, jsonschema check this."""

    def documents(self):
        for options in ((), ('--all-cpus', '--survival'), ('--no-trial',)):
            yield fsgscheck('--json', *options)
        yield fsgscheck('explain', '--json', CRASH)
        yield fsgscheck('explain', '--json', CPUINFO, CRASH)
        yield fsgscheck('explain', '--json', '/dev/null')
        if shutil.which('qemu-x86_64'):
            yield run('qemu-x86_64', '-cpu', 'Nehalem', STATIC, '--json').stdout

    def changes(self, good):
        """Yields documents that break the schema in one place each, and the path of this place."""
        for path, value in ((('verdict',), 'fine'), (('schema',), 2), (('findings',), ['no-such']),
                            (('cpuid', 'family'), -1), (('cpuid', 'vendor'), 7), (('more',), 1),
                            (('trials', 'rdfsbase', 'outcome'), None), (('hwcap2', 'fsgsbase'), 'yes'),
                            (('access', 'gs'), 'both'), (('kernel', 'more'), 'x'), (('advice',), []),
                            (('reason',), None)):
            bad = copy.deepcopy(good)
            at = bad
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
            yield path, bad
        for key in list(good):
            bad = copy.deepcopy(good)
            del bad[key]
            yield (key,), bad

    def jq(self, document):
        done = run('jq', '--slurpfile', 'schema', SCHEMA, '-f', os.path.join(HERE, 'schema.jq'),
                   input=document)
        self.assertEqual(done.stderr, '')
        return json.loads(done.stdout)

    @needs('jq')
    def test_jq(self):
        for document in self.documents():
            self.assertEqual(self.jq(document), [], document)
        for path, bad in self.changes(json.loads(fsgscheck('--json'))):
            self.assertEqual(self.jq(json.dumps(bad)), ['.' + '.'.join(path) + ('[0]' if path == ('findings',)
                             and 'findings' in bad else '')], path)

    @needs('jq')
    def test_jq_selects(self):
        """jq's exit status can tell a test harness whether FSGSBASE is usable."""
        done = run('jq', '-e', '.verdict == "usable"', input=fsgscheck('--json'))
        self.assertEqual(done.returncode == 0, run(COMMAND).returncode == 0)

    def test_validator(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest('not installed: python3-jsonschema')
        schema = read_json(SCHEMA)
        jsonschema.Draft7Validator.check_schema(schema)
        validator = jsonschema.Draft7Validator(schema)
        for document in self.documents():
            self.assertEqual([e.message for e in validator.iter_errors(json.loads(document))], [])
        for path, bad in self.changes(json.loads(fsgscheck('--json'))):
            self.assertFalse(validator.is_valid(bad), path)

    def test_names(self):
        """The schema lists exactly the names in the Prometheus output, which has every name of the library."""
        text = fsgscheck('--prometheus')
        definitions = read_json(SCHEMA)['definitions']
        self.assertEqual(definitions['verdict']['enum'], re.findall(r'verdict="(.+?)"', text))
        self.assertEqual(definitions['findings']['items']['enum'], re.findall(r'finding="(.+?)"', text))
        self.assertEqual(list(read_json(SCHEMA)['properties']['trials']['properties']),
                         re.findall(r'insn="(.+?)"', text))


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Prometheus(unittest.TestCase):
    """The whole chain with the real programs, on loopback: the command, the textfile directory, the node exporter,
    Prometheus, and its alerts."""

    def start(self, name, *arguments):
        log = open(os.path.join(self.folder.name, f'{name}.log'), 'wb')
        child = subprocess.Popen([name, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def end():
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            log.close()
        self.addCleanup(end)

    def path(self, *names):
        return os.path.join(self.folder.name, *names)

    def ask(self, what, **query):
        url = f'http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(query)}'
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)['data']

    def value(self, query):
        return self.ask('query', query=query)['result'][0]['value'][1]

    def firing(self):
        return {a['labels']['alertname'] for a in self.ask('alerts')['alerts'] if a['state'] == 'firing'}

    def write(self, change=None):
        done = run(os.path.join(FLEET, 'fsgscheck-textfile'), self.path('text'),
                   env={**os.environ, 'FSGSCHECK': COMMAND})
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertEqual(os.listdir(self.path('text')), ['fsgscheck.prom'])
        prom = self.path('text', 'fsgscheck.prom')
        if change:
            with open(prom, encoding='utf-8') as file:
                text = change(file.read())
            with open(prom + '.new', 'w', encoding='utf-8') as file:
                file.write(text)
            os.replace(prom + '.new', prom)

    @needs('prometheus', 'prometheus-node-exporter')
    def test_alerts(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.mkdir(self.path('text'))
        exporter, self.port = free_port(), free_port()
        with open(self.path('prometheus.yml'), 'w', encoding='utf-8') as file:
            json.dump({'global': {'scrape_interval': '1s', 'evaluation_interval': '1s'},
                       'rule_files': [os.path.join(FLEET, 'fsgscheck.rules.yml')],
                       'scrape_configs': [{'job_name': 'node', 'static_configs': [
                           {'targets': [f'127.0.0.1:{exporter}']}]}]}, file)
        self.write(self.usable)
        self.start('prometheus-node-exporter', '--collector.disable-defaults', '--collector.textfile',
                   f'--collector.textfile.directory={self.path("text")}',
                   f'--web.listen-address=127.0.0.1:{exporter}')
        self.start('prometheus', f'--config.file={self.path("prometheus.yml")}',
                   f'--storage.tsdb.path={self.path("data")}', f'--web.listen-address=127.0.0.1:{self.port}')

        wait_for(lambda: self.value('fsgscheck_verdict{verdict="usable"}') == '1')
        self.assertEqual(self.value('node_textfile_scrape_error'), '0')
        self.assertEqual(self.value('count(fsgscheck_verdict)'), str(len(self.names('verdict'))))
        self.assertEqual(self.value('count(fsgscheck_finding)'), str(len(self.names('finding'))))
        self.assertEqual(self.value('sum(fsgscheck_verdict)'), '1')
        wait_for(lambda: all(r['lastEvaluation'] > '0002' for g in self.ask('rules')['groups']
                             for r in g['rules']))
        self.assertEqual(self.firing(), set())

        self.write(self.broken)
        wait_for(lambda: self.firing() == {'FsgsbaseBroken'})
        self.write(self.differing)
        wait_for(lambda: self.firing() == {'FsgsbaseCpusDiffer', 'FsgsbaseNeedsAPerson'})
        self.write(self.usable)
        wait_for(lambda: self.firing() == set())

    @staticmethod
    def names(label):
        return re.findall(rf'^fsgscheck_\w+{{{label}="(.+?)"}}', fsgscheck('--prometheus'), re.MULTILINE)

    @staticmethod
    def set(text, metric, chosen):
        """Of a metric's series, sets those with a chosen label to 1, and the others to 0."""
        return re.sub(rf'^({metric}{{\w+="(.+?)"}}) \d$',
                      lambda m: f'{m[1]} {int(m[2] in chosen)}', text, flags=re.MULTILINE)

    def usable(self, text):
        return self.set(self.set(text, 'fsgscheck_verdict', ['usable']), 'fsgscheck_finding', [])

    def broken(self, text):
        return self.set(self.set(text, 'fsgscheck_verdict', ['broken']), 'fsgscheck_finding', ['insn-ud'])

    def differing(self, text):
        return self.set(self.set(text, 'fsgscheck_verdict', ['inconsistent']), 'fsgscheck_finding',
                        ['cpus-differ'])

    @needs('promtool')
    def test_promtool(self):
        done = run('promtool', 'check', 'rules', os.path.join(FLEET, 'fsgscheck.rules.yml'))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = run('promtool', 'test', 'rules', 'fsgscheck.rules.test.yml', cwd=FLEET)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = run('promtool', 'check', 'metrics', input=fsgscheck('--prometheus'))
        self.assertEqual((done.returncode, done.stderr), (0, ''))

    def test_textfile_fails(self):
        """If the command is missing, the script fails and leaves no file behind."""
        with tempfile.TemporaryDirectory() as folder:
            done = run(os.path.join(FLEET, 'fsgscheck-textfile'), folder,
                       env={**os.environ, 'FSGSCHECK': '/no/such/command'})
            self.assertEqual(done.returncode, 1)
            self.assertEqual(os.listdir(folder), [])

    def textfile(self, folder, command, **other):
        script = os.path.join(folder, 'command')
        with open(script, 'w', encoding='ascii') as file:
            file.write(f'#!/bin/sh\n{command}\n')
        os.chmod(script, 0o755)
        text = os.path.join(folder, 'text')
        os.mkdir(text)
        with open(os.path.join(text, 'fsgscheck.prom'), 'w', encoding='ascii') as file:
            file.write('old\n')
        return subprocess.Popen([os.path.join(FLEET, 'fsgscheck-textfile'), text], stderr=subprocess.PIPE,
                                env={**os.environ, 'FSGSCHECK': script}, **other)

    def assert_old(self, folder):
        self.assertEqual(os.listdir(os.path.join(folder, 'text')), ['fsgscheck.prom'])
        with open(os.path.join(folder, 'text', 'fsgscheck.prom'), encoding='ascii') as file:
            self.assertEqual(file.read(), 'old\n')

    def test_textfile_on_a_full_disk(self):
        """If the disk is full, the old file stays. A limit of 512 bytes on the size of files simulates a full disk."""
        with tempfile.TemporaryDirectory() as folder:
            script = f'{COMMAND} --prometheus; exit 3'
            child = self.textfile(folder, script, preexec_fn=lambda: (
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
                resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))))
            child.communicate(timeout=60)
            self.assertEqual(child.returncode, 74)
            self.assert_old(folder)

    def test_textfile_of_a_command_that_is_killed(self):
        with tempfile.TemporaryDirectory() as folder:
            child = self.textfile(folder, 'echo half; kill -9 $$')
            child.communicate(timeout=60)
            self.assertEqual(child.returncode, 1)
            self.assert_old(folder)

    def test_textfile_that_is_ended(self):
        """If SIGTERM ends the script, here while it moves the new file into place, the old file stays, and no temporary
        file."""
        with tempfile.TemporaryDirectory() as folder:
            slow = os.path.join(folder, 'bin')
            os.mkdir(slow)
            with open(os.path.join(slow, 'mv'), 'w', encoding='ascii') as file:
                file.write(f'#!/bin/sh\ntouch {folder}/moving\nsleep 1\nexit 1\n')
            os.chmod(os.path.join(slow, 'mv'), 0o755)
            path = f'{slow}:{os.environ["PATH"]}'
            os.environ['PATH'], before = path, os.environ['PATH']
            try:
                child = self.textfile(folder, f'exec {COMMAND} --prometheus')
            finally:
                os.environ['PATH'] = before
            wait_for(lambda: os.path.exists(os.path.join(folder, 'moving')))
            child.terminate()
            child.communicate(timeout=60)
            self.assertEqual(child.returncode, 143)
            self.assert_old(folder)


class Ansible(unittest.TestCase):
    """The script of the local fact, run alone, and the survey, run by Ansible. All hosts are this machine."""

    def fact(self, command):
        done = run(os.path.join(FLEET, 'fsgscheck.fact'), env={**os.environ, 'FSGSCHECK': command})
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return json.loads(done.stdout)

    def test_fact(self):
        self.assertEqual(self.fact(COMMAND)['verdict'], json.loads(fsgscheck('--json'))['verdict'])
        self.assertEqual(self.fact('/no/such/command')['verdict'], 'unknown')

    @needs('ansible-playbook')
    def test_survey(self):
        with tempfile.TemporaryDirectory() as folder:
            done, reports, merged = self.survey(folder)
        own = json.loads(fsgscheck('--json'))['verdict']
        wanted = {}
        for host, verdict in (('genuine', own), ('dead', 'broken'), ('bare', 'unknown'), ('mute', 'no verdict'),
                              ('list', "['usable']")):
            wanted.setdefault(verdict, []).append(host)
        found = re.search(r'"msg": ({.*?\n    })', done.stdout, re.DOTALL)
        self.assertTrue(found, done.stdout)
        self.assertEqual({v: sorted(h) for v, h in json.loads(found[1]).items()},
                         {v: sorted(h) for v, h in wanted.items()})
        self.assertEqual({h: r.get('verdict') for h, r in reports.items()},
                         {'genuine': own, 'dead': 'broken', 'bare': 'unknown', 'mute': None, 'list': ['usable']})
        self.assertEqual(merged.returncode, 2)
        self.assertRegex(merged.stdout, r'dead: FSGSBASE: broken')

    def survey(self, folder):
        dead = os.path.join(folder, 'dead')
        with open(dead, 'w', encoding='utf-8') as file:
            file.write(f'#!/bin/sh\nexec {COMMAND} explain --json {CRASH}\n')
        os.chmod(dead, 0o755)
        # Two hosts report no valid verdict. The survey must still list all hosts.
        for name, answer in (('mute', '{"schema": 1}'), ('list', '{"verdict": ["usable"]}')):
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
                file.write(f"#!/bin/sh\necho '{answer}'\n")
            os.chmod(os.path.join(folder, name), 0o755)
        reports = os.path.join(folder, 'reports')
        os.mkdir(reports)
        commands = {'genuine': COMMAND, 'dead': dead, 'bare': '/no/such/command',
                    'mute': os.path.join(folder, 'mute'), 'list': os.path.join(folder, 'list')}
        inventory = os.path.join(folder, 'inventory.yml')
        with open(inventory, 'w', encoding='utf-8') as file:
            json.dump({'all': {'hosts': {host: {
                'ansible_connection': 'local',
                'ansible_python_interpreter': '/usr/bin/python3',
                'ansible_remote_tmp': os.path.join(folder, 'remote', host),
                'fsgscheck_facts': os.path.join(folder, 'facts', host),
                'fsgscheck_environment': {'FSGSCHECK': command},
            } for host, command in commands.items()}}}, file)
        done = run('ansible-playbook', '-i', inventory, 'survey.yml', '-e', f'fsgscheck_reports={reports}',
                   cwd=FLEET, env={**os.environ, 'HOME': folder, 'ANSIBLE_LOCAL_TEMP': folder,
                                   'ANSIBLE_NOCOWS': '1', 'ANSIBLE_NOCOLOR': '1', 'LC_ALL': 'C.UTF-8'})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn('WARNING', done.stderr)
        paths = sorted(os.path.join(reports, name) for name in os.listdir(reports))
        return (done, {os.path.basename(p)[:-5]: read_json(p) for p in paths},
                run(COMMAND, 'explain', *paths))


if __name__ == '__main__':
    parts.run()
