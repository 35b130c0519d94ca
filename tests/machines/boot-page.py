#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that the boot image shows its whole page on the screen of a machine with a BIOS.

The screen is in VGA's text mode, in which the text is in memory. So the test reads that memory instead of a picture.
"""

import argparse
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

from support import machine, parts

COLUMNS, ROWS = 80, 25
TEXT_MEMORY = 0xb8000
TIMEOUT = 30.0

BLOCK = 0xdb
RED, GREEN, YELLOW = 4, 2, 14

# The expected pages: LIE on the host of the crash report, which is the longest page, and SOFTWARE on a host without a
# defect. Each has the background colour of the large letters, the commands, and patterns for the text, in this order.
LIE = (RED, ["Set-VMProcessor -VMName NAME -CompatibilityForMigrationEnabled $true"],
       [r"fsgscheck boot image \d+\.\d+\.\d+: 1 of 1 CPU tested .*You may switch off now\.",
        r"The machine offers FSGSBASE, but it does not work\.",
        r"What to do, cheapest first:",
        r"1\. Guest: add nofsgsbase",
        r"2\. Host: with the VM off, run this in PowerShell",
        r"Set-VMProcessor -VMName NAME -CompatibilityForMigrationEnabled \$true",
        r"Why: CPUID offers the instructions, and CR4\.FSGSBASE is set",
        r"Hypervisor: Microsoft Hv, version 10\.0, build 20348",
        r"Processor: +AMD EPYC 7281 16-Core Processor \(family 23, model 1, stepping 2\)",
        r"fsgscheck: verdict=broken findings=insn-ud cpus=1"])
SOFTWARE = (GREEN, [], [r"Kernels and programs can use FSGSBASE on this machine\.",
                        r"What to do: nothing\.",
                        r"Why: ",
                        r"Hypervisor: Microsoft Hv",
                        r"fsgscheck: verdict=usable findings= cpus=1"])


def wait_for(condition):
    """Returns when the condition is true. Ends the test with an error if that takes longer than TIMEOUT."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("the condition did not become true in time")
        time.sleep(0.02)


def read_screen(command, folder):
    """Starts the machine, waits for its last line on the serial port, and returns the contents of its text memory."""
    serial, screen, monitor = (folder / name for name in ("serial", "screen", "monitor"))
    command = [*command, "-device", "VGA", "-serial", f"file:{serial}",
               "-monitor", f"unix:{monitor},server,nowait"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: serial.exists() and
                     re.search(rb"^fsgscheck: .* cpus=\d+\r?\n", serial.read_bytes(), re.M))
            with socket.socket(socket.AF_UNIX) as talk:
                talk.connect(str(monitor))
                talk.sendall(b'pmemsave %d %d "%s"\n'
                             % (TEXT_MEMORY, COLUMNS * ROWS * 2, str(screen).encode()))
                wait_for(lambda: screen.exists() and screen.stat().st_size == COLUMNS * ROWS * 2)
        finally:
            process.kill()
    return screen.read_bytes()


def check(memory, background, commands, words):
    """Returns the errors of a page. `memory` has the contents of the text memory."""
    problems = []
    rows = [memory[at:at + 2 * COLUMNS] for at in range(0, len(memory), 2 * COLUMNS)]
    text = "\n".join(row[::2].decode("cp437").rstrip() for row in rows)
    print(text)
    # The page wraps long lines and indents the rest. Such lines are joined again.
    flowing = re.sub(r"\s*\n\s+", " ", text)
    at = 0
    for expected in words:
        found = re.compile(expected).search(flowing, at)
        if not found:
            problems.append(f"missing, or not in this order: {expected}")
            break
        at = found.end()
    blocks = [row[2 * column + 1] >> 4 for row in rows for column in range(COLUMNS)
              if row[2 * column] == BLOCK]
    if len(blocks) < 40 or set(blocks) != {background}:
        problems.append(f"{len(blocks)} blocks of large letters on background {set(blocks)}")
    shown = ["".join(chr(row[at]) if row[at + 1] == YELLOW else " " for at in range(0, len(row), 2)).strip() for row in rows]
    if [row for row in shown if row] != commands:
        problems.append(f"the coloured rows are not exactly the commands: {shown}")
    return problems


def main():
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", type=pathlib.Path, required=True)
    parser.add_argument("--host-elf", type=pathlib.Path, required=True)
    options = parser.parse_args()
    problems = []
    for host, expected in (("lie", LIE), ("software", SOFTWARE)):
        command = [*machine.qemu(with_host=True), "-accel", "tcg", "-M", "q35", "-cpu", machine.CPU_OF_REPORT,
                   "-m", "64", "-nodefaults", "-display", "none", "-no-reboot",
                   "-kernel", str(options.host_elf), "-append", f"host={host}",
                   "-initrd", str(options.image)]
        with tempfile.TemporaryDirectory() as folder:
            memory = read_screen(command, pathlib.Path(folder))
        problems += check(memory, *expected)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == '__main__':
    parts.run_main(main)
