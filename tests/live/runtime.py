# SPDX-License-Identifier: MIT
"""runtime.py [--native-only] PROGRAM FSGSCHECK: runs PROGRAM, an example runtime, in several states, and prints TAP.

A state has two parts. The first is where the program runs: on this machine, in an emulator, or under valgrind. The second
is the access to the GS base: the library chooses it, or FSGSCHECK_BASE forces it. The program prints `ok: ... by ACCESS`.
If the library chooses, ACCESS must be the access that the command reports in the same state. If the instruction is
forced, the program must pass where WRGSBASE runs, and must die of SIGILL elsewhere. That shows that the program really
executes the instruction, and that this test can fail.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

# Each row: a name, the words in front of the command, and whether the instructions are known to be missing there.
MACHINES = [
    ('native', [], False),
    ('qemu-user max', ['qemu-x86_64', '-cpu', 'max'], False),
    ('qemu-user qemu64', ['qemu-x86_64', '-cpu', 'qemu64'], True),
    ('valgrind', ['valgrind', '-q', '--error-exitcode=99'], True),
]
SECONDS = 120
# The status after SIGILL: negative if the program itself died, 128 + the signal if a shell or an emulator reports it.
ILLEGAL = (-signal.SIGILL, 128 + signal.SIGILL)


class Tap:
    """Prints results in TAP, and counts them."""

    def __init__(self):
        self.count = 0
        self.failed = False

    def result(self, good, name, why=''):
        self.count += 1
        self.failed |= not good
        print(f'{"ok" if good else "not ok"} {self.count} - {name}')
        if not good and why:
            print('\n'.join('# ' + line for line in why.splitlines()))

    def skip(self, name, reason):
        self.count += 1
        print(f'ok {self.count} - {name} # SKIP {reason}')

    def end(self):
        print(f'1..{self.count}')
        return 1 if self.failed else 0


def run(command, base=None):
    environment = {name: value for name, value in os.environ.items() if name != 'FSGSCHECK_BASE'}
    if base:
        environment['FSGSCHECK_BASE'] = base
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS,
                          check=False)


def expect_access(tap, name, done, access):
    match = re.match(r'^ok: .* by (\w+)', done.stdout)
    tap.result(done.returncode == 0 and match and match.group(1) == access, name,
               f'wanted {access}, status {done.returncode}\n{done.stdout}{done.stderr}')


def stage(tap, machine, wrapper, lacking, program, command):
    report = json.loads(run([*wrapper, command, '--json']).stdout)
    access = report['access']['gs']
    runs = report['trials']['wrgsbase']['outcome'] == 'ok'

    expect_access(tap, f'{machine}, left to itself', run([*wrapper, program]), access)
    expect_access(tap, f'{machine}, arch_prctl', run([*wrapper, program], 'arch_prctl'), 'arch_prctl')
    # A kernel that does not advertise the instructions may lose a base that they wrote. An emulator does not.
    if runs and not wrapper and report['verdict'] == 'unadvertised':
        tap.skip(f'{machine}, instruction', 'this kernel does not advertise FSGSBASE')
        return
    done = run([*wrapper, program], 'instruction')
    if runs:
        expect_access(tap, f'{machine}, instruction', done, 'instruction')
    else:
        tap.result(done.returncode in ILLEGAL, f'{machine}, instruction: dies of SIGILL',
                   f'status {done.returncode}\n{done.stdout}{done.stderr}')
    if lacking:
        tap.result(not runs and access != 'instruction', f'{machine} has no such instruction',
                   f'{report["trials"]["wrgsbase"]} {report["access"]}')


def every_state(tap, program, command, native_only=False):
    for machine, wrapper, lacking in MACHINES:
        if wrapper and native_only:
            tap.skip(machine, 'an instrumented build runs on no other machine')
        elif wrapper and not shutil.which(wrapper[0]):
            tap.skip(machine, f'{wrapper[0]} is missing')
        else:
            stage(tap, machine, wrapper, lacking, program, command)


def main():
    options = [argument for argument in sys.argv[1:] if argument.startswith('--')]
    program, command = [argument for argument in sys.argv[1:] if not argument.startswith('--')]
    tap = Tap()
    every_state(tap, program, command, '--native-only' in options)
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
