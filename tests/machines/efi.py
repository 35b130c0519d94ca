# SPDX-License-Identifier: MIT
"""Builds examples/boot/gnu-efi.c, the sample for EFI programs, once with the core's static library and once with the core's
drop-in form. UEFI firmware starts each program, which must print the right verdict."""

import os
import pathlib
import tempfile
import unittest

import boot
from support import SOURCE, for_dropin, machine, output, parts

GNU_EFI = pathlib.Path('/usr/lib')
# The flags for code generation are those of gnu-efi's own Makefiles.
CFLAGS = ['-O2', '-std=c11', '-Wall', '-Wextra', '-Werror', '-ffreestanding', '-fshort-wchar', '-fpic', '-fno-stack-protector',
          '-mno-red-zone', '-maccumulate-outgoing-args', '-DGNU_EFI_USE_MS_ABI', '-I/usr/include/efi',
          '-I/usr/include/efi/x86_64', f'-I{SOURCE}/include', '-DFSGS_STATIC']
# .rodata is listed because gnu-efi has had a separate section for constants since version 3.0.18.
SECTIONS = ('.text', '.sdata', '.data', '.rodata', '.dynamic', '.dynsym', '.rel*', '.reloc')


class Efi(unittest.TestCase):
    def build(self, folder, core, source=SOURCE / 'examples/boot/gnu-efi.c'):
        output('gcc', *CFLAGS, '-c', source, '-o', folder / 'efi.o')
        output('ld', '-nostdlib', '-znocombreloc', '-shared', '-Bsymbolic', '--no-undefined', '-T',
               GNU_EFI / 'elf_x86_64_efi.lds', GNU_EFI / 'crt0-efi-x86_64.o', folder / 'efi.o', core,
               f'-L{GNU_EFI}', '-lefi', '-lgnuefi', '-o', folder / 'efi.so')
        made = folder / 'disk/EFI/BOOT/BOOTX64.EFI'
        made.parent.mkdir(parents=True)
        output('objcopy', *(word for name in SECTIONS for word in ('-j', name)), '--target', 'efi-app-x86_64',
               folder / 'efi.so', made)

    def setUp(self):
        if not (GNU_EFI / 'crt0-efi-x86_64.o').exists():
            self.skipTest('gnu-efi is not installed')
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def boot(self, cpu, verdict):
        extra = [*boot.uefi(self.folder), '-drive', f'file=fat:rw:{self.folder}/disk,format=raw']
        done = machine.boot(None, cpu=cpu, memory=256, debug_exit=False, timeout=2 * boot.FIRMWARE_TIMEOUT,
                            until=r'fsgsbase: .*\.', extra=extra)
        self.assertRegex(done.log, rf'fsgsbase: {verdict}: \S')

    def test_archive(self):
        self.build(self.folder, os.environ['CORE'])
        for cpu, verdict in (('max', 'usable'), ('max,-fsgsbase', 'unsupported')):
            with self.subTest(cpu=cpu):
                self.boot(cpu, verdict)

    def test_drop_in(self):
        """Compiles the drop-in form, fsgscheck-core.c, with the same flags as the program."""
        dropin = pathlib.Path(os.environ['DROPIN'])
        text = (SOURCE / 'examples/boot/gnu-efi.c').read_text(encoding='utf-8')
        source = self.folder / 'efi.c'
        source.write_text(for_dropin(text, dropin / 'fsgscheck-core.h'), encoding='utf-8')
        output('gcc', *CFLAGS, '-c', dropin / 'fsgscheck-core.c', '-o', self.folder / 'core.o')
        self.build(self.folder, self.folder / 'core.o', source)
        self.boot('max', 'usable')


if __name__ == '__main__':
    parts.run()
