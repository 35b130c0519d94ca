#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots a distribution's kernel through the boot guard, in each form of the guard.

    guard.py FORM HOST... [--smp N]   boots once on each host
    guard.py bad-input                tests malformed modules, kernels and command lines
    guard.py bad-options              tests malformed load options and malformed UEFI programs
    guard.py cost [--smp N]           measures the guard's time, and the time of a boot with and without the guard

FORM is direct (the emulator is the boot loader), bios (GRUB on a disk), uefi-if (GRUB starts the guard and, after the
guard has returned, the kernel), uefi-chain (GRUB starts the guard, and the guard starts the kernel), or plain (without
the guard, for `cost`). HOST is a mode of the defective host, or `differ`.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile

from support import aside, machine, parts

OVMF = pathlib.Path("/usr/share/OVMF")
GRUB_BIOS = pathlib.Path("/usr/lib/grub/i386-pc")
SECTOR = 512
PARTITION = 2048  # in sectors
DISK_MIB = 96

ARGUMENTS = "console=ttyS0 panic=-1 quiet"

# For each host: the verdict and the decision on the guard's last line, and fsgscheck's verdict under Linux.
HOSTS = {
    "honest": ("usable", "passed", "usable"),
    "lie": ("broken", "nofsgsbase", "disabled"),
    "drop": ("broken", "nofsgsbase", "disabled"),
    "refuse": ("broken", "nofsgsbase", "disabled"),
    "hide": ("unsupported", "passed", "unsupported"),
    # The host `lie` with two processors: only one processor is its guest, so their results differ.
    "differ": ("inconsistent", "nofsgsbase", "disabled"),
}

LAST_LINE = re.compile(r"^fsgscheck: verdict=(\S+) findings=\S* cpus=(\d+) guard=(\S+) ms=(\d+)$", re.M)


def run(*command):
    """Runs a tool. If the tool fails, prints its output and ends the test."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout.decode(errors='replace')}")


def need(tool, package):
    """Skips the test if a tool is missing. The reason names the tool's package."""
    if not shutil.which(tool):
        raise machine.Unavailable(f"{package} is not installed")


class Files:
    """The kernel and the initrd that the guard boots, and the kernel's arguments."""

    def __init__(self, options, folder):
        self.options, self.folder = options, pathlib.Path(folder)
        self.kernel = pathlib.Path(machine.kernel(options.cache, options.kernel))
        self.initrd = machine.initrd(self.folder / "initrd", [("/init", options.init),
                                                              ("/fsgscheck", options.command)])

    def arguments(self, more=""):
        return f"{ARGUMENTS} {more}".strip()


def grub_image(platform, output, configuration, folder, modules, *options):
    """Makes GRUB as one file. GRUB runs the built-in lines `configuration`, which find the medium and continue from it."""
    need("grub-mkimage", "grub-common")
    if not (pathlib.Path("/usr/lib/grub") / platform).is_dir():
        raise machine.Unavailable(f"GRUB for {platform} is not installed")
    early = folder / "early.cfg"
    early.write_text(configuration, encoding="ascii")
    run("grub-mkimage", "-O", platform, "-c", early, "-p", "/", "-o", output, *options, "fat", "part_msdos",
        "normal", "search", "search_fs_file", "configfile", *modules)


