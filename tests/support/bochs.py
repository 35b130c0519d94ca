# SPDX-License-Identifier: MIT
"""Bochs: a second emulator with its own processor models and its own VMX. Its BIOS boots from a CD."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from support import machine, output

GRUB_MODULES = ('biosdisk', 'iso9660', 'multiboot', 'linux', 'serial', 'terminal', 'search', 'search_fs_file')

# The display rfb, with timeout=0, does not wait for a viewer. Debian's package has no display that shows nothing. With
# sync=none, the guest's clock counts emulated instructions, and does not follow real time.
SETTINGS = '''\
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file={share}/BIOS-bochs-latest
vgaromimage: file={share}/VGABIOS-lgpl-latest
megs: {memory}
cpu: model={model}, count={cpus}, ips=50000000, reset_on_triple_fault=0
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={medium}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={serial}
clock: sync=none
log: {folder}/log
panic: action=fatal
error: action=report
info: action=ignore
'''


def installed():
    """The program, and the folder of its BIOS."""
    path = shutil.which('bochs-bin')
    share = pathlib.Path('/usr/share/bochs')
    if not path or not (share / 'BIOS-bochs-latest').exists():
        raise machine.Unavailable('bochs is not installed')
    return [path], share


def medium(cd, start, files):
    """Makes a CD on which GRUB runs the lines `start`. `files` has (name, file) pairs. Returns the CD's path."""
    for tool in ('grub-mkimage', 'xorriso'):
        if not shutil.which(tool):
            raise machine.Unavailable(f'{tool} is not installed')
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        tree = folder / 'tree'
        tree.mkdir()
        for name, file in files:
            shutil.copyfile(file, tree / name)
        (folder / 'grub.cfg').write_text(
            f'serial --unit=0 --speed=115200\nterminal_output serial console\nsearch --file --set=root /{files[0][0]}\n'
            f'{start}\nboot\n', encoding='ascii')
        output('grub-mkimage', '-O', 'i386-pc-eltorito', '-c', folder / 'grub.cfg', '-p', '/boot/grub',
               '-o', tree / 'eltorito.img', *GRUB_MODULES)
        output('xorriso', '-as', 'mkisofs', '-quiet', '-o', cd, '-R', '-b', 'eltorito.img', '-no-emul-boot',
               '-boot-load-size', '4', '-boot-info-table', tree)
    return cd


def boot(cd, *, model, until, cpus=1, memory=64, timeout=120.0, program=None):
    """Boots the CD. Ends Bochs at the timeout, or when the log of the serial port matches `until`, because a guest cannot
    end Bochs. Returns a Run."""
    command, share = program or installed()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        folder = pathlib.Path(folder)
        serial = folder / 'serial'
        (folder / 'settings').write_text(SETTINGS.format(share=share, memory=memory, model=model, cpus=cpus, medium=cd,
                                                         serial=serial, folder=folder), encoding='ascii')
        # Debian's program is the Bochs debugger, which waits for a command to continue.
        (folder / 'orders').write_text('c\n', encoding='ascii')
        started = time.monotonic()
        with subprocess.Popen([*command, '-q', '-f', folder / 'settings', '-rc', folder / 'orders'], cwd=folder,
                              stdin=subprocess.DEVNULL, stdout=errors, stderr=subprocess.STDOUT) as process:
            matched = False
            try:
                while process.poll() is None and not matched and time.monotonic() < started + timeout:
                    time.sleep(0.1)
                    raw = serial.read_bytes() if serial.exists() else b''
                    matched = bool(re.search(until, machine.plain(raw), re.M))
            finally:
                status = process.poll()
                if status is None:
                    process.kill()
        raw = serial.read_bytes() if serial.exists() else b''
        errors.seek(0)
        return machine.Run(log=machine.plain(raw), status=status, seconds=time.monotonic() - started,
                           timed_out=not matched, errors=machine.plain(errors.read())[-2000:])
