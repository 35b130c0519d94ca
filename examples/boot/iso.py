#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the hybrid ISO: BIOS and UEFI machines boot it as a CD or as a disk.

On a BIOS, GRUB starts the ELF image. UEFI firmware starts the UEFI program from a FAT file system,
which is also a partition.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# Contains only the modules that GRUB needs to find a file on the medium and to start it.
GRUB_MODULES = ("biosdisk", "iso9660", "multiboot", "search", "search_fs_file")

# The whole configuration of GRUB. It searches for the image by name, because the medium may be a CD, a disk or
# a USB stick. It has no comments, because GRUB's small parser would execute them as commands.
GRUB_CONFIGURATION = """\
search --file --set=root /fsgscheck-boot.elf
multiboot /fsgscheck-boot.elf
boot
"""

FAT_KIB = 128

# The fixed time stamp of all files in the ISO, so that builds are reproducible. The tools read it from the same
# environment variable.
EPOCH = int(os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600"))  # 2026-01-01


def date(*paths):
    """Sets the time stamps of files and folders to EPOCH."""
    for path in paths:
        os.utime(path, (EPOCH, EPOCH))


def run(*command):
    """Runs a tool. If the tool fails, shows its output and exits."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env={**os.environ, "TZ": "UTC"})
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout.decode(errors='replace')}")


def make_fat(tools, path, program):
    """Makes a FAT file system with the one file that UEFI firmware looks for on a medium."""
    path.write_bytes(bytes(FAT_KIB * 1024))
    sectors = FAT_KIB * 2
    run(tools.mformat, "-i", path, "-T", sectors, "-h", 1, "-s", 16, "-N", 0, "::")
    run(tools.mmd, "-i", path, "::/EFI", "::/EFI/BOOT")
    run(tools.mcopy, "-m", "-i", path, program, "::/EFI/BOOT/BOOTX64.EFI")


def make_iso(tools, output):
    """Writes the ISO, whose files it collects in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder) / "root"
        root.mkdir()
        configuration = pathlib.Path(folder) / "grub.cfg"
        configuration.write_text(GRUB_CONFIGURATION, encoding="ascii")
        shutil.copyfile(tools.elf, root / "fsgscheck-boot.elf")
        run(tools.grub_mkimage, "-O", "i386-pc-eltorito", "-d", tools.grub, "-c", configuration,
            "-p", "/boot/grub", "-o", root / "eltorito.img", *GRUB_MODULES)
        program = pathlib.Path(folder) / "program.efi"
        shutil.copy2(tools.efi, program)
        date(program)
        make_fat(tools, root / "efi.img", program)
        date(*root.iterdir(), root)
        run(tools.xorriso, "-as", "mkisofs", "-V", "FSGSCHECK", "-R", "-o", output,
            "-b", "eltorito.img", "-no-emul-boot", "-boot-load-size", 4, "-boot-info-table",
            "--grub2-boot-info", "--grub2-mbr", tools.grub / "boot_hybrid.img",
            "--efi-boot", "efi.img", "-efi-boot-part", "--efi-boot-image",
            "--protective-msdos-label", root)


def main():
    """Makes the ISO from the files and with the tools that Meson passes as arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("elf", "efi", "grub"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    for name in ("grub-mkimage", "mformat", "mmd", "mcopy", "xorriso"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("output", type=pathlib.Path)
    tools = parser.parse_args()
    make_iso(tools, tools.output)


if __name__ == "__main__":
    main()
