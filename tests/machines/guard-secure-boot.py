#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests the boot guard on firmware with Secure Boot: which programs the firmware accepts, and which it refuses.

OVMF's package contains firmware variables that trust one key for tests, and the key itself. The test signs the loaders
(shim and GRUB, or systemd-boot) with this key. CASES says when the test also signs the guard and the kernel.
"""

import pathlib
import re
import shutil
import sys
import tempfile

import guard
from support import SOURCE, aside, machine, parts

KEY, CERTIFICATE = (pathlib.Path("/usr/share/ovmf") / f"PkKek-1-snakeoil.{suffix}" for suffix in ("key", "pem"))
SBAT = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\ngrub,5,test,grub,2,test\n"

# Two sets of lines for GRUB. In ASK, GRUB starts the guard, and then the kernel: with nofsgsbase if the guard returns an
# error, or with the word `none` if firmware refuses the guard. In CHAIN, the guard starts the kernel.
ASK = ("set word=none\nif chainloader /guard.efi guard; then if boot; then set word=; else set word=nofsgsbase; fi\n"
       "else echo the guard is refused; fi\nlinux /vmlinuz {arguments} $word\ninitrd /initrd\nboot\n")
CHAIN = "chainloader /guard.efi guard /vmlinuz initrd=\\\\initrd {arguments}\nboot\necho came back\nsleep 1\nhalt\n"

# For each case: its name, the loader, GRUB's lines, which of the guard and the kernel to sign, and a pattern for the log.
CASES = (
    ("GRUB asks the guard, all signed", "grub", ASK, ("guard", "vmlinuz"),
     r"(?s)verdict=usable.* guard=passed .*=== cmdline (?!.*(nofsgsbase|none))"),
    ("GRUB asks the guard, which is not signed", "grub", ASK, ("vmlinuz",),
     r"(?s)the guard is refused.*=== cmdline .* none"),
    ("GRUB starts the guard, and the guard the kernel", "grub", CHAIN, ("guard", "vmlinuz"),
     r"(?s)verdict=usable.* guard=passed .*=== cmdline "),
    ("GRUB starts the guard, and the kernel is not signed", "grub", CHAIN, ("guard",),
     r"(?s)cannot load the next image: Secure Boot does not accept its signature.*came back"),
    ("systemd-boot, all signed", "systemd-boot", "", ("guard", "vmlinuz"),
     r"(?s)verdict=usable.* guard=passed .*=== cmdline "),
    ("systemd-boot, with a kernel that is not signed", "systemd-boot", "", ("guard",),
     r"(?s)cannot load the next image: Secure Boot does not accept its signature"),
)


def sign(file):
    """Signs a UEFI program and replaces the file."""
    key = file.parent / "key"
    guard.run("openssl", "rsa", "-in", KEY, "-passin", "pass:snakeoil", "-out", key)
    guard.run("sbsign", "--key", key, "--cert", CERTIFICATE, "--output", file, file)
    key.unlink()


def medium(files, loader, lines, signed):
    """Makes the folder that QEMU offers to the machine as a FAT volume, and signs programs in it. Returns the folder."""
    root = files.folder / "esp"
    first = root / "EFI/BOOT/BOOTX64.EFI"
    first.parent.mkdir(parents=True)
    for source, name in ((files.kernel, "vmlinuz"), (files.initrd, "initrd"), (files.options.efi, "guard.efi")):
        shutil.copyfile(source, root / name)
    arguments = files.arguments("fsgs.args=--json")
    to_sign = [first, *(root / {"guard": "guard.efi"}.get(name, name) for name in signed)]
    if loader == "grub":
        (root / "grub.cfg").write_text(lines.format(arguments=arguments), encoding="ascii")
        (files.folder / "sbat").write_text(SBAT, encoding="ascii")
        grub = root / "EFI/BOOT/grubx64.efi"
        guard.grub_image("x86_64-efi", grub, "search --file --set=root /guard.efi\nnormal /grub.cfg\n", files.folder,
                         ["chain", "linux", "test", "echo", "boot", "sleep", "halt"], "--sbat", files.folder / "sbat")
        to_sign.append(grub)
        tree, _ = aside.unpacked("shim-unsigned")
        shutil.copyfile(tree / "usr/lib/shim/shimx64.efi", first)
    else:
        # Uses the entry from examples/guard, with the file names of this volume and this test's kernel arguments.
        entry = (SOURCE / "examples/guard/fsgscheck-guard.conf").read_text(encoding="ascii")
        for old, new in (("/fsgscheck-boot.efi", "/guard.efi"), ("initrd.img", "initrd"),
                         ("root=UUID=00000000-0000-0000-0000-000000000000 ro", arguments)):
            if old not in entry:
                sys.exit(f"the entry of systemd-boot has no {old}")
            entry = entry.replace(old, new)
        (root / "loader/entries").mkdir(parents=True)
        (root / "loader/entries/guard.conf").write_text(entry, encoding="ascii")
        tree, _ = aside.unpacked("systemd-boot-efi")
        shutil.copyfile(tree / "usr/lib/systemd/boot/efi/systemd-bootx64.efi", first)
    # Shim trusts the distribution's key, so the distribution's signature is removed from the kernel.
    guard.run("sbattach", "--remove", root / "vmlinuz")
    for file in to_sign:
        sign(file)
    return root


def boot(options, loader, lines, signed, folder):
    """Boots once. Returns a machine.Run."""
    root, variables = medium(guard.Files(options, folder), loader, lines, signed), pathlib.Path(folder) / "variables"
    shutil.copyfile(guard.OVMF / "OVMF_VARS_4M.snakeoil.fd", variables)
    return machine.boot(None, timeout=90, cpu=machine.CPU_OF_REPORT, memory=1024, until=r"^=== end|^came back", extra=[
        "-drive", f"if=pflash,format=raw,readonly=on,file={guard.OVMF / 'OVMF_CODE_4M.fd'}",
        "-drive", f"if=pflash,format=raw,file={variables}", "-drive", f"file=fat:rw:{root},format=raw,if=ide"])


def main():
    """Returns the exit status: 0 if all is as expected, 1 if not."""
    options = guard.arguments(["direct"])
    guard.need("sbsign", "sbsigntool")
    if not KEY.exists():
        raise machine.Unavailable("ovmf has no key for tests")
    failures = 0
    for name, loader, lines, signed, expected in CASES:
        with tempfile.TemporaryDirectory() as folder:
            done = boot(options, loader, lines, signed, folder)
        good = bool(re.search(expected, done.log))
        failures += not good
        print(f"{'ok' if good else 'not ok'} - {name}: {done.seconds:.1f} s", flush=True)
        if not good:
            print(done.log[-3000:], done.errors)
    return 1 if failures else 0


if __name__ == "__main__":
    parts.run_main(main)
