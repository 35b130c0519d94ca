# SPDX-License-Identifier: MIT
"""run.py CLASS: tests `fsgscheck run`. The command must not change what a program does, and must explain the program's
death if it dies at one of the four instructions."""

import json
import os
import pty
import pwd
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from support import parts

COMMAND = os.environ['FSGSCHECK']
STATIC = os.environ['FSGSCHECK_STATIC']
VICTIM = os.environ['VICTIM']
TELLER = os.environ['TELLER']
HERD = os.environ['HERD']
CONFINE = os.environ['CONFINE']
SYMBOLS = os.environ['SYMBOLS'] == '1'
RUN = [COMMAND, 'run']
NOBODY = pwd.getpwnam('nobody').pw_uid
BAD = '0x8000000000000000'  # not canonical on any processor
SECONDS = 30

# A Java program, and a C library for it, which executes WRGSBASE.
JAVA = '''class Victim {
    static native void call();
    public static void main(String[] library) { System.load(library[0]); call(); }
}
'''
JAVA_LIBRARY = f'''__attribute__((noinline)) static void set_base(unsigned long base)
{{
    __asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0xae, 0xdf" : : "D"(base));
}}
void Java_Victim_call(void *env, void *class)
{{
    (void)env, (void)class;
    set_base({BAD});
    __asm__ volatile("");
}}
'''


def execute(*command, **options):
    options = {'capture_output': True, 'text': True, 'timeout': SECONDS, 'stdin': subprocess.DEVNULL, **options}
    return subprocess.run(command, check=False, **options)


def run(*command, **options):
    return execute(*RUN, *command, **options)


def dies(insn):
    """Whether the instruction, with a base that is not canonical, kills a program here."""
    return execute(VICTIM, insn, BAD).returncode < 0


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        return [int(child) for child in file.read().split()]


def name(pid):
    with open(f'/proc/{pid}/comm', encoding='ascii') as file:
        return file.read().strip()


def status(pid, key):
    with open(f'/proc/{pid}/status', encoding='utf-8') as file:
        return re.search(rf'^{key}:\t(.*)$', file.read(), re.M)[1]


def running(*command):
    """The processes with this command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', encoding='utf-8', errors='replace') as file:
                found += [pid] if file.read() == '\0'.join(command) + '\0' else []
        except OSError:
            pass  # the process has ended
    return found


def until(condition):
    for turn in range(SECONDS * 50):
        if value := condition():
            return value
        # The first polls are close together, so that the test's next step follows the event as soon as possible.
        time.sleep(0.0005 if turn < 40 else 0.02)
    raise AssertionError('it did not happen')


class Started:
    """Starts a program under `fsgscheck run`, and waits for the program's first line. `front` is the process that the
    caller started; its children are the tracer and the program."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen([*RUN, *command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                        text=True, **options)
        self.first = self.process.stdout.readline()
        self.front = self.process.pid
        self.tracer = next(pid for pid in children(self.front) if name(pid).startswith('fsgscheck'))
        self.program = next(pid for pid in children(self.front) if pid != self.tracer)

    def end(self):
        rest = self.process.stdout.read()
        self.process.wait(SECONDS)
        self.process.stdout.close()
        return rest

    def state(self):
        return status(self.program, 'State')[0]


