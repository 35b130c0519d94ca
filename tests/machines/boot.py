#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""boot.py NAME: boots the image as the case NAME of table.py describes, and checks the output and QEMU's exit status.

If the case expects a verdict, the image must print complete TAP, unless it bails out. Its last line must have the verdict,
and it must write the verdict's status to the isa-debug-exit device, if the machine has this device.
"""

import os
import pathlib
import re
import shutil
import sys
import tempfile

import table
from support import STATUS, machine, parts

# The image writes 16 + the command's exit status to isa-debug-exit. For a value N, QEMU exits with 2 * N + 1.
STATUSES = {verdict: 2 * (16 + status) + 1 for verdict, status in STATUS.items()}

MULTIBOOT_MAGIC = (0x1badb002).to_bytes(4, "little")

OVMF = pathlib.Path("/usr/share/OVMF")

FIRMWARE_TIMEOUT = 60.0


def without_multiboot(image, folder):
    """Makes a copy of the image without its Multiboot header. QEMU would use it in place of the PVH note."""
    content = image.read_bytes()
    if content.count(MULTIBOOT_MAGIC) != 1:
        raise ValueError("not exactly one Multiboot header in the image")
    copy = folder / "pvh.elf"
    copy.write_bytes(content.replace(MULTIBOOT_MAGIC, bytes(4)))
    return copy


def patched(image, patches, folder):
    """Makes a copy of the image with some bytes replaced, to cause failures that no emulated machine has."""
    content = image.read_bytes()
    for patch in patches:
        old, new = (bytes.fromhex(part) for part in patch.split("="))
        if content.count(old) != 1 or len(old) != len(new):
            raise ValueError(f"{old.hex()} is not exactly once in the image")
        content = content.replace(old, new)
    copy = folder / "patched.elf"
    copy.write_bytes(content)
    return copy


def uefi(folder):
    """QEMU's options for UEFI firmware. Each boot gets new variables, because those of an earlier boot would change it."""
    code, variables = OVMF / "OVMF_CODE_4M.fd", OVMF / "OVMF_VARS_4M.fd"
    if not code.exists() or not variables.exists():
        raise machine.Unavailable("ovmf is not installed")
    copy = folder / "variables.fd"
    shutil.copyfile(variables, copy)
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,format=raw,file={copy}"]


def cd(image):
    return ["-cdrom", str(image), "-boot", "d"]


def disk(image):
    return ["-drive", f"file={image},format=raw,if=ide,snapshot=on"]


def stick(image):
    return ["-device", "qemu-xhci", "-device", "usb-storage,drive=stick",
            "-drive", f"file={image},format=raw,if=none,id=stick,snapshot=on"]


MEDIA = {"cd": cd, "disk": disk, "stick": stick}


def start(options, folder):
    """Boots the image in the way that the case `options` requests. Returns a machine.Run."""
    settings = {"cpu": options.cpu, "smp": options.smp, "machine": options.machine, "memory": 64,
                "append": options.append, "until": options.until,
                "debug_exit": not options.until}
    if options.host:
        settings |= {"host": options.host, "host_elf": os.environ["HOST"]}
    kernel, extra = pathlib.Path(os.environ["IMAGE"]).resolve(), []
    firmware, _, medium = options.way.partition("-")
    if firmware == "uefi":
        extra += uefi(folder)
        settings |= {"memory": 256, "timeout": FIRMWARE_TIMEOUT}
    if options.patches:
        kernel = patched(kernel, options.patches, folder)
    if firmware == "pvh":
        kernel = without_multiboot(kernel, folder)
    if medium in MEDIA:
        kernel, extra = None, extra + MEDIA[medium](kernel)
    return machine.boot(kernel, extra=extra, **settings)


def check_tap(lines):
    """Returns the errors of the TAP body, which must have numbered test points and a plan that counts them."""
    problems = []
    points = [int(found[2]) for found in
              (re.match(r"(not )?ok (\d+) - \S", line) for line in lines) if found]
    plans = [line for line in lines if re.fullmatch(r"1\.\.\d+", line)]
    if "TAP version 13" not in lines:
        problems.append("there is no TAP version line")
    if points != list(range(1, len(points) + 1)) or not points:
        problems.append(f"the test points are numbered {points}")
    if plans != [f"1..{len(points)}"]:
        problems.append(f"the plan is {plans} for {len(points)} test points")
    return problems


def check_verdict(options, run):
    """Returns the errors of the last line, and of QEMU's exit status, which must match the verdict."""
    problems = []
    lines = run.log.rstrip("\n").splitlines() or [""]
    last = re.fullmatch(r"fsgscheck: verdict=(\S+) findings=(\S*) cpus=(\d+)", lines[-1])
    if not last:
        return [f"the last line is {lines[-1]!r}"]
    expected = (options.verdict, options.findings, str(options.cpus))
    if last.groups()[:2] != expected[:2] or not re.fullmatch(expected[2], last[3]):
        problems.append(f"expected {expected}, got {last.groups()}")
    if not options.until and run.status != STATUSES[options.verdict]:
        problems.append(f"QEMU's status is {run.status}, not {STATUSES[options.verdict]}")
    return problems


def check_words(options, run):
    """Returns the first expected line that is missing. options.says has regular expressions for whole lines, in order."""
    at, problems = 0, []
    for words in options.says:
        found = re.compile(f"^{words}$", re.MULTILINE).search(run.log, at)
        if not found:
            problems.append(f"missing, or not in this order: {words}")
            break
        at = found.end()
    return problems


def check(options, run):
    """Checks one run and prints its log. Returns the errors."""
    problems = check_verdict(options, run) if options.verdict else []
    if "Bail out!" not in run.log and options.verdict:
        problems += check_tap(run.log.splitlines())
    problems += check_words(options, run)
    if run.timed_out:
        problems.append(f"it did not end within {run.seconds:.0f} s")
    print(run.log)
    print(f"{run.seconds:.2f} s, status {run.status}")
    return problems


def main():
    """Returns the exit status: 0 if all is as expected, else 1. Raises Unavailable if some software is not installed."""
    name, = sys.argv[1:]
    options = next(case for case in table.BOOTS if case.name == name)
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.repeat):
            run = start(options, pathlib.Path(folder))
            problems += [*check(options, run), run.errors]
    for problem in problems:
        print(problem, file=sys.stderr, end="\n" if problem else "")
    return 1 if any(problems) else 0


if __name__ == '__main__':
    parts.run_main(main)
