# SPDX-License-Identifier: MIT
"""The sample for EFI programs, examples/boot/gnu-efi.c, by gnu-efi: built, and started by firmware on two machines."""

import os
import pathlib
import tempfile
import unittest

import boot
from support import SOURCE, machine, output, parts

GNU_EFI = pathlib.Path('/usr/lib')
# As gnu-efi's own Makefiles do.
CFLAGS = ['-O2', '-std=c11', '-Wall', '-Wextra', '-Werror', '-ffreestanding', '-fshort-wchar', '-fpic', '-fno-stack-protector',
          '-mno-red-zone', '-maccumulate-outgoing-args', '-DGNU_EFI_USE_MS_ABI', '-I/usr/include/efi',
          '-I/usr/include/efi/x86_64', f'-I{SOURCE}/include', '-DFSGS_STATIC']
SECTIONS = ('.text', '.sdata', '.data', '.dynamic', '.dynsym', '.rel*', '.reloc')


class Efi(unittest.TestCase):
    def build(self, folder):
        output('gcc', *CFLAGS, '-c', SOURCE / 'examples/boot/gnu-efi.c', '-o', folder / 'efi.o')
        output('ld', '-nostdlib', '-znocombreloc', '-shared', '-Bsymbolic', '--no-undefined', '-T',
               GNU_EFI / 'elf_x86_64_efi.lds', GNU_EFI / 'crt0-efi-x86_64.o', folder / 'efi.o', os.environ['CORE'],
               f'-L{GNU_EFI}', '-lefi', '-lgnuefi', '-o', folder / 'efi.so')
        made = folder / 'disk/EFI/BOOT/BOOTX64.EFI'
        made.parent.mkdir(parents=True)
        output('objcopy', *(word for name in SECTIONS for word in ('-j', name)), '--target', 'efi-app-x86_64',
               folder / 'efi.so', made)

    @unittest.skipUnless((GNU_EFI / 'crt0-efi-x86_64.o').exists(), 'gnu-efi is not installed')
    def test_verdicts(self):
        with tempfile.TemporaryDirectory() as directory:
            folder = pathlib.Path(directory)
            self.build(folder)
            for cpu, verdict in (('max', 'usable'), ('max,-fsgsbase', 'unsupported')):
                with self.subTest(cpu=cpu):
                    extra = [*boot.uefi(folder), '-drive', f'file=fat:rw:{folder}/disk,format=raw']
                    done = machine.boot(None, cpu=cpu, memory=256, debug_exit=False, timeout=2 * boot.FIRMWARE_TIMEOUT,
                                        until=r'fsgsbase: .*\.', extra=extra)
                    self.assertRegex(done.log, rf'fsgsbase: {verdict}: \S')


if __name__ == '__main__':
    parts.run()