# Commands that people often run. If you add one, its output must not depend on the time or on a process id.
ORDINARY = {
    'true': ['true'],
    'false': ['false'],
    'shell': ['sh', '-c', 'echo out; echo err >&2; exit 42'],
    'pipeline': ['bash', '-c', 'seq 1000 | sort -rn | head -3; echo "${PIPESTATUS[@]}"'],
    'shell that kills itself': ['sh', '-c', 'kill -TERM $$'],
    'job control': ['bash', '-c', 'set -m; sleep 30 & kill -STOP %1; kill -CONT %1; kill %1; wait %1; echo $?'],
    'trap': ['bash', '-c', 'trap "echo usr1" USR1; kill -USR1 $$; echo done'],
    'environment': ['env', '-i', 'A=b', 'env'],
    'descriptors': ['sh', '-c', 'ls /proc/self/fd | tr "\\n" " "'],
    'process group': ['python3', '-c', 'import os; print(os.getpgrp() == os.getpgid(os.getppid()), os.isatty(0))'],
    'mask': ['grep', '^Sig[BIC]', '/proc/self/status'],
    'python': ['python3', '-c', 'import subprocess; print(subprocess.run(["sh", "-c", "kill -9 $$"]).returncode)'],
    'multiprocessing': ['python3', '-c',
                        'from multiprocessing import Pool\nwith Pool(3) as p: print(p.map(abs, range(-5, 5)))'],
    'perl': ['perl', '-e', 'print join(",", map { $_ ** 2 } 1 .. 9), "\\n"; exit 3'],
    'node': ['node', '-e', 'require("child_process").execFile("sh", ["-c", "echo $((6 * 7)); exit 4"],'
             '(e, out) => { console.log(out, e.code); process.exit(9) })'],
    'java': ['java', '-version'],
    'go': ['go', 'version'],
    'make': ['make', '-j3', '-s', '-f', 'Makefile'],
    'gcc': ['gcc', '-O2', '-o', 'made', 'made.c'],
    'gdb': ['gdb', '-batch', '-nx', '-ex', 'run', '-ex', 'print $_exitcode', 'sh-script'],
    'strace': ['strace', '-f', '-e', 'trace=none', '-o', 'trace', 'sh', '-c', 'true; exit 6'],
    'vim': ['vim', '-e', '-s', '-u', 'NONE', '-c', 'normal ihello', '-c', 'wq! written'],
    'tmux': ['sh', '-c', 'tmux -S sock -f /dev/null new -d "sleep 30"; tmux -S sock ls -F "#{window_panes}";'
             'tmux -S sock kill-server; echo $?'],
    'sudo': ['sudo', '-n', '-u', 'nobody', 'id', '-un'],
    'timeout': ['timeout', '-s', 'INT', '0.2', 'sleep', '30'],
    'no such': ['sh', '-c', 'no-such-program'],
}


class Bounded(unittest.TestCase):
    """A test that would wait for ever fails instead."""

    def setUp(self):
        signal.signal(signal.SIGALRM, lambda *_: self.fail('it hangs'))
        signal.alarm(5 * SECONDS)
        self.addCleanup(signal.alarm, 0)


