#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the decision on purpose, and expects exactly the affected cases of the table to fail.

Two verdicts are exchanged in decide_process(), and the static command is linked with this code. Cases in which a process
runs the static command are repeated with it. A case must fail exactly if the verdict of FS or of GS is one of the two.
"""

import os
import pathlib
import re
import tempfile

import states
import table
from support import SOURCE, Unavailable, builds, mutation, output, parts

BUILD, LIBRARY = pathlib.Path(os.environ["BUILD"]), os.environ["LIBRARY"]
SWAPS = (("USABLE", "BROKEN"), ("DISABLED", "UNSUPPORTED"), ("UNADVERTISED", "INCONSISTENT"))


def swap(text, one, other):
    """The source, with two verdicts exchanged in decide_process()."""
    source = mutation.tokens(text)
    first, last = mutation.body(source, "decide_process")
    begin, end = source[first][1], source[last - 1][2]
    names = {f"FSGS_VERDICT_{one}": f"FSGS_VERDICT_{other}",
             f"FSGS_VERDICT_{other}": f"FSGS_VERDICT_{one}"}
    body, count = re.subn("|".join(rf"{name}\b" for name in names),
                          lambda found: names[found[0]], text[begin:end])
    if count < 2:
        raise states.Failed(f"decide_process() does not name {one} and {other}")
    return text[:begin] + body + text[end:]


def build_broken(folder, one, other):
    """Links the command with two verdicts exchanged in its decision."""
    source, changed, program = folder / "decide.c", folder / "decide.o", folder / "fsgscheck"
    original = (SOURCE / "lib/core/decide.c").read_text(encoding="utf-8")
    source.write_text(swap(original, one, other), encoding="utf-8")
    output("gcc", "-O2", "-std=c11", "-ffreestanding", "-fno-stack-protector", f"-I{SOURCE / 'include'}",
           f"-I{SOURCE / 'lib/core'}", "-c", source, "-o", changed)
    library = builds.with_file(LIBRARY, "core_decide.c.o", changed, folder / "libfsgscheck.a")
    objects = sorted((BUILD / "tests/fsgscheck-static.p").glob("*.o"))
    output("gcc", "-static", "-pthread", "-o", program, *objects,
           *(BUILD / f"examples/fsgscheck/lib{name}.a" for name in ("command", "explain")), library)
    return str(program)


def from_process(case):
    """Whether the changed code gives the verdict of the case. Other code gives it if CPUs differ."""
    return (isinstance(case.machine, table.Process) and "{static}" in case.machine.command
            and "cpus-differ" not in case.findings)


def check(programs, one, other):
    """Repeats the cases with the changed command. Returns the number of unexpected results, plus 1 if no case fails."""
    touched = {getattr(table, one), getattr(table, other)}
    failed, surprises = [], []
    for case in table.CASES:
        if not from_process(case):
            continue
        try:
            report, _ = states.enter(case, programs)
        except Unavailable:
            continue
        fails = bool(states.differences(case.expected, report))
        if fails:
            failed.append(case.name)
        if fails != bool(touched & {case.expected["fs"], case.expected["gs"]}):
            surprises.append(case.name)
    print(f"{one} and {other} swapped: {len(failed)} cases fail: {' '.join(failed)}")
    if surprises or not failed:
        print(f"  not as expected: {' '.join(surprises) or 'nothing fails'}")
    return len(surprises) + (not failed)


def main():
    """Tries every exchange. Returns the exit status."""
    surprises = 0
    try:
        states.require(("fsgsbase",))
        for one, other in SWAPS:
            with tempfile.TemporaryDirectory() as folder:
                broken = build_broken(pathlib.Path(folder), one, other)
                surprises += check(states.Programs(static=broken), one, other)
    except states.Failed as reason:
        print(reason)
        return 1
    return int(surprises > 0)


if __name__ == "__main__":
    parts.run_main(main)
