#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Enters a machine state of table.py and compares what fsgscheck says there with what is true.

    states.py run NAME --build DIR --program KEY=FILE...

Status 0 when all is as the table says, 1 when it is not, 77 with a reason when the state cannot be
had here.  What was said, and what others answer in the same state, stays in DIR/results.
"""

import argparse
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True

import table  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
SKIP = 77
SECONDS = 50  # for one program; its test has 60

# How a build for another machine is made: compiler, cross file, whether the program is shared.
BUILDS = {
    "i386": ("i686-linux-gnu-gcc", "i386.ini", False),
    "x32": ("x86_64-linux-gnux32-gcc", "x32.ini", False),
    "musl": ("musl-gcc", "musl.ini", False),
    "musl-shared": ("musl-gcc", "musl.ini", True),
    "aarch64": ("aarch64-linux-gnu-gcc", "aarch64.ini", False),
}


class Unavailable(Exception):
    """Something that is not part of the project is missing: a reason to skip, not to fail."""


class Failed(Exception):
    """The state was entered, and something in it is not as it has to be."""


# -- programs -------------------------------------------------------------------------------------


class Programs:
    """The builds of the command, and of the peers' program, that a state may ask for."""

    def __init__(self, build, given):
        self.build = pathlib.Path(build)
        self.given = given

    def command(self, key):
        """The path of a build of fsgscheck, or of a helper."""
        return self._cross(key) if key in BUILDS else self._given(key)

    def peers(self, key):
        """The path of the peers' program as the same build."""
        if key not in ("static", "shared", *BUILDS):
            return self._given(key)
        compiler, _, shared = BUILDS.get(key, ("gcc", None, key == "shared"))
        output = self.build / "peers" / key
        source = HERE / "peers.c"
        with self._locked("peers"):
            if not output.exists() or output.stat().st_mtime < source.stat().st_mtime:
                _build([compiler, "-O2", "-D_GNU_SOURCE", *([] if shared else ["-static"]),
                        "-o", str(output), str(source)])
        return str(output)

    def _given(self, key):
        if not self.given.get(key):
            raise Unavailable(f"this build has no {key}")
        return self.given[key]

    def _cross(self, key):
        compiler, cross, shared = BUILDS[key]
        if not shutil.which(compiler):
            raise Unavailable(f"{compiler} is not installed")
        folder = self.build / cross.removesuffix(".ini")
        target = "examples/fsgscheck/fsgscheck" if shared else "tests/fsgscheck-static"
        with self._locked(folder.name):
            if not (folder / "build.ninja").exists():
                shutil.rmtree(folder, ignore_errors=True)
                _build(["meson", "setup", str(folder), str(SOURCE), "--werror",
                        "--cross-file", str(SOURCE / "tests" / "cross" / cross)])
            _build(["ninja", "-C", str(folder), target])
        return str(folder / target)

    def _locked(self, name):
        """Two tests that want the same build take turns."""
        folder = self.build / "peers"
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / f"{name}.lock", "w", encoding="ascii")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock


def _build(command):
    """Runs a step of a build.  That a compiler is missing is no failure; that it fails is."""
    if not shutil.which(command[0]):
        raise Unavailable(f"{command[0]} is not installed")
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode != 0:
        raise Failed(f"{' '.join(command)}: status {run.returncode}\n{run.stdout}")


# -- processes ------------------------------------------------------------------------------------


def _cpuinfo_flags():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return line.split(":", 1)[1].split()
    return []


def _hwcap2():
    words = memoryview(pathlib.Path("/proc/self/auxv").read_bytes()).cast("N")
    return dict(zip(words[::2], words[1::2])).get(26, 0)


def require(needs):
    """Skips where this machine itself is not one that the state can be made of."""
    if "fsgsbase" in needs and not ("fsgsbase" in _cpuinfo_flags() and _hwcap2() & 2):
        raise Unavailable("this machine itself has no FSGSBASE")
    if "cpuid_fault" in needs and "cpuid_fault" not in _cpuinfo_flags():
        raise Unavailable("this processor has no CPUID faulting")


def run_process(machine, resolve, arguments):
    """Runs one program in a state of this machine; returns its output and its exit status."""
    def fill(word):
        if word.startswith("{") and word.endswith("}"):
            return resolve(word[1:-1])
        return word

    words = [fill(word) for word in machine.command.split()] + arguments
    if not shutil.which(words[0]):
        raise Unavailable(f"{words[0]} is not installed")
    # Nobody's variables but the state's own: Meson sets some for the loader and the allocator.
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
    environment |= {key: fill(value) for key, value in machine.environment}
    try:
        run = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, check=False,
                             capture_output=True, timeout=SECONDS)
    except OSError as error:
        raise Unavailable(f"this kernel does not run it: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(words)} did not end within {SECONDS} s") from error
    sys.stderr.buffer.write(run.stderr)
    sys.stderr.flush()
    return run.stdout.decode(), run.returncode


# -- the comparison -------------------------------------------------------------------------------


def field(report, path):
    """The value at "a.b.c", or a word that no report contains."""
    for key in path.split("."):
        if not isinstance(report, dict) or key not in report:
            return "(absent)"
        report = report[key]
    return sorted(report) if path == "findings" else report


def differences(expected, report):
    """One line for each field that is not what the table says."""
    return [f"{path}: expected {json.dumps(value)}, got {json.dumps(field(report, path))}"
            for path, value in expected.items() if field(report, path) != value]


def parse(text, what):
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Failed(f"{what} printed no JSON: {error}\n{text}") from error


def enter(case, programs):
    """Runs everybody in the state; returns fsgscheck's report, with its status, and the peers'."""
    arguments = ["--json", *case.args.split()]
    require(case.machine.needs)
    text, status = run_process(case.machine, programs.command, arguments)
    answers, _ = run_process(case.machine, programs.peers, [])
    report = parse(text, "fsgscheck")
    if report["schema"] != 1:
        raise Failed(f"schema {report['schema']}")
    return report | {"status": status}, parse(answers, "the peers' program")


def run(case, programs, results):
    """Runs one case and returns the test's exit status."""
    result = results / f"{case.name}.json"
    result.unlink(missing_ok=True)
    try:
        report, answers = enter(case, programs)
    except Unavailable as reason:
        print(f"{case.name}: skipped: {reason}")
        return SKIP
    except Failed as reason:
        print(f"{case.name}: {reason}")
        return 1
    wrong = differences(case.expected, report)
    results.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps({"report": report, "peers": answers}), encoding="utf-8")
    if wrong:
        print(f"{case.name}: {case.about}: {len(wrong)} fields are wrong", *wrong, sep="\n  ")
        print(json.dumps(report, indent=1))
        return 1
    print(f"{case.name}: {report['verdict']} {','.join(report['findings'])}".rstrip())
    return 0


def main():
    """Runs what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    action = actions.add_parser("run", help="one case")
    action.add_argument("name", choices=[case.name for case in table.CASES], metavar="NAME")
    action.add_argument("--build", required=True, help="folder for what is built and found")
    action.add_argument("--program", nargs="*", default=[], metavar="KEY=FILE")
    arguments = parser.parse_args()

    programs = Programs(arguments.build, dict(pair.split("=", 1) for pair in arguments.program))
    case = next(case for case in table.CASES if case.name == arguments.name)
    return run(case, programs, pathlib.Path(arguments.build) / "results")


if __name__ == "__main__":
    sys.exit(main())