class Invisible(Bounded):
    def folder(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        files = {'made.c': '#include <stdio.h>\nint main(void) { puts("made"); return 0; }\n',
                 'Makefile': 'all: a b c\na b c:\n\t@sleep 0.05; echo made > $@\n'}
        for path, text in files.items():
            with open(os.path.join(folder, path), 'w', encoding='ascii') as file:
                file.write(text)
        os.symlink('/bin/true', os.path.join(folder, 'sh-script'))
        return folder

    def test_ordinary(self):
        for what, command in ORDINARY.items():
            if not shutil.which(command[0]):
                continue
            with self.subTest(what):
                seen = []
                for before in ([], RUN):
                    folder = self.folder()
                    done = execute(*before, *command, cwd=folder, env={**os.environ, 'HOME': folder})
                    # If a signal killed the program, returncode is -signal. `fsgscheck run` exits with 128 + signal.
                    code = 128 - done.returncode if done.returncode < 0 else done.returncode
                    seen.append((code, done.stdout, done.stderr,
                                 sorted(set(os.listdir(folder)) - {'trace', 'sock'})))
                # gdb prints the id of the process that it debugs.
                self.assertEqual(*(re.sub(r'process \d+', 'process', str(result)) for result in seen))

    def test_input_and_standard_error(self):
        done = run('sh', '-c', 'cat; echo no >&2', input='in\n', stdin=None)
        self.assertEqual((done.stdout, done.stderr, done.returncode), ('in\n', 'no\n', 0))

    def test_closed_output_ends(self):
        """When the program closes its output, the reader gets end-of-file at once, because the command keeps no copy of the
        descriptor."""
        started = time.monotonic()
        with subprocess.Popen([*RUN, 'sh', '-c', 'exec >/dev/null; sleep 2'], stdout=subprocess.PIPE) as process:
            process.stdout.read()
            self.assertLess(time.monotonic() - started, 1.9)

    def test_other_faults_add_nothing(self):
        done = run('python3', '-c', 'import ctypes; ctypes.string_at(0)')
        self.assertEqual((done.stdout, done.stderr, done.returncode), ('', '', 128 + signal.SIGSEGV))

    def test_own_command(self):
        self.assertEqual(run(COMMAND).stdout, execute(COMMAND).stdout)
        self.assertEqual(run(COMMAND).stderr, '')


class Contract(Bounded):
    def test_statuses(self):
        for command, expected in ((['sh', '-c', 'exit 5'], 5), (['sh', '-c', 'kill -9 $$'], 137),
                                  (['/no/such/program'], 127), (['no-such-program'], 127), (['/etc/passwd'], 126),
                                  (['/'], 126), (['--', 'sh', '-c', 'exit 3'], 3)):
            self.assertEqual(run(*command).returncode, expected, command)

    def test_usage(self):
        for options in ([], ['--'], ['--nonsense', 'true'], ['--json']):
            done = run(*options)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count('\n')), (64, '', 1), options)
        self.assertEqual(run('echo', '--json').stdout, '--json\n')
        self.assertEqual((run('--help').returncode, run('--help').stderr), (0, ''))
        with open('/dev/full', 'w', encoding='ascii') as full:
            self.assertEqual(run('--help', capture_output=False, stdout=full,
                                 stderr=subprocess.DEVNULL).returncode, 3)

    def test_messages_cannot_steer_a_terminal(self):
        strange = 'a\n\033[31m\x9b31m\u202ez'
        with tempfile.TemporaryDirectory() as folder:
            text = os.path.join(folder, strange)
            with open(text, 'w', encoding='ascii'):
                pass
            for command, expected in (([f'./{strange}'], 127), ([text], 126), ([f'--{strange}', 'true'], 64)):
                done = run(*command)
                self.assertEqual(done.returncode, expected, command)
                self.assertRegex(done.stderr, r'\Afsgscheck: .*a\?\?\[31m\?31m\?z.*\n\Z')
        done = execute('strace', '-f', '-o', '/dev/null', *RUN, f'./{strange}')
        self.assertRegex(done.stderr, r'\Afsgscheck: \./a\?\?\[31m\?31m\?z was not started: .*\n\Z')

    def test_traced_already(self):
        done = execute('strace', '-f', '-o', '/dev/null', *RUN, 'echo', 'ran')
        self.assertEqual((done.returncode, done.stdout), (3, ''))
        self.assertRegex(done.stderr, r'^fsgscheck: echo was not started: process \d+ traces .*--untraced-ok\n$')
        done = execute('strace', '-f', '-o', '/dev/null', *RUN, '--untraced-ok', 'sh', '-c', 'echo ran; exit 6')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (6, 'ran\n', ''))

    def test_refused_by_seccomp(self):
        for how in ('eperm', 'trap'):
            done = execute(CONFINE, f'ptrace={how}', '--', *RUN, 'echo', 'ran')
            self.assertEqual((done.returncode, done.stdout, done.stderr.count('\n')), (3, '', 1), how)
            self.assertIn('seccomp', done.stderr)
            done = execute(CONFINE, f'ptrace={how}', '--', *RUN, '--untraced-ok', 'echo', 'ran')
            self.assertEqual((done.returncode, done.stdout), (0, 'ran\n'), how)

    def test_no_room(self):
        """If the command reaches a resource limit, its message names the limits of the process, and not ptrace, as the
        cause."""
        limited = ['sh', '-c', 'ulimit -n 4; exec "$@"', 'sh', STATIC, 'run']
        done = execute(*limited, 'echo', 'ran')
        self.assertEqual((done.returncode, done.stdout, done.stderr.count('\n')), (3, '', 1))
        self.assertRegex(done.stderr, r'limits of this process .*: ulimit -a')
        done = execute(*limited, '--untraced-ok', 'echo', 'ran')
        self.assertEqual((done.returncode, done.stdout), (0, 'ran\n'))

    @unittest.skipUnless(os.geteuid() == 0, 'becoming another user takes root')
    def test_set_user_id(self):
        """The command refuses to start a set-user-id program that it cannot trace. A traced program may start such a
        program."""
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            command = shutil.copy(STATIC, folder)
            program = shutil.copy(shutil.which('id'), folder)
            os.chmod(program, 0o4755)
            done = execute(command, 'run', program, '-u', user=NOBODY)
            self.assertEqual((done.returncode, done.stdout), (3, ''))
            self.assertIn('set-user-id', done.stderr)
            done = execute(command, 'run', '--untraced-ok', program, '-u', user=NOBODY)
            self.assertEqual((done.returncode, done.stdout), (0, '0\n'))
            done = execute(command, 'run', 'sh', '-c', f'{program} -u; echo $?', user=NOBODY)
            self.assertEqual((done.stdout, done.stderr), ('0\n0\n', ''))
            self.assertEqual(run(program, '-u').stdout, '0\n')


