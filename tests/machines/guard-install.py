#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots a Debian with GRUB before the boot guard is installed, while it is installed, and after it is uninstalled.

    guard-install.py [--boots N] [--root DIR]

Each state is booted N times with a BIOS and N times with UEFI, from one disk with GRUB for both. DIR is a Debian that make()
has made before. The commands that change grub.cfg run inside the machine, as an operator would run them. The test needs root
and debootstrap, and takes many minutes, so it is run by hand.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

from support import machine, parts

SOURCE = pathlib.Path(__file__).resolve().parents[2]
OVMF = pathlib.Path("/usr/share/OVMF")
GRUB = pathlib.Path("/usr/lib/grub")
SECTOR = 512
FIRMWARES = ("bios", "uefi")
TIMEOUT = 500
# The start and the size of the EFI system partition and of the root file system, in sectors.
ESP, ESP_SECTORS = 2048, 64 << 11
ROOT, ROOT_SECTORS = 2048 + (64 << 11), 1536 << 11
PACKAGES = ("linux-image-cloud-amd64,initramfs-tools,grub-pc-bin,grub-efi-amd64-bin,grub2-common,systemd-sysv,"
            "udev,kmod,e2fsprogs")
MODULES = ("part_msdos", "ext2", "fat", "normal", "search", "search_fs_uuid", "configfile", "echo", "test")

INIT = """#!/bin/sh
# The first process; with /opt/systemd there, systemd is, and this is a service of it.
if [ $$ = 1 ]; then
	mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev 2>/dev/null
	mount -o remount,rw /
	[ ! -e /opt/systemd ] || exec /lib/systemd/systemd
fi
exec >/dev/ttyS0 2>&1
echo "=== user space $(cat /proc/1/comm)"
echo "=== cmdline $(cat /proc/cmdline)"
/opt/fsgscheck | head -3
unit=/etc/systemd/system/multi-user.target.wants/fsgscheck-guard.service
if [ $$ = 1 ] && [ -e $unit ]; then $(sed -n 's/^ExecStart=//p' $unit); fi
[ ! -e /boot/fsgscheck/grubenv ] || echo "=== mark $(grub-editenv /boot/fsgscheck/grubenv list)"
do=$(sed -n 's/.*fsgs.do=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
kernel=$(ls /boot/vmlinuz-*)
case $do in
'') ;;
update-grub) update-grub ;;
mark) grub-editenv /boot/fsgscheck/grubenv set fsgscheck_running=yes ;;
systemd) touch /opt/systemd ;;
# A kernel that GRUB starts and the guard refuses: no bit for the 64-bit entry.
damage) cp $kernel /opt/kernel; printf '\\176' | dd of=$kernel bs=1 seek=566 conv=notrunc 2>&1 ;;
mend) cat /opt/kernel >$kernel; rm -f /opt/systemd ;;
empty) cp /boot/fsgscheck/fsgscheck-boot.* /opt; for file in /boot/fsgscheck/fsgscheck-boot.*; do : >$file; done ;;
*) /opt/guard/$do && /opt/guard/$do ;;
esac
status=$?
[ -z "$do" ] || echo "=== done $status"
echo "=== tree $(cd / && { find boot etc; find boot etc -type f ! -name grubenv -exec sha256sum {} +; } | sort | sha256sum)"
echo "=== end"
sync
mount -o remount,ro /
echo o >/proc/sysrq-trigger
sleep 60
"""

# The service with which systemd runs INIT, after the guard's own service.
UNIT = """[Unit]
ConditionPathExists=/opt/systemd
After=fsgscheck-guard.service
[Service]
Type=oneshot
ExecStart=/opt/init
[Install]
WantedBy=multi-user.target
"""


