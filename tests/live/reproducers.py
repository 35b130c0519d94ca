# SPDX-License-Identifier: MIT
"""Each reproducer in doc/reproducers has at most 35 lines. Its exit status is 0 (ok) on a processor, and 1 (not ok) under
the emulator, tool or hypervisor that it is about."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support import SOURCE, advertised, aside, machine, parts

REPRODUCERS = SOURCE / 'doc/reproducers'
OK, NOT_OK = 0, 1


def status(*command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
                          check=False).returncode


def in_user_mode_linux(program):
    run = machine.user_mode_linux(os.environ['CONFINE'], os.environ['INIT'], program, [])
    section = run.section(pathlib.Path(program).name)
    return section[1] if section else run.log + run.errors


def in_gvisor(program):
    """Runs the program in gVisor: gvisor-fs-lost on the platform ptrace, the others on systrap. runsc needs root."""
    try:
        tree, _ = aside.unpacked('runsc', release='bookworm-backports')
    except machine.Unavailable as reason:
        raise unittest.SkipTest(str(reason)) from reason
    if os.geteuid() != 0:
        raise unittest.SkipTest('runsc needs root')
    if status('unshare', '--user', 'true'):
        raise unittest.SkipTest('runsc needs a user namespace, and none can be made here (never in a chroot)')
    platform = 'ptrace' if 'fs-lost' in program else 'systrap'
    with tempfile.TemporaryDirectory() as folder:
        return status(tree / 'usr/bin/runsc', '--ignore-cgroups', '--network=none', f'--root={folder}',
                      f'--platform={platform}', 'do', '--force-overlay=true', program)


class Reproducers(unittest.TestCase):
    """Each C file in the folder becomes a test by itself, so that a new file cannot be forgotten."""

    def check(self, source):
        self.assertLessEqual(len(source.read_text(encoding='utf-8').splitlines()), 35)
        with tempfile.TemporaryDirectory() as folder:
            program = f'{folder}/{source.stem}'
            subprocess.run([*os.environ['CC'].split(), '-O1', '-static', '-fno-stack-protector', '-Wall', '-Wextra', '-Werror',
                            '-o', program, source], check=True, timeout=60)
            if source.stem.startswith('pvm'):
                guest = 'pvm_' in pathlib.Path('/proc/cmdline').read_text(encoding='utf-8')
                self.assertEqual(status(program), NOT_OK if guest else OK)
                return
            if advertised():
                self.assertEqual(status(program), OK)
            tool = {'uml': 'linux.uml', 'valgrind': 'valgrind'}.get(source.stem.split('-')[0], 'qemu-x86_64')
            if source.stem == 'gvisor-selector' and not advertised():
                self.skipTest('this kernel does not advertise FSGSBASE, and gVisor has this defect only if it does')
            if source.stem.startswith('gvisor'):
                self.assertEqual(in_gvisor(program), NOT_OK)
                return
            if not shutil.which(tool):
                self.skipTest(f'{tool} is not installed')
            if tool == 'linux.uml':
                if not advertised():
                    self.skipTest('this kernel does not advertise FSGSBASE, so it may lose the bases of user-mode Linux')
                self.assertEqual(in_user_mode_linux(program), NOT_OK)
            elif tool == 'valgrind':
                self.assertEqual(status(tool, '-q', program), NOT_OK)
            else:
                self.assertEqual(status(tool, '-cpu', 'max', program), NOT_OK)


    def test_qemu_wrmsr(self):
        """This reproducer needs ring 0, so QEMU boots it as an image. It reports not ok on QEMU's own processor, and ok
        on the simulated host `software`, which checks WRMSR."""
        source = REPRODUCERS / 'qemu-wrmsr.S'
        self.assertLessEqual(len(source.read_text(encoding='utf-8').splitlines()), 30)
        if not shutil.which('qemu-system-x86_64'):
            self.skipTest('QEMU is not installed')
        with tempfile.TemporaryDirectory() as folder:
            image = f'{folder}/qemu-wrmsr'
            subprocess.run([*os.environ['CC'].split(), '-m32', '-nostdlib', '-static', '-Wl,-n,-Ttext=0x100000,--build-id=none',
                            '-o', image, source], check=True, timeout=60)
            # QEMU's debug device makes the exit status 1 from ok, and 3 from not ok.
            self.assertEqual(machine.boot(image, cpu='max').status, 3)
            self.assertEqual(machine.boot(image, host='software', host_elf=os.environ['HOST']).status, 1)


for path in REPRODUCERS.glob('*.c'):
    setattr(Reproducers, 'test_' + path.stem.replace('-', '_'), lambda self, path=path: self.check(path))

if __name__ == '__main__':
    parts.run()
