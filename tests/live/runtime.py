# SPDX-License-Identifier: MIT
"""Runs a runtime in every state that this machine can stage, and prints TAP.

    runtime.py [--native-only] PROGRAM FSGSCHECK

A state is a machine (this one, an emulated one, one behind a tool) and who decides the access. The command
says in the same state which access is right; the program prints `ok: ... by ACCESS`. Forced to use the
instruction, it must run where the instruction runs and die of SIGILL where it does not: that shows that
the instruction is really used, and that this test can fail.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

# Name, wrapper, and whether the machine is known to lack the instructions.
MACHINES = [
    ('native', [], False),
    ('qemu-user max', ['qemu-x86_64', '-cpu', 'max'], False),
    ('qemu-user qemu64', ['qemu-x86_64', '-cpu', 'qemu64'], True),
    ('valgrind', ['valgrind', '-q', '--error-exitcode=99'], True),
]
SECONDS = 120
# As the program itself reports it, or as a shell and an emulator pass it on.
ILLEGAL = (-signal.SIGILL, 128 + signal.SIGILL)


class Tap:
    """Counts what it prints."""

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
    # An emulator keeps the bases. A kernel that does not advertise the instructions need not preserve a base that they
    # wrote.
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
