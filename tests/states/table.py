#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table of machine states: how each is entered, and what fsgscheck has to say in it.

As a program it prints the names, for Meson.  states.py enters the states.
"""

import dataclasses
import sys

USABLE, UNSUPPORTED, DISABLED = "usable", "unsupported", "disabled"
UNADVERTISED, BROKEN, INCONSISTENT = "unadvertised", "broken", "inconsistent"

# The exit status that goes with a verdict, by the command's contract.
STATUS = {USABLE: 0, UNSUPPORTED: 1, DISABLED: 1, UNADVERTISED: 2, BROKEN: 2, INCONSISTENT: 2,
          "unknown": 3}

INSTRUCTIONS = ("rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase")


@dataclasses.dataclass(frozen=True)
class Process:
    """A process of this machine.

    command   what runs, split at blanks.  {static} and its like are builds of the command; the
              words that follow go to it, or to whatever runs it
    needs     what this machine has to be capable of: "fsgsbase", "cpuid_fault"
    """

    command: str
    environment: tuple = ()
    needs: tuple = ("fsgsbase",)


@dataclasses.dataclass(frozen=True)
class Case:
    """One state and the truth about it."""

    name: str
    about: str          # what it is, in a few words
    machine: object
    safe: bool          # the truth: a program here may use the instructions
    verdict: str        # what fsgscheck has to say ...
    findings: str = ""  # ... with exactly these findings
    access: str = None  # of both segments, or "FS GS"; by the verdict when not told
    fs: str = None      # the verdicts of FS and GS; the overall one when not told
    gs: str = None
    proof: str = "tried"
    args: str = ""      # further arguments of fsgscheck
    also: dict = dataclasses.field(default_factory=dict)  # other fields: "a.b": value

    @property
    def expected(self):
        """All that is compared, by the path of its field."""
        fs, gs = self.fs or self.verdict, self.gs or self.verdict
        if self.access:
            access = (self.access.split() * 2)[:2]
        else:
            access = ["instruction" if verdict == USABLE else "arch_prctl" for verdict in (fs, gs)]
        return {"verdict": self.verdict, "fs": fs, "gs": gs, "proof": self.proof,
                "findings": sorted(self.findings.split()),
                "access.fs": access[0], "access.gs": access[1],
                "status": STATUS[self.verdict]} | self.also


def outcomes(default, **others):
    """Fields for the outcomes of the four trials."""
    return {f"trials.{insn}.outcome": others.get(insn, default) for insn in INSTRUCTIONS}


def signal(number, code):
    """Fields for the signal behind each of four trials that failed alike."""
    return ({f"trials.{insn}.signal": number for insn in INSTRUCTIONS} |
            {f"trials.{insn}.si_code": code for insn in INSTRUCTIONS})


SIGILL, ILL_ILLOPC, ILL_ILLOPN = 4, 1, 2

SURVIVED = {"survival.tried": ["syscall", "signal", "yield", "sleep", "fork", "hop"],
            "survival.lost": []}

# -- this machine, and other builds on it ---------------------------------------------------------

NATIVE = [
    Case("native", "a healthy kernel of Linux 5.9 or later", Process("{static}"),
         True, USABLE, also=outcomes("ok")),
    Case("native-shared", "the same, with shared libraries", Process("{shared}"),
         True, USABLE, also=outcomes("ok")),
    Case("native-no-trial", "the same, and the trial is not wanted", Process("{static}"),
         True, USABLE, proof="advertised", args="--no-trial", also=outcomes("not-tried")),
    Case("native-environment", "the same, by the environment",
         Process("{static}", environment=(("FSGSCHECK_TRIAL", "0"),)),
         True, USABLE, proof="advertised", also=outcomes("not-tried")),
    Case("i386", "32-bit code, which the kernel promises what it cannot use",
         Process("{i386}", needs=()),
         False, UNSUPPORTED, "wrong-mode", access="none", proof="advertised"),
    Case("aarch64", "another architecture", Process("qemu-aarch64 {aarch64}", needs=()),
         False, UNSUPPORTED, "wrong-mode", access="none", proof="advertised"),
    Case("x32", "32-bit pointers in 64-bit mode", Process("{x32}"),
         True, USABLE, also=outcomes("ok")),
    Case("musl", "another C library, static", Process("{musl}"), True, USABLE,
         also=outcomes("ok")),
    Case("musl-shared", "another C library, shared", Process("{musl-shared}"), True, USABLE,
         also=outcomes("ok")),
]

# -- emulators and tools --------------------------------------------------------------------------


def emulated(model, has):
    """A model of qemu-user: no promise by AT_HWCAP2, no canonical check."""
    name = f"qemu-user-{model}".replace(",-", "-no-").lower()
    machine = Process(f"qemu-x86_64 -cpu {model} {{static}}", needs=())
    about = f"qemu-user, processor model {model}"
    entry = {"hwcap2.present": False}
    if has:
        return Case(name, about, machine, False, UNADVERTISED, "emulated no-canonical-check",
                    also=entry | outcomes("ok"))
    return Case(name, about, machine, False, UNSUPPORTED,
                also=entry | outcomes("undefined") | signal(SIGILL, ILL_ILLOPN))


TOOLS = [
    emulated("max", True),
    emulated("EPYC", True),
    emulated("Haswell", True),
    emulated("EPYC,-fsgsbase", False),
    emulated("Nehalem", False),
    emulated("qemu64", False),
    Case("valgrind", "valgrind", Process("valgrind -q --error-exitcode=0 {shared}"),
         False, UNSUPPORTED, "instrumented",
         also=outcomes("undefined") | signal(SIGILL, ILL_ILLOPC)),
    Case("valgrind-static", "valgrind, the program static",
         Process("valgrind -q --error-exitcode=0 {static}"),
         False, UNSUPPORTED, "instrumented", also=outcomes("undefined")),
]

# -- seccomp and signals --------------------------------------------------------------------------

SIGNALS = [
    *(Case(f"seccomp-arch_prctl-{how}", f"a seccomp filter answers arch_prctl by {words}",
           Process(f"{{confine}} arch_prctl={how} -- {{static}}"),
           True, USABLE, "arch-prctl-denied", also=outcomes("ok"))
      for how, words in (("eperm", "EPERM"), ("enosys", "ENOSYS"), ("trap", "SIGSYS"))),
    Case("seccomp-sigaction", "a seccomp filter refuses rt_sigaction",
         Process("{confine} rt_sigaction=eperm -- {static}"),
         True, USABLE, proof="advertised", also=outcomes("not-tried")),
    *(Case(f"sigill-{how}", f"SIGILL is {how}",
           Process(f"{{confine}} sigill={how} -- {{static}}"),
           True, USABLE, args="--survival", also=outcomes("ok") | SURVIVED)
      for how in ("blocked", "ignored")),
    Case("sigill-handled", "SIGILL belongs to a handler of the process",
         Process("{shared}", environment=(("FOREIGN", "sigill"), ("LD_PRELOAD", "{foreign}"))),
         True, USABLE, args="--survival", also=outcomes("ok") | SURVIVED),
    Case("cpuid-faulting", "CPUID faults in this process, and nobody answers in its place",
         Process("{shared}", environment=(("FOREIGN", "cpuid"), ("LD_PRELOAD", "{foreign}")),
                 needs=("fsgsbase", "cpuid_fault")),
         False, INCONSISTENT, "cpuid-masked", also={"cpuid.fsgsbase": None}),
]

CASES = [*NATIVE, *TOOLS, *SIGNALS]


def main():
    """Prints the names, one a line."""
    for case in CASES:
        print(case.name)


if __name__ == "__main__":
    sys.exit(main())