class Signals(Bounded):
    def test_to_either(self):
        """A signal to the front process or to the program reaches the program with the sender's process id."""
        for to in ('front', 'program'):
            started = Started(TELLER)
            os.kill(getattr(started, to), signal.SIGUSR1)
            self.assertEqual(started.process.stdout.readline(), f'USR1 {os.getpid()}\n')
            os.kill(getattr(started, to), signal.SIGTERM)
            self.assertEqual(started.end(), f'TERM {os.getpid()}\n')
            self.assertEqual(started.process.returncode, 5)

    def test_to_the_group_once(self):
        started = Started(TELLER, start_new_session=True)
        os.killpg(started.front, signal.SIGRTMIN)
        time.sleep(0.5)
        os.killpg(started.front, signal.SIGTERM)
        self.assertEqual(started.end(), f'RTMIN {os.getpid()}\nTERM {os.getpid()}\n')

    def test_none_is_lost(self):
        started = Started(TELLER)
        for _ in range(1000):
            os.kill(started.program, signal.SIGRTMIN)
        for _ in range(1000):
            self.assertEqual(started.process.stdout.readline(), f'RTMIN {os.getpid()}\n')
        os.kill(started.program, signal.SIGTERM)
        self.assertEqual(started.end(), f'TERM {os.getpid()}\n')

    def test_stop_and_continue(self):
        started = Started(TELLER)
        for to in ('program', 'front') * 20:
            os.kill(started.program, signal.SIGSTOP)
            until(lambda: started.state() in 'tT')
            # The front process must stop, too, so that the caller's shell sees the stop.
            until(lambda: status(started.front, 'State')[0] == 'T')
            os.kill(getattr(started, to), signal.SIGCONT)
            self.assertIn('CONT', started.process.stdout.readline())
            until(lambda: status(started.front, 'State')[0] != 'T')
        os.kill(started.tracer, signal.SIGSTOP)
        until(lambda: status(started.tracer, 'State')[0] == 'T')
        os.kill(started.program, signal.SIGUSR1)
        os.kill(started.tracer, signal.SIGCONT)
        self.assertIn('USR1', started.process.stdout.readline())
        os.kill(started.program, signal.SIGTERM)
        started.end()
        self.assertEqual(started.process.returncode, 5)

    def test_stopped_for_a_moment(self):
        """The front process continues with the program, even if SIGCONT follows the stop within microseconds."""
        for stop in (signal.SIGSTOP, signal.SIGTSTP):
            started = Started(TELLER)
            for turn in range(2000):
                os.kill(started.program, stop)
                moment = time.monotonic() + turn % 250 / 1e6
                while time.monotonic() < moment:
                    pass
                os.kill(started.program, signal.SIGCONT)
                if turn % 10 == 0:
                    until(lambda: status(started.front, 'State')[0] != 'T')
            os.kill(started.front, signal.SIGTERM)
            self.assertIn(f'TERM {os.getpid()}\n', started.end())

    def test_first_thread_has_ended(self):
        """The front process stops and continues with the program even if the program's first thread has ended."""
        started = Started('python3', '-c', 'import ctypes, threading, time\n'
                          'threading.Thread(target=lambda: (print("ready", flush=True), time.sleep(60))).start()\n'
                          'ctypes.CDLL(None).pthread_exit(None)')
        until(lambda: started.state() == 'Z')
        os.kill(started.program, signal.SIGSTOP)
        until(lambda: status(started.front, 'State')[0] == 'T')
        os.kill(started.program, signal.SIGCONT)
        until(lambda: status(started.front, 'State')[0] != 'T')
        os.kill(started.program, signal.SIGKILL)
        started.end()
        self.assertEqual(started.process.returncode, 128 + signal.SIGKILL)

    def test_some_to_the_group(self):
        """A signal to the process group reaches the program itself, so the front process must not pass it on as well."""
        sent = [signal.SIGUSR1, signal.SIGRTMIN, signal.SIGCONT]
        started = Started(TELLER, start_new_session=True)
        for number in sent:
            os.killpg(started.front, number)
        time.sleep(0.5)
        os.killpg(started.front, signal.SIGTERM)
        names = [line.split()[0] for line in started.end().splitlines()]
        self.assertEqual(sorted(names), ['CONT', 'RTMIN', 'TERM', 'USR1'])

    def test_killed(self):
        started = Started(TELLER)
        os.kill(started.program, signal.SIGKILL)
        started.end()
        self.assertEqual(started.process.returncode, 128 + signal.SIGKILL)

    def test_program_outlives(self):
        """If the tracer or the front process is killed, the program lives on."""
        for to in ('tracer', 'front'):
            started = Started(TELLER)
            os.kill(getattr(started, to), signal.SIGKILL)
            until(lambda: status(started.program, 'TracerPid') == '0')
            os.kill(started.program, signal.SIGUSR1)
            self.assertIn('USR1', started.process.stdout.readline())
            os.kill(started.program, signal.SIGTERM)
            started.end()
            self.assertEqual(started.process.returncode, 5 if to == 'tracer' else -signal.SIGKILL)

    def test_daemon_outlives(self):
        started = Started('sh', '-c', 'sleep 60 >/dev/null 2>&1 & echo $!; sleep 0.5; exit 4')
        daemon = int(started.first)
        started.end()
        self.assertEqual(started.process.returncode, 4)
        self.assertEqual(until(lambda: status(daemon, 'TracerPid')), '0')
        self.assertNotIn(status(daemon, 'State')[0], 'tTZ')
        os.kill(daemon, signal.SIGKILL)