def bios_disk(files, host):
    """Makes a disk: a boot sector, GRUB, and a FAT partition with the files. Returns QEMU's options for this disk."""
    need("mcopy", "mtools")
    folder = files.folder
    image, partition, core = folder / "disk", folder / "partition", folder / "core.img"
    grub_image("i386-pc", core, "search --file --set=root /vmlinuz\nnormal /grub.cfg\n", folder,
               ["biosdisk", "multiboot"])
    lines = [f"multiboot /guard.elf placeholder {files.options.words}"]
    if host != "off":
        lines = [f"multiboot /host.elf placeholder host={host}", f"module /guard.elf guard.elf {files.options.words}"]
    lines += [f"module --nounzip /vmlinuz vmlinuz {files.arguments(files.options.append)}",
              "module --nounzip /initrd initrd", "boot"]
    (folder / "grub.cfg").write_text("\n".join(lines) + "\n", encoding="ascii")
    sectors = DISK_MIB * 2048 - PARTITION
    with partition.open("wb") as file:
        file.truncate(sectors * SECTOR)
    run("mformat", "-i", partition, "-T", sectors, "-h", 16, "-s", 63, "-H", PARTITION, "::")
    for source, name in ((files.kernel, "vmlinuz"), (files.initrd, "initrd"), (files.options.elf, "guard.elf"),
                         (files.options.host_elf, "host.elf"), (folder / "grub.cfg", "grub.cfg")):
        run("mcopy", "-i", partition, source, f"::/{name}")
    sector = bytearray((GRUB_BIOS / "boot.img").read_bytes()[:SECTOR])
    sector[446:462] = struct.pack("<BBBBBBBBII", 0x80, 0, 0, 0, 0x0c, 0, 0, 0, PARTITION, sectors)
    sector[462:510] = bytes(48)
    with image.open("wb") as disk, partition.open("rb") as content:
        disk.write(sector)
        disk.write(core.read_bytes())
        disk.seek(PARTITION * SECTOR)
        shutil.copyfileobj(content, disk)
    return ["-drive", f"file={image},format=raw,if=ide"]


def uefi_disk(files, host, form):
    """Makes a folder that QEMU offers to the machine as a FAT volume. Firmware starts GRUB, which starts the host. The host
    starts a second GRUB, which starts the guard. Returns QEMU's options."""
    options, root = files.options, files.folder / "esp"
    code = OVMF / "OVMF_CODE_4M.fd"
    if not code.exists():
        raise machine.Unavailable("ovmf is not installed")
    (root / "EFI/BOOT").mkdir(parents=True)
    for source, name in ((files.kernel, "vmlinuz"), (files.initrd, "initrd"), (options.efi, "guard.efi"),
                         (options.host_efi, "host.efi")):
        shutil.copyfile(source, root / name)
    modules = ["chain", "linux", "test", "echo", "boot"]
    arguments = files.arguments(options.append)
    if form == "uefi-if":
        lines = [f"if chainloader /guard.efi {options.words}; then",
                 'if boot; then set fsgscheck=""; else set fsgscheck="nofsgsbase"; fi; fi',
                 f"linux /vmlinuz {arguments} $fsgscheck", "initrd /initrd", "boot"]
    else:
        lines = [f"chainloader /guard.efi {options.words} /vmlinuz initrd=\\\\initrd {arguments}", "boot"]
    (root / "grub.cfg").write_text("\n".join(lines) + "\n", encoding="ascii")
    find = "search --file --set=root /guard.efi\n"
    grub_image("x86_64-efi", root / "next.efi", find + "normal /grub.cfg\n", files.folder, modules)
    grub_image("x86_64-efi", root / "EFI/BOOT/BOOTX64.EFI",
               f"{find}chainloader /host.efi host={host}\nboot\n", files.folder, modules)
    variables = files.folder / "variables"
    shutil.copyfile(OVMF / "OVMF_VARS_4M.fd", variables)
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,format=raw,file={variables}",
            "-drive", f"file=fat:rw:{root},format=raw,if=ide"]


def boot(options, form, name, folder, extra=(), emulator=None):
    """Boots once. `name` is a key of HOSTS, or None for a machine without the host. Returns a machine.Run."""
    files = Files(options, folder)
    host, smp = ("lie", max(options.smp, 2)) if name == "differ" else (name, options.smp)
    settings = {"cpu": machine.CPU_OF_REPORT, "smp": smp, "timeout": options.timeout, "extra": extra,
                "emulator": emulator}
    if form == "plain":
        return machine.boot(files.kernel, append=files.arguments(options.append), initrd=files.initrd,
                            host=host, host_elf=options.host_elf, **settings)
    if form == "direct":
        return machine.boot(options.elf, append=options.words, host=host, host_elf=options.host_elf,
                            modules=[(files.kernel, files.arguments(options.append)), (files.initrd, "")],
                            **settings)
    settings["extra"] = [*extra, *(bios_disk(files, host) if form == "bios" else uefi_disk(files, host, form))]
    return machine.boot(None, **settings)


