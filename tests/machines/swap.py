#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the decision on purpose, and expects the table to notice.

    swap.py --build DIR --program KEY=FILE...

Two verdicts change places in decide_process() of a copy of the sources, the command is built from it,
and every state that a process can be put in is entered with it. The cases whose verdict is one of the
two have to fail, each by its name, and no others. Status 0, 1 or 77.
"""

import argparse
import pathlib
import re
import shutil
import sys
import tempfile

import states
import table

SWAPS = (("USABLE", "BROKEN"), ("DISABLED", "UNSUPPORTED"), ("UNADVERTISED", "INCONSISTENT"))


def swap(text, one, other):
    """The source with two verdicts exchanged in the decision about a process."""
    begin = text.index("static uint32_t decide_process(")
    end = text.index("\n}\n", begin)
    names = {f"FSGS_VERDICT_{one}": f"FSGS_VERDICT_{other}",
             f"FSGS_VERDICT_{other}": f"FSGS_VERDICT_{one}"}
    body, count = re.subn("|".join(rf"{name}\b" for name in names),
                          lambda found: names[found[0]], text[begin:end])
    if count < 2:
        raise states.Failed(f"decide_process() does not name {one} and {other}")
    return text[:begin] + body + text[end:]


def build_broken(folder, one, other):
    """Builds the command from a copy of the sources with two verdicts swapped."""
    sources = folder / "sources"
    for name in ("include", "lib", "examples/fsgscheck"):
        shutil.copytree(states.SOURCE / name, sources / name)
    decide = sources / "lib" / "core" / "decide.c"
    decide.write_text(swap(decide.read_text(encoding="utf-8"), one, other), encoding="utf-8")
    files = [path for path in sorted(sources.rglob("*.[cS]")) if path.name != "no-trial.c"]
    program = folder / "fsgscheck"
    states.build([
        "gcc", "-O2", "-std=c11", "-D_GNU_SOURCE", "-static", "-pthread", "-fno-stack-protector",
        f"-I{sources / 'include'}", "-o", str(program), *map(str, files)])
    return str(program)


def from_process(case):
    """Whether the verdict comes from what is swapped, and the program is the one that is built."""
    return (isinstance(case.machine, table.Process) and "{static}" in case.machine.command
            and "cpus-differ" not in case.findings)


def check(programs, one, other):
    """Enters all states with one swap; returns how many cases did not behave as they should."""
    touched = {getattr(table, one), getattr(table, other)}
    failed, surprises = [], []
    for case in table.CASES:
        if not from_process(case):
            continue
        try:
            report, _ = states.enter(case, programs)
        except states.Unavailable:
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
    """Tries every swap; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--program", nargs="*", default=[], metavar="KEY=FILE")
    arguments = parser.parse_args()
    given = dict(pair.split("=", 1) for pair in arguments.program)
    surprises = 0
    try:
        states.require(("fsgsbase",))
        for one, other in SWAPS:
            with tempfile.TemporaryDirectory() as folder:
                broken = build_broken(pathlib.Path(folder), one, other)
                surprises += check(states.Programs(arguments.build, given | {"static": broken}),
                                   one, other)
    except states.Unavailable as reason:
        print(f"skipped: {reason}")
        return states.SKIP
    except states.Failed as reason:
        print(reason)
        return 1
    return int(surprises > 0)


if __name__ == "__main__":
    sys.exit(main())