def run(*command):
    """Runs a tool. If the tool fails, prints the end of its output and ends the test."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout.decode(errors='replace')[-2000:]}")


def make(root):
    """Makes a Debian in the folder `root`. Its initrd has only the modules that this test needs, because an emulated machine
    takes half a minute to unpack a full initrd."""
    for name, text in (("etc/initramfs-tools/conf.d/small", "MODULES=list\nBUSYBOX=no\nCOMPRESS=gzip\n"),
                       ("usr/share/initramfs-tools/modules.d/small", "virtio_pci\nvirtio_blk\next4\n")):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text, encoding="ascii")
    run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", root)


def fill(root):
    """Adds the test's files to the Debian."""
    guard = root / "opt/guard"
    guard.mkdir(parents=True, exist_ok=True)
    for name in ("install", "uninstall", "07_fsgscheck-guard", "fsgscheck-guard.service"):
        shutil.copy(SOURCE / "examples/guard" / name, guard)
    shutil.copy(os.environ["FSGS_ELF"], guard / "fsgscheck-boot.elf")
    shutil.copy(os.environ["FSGS_EFI"], guard / "fsgscheck-boot.efi")
    shutil.copy(os.environ["FSGS_COMMAND"], root / "opt/fsgscheck")
    (root / "opt/init").write_text(INIT, encoding="ascii")
    (root / "opt/init").chmod(0o755)
    (root / "etc/systemd/system/test.service").write_text(UNIT, encoding="ascii")
    wanted = root / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "test.service").unlink(missing_ok=True)
    (wanted / "test.service").symlink_to("../test.service")
    (root / "opt/systemd").unlink(missing_ok=True)
    # systemd's login prompt would use the same serial port as the test's service.
    (root / "etc/systemd/system/serial-getty@.service").unlink(missing_ok=True)
    (root / "etc/systemd/system/serial-getty@.service").symlink_to("/dev/null")
    (root / "etc/default/grub").write_text(
        'GRUB_DEFAULT=0\nGRUB_TIMEOUT=0\nGRUB_DISTRIBUTOR=Debian\nGRUB_TERMINAL=serial\nGRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"\n'
        'GRUB_CMDLINE_LINUX="console=ttyS0 panic=-1 quiet no_timer_check init=/opt/init"\n', encoding="ascii")
    (root / "etc/fstab").write_text("/dev/vda2 / ext4 defaults 0 1\n", encoding="ascii")
    for platform in ("i386-pc", "x86_64-efi"):
        shutil.copytree(root / "usr/lib/grub" / platform, root / "boot/grub" / platform, dirs_exist_ok=True)
    run("chroot", root, "grub-editenv", "/boot/grub/grubenv", "create")


def grub_image(folder, platform, output, modules):
    run("grub-mkimage", "-O", platform, "-p", "(hd0,msdos2)/boot/grub", "-o", folder / output, *MODULES, *modules)


def disk(root, folder):
    """Makes the disk: a boot sector followed by GRUB, a FAT partition for UEFI, and the root file system."""
    image, esp, ext = folder / "disk", folder / "esp", folder / "ext"
    with esp.open("wb") as file:
        file.truncate(ESP_SECTORS * SECTOR)
    run("mformat", "-i", esp, "-T", ESP_SECTORS, "-h", 16, "-s", 63, "-H", ESP, "::")
    grub_image(folder, "i386-pc", "core.img", ["biosdisk"])
    grub_image(folder, "x86_64-efi", "grub.efi", [])
    run("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", esp, folder / "grub.efi", "::/EFI/BOOT/BOOTX64.EFI")
    with ext.open("wb") as file:
        file.truncate(ROOT_SECTORS * SECTOR)
    run("mke2fs", "-q", "-t", "ext4", "-d", root, ext)
    sector = bytearray((GRUB / "i386-pc/boot.img").read_bytes()[:SECTOR])
    sector[446:510] = bytes(64)
    sector[446:462] = struct.pack("<BBBBBBBBII", 0, 0, 0, 0, 0xef, 0, 0, 0, ESP, ESP_SECTORS)
    sector[462:478] = struct.pack("<BBBBBBBBII", 0x80, 0, 0, 0, 0x83, 0, 0, 0, ROOT, ROOT_SECTORS)
    with image.open("wb") as out:
        out.write(sector)
        out.write((folder / "core.img").read_bytes())
        for start, part in ((ESP, esp), (ROOT, ext)):
            out.seek(start * SECTOR)
            with part.open("rb") as content:
                shutil.copyfileobj(content, out, 1 << 20)
            part.unlink()
    return image