def check(options, name, log):
    """Returns the errors in the log of a boot through the guard on the host `name`."""
    verdict, decision, linux = HOSTS[name]
    if options.off:
        verdict, decision = "unknown", "passed"
    cpus = 0 if options.off else 2 if name == "differ" else options.smp
    problems = []
    last, command_line = LAST_LINE.search(log), re.search(r"^=== cmdline (.*)$", log, re.M)
    if not last or (last[1], last[2], last[3]) != (verdict, str(cpus), decision):
        problems.append(f"the guard said {last and last[0]!r}, not verdict={verdict} cpus={cpus} guard={decision}")
    if not command_line:
        return [*problems, "the kernel did not reach user space"]
    if command_line[1].split().count("nofsgsbase") != (linux == "disabled"):
        problems.append(f"the kernel's command line is {command_line[1]!r}")
    if decision == "nofsgsbase" and not command_line[1].endswith(" nofsgsbase"):
        problems.append("it does not end with nofsgsbase")
    found = re.search(r"^fsgscheck: verdict=(\w+)|^verdict: (\w+)|\b(usable|disabled|unsupported|broken)\b",
                      log[command_line.end():], re.M)
    if not found or next(word for word in found.groups() if word) != linux:
        problems.append(f"Linux says {found and found[0]!r}, not {linux}")
    return problems


# -- malformed input ------------------------------------------------------------------------------


def patched(kernel, *changes):
    """A kernel in which some bytes are replaced. Each change is (offset, bytes)."""
    content = bytearray(kernel)
    for offset, value in changes:
        content[offset:offset + len(value)] = value
    return bytes(content)