class Terminal(Bounded):
    """Job control by an interactive shell on a terminal."""

    def setUp(self):
        super().setUp()
        try:
            self.pid, self.terminal = pty.fork()
        except OSError as error:
            self.skipTest(f'no terminal is available: {error}')
        if self.pid == 0:
            os.execvpe('bash', ['bash', '--norc', '--noprofile', '-i'], {**os.environ, 'PS1': '$ ', 'TERM': 'dumb'})
        self.seen = ''
        self.wait_for(r'\$ $')

    def tearDown(self):
        os.write(self.terminal, b'\x03\nexit\nexit\n')
        os.close(self.terminal)
        os.waitpid(self.pid, 0)

    def wait_for(self, pattern):
        end = time.monotonic() + SECONDS
        while not re.search(pattern, self.seen):
            if time.monotonic() > end or not select.select([self.terminal], [], [], 5)[0]:
                if time.monotonic() > end:
                    raise AssertionError(f'no {pattern!r} in {self.seen!r}')
                continue
            self.seen += os.read(self.terminal, 4096).decode()

    def type(self, text, pattern):
        self.seen = ''
        os.write(self.terminal, text.encode())
        self.wait_for(pattern)

    def test_job_control(self):
        self.type(f"{COMMAND} run python3 -c 'print(11 * 11, flush=True); print(input() * 2)'\n", r'121\r\n')
        self.type('\x1a', r'Stopped.*\r\n\$ $')
        self.type('echo $((5 * 5))\n', r'\n25\r\n')
        self.type('fg\n', r'fsgscheck run .*\r\n')
        self.type('ab\n', r'abab\r\n\$ $')
        self.type('echo st $?\n', r'st 0')
        self.type(f'{COMMAND} run sleep 100\n', r'run sleep 100\r\n')
        until(lambda: running('sleep', '100'))
        self.type('\x03', r'\$ $')
        self.type('echo st $?\n', r'st 130')

    def test_shell_inside(self):
        self.type(f'PS1="inner "; export PS1; {COMMAND} run bash --norc --noprofile -i\n', r'(?m)^inner $')
        self.type('sleep 101\n', r'sleep 101\r\n')
        until(lambda: running('sleep', '101'))
        self.type('\x1a', r'Stopped')
        self.type('kill %1; fg\n', r'Terminated|sleep')
        self.type('echo $((3 * 3))\n', r'\n9\r\n')
        self.type('exit 3\n', r'exit\r\n')
        self.type('echo st $?\n', r'st 3')


