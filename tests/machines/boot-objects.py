#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the boot image and its ISO are small, that the image links the core, and that the ISO can start as a disk."""

import argparse
import pathlib
import sys
import tempfile

from support import output

ELF_LIMIT = 64 << 10
ISO_LIMIT = 3 << 19  # 1.5 MiB

# The image must link these functions and tables of the core, so that its verdict comes from the library's own code.
REQUIRED = {"fsgs_core_cpuid", "fsgs_core_identify", "fsgs_core_ring0", "fsgs_core_trial",
            "fsgs_core_canonical", "fsgs_decide", "fsgs_stub_recover", "fsgs_stub_table",
            "fsgs_name", "fsgs_describe", "fsgs_reason", "fsgs_advice", "fsgs_exit_status"}


def sizes(nm, file):
    """Returns the size of each symbol fsgs_* that a file defines, by the symbol's name."""
    found = {}
    for line in output(nm, "--defined-only", "--print-size", file).splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[3].startswith("fsgs_"):
            found[fields[3]] = int(fields[1], 16)
    return found


def undefined(tools):
    """Returns the symbols that the core needs from other code. There must be none, because the core is freestanding."""
    with tempfile.TemporaryDirectory() as folder:
        whole = pathlib.Path(folder) / "core.o"
        output(tools.ld, "-r", "--whole-archive", tools.core, "-o", whole)
        return [line.split()[-1] for line in output(tools.nm, "--undefined-only", whole).splitlines()
                if not line.endswith(" _GLOBAL_OFFSET_TABLE_")]


def check_disk(iso):
    """Returns what the ISO lacks: firmware can start it as a disk only with a boot sector and a partition table."""
    with iso.open("rb") as file:
        head = file.read(1024)
    problems = []
    if head[510:512] != b"\x55\xaa" or not any(head[:64]):
        problems.append("the ISO has no boot sector")
    if head[512:520] != b"EFI PART":
        problems.append("the ISO has no partition table")
    return problems


def check(tools):
    """Returns the errors."""
    problems = []
    core, image = sizes(tools.nm, tools.core), sizes(tools.nm, tools.elf)
    for name in sorted(REQUIRED - image.keys()):
        problems.append(f"the image does not link {name}")
    for name, size in sorted(image.items()):
        if core.get(name) != size:
            problems.append(f"{name} is not the core's: {size} bytes, not {core.get(name)}")
    problems += [f"the core asks for {name}" for name in undefined(tools)]
    if tools.iso:
        problems += check_disk(tools.iso)
    for file, limit in ((tools.elf, ELF_LIMIT), (tools.iso, ISO_LIMIT)):
        if file and file.stat().st_size > limit:
            problems.append(f"{file.name} has {file.stat().st_size} bytes, more than {limit}")
        if file:
            print(f"{file.name}: {file.stat().st_size} bytes of {limit}")
    return problems


def main():
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nm", required=True)
    parser.add_argument("--ld", required=True)
    parser.add_argument("--core", type=pathlib.Path, required=True)
    parser.add_argument("--elf", type=pathlib.Path, required=True)
    parser.add_argument("--iso", type=pathlib.Path)
    problems = check(parser.parse_args())
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