def malformed(kernel):
    """A list of (name, modules, the guard's command line, the expected message). A module is (content, arguments)."""
    small = b"\0" * 4096
    line = "console=ttyS0"
    word32 = lambda value: struct.pack("<I", value)  # noqa: E731
    damaged = "damaged"
    return [
        ("no module", [], "guard", "no module"),
        ("an empty kernel", [(b"", line)], "guard", "empty|no module"),
        ("one byte", [(b"\x7f", line)], "guard", "no Linux bzImage"),
        ("zeroes", [(small, line)], "guard", "no Linux bzImage"),
        ("a text", [(b"#!/bin/sh\n" * 500, line)], "guard", "no Linux bzImage"),
        ("an ELF file", [(b"\x7fELF" + small, line)], "guard", "no Linux bzImage"),
        ("a gzip file", [(b"\x1f\x8b\x08" + small, line)], "guard", "no Linux bzImage"),
        ("an initrd in the kernel's place", [(b"070701" + small, line)], "guard", "no Linux bzImage"),
        ("a kernel cut in its header", [(kernel[:0x210], line)], "guard", "no Linux bzImage"),
        ("a kernel cut behind its header", [(kernel[:0x400], line)], "guard", damaged),
        ("a kernel cut in half", [(kernel[:len(kernel) // 2], line)], "guard", damaged),
        ("a kernel without its last 64 KiB", [(kernel[:-65536], line)], "guard", damaged),
        ("no boot flag", [(patched(kernel, (0x1fe, b"\0\0")), line)], "guard", "no Linux bzImage"),
        ("a wrong magic", [(patched(kernel, (0x202, b"HdrZ")), line)], "guard", "no Linux bzImage"),
        ("protocol 2.11", [(patched(kernel, (0x206, b"\x0b\x02")), line)], "guard", "no 64-bit entry"),
        ("protocol 0", [(patched(kernel, (0x206, b"\0\0")), line)], "guard", "no 64-bit entry"),
        ("a 32-bit kernel", [(patched(kernel, (0x236, b"\0\0")), line)], "guard", "no 64-bit entry"),
        ("a zImage", [(patched(kernel, (0x211, b"\0")), line)], "guard", damaged),
        ("more setup than file", [(patched(kernel[:65536], (0x1f1, b"\xff")), line)], "guard", damaged),
        ("the largest size", [(patched(kernel, (0x1f4, word32(0xffffffff))), line)], "guard", damaged),
        ("no alignment", [(patched(kernel, (0x230, word32(0))), line)], "guard", damaged),
        ("an alignment of a byte, and no place",
         [(patched(kernel, (0x230, word32(1)), (0x260, word32(0xf0000000))), line)], "guard", damaged),
        ("an odd alignment", [(patched(kernel, (0x230, word32(3))), line)], "guard", damaged),
        ("the largest alignment", [(patched(kernel, (0x230, word32(0x80000000))), line)], "guard", "no free memory"),
        ("no room", [(patched(kernel, (0x260, word32(0))), line)], "guard", damaged),
        ("all room", [(patched(kernel, (0x260, word32(0xffffffff))), line)], "guard", "no free memory"),
        ("a place beyond memory", [(patched(kernel, (0x258, struct.pack("<Q", 1 << 40))), line)], "guard",
         "no free memory"),
        ("a fixed place that is taken",
         [(patched(kernel, (0x234, b"\0"), (0x258, struct.pack("<Q", 0x100000))), line)], "guard", "no free memory"),
        ("an initrd higher than the kernel accepts",
         [(patched(kernel, (0x22c, word32(0x1000)), (0x236, b"\x01\0")), line), (small, "")], "guard",
         "initrd is at a higher address"),
        ("an empty initrd", [(kernel, line), (b"", "")], "guard", "empty|=== cmdline|Unable to mount root"),
        ("a command line of 3 KiB", [(kernel, line + " x" * 1500)], "guard", "longer than the kernel accepts"),
        ("a command line of 64 KiB", [(kernel, line + " x" * 32768)], "guard", "longer than"),
        ("a limit of 4", [(patched(kernel, (0x238, word32(4))), line)], "guard", "longer than the kernel accepts"),
    ]


# Invalid data from a boot loader: a defect of the host's own loader (multiboot.c), and the message of the guard.
HANDED = [
    ("no-map", "no memory map"),
    ("empty-map", "does not lie in the memory"),
    ("damaged-map", "memory map is damaged"),
    ("map-beyond", "memory map is damaged"),
    ("modules-beyond", "unexpected exception 14"),
    ("endless-map", r"a region beyond 2\^52"),
    ("no-modules", "no module"),
    ("backwards", "empty"),
    ("same-place", "overlap"),
    ("overlap", "overlap"),
    ("over-image", "overlaps this program"),
    ("no-memory-there", "does not lie in the memory"),
]


def bad_input(options):
    """Boots with each malformed input. The machine must end by itself within a minute, and the reason must be printed.
    Returns the number of failures."""
    path = pathlib.Path(machine.kernel(options.cache, options.kernel))
    failures = number = 0

    def judge(name, message, done):
        nonlocal failures, number
        number += 1
        stopped = re.search(r"^fsgscheck: guard stopped: (.*)$", done.log, re.M)
        said = (stopped[1] if stopped else done.errors or done.log[-200:]).strip()
        # QEMU itself may refuse a file before the guard runs. If the guard has refused it, QEMU's status must show the
        # guard's exit status, 3.
        good = bool(re.search(message, said)) and not done.timed_out
        good = good and (not stopped or done.status == 2 * (16 + 3) + 1)
        failures += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}: {said}")
        if not good:
            print(f"# wanted {message!r}, status {done.status}, {done.seconds:.1f} s")

    for name, modules, words, message in malformed(path.read_bytes()):
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for index, (content, arguments) in enumerate(modules):
                file = pathlib.Path(folder) / f"module{index}"
                file.write_bytes(content)
                files.append(f"{file} {arguments}".strip())
            extra = ["-initrd", ",".join(files)] if files else []
            judge(name, message, machine.boot(options.elf, append=words, extra=extra, memory=256, timeout=60))
    for defect, message in HANDED:
        judge(defect, message,
              machine.boot(options.elf, append="guard", host=f"off defect={defect}", host_elf=options.host_elf,
                           modules=[(path, ARGUMENTS), (options.init, "")], memory=256, timeout=60))
    print(f"1..{number}")
    return failures


# -- malformed load options -----------------------------------------------------------------------

NO_FILE, NO_PROGRAM = "there is no such file on the guard's volume", "the file is no UEFI program for this machine"


def malformed_images(kernel):
    """Malformed UEFI programs by file name: the content, and the message that the guard must print."""
    pe = struct.unpack_from("<I", kernel, 0x3c)[0]
    word16, word32 = (lambda value: struct.pack("<H", value)), (lambda value: struct.pack("<I", value))
    return {
        "empty": (b"", NO_PROGRAM),
        "byte": (b"M", NO_PROGRAM),
        "zeroes": (bytes(4096), NO_PROGRAM),
        "text": (b"#!/bin/sh\n" * 500, NO_PROGRAM),
        "elf": (b"\x7fELF" + bytes(4096), NO_PROGRAM),
        "header": (kernel[:0x40], NO_PROGRAM),
        "half": (kernel[:len(kernel) // 2], NO_PROGRAM),
        "dos": (patched(kernel, (0, b"ZM")), NO_PROGRAM),
        "pe": (patched(kernel, (pe, b"EP")), NO_PROGRAM),
        "beyond": (patched(kernel, (0x3c, word32(0xfffffff0))), NO_PROGRAM),
        "i386": (patched(kernel, (pe + 4, word16(0x14c))), NO_PROGRAM),
        "arm64": (patched(kernel, (pe + 4, word16(0xaa64))), NO_PROGRAM),
        "sections": (patched(kernel, (pe + 6, word16(0xffff))), NO_PROGRAM),
        "console": (patched(kernel, (pe + 24 + 68, word16(3))), NO_PROGRAM),
        "size": (patched(kernel, (pe + 24 + 56, word32(0xffffffff))), "there is not enough memory"),
    }


def malformed_options(images):
    """A list of (name, the guard's load options, the message). The last case must stay last, because it ends the machine."""
    return [
        *((f"the file {name}", f"guard /{name}", message) for name, (_, message) in images.items()),
        ("no such file", "guard /missing", NO_FILE),
        ("a folder", "guard /EFI", NO_FILE),
        ("the volume itself", "guard /", NO_FILE),
        ("a way out of the volume", "guard /../../missing", NO_FILE),
        ("the word guard twice", "guard guard", NO_FILE),
        ("a path of 300 characters", "guard /" + "x" * 300, NO_FILE),
        ("a path of 20000 characters", "guard /" + "$long" * 20, NO_FILE),
        ("a path that is not ASCII", "guard /\u00e9\u20ac", NO_FILE),
        ("options of 64 KiB", "guard /missing" + " $long" * 65, NO_FILE),
        ("options of 64 KiB for the next guard", "guard /guard.efi guard /missing" + " $long" * 65,
         f"(?s){NO_FILE}.*the next image returned"),
        ("the word guard behind 400 characters", "x " * 200 + "guard /missing", NO_FILE),
        ("blanks around the words", "   guard     /missing   ", NO_FILE),
        # None of these words is "guard", so the program must run as the boot image. Code that reads only 128 characters, or
        # only the low byte of each character, would find the word.
        ("words that only look like guard", "x" * 122 + " guardian \u0167uard",
         r"^fsgscheck: verdict=usable findings=\S* cpus=1$"),
    ]


def bad_options(options):
    """GRUB starts the guard with each of the load options, in one boot. In all cases but the last, the guard must return
    with an error and give the reason. Returns the number of failures."""
    with tempfile.TemporaryDirectory() as folder:
        files = Files(options, folder)
        images = malformed_images(files.kernel.read_bytes())
        cases = malformed_options(images)
        # A word in a GRUB script can have at most 8 KiB before its variables are replaced. So the long options repeat $long.
        lines = ["set long=" + "x" * 1000]
        for number, (_, words, _) in enumerate(cases):
            words = words.replace("  ", " ' '")
            lines += [f"echo case {number}", f"chainloader /guard.efi {words}",
                      f"if boot; then echo came back {number} with success",
                      f"else echo came back {number} with an error; fi"]
        extra = uefi_disk(files, "off", "uefi-if")
        for name, (content, _) in images.items():
            (files.folder / "esp" / name).write_bytes(content)
        (files.folder / "esp/grub.cfg").write_text("\n".join(lines) + "\n", encoding="utf-8")
        done = machine.boot(None, cpu=machine.CPU_OF_REPORT, timeout=options.timeout, extra=extra)
    failures = 0
    logs = re.split(r"^case \d+ *$", done.log, flags=re.M)
    for number, (name, _, message) in enumerate(cases):
        log, last = logs[number + 1] if number + 1 < len(logs) else "", number + 1 == len(cases)
        said = re.search(r"^fsgscheck: guard: (.*)$", log, re.M)
        good = bool(re.search(message, log, re.M))
        good = good and (done.status == 2 * 16 + 1 if last else f"came back {number} with an error" in log)
        failures += not good
        print(f"{'ok' if good else 'not ok'} {number + 1} - {name}: {said[1] if said else log.strip()[-60:]}")
        if not good:
            print(f"# wanted {message!r}\n{log[:3000]}")
    print(f"1..{len(cases)}\n# {done.seconds:.1f} s, status {done.status}")
    return failures


GUARD_MS, BOOT_SHARE = 50, 0.02


def counted_boot(options, form, emulator):
    """Boots once. With -icount, QEMU's clock advances by a nanosecond for each instruction. Returns the guard's time, which
    is 0 without the guard, and the time from the kernel's start to its end, both in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        done = boot(options, form, None, folder, ["-icount", "shift=0,sleep=off"], emulator)
    last, end = LAST_LINE.search(done.log), re.search(r"^\[ *([0-9.]+)\] reboot: ", done.log, re.M)
    if not end or (form == "direct") != bool(last):
        sys.exit(f"not ok - the machine did not reach its end\n{done.log[-2000:]}{done.errors}")
    return int(last[4]) if last else 0, float(end[1]) * 1000


def cost(options):
    """Compares boots with and without the guard in pairs, and measures the guard's own time. Returns True if the guard takes
    longer than GUARD_MS, or adds more than BOOT_SHARE to the time of a boot.

    Counted instructions do not depend on the load of this machine: the times of boots differ by less than 1 %, but by
    10 % and more with a real clock. With counted instructions, Debian 12's QEMU hardly runs the second CPU, so this
    function uses the QEMU of Debian 13. QEMU itself takes longer to load a kernel than to load the guard with its modules.
    So the time before the guard or the kernel starts is not counted.
    """
    version, emulator = aside.qemu_system("trixie")
    pairs = [(counted_boot(options, "plain", emulator)[1], *counted_boot(options, "direct", emulator))
             for _ in range(options.pairs)]
    own = max(pair[1] for pair in pairs)
    without = statistics.median(pair[0] for pair in pairs)
    more = statistics.median(guard + rest - plain for plain, guard, rest in pairs)
    good = own <= GUARD_MS and more <= BOOT_SHARE * without
    print(f"{'ok' if good else 'not ok'} - QEMU {version}, {options.smp} CPUs: at most {own} ms in the guard; the boot takes "
          f"{without:.0f} ms without it, and {more:+.0f} ms ({more / without:+.2%}) with it, the median of {len(pairs)} pairs")
    return not good


def arguments(words=None):
    """Parses the command line. The files' default paths are in environment variables: FSGS_ELF for --elf, for example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("form", choices=("plain", "direct", "bios", "uefi-if", "uefi-chain", "bad-input",
                                             "bad-options", "cost"))
    parser.add_argument("host", nargs="*")
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--words", default="guard")
    parser.add_argument("--append", default="")
    parser.add_argument("--off", action="store_true", help="give the kernel nofsgsbase, so the guard does not test")
    parser.add_argument("--kernel", default=machine.CLOUD)
    parser.add_argument("--timeout", type=float, default=120.0)
    for name in ("elf", "efi", "host-elf", "host-efi", "init", "command", "cache"):
        parser.add_argument(f"--{name}", type=pathlib.Path, default=os.environ.get("FSGS_" + name.upper().replace("-", "_")))
    return parser.parse_args(words)


def main():
    """Returns the exit status: 0 if all is as expected, 1 if not."""
    options = arguments()
    if options.form == "bad-input":
        return 1 if bad_input(options) else 0
    if options.form == "bad-options":
        return 1 if bad_options(options) else 0
    if options.form == "cost":
        return 1 if cost(options) else 0
    failures = 0
    for name in options.host:
        with tempfile.TemporaryDirectory() as folder:
            done = boot(options, options.form, name, folder)
        problems = check(options, name, done.log)
        failures += bool(problems)
        last = LAST_LINE.search(done.log)
        print(f"{'not ok' if problems else 'ok'} - {options.form} {name}: {done.seconds:.1f} s, {last and last[0]}")
        for problem in problems:
            print(f"# {problem}")
        if problems:
            print(done.log[-3000:], done.errors, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    parts.run_main(main)