class Debian:
    """A machine with a disk from disk(), or with a copy of that disk."""

    copies = 0

    def __init__(self, kernel, initrd, file):
        self.kernel, self.initrd, self.file = kernel, initrd, file
        self.drive = ["-drive", f"file={file},format=raw,if=virtio"]
        self.failures = 0

    def copy(self):
        """Returns another machine, with a copy of this machine's disk."""
        Debian.copies += 1
        file = self.file.with_name(f"disk{Debian.copies}")
        run("cp", "--sparse=always", self.file, file)
        return Debian(self.kernel, self.initrd, file)

    def act(self, action):
        """Boots the kernel without GRUB, and INIT performs the action as root. `install` and `uninstall` run twice, because
        the second run must succeed, too. Returns a digest of /boot and /etc."""
        done = machine.boot(self.kernel, initrd=self.initrd, extra=self.drive, timeout=TIMEOUT, memory=1024,
                            append=f"console=ttyS0 panic=-1 quiet no_timer_check root=/dev/vda2 init=/opt/init fsgs.do={action}")
        tree = re.search(r"=== tree (\w+)", done.log)
        self.tell("=== done 0" in done.log and bool(tree), action, done, "")
        return tree and tree[1]

    def boot(self, what, firmware, guarded, word=False, said="", first="init"):
        """Starts the machine from its disk, and counts an error if the log is not as expected. A failure in the guard resets
        the machine, so the log may have several boots, but only the last boot reaches user space.
        """
        extra = [*self.drive, "-action", "reboot=reset"]
        if firmware == "uefi":
            variables = self.file.with_suffix(".variables")
            shutil.copyfile(OVMF / "OVMF_VARS_4M.fd", variables)
            extra += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF / 'OVMF_CODE_4M.fd'}",
                      "-drive", f"if=pflash,format=raw,file={variables}"]
        done = machine.boot(None, extra=extra, timeout=TIMEOUT, memory=1024, debug_exit=False)
        last = re.search(r"fsgscheck: verdict=.*guard=passed ms=\d+", done.log)
        line = re.search(r"=== cmdline (.*)", done.log)
        good = bool(line) and bool(last) == guarded and ("nofsgsbase" in line[1].split()) == word
        good = good and bool(re.search(said, done.log)) and f"=== user space {first}" in done.log
        good = good and "=== mark fsgscheck_running" not in done.log
        self.tell(good and "$" not in line[1], f"{firmware} {what}", done, last[0] if last else "no guard")

    def boots(self, count, what, firmware, guarded):
        for _ in range(count):
            self.boot(what, firmware, guarded)
        return self.failures

    def fall_back(self, firmware):
        """A failure in the guard must cost at most one reset, and must not prevent a boot."""
        self.act("mark")
        self.boot("after a boot that failed in the guard", firmware, False, word=True,
                  said="The last boot through the boot guard failed")
        self.boot("after that", firmware, True)
        if firmware == "bios":
            self.act("damage")
            self.boot("with a kernel that the guard refuses", firmware, False, word=True,
                      said=r"(?s)guard stopped: the kernel has no 64-bit entry.*The last boot through the boot guard failed")
            self.act("mend")
            self.act("systemd")
            self.boot("with systemd", firmware, True, first="systemd")
            self.boot("with systemd, once more", firmware, True, first="systemd")
            self.act("mend")
        self.act("empty")
        self.boot("with an empty file as the guard", firmware, False, word=firmware == "bios",
                  said="The boot guard cannot be started" if firmware == "bios" else "")
        return self.failures

    def tell(self, good, what, done, more):
        self.failures += not good
        print(f"{'ok' if good else 'not ok'} - {what}: {done.seconds:.0f} s {more}", flush=True)
        if not good:
            print(done.log[-3000:], done.errors)


def main():
    """Returns the exit status: 0 if all is as expected, else 1. Raises Unavailable without root or debootstrap."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boots", type=int, default=3)
    parser.add_argument("--root", type=pathlib.Path)
    options = parser.parse_args()
    if os.geteuid() or not shutil.which("debootstrap"):
        raise machine.Unavailable("root or debootstrap is missing")
    with tempfile.TemporaryDirectory() as folder:
        root = options.root or pathlib.Path(folder) / "root"
        if not options.root:
            make(root)
        folder = pathlib.Path(folder)
        fill(root)
        stage = Debian(next((root / "boot").glob("vmlinuz-*")), next((root / "boot").glob("initrd.img-*")),
                       disk(root, folder))
        trees, failures, installed = [], 0, None
        # Two machines run at a time, one for each firmware.
        with concurrent.futures.ThreadPoolExecutor(2) as both:
            for action, what, guarded in (("update-grub", "before", False), ("install", "installed", True),
                                          ("uninstall", "uninstalled", False)):
                stage = stage.copy()
                trees.append(stage.act(action))
                failures += stage.failures
                failures += sum(both.map(lambda firmware, debian, w=what, g=guarded: debian.boots(options.boots, w, firmware, g),
                                         FIRMWARES, [stage.copy() for _ in FIRMWARES]))
                installed = stage if guarded else installed
            failures += sum(both.map(lambda firmware, debian: debian.fall_back(firmware),
                                     FIRMWARES, [installed.copy() for _ in FIRMWARES]))
        changed = [trees[0] != trees[2], trees[0] == trees[1]]
        print("not ok" if any(changed) else "ok", "- uninstall leaves /boot and /etc as they were")
    return 1 if failures or any(changed) else 0


if __name__ == "__main__":
    parts.run_main(main)