class Torture(Bounded):
    def test_herds(self):
        for what in ('threads', 'children'):
            done = run(HERD, what, '1000', timeout=4 * SECONDS)
            self.assertEqual((done.stdout, done.stderr, done.returncode),
                             (f'{sum(i % 256 for i in range(1000))}\n', '', 0), what)

    def test_orphans_are_reaped(self):
        """Orphans of the traced program end as usual: no process with their command line remains."""
        mark = f'orphan-{os.getpid()}'
        done = run('bash', '-c', f'for i in $(seq 50); do (exec -a {mark} sleep 0.1 &) ; done; sleep 0.5; echo done')
        self.assertEqual(done.stdout, 'done\n')
        until(lambda: not running(mark, '0.1'))


@unittest.skipUnless(dies('wrgsbase'), 'no instruction ends a program here')
class Deaths(Bounded):
    def death(self, *arguments):
        done = run('--json', VICTIM, 'wrgsbase', BAD, *arguments)
        return json.loads(done.stderr) if done.stderr else None, done.returncode

    def test_handlers(self):
        """The command reports only a death by the fault: it prints nothing if a handler jumps out or exits with status
        0."""
        plain = execute(VICTIM, 'wrgsbase', BAD).returncode
        expected = {'plain': 128 - plain, 'jump': None, 'late': None, 'quiet': None, 'exit': 2, 'abort': 134,
                    'stack': 134, 'again': 128 - plain, 'raise': 128 - plain, 'blocked': 128 - plain,
                    'ignored': 128 - plain, 'thread': 128 - plain, 'child': 100 - plain, 'vfork': 100 - plain,
                    'last': 128 - plain, 'last-abort': 134}
        for how, code in expected.items():
            with self.subTest(how):
                death, returncode = self.death(how)
                self.assertEqual(returncode, code if code else {'jump': 7, 'late': 134, 'quiet': 0}[how])
                self.assertEqual(death is not None, code is not None)
                if death:
                    self.assertEqual(death['run']['instruction'], 'wrgsbase')
                    self.assertEqual(death['run']['handled'],
                                     how in ('exit', 'abort', 'stack', 'raise', 'last-abort'))
                    self.assertEqual(death['run']['module'], VICTIM)
                    self.assertEqual(death['run']['symbol'], 'execute' if SYMBOLS else None)

    def test_json(self):
        death, _ = self.death()
        here = json.loads(execute(COMMAND, '--json').stdout)
        self.assertEqual((death['schema'], death['verdict']), (1, here['verdict']))
        self.assertEqual(death['run']['operand'], 'rdi')
        self.assertEqual(death['run']['value'], BAD)
        self.assertEqual(death['run']['code'], 'f3 48 0f ae df')
        self.assertEqual(death['run']['mode'], 64)
        self.assertEqual(death['run']['module'], VICTIM)
        if SYMBOLS:
            self.assertEqual(death['run']['symbol'], 'execute')
            self.assertEqual(death['run']['caller']['symbol'], 'call')
            self.assertRegex(death['run']['source'], r'^victim\.c:\d+$')

    def test_page(self):
        text = run(VICTIM, 'wrgsbase', BAD).stderr
        self.assertRegex(text, r'\Afsgscheck: \S+ \(process \d+\) died of SIG(SEGV|ILL) at wrgsbase\n\n')
        self.assertIn(f'{VICTIM}+0x', text)
        self.assertIn('\nWhat to do\n', text)
        self.assertLessEqual(max(map(len, text.splitlines())), max(80, len(VICTIM) + 30))

    def test_closed_descriptors(self):
        """If the caller has closed descriptor 0 or 1, it is closed in the program, too, and the command still prints the
        page."""
        for closed in ('<&-', '>&-', '<&- >&-'):
            start = ['sh', '-c', f'exec "$@" {closed}', 'sh']
            self.assertIn('What to do', execute(*start, *RUN, VICTIM, 'wrgsbase', BAD).stderr, closed)
            listing = ['sh', '-c', 'ls /proc/$$/fd >&2']
            self.assertEqual(execute(*start, *RUN, *listing).stderr, execute(*start, *listing).stderr, closed)

    @unittest.skipUnless(execute('unshare', '-m', 'true').returncode == 0, 'no mount namespace is available')
    def test_other_root(self):
        """In another mount namespace, the command reads the file that the program sees at a path, and not the command's
        own."""
        with tempfile.TemporaryDirectory() as folder:
            path = shutil.copy(shutil.which('true'), folder)
            script = f'mount --bind {VICTIM} {path}; exec {path} wrgsbase {BAD}'
            done = run('--json', 'unshare', '-m', 'sh', '-c', script)
            found = json.loads(done.stderr)['run']
            self.assertEqual((found['module'], found['symbol'], found['caller']['symbol']),
                             (path, *(('execute', 'call') if SYMBOLS else (None, None))))

    def test_trace_lists_handled_faults(self):
        done = run('--trace', VICTIM, 'wrgsbase', BAD, 'jump')
        self.assertRegex(done.stderr, r'\Afsgscheck: \S+ \(process \d+\) handles SIG\w+ at wrgsbase, .*\n\Z')
        self.assertEqual(done.returncode, 7)

    def test_same_death_is_one_line(self):
        done = run('sh', '-c', f'{VICTIM} wrgsbase {BAD}; {VICTIM} wrgsbase {BAD}; true')
        self.assertEqual(done.stderr.count('What to do'), 1)
        self.assertEqual(len(re.findall('^fsgscheck: ', done.stderr, re.M)), 2)

    def test_stripped_and_debug_file(self):
        with tempfile.TemporaryDirectory() as folder:
            stripped, debug = os.path.join(folder, 'stripped'), os.path.join(folder, 'separate')
            for command in (['objcopy', '--only-keep-debug', VICTIM, debug], ['strip', '-o', stripped, VICTIM]):
                subprocess.run(command, check=True)
            found = json.loads(run('--json', stripped, 'wrgsbase', BAD).stderr)['run']
            self.assertEqual((found['module'], found['symbol']), (stripped, None))
            subprocess.run(['objcopy', f'--add-gnu-debuglink={debug}', stripped], check=True)
            found = json.loads(run('--json', stripped, 'wrgsbase', BAD).stderr)['run']
            self.assertEqual(found['symbol'], 'execute' if SYMBOLS else None)

    @unittest.skipUnless(shutil.which('gcc'), 'gcc is not installed')
    def test_threads_of_a_program_that_may_trace(self):
        """If a program imports ptrace(), it may trace its children itself, so the command traces its threads only."""
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'victim.c')
        with tempfile.TemporaryDirectory() as folder:
            imports, path = os.path.join(folder, 'imports.c'), os.path.join(folder, 'tracer')
            with open(imports, 'w', encoding='ascii') as file:
                file.write('#include <sys/ptrace.h>\nextern __typeof__(ptrace) *const keep;\n'
                           '__typeof__(ptrace) *const keep = ptrace;\n')
            subprocess.run(['gcc', '-O1', '-pthread', '-o', path, source, imports], check=True)
            for how, told in (('plain', 1), ('thread', 1), ('last', 1), ('last-abort', 1), ('child', 0), ('vfork', 0)):
                done = run(path, 'wrgsbase', BAD, how)
                self.assertEqual(done.stderr.count('What to do'), told, how)
                self.assertEqual(done.returncode, run(VICTIM, 'wrgsbase', BAD, how).returncode, how)

    def test_debug_link_to_no_file(self):
        """The program chooses the name of its debug file. If that file is a FIFO, the command must not wait for it."""
        with tempfile.TemporaryDirectory() as folder:
            linked, debug = os.path.join(folder, 'linked'), os.path.join(folder, 'separate')
            subprocess.run(['objcopy', '--only-keep-debug', VICTIM, debug], check=True)
            subprocess.run(['strip', '-o', linked, VICTIM], check=True)
            subprocess.run(['objcopy', f'--add-gnu-debuglink={debug}', linked], check=True)
            os.unlink(debug)
            os.mkdir(os.path.join(folder, '.debug'))
            for fifo in (debug, os.path.join(folder, '.debug', 'separate')):
                os.mkfifo(fifo)
                self.assertIn(f'{linked}+0x', run(linked, 'wrgsbase', BAD).stderr, fifo)
                os.unlink(fifo)
            stripped = shutil.copy(linked, os.path.join(folder, 'stripped'))
            subprocess.run(['objcopy', '--remove-section=.gnu_debuglink', stripped], check=True)
            os.mkfifo(f'{stripped}.debug')
            self.assertIn(f'{stripped}+0x', run(stripped, 'wrgsbase', BAD).stderr)

    @unittest.skipUnless(shutil.which('javac') and shutil.which('gcc'), 'javac or gcc is not installed')
    def test_java(self):
        """The JVM's handler gets the signal, writes the JVM's report and aborts, while other threads end."""
        with tempfile.TemporaryDirectory() as folder:
            library = os.path.join(folder, 'libvictim.so')
            for file, text in (('Victim.java', JAVA), ('victim.c', JAVA_LIBRARY)):
                with open(os.path.join(folder, file), 'w', encoding='ascii') as source:
                    source.write(text)
            for command in (['gcc', '-O1', '-shared', '-fPIC', '-o', library, 'victim.c'], ['javac', 'Victim.java']):
                subprocess.run(command, cwd=folder, check=True)
            done = run('--json', 'java', 'Victim', library, cwd=folder, timeout=4 * SECONDS)
            self.assertEqual(done.returncode, 128 + signal.SIGABRT)
            self.assertIn('hs_err_pid', done.stdout)
            found = json.loads(done.stderr)['run']
            self.assertEqual((found['module'], found['instruction'], found['handled']), (library, 'wrgsbase', True))
            if SYMBOLS:
                self.assertEqual((found['symbol'], found['caller']['symbol']), ('set_base', 'Java_Victim_call'))

    @unittest.skipUnless(shutil.which('gdb'), 'gdb is not installed')
    def test_gdb(self):
        """The command does not interfere with a debugger, which shows the instruction as usual."""
        debug = ['gdb', '-batch', '-nx', '-ex', 'run', '-ex', 'x/i $pc', '--args', VICTIM, 'wrgsbase', BAD]
        with_it, without = (execute(*before, *debug, timeout=4 * SECONDS) for before in (RUN, []))
        self.assertIn('wrgsbase', re.search('^=> .*', with_it.stdout, re.M)[0])
        self.assertEqual((with_it.stdout, with_it.stderr, with_it.returncode),
                         (without.stdout, without.stderr, without.returncode))

    def test_name_cannot_steer_a_terminal(self):
        """A process has the name of its file, which may contain control characters. The command must not print them."""
        for steers in ('\n\033[31m', '\x9b31m', '\u202e', '\u2028'):
            with self.subTest(steers=steers), tempfile.TemporaryDirectory() as folder:
                path = shutil.copy(VICTIM, os.path.join(folder, f'\u00e4{steers}z'))
                done = run(path, 'wrgsbase', BAD)
                self.assertRegex(done.stderr, r'(?m)^fsgscheck: \u00e4\?.*z \(process ')
                self.assertFalse(set(steers.strip('\n')) & set('\033\x9b\u202e\u2028') & set(done.stderr))
                self.assertNotRegex(done.stderr, r'(?m)^\?')


if __name__ == '__main__':
    parts.run()
