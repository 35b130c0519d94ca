#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table of machine states: how each state is entered, and what fsgscheck or the boot image must report there.

As a program, it prints a line for each test, for Meson: a suite, a name and, for the suite `boot`, the image. states.py
enters the states of processes and kernels. boot.py boots the image.
"""

import dataclasses
import os
import sys

from support import INSNS as INSTRUCTIONS, STATUS

USABLE, UNSUPPORTED, DISABLED = "usable", "unsupported", "disabled"
UNADVERTISED, BROKEN, INCONSISTENT = "unadvertised", "broken", "inconsistent"



@dataclasses.dataclass(frozen=True)
class Process:
    """A process on this machine.

    command      the command line, split as a shell does. {static} and similar words stand for builds of fsgscheck. Further
                 arguments are added at its end.
    environment  additional environment variables, as (name, value) pairs
    needs        the features that this machine must have: "fsgsbase", "cpuid_fault", or "cpus" for at least two CPUs
    """

    command: str
    environment: tuple = ()
    needs: tuple = ("fsgsbase",)


@dataclasses.dataclass(frozen=True)
class System:
    """An emulated machine with a distribution's kernel. The fields are arguments of machine.boot()."""

    append: str = ""
    cpu: str = "EPYC"
    smp: int = 1
    host: str = None


@dataclasses.dataclass(frozen=True)
class Uml:
    """User-mode Linux, a kernel that runs as a process."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One state, and the right answers in it.

    about     a short description, for the page about the peers
    machine   a Process, System or Uml, which says how the state is entered
    safe      whether a program in this state may use the instructions
    verdict   the verdict that fsgscheck must report
    findings  exactly the findings that fsgscheck must report
    access    the access that fsgscheck must report: one for both segments, or "FS GS"; by default the verdicts decide
    fs, gs    the verdicts of the segments; by default the overall verdict
    proof     "tried" or "advertised": what fsgscheck must report as its proof
    args      further arguments of fsgscheck
    also      expected values of other fields of the report, by the field's path
    steady    whether the peers give the same answers on all CPUs of this machine
    """

    name: str
    about: str
    machine: object
    safe: bool
    verdict: str
    findings: str = ""
    access: str = None
    fs: str = None
    gs: str = None
    proof: str = "tried"
    args: str = ""
    also: dict = dataclasses.field(default_factory=dict)
    steady: bool = True

    @property
    def expected(self):
        """The expected value of each field to compare, by the field's path in the report."""
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
    """The expected outcomes of the four trials: `default`, except for the instructions in `others`."""
    return {f"trials.{insn}.outcome": others.get(insn, default) for insn in INSTRUCTIONS}


def signal(number, code):
    """The expected signal and si_code of four trials that end with the same signal."""
    return ({f"trials.{insn}.signal": number for insn in INSTRUCTIONS} |
            {f"trials.{insn}.si_code": code for insn in INSTRUCTIONS})


SIGILL, ILL_ILLOPC, ILL_ILLOPN = 4, 1, 2

EVENTS = ["syscall", "signal", "yield", "sleep", "fork", "migrate", "cpuid"]


def survival(*lost, cpus=len(os.sched_getaffinity(0))):
    """The expected fields of a survival check in which only the events `lost` lose the base. `migrate` needs two CPUs."""
    tried = [event for event in EVENTS if event != "migrate" or cpus > 1]
    return {"survival.tried": tried, "survival.lost": list(lost)}


# -- this machine, and other builds on it ---------------------------------------------------------

NATIVE = [
    Case("native", "a healthy kernel of Linux 5.9 or later", Process("{static}"),
         True, USABLE, also=outcomes("ok")),
    Case("native-shared", "the same, with shared libraries", Process("{shared}"),
         True, USABLE, also=outcomes("ok")),
    Case("native-no-trial", "the same, with the option --no-trial", Process("{static}"),
         True, USABLE, proof="advertised", args="--no-trial", also=outcomes("not-tried")),
    Case("native-environment", "the same, with FSGSCHECK_TRIAL=0",
         Process("{static}", environment=(("FSGSCHECK_TRIAL", "0"),)),
         True, USABLE, proof="advertised", also=outcomes("not-tried")),
    Case("i386", "32-bit code, which cannot execute the instructions that the kernel advertises",
         Process("{i386}", needs=()),
         False, UNSUPPORTED, "wrong-mode", access="none", proof="advertised"),
    Case("aarch64", "a program for another architecture", Process("qemu-aarch64 {aarch64}", needs=()),
         False, UNSUPPORTED, "wrong-mode", access="none", proof="advertised"),
    Case("x32", "32-bit pointers in 64-bit mode", Process("{x32}"),
         True, USABLE, also=outcomes("ok")),
    Case("musl", "another C library, linked statically", Process("{musl}"), True, USABLE,
         also=outcomes("ok")),
    Case("musl-shared", "another C library, as a shared library", Process("{musl-shared}"), True, USABLE,
         also=outcomes("ok")),
]

# -- emulators and tools --------------------------------------------------------------------------


def emulated(model, has):
    """The case of qemu-user with a processor model. `has` says whether the model has FSGSBASE. qemu-user sets no AT_HWCAP2,
    and does not check whether a base is canonical."""
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
    Case("valgrind-static", "valgrind, with a static program",
         Process("valgrind -q --error-exitcode=0 {static}"),
         False, UNSUPPORTED, "instrumented", also=outcomes("undefined")),
]

# -- seccomp and signals --------------------------------------------------------------------------

SIGNALS = [
    *(Case(f"seccomp-arch_prctl-{how}", f"a seccomp filter answers arch_prctl with {words}",
           Process(f"{{confine}} arch_prctl={how} -- {{static}}"),
           True, USABLE, "arch-prctl-denied", also=outcomes("ok"))
      for how, words in (("eperm", "EPERM"), ("enosys", "ENOSYS"), ("trap", "SIGSYS"))),
    Case("seccomp-sigaction", "a seccomp filter refuses rt_sigaction",
         Process("{confine} rt_sigaction=eperm -- {static}"),
         True, USABLE, proof="advertised", also=outcomes("not-tried")),
    *(Case(f"sigill-{how}", f"SIGILL is {how}",
           Process(f"{{confine}} sigill={how} -- {{static}}"),
           True, USABLE, args="--survival", also=outcomes("ok") | survival())
      for how in ("blocked", "ignored")),
    Case("sigill-handled", "the process has its own handler for SIGILL",
         Process("{shared}", environment=(("FOREIGN", "sigill"), ("LD_PRELOAD", "{foreign}"))),
         True, USABLE, args="--survival", also=outcomes("ok") | survival()),
    Case("cpuid-faulting", "CPUID faults in this process, and no tool emulates it",
         Process("{shared}", environment=(("FOREIGN", "cpuid"), ("LD_PRELOAD", "{foreign}")),
                 needs=("fsgsbase", "cpuid_fault")),
         False, INCONSISTENT, "cpuid-masked", also={"cpuid.fsgsbase": None}),
]


# -- under a debugger -----------------------------------------------------------------------------

GDB = "gdb -q -nx --batch -return-child-result"

DEBUGGERS = [
    Case("gdb", "under gdb, which is told to pass signals to the process",
         Process(f"{GDB} -ex 'handle SIGILL SIGSEGV nostop noprint pass' -ex run --args {{static}}"),
         True, USABLE, also=outcomes("ok")),
    Case("gdb-no-trial", "under gdb, which would stop at the signals of a trial, with FSGSCHECK_TRIAL=0",
         Process(f"{GDB} -ex run --args {{static}}", environment=(("FSGSCHECK_TRIAL", "0"),)),
         True, USABLE, proof="advertised", also=outcomes("not-tried")),
]

# -- states made by a tracer ----------------------------------------------------------------------


def launched(options, needs=("fsgsbase",)):
    """The static command under the tracer launch.c, with these options of the tracer."""
    return Process(f"{{launch}} {options} -- {{static}}", needs=needs)


ALL_UD = " ".join(f"--insn={insn}:ud" for insn in INSTRUCTIONS)
NO_CPUID = "--cpuid=7:ebx:0xfffffffe:0"
# H0 and ABSENT change AT_HWCAP2 in all its copies. H0 with P0, which removes the flag from /proc/cpuinfo, models a kernel
# that was booted with nofsgsbase. ABSENT models an emulator.
H0, ABSENT = "--hwcap2=0 --everywhere", "--hwcap2=absent --everywhere"
P0 = "--file=/proc/cpuinfo={cpuinfo-without}"
OLD = "--uname=release:5.4.0-42-generic"


def signature(text):
    """Options of launch.c that make CPUID report a hypervisor with this signature of 12 characters."""
    words = [int.from_bytes(text.encode()[i:i + 4], "little") for i in (0, 4, 8)]
    return " ".join(["--cpuid=1:ecx:0xffffffff:0x80000000", "--cpuid=0x40000000:eax:0:0x40000001",
                     *(f"--cpuid=0x40000000:{reg}:0:{word:#x}"
                       for reg, word in zip(("ebx", "ecx", "edx"), words))])


def vendor(text):
    """Options of launch.c that make CPUID report this vendor, which has 12 characters."""
    words = [int.from_bytes(text.encode()[i:i + 4], "little") for i in (0, 4, 8)]
    return " ".join(f"--cpuid=0:{reg}:0:{word:#x}"
                    for reg, word in zip(("ebx", "edx", "ecx"), words))


AMD = vendor("AuthenticAMD")
XEN_PV = signature("XenVMMXenVMM") + " --file=/sys/hypervisor/guest_type={xen-pv}"

OUTCOME_OF = {"ud": "undefined", "gp": "faulted", "wrong": "wrong-value", "narrow": "wrong-value"}


def one_of_four(insn, how):
    """The state with one defective instruction. The segment that the instruction does not access stays usable."""
    segment, other = ("fs", "gs") if "fs" in insn else ("gs", "fs")
    access = "arch_prctl instruction" if segment == "fs" else "instruction arch_prctl"
    return Case(f"only-{insn}-{how}", f"{insn} alone fails: {OUTCOME_OF[how]}",
                launched(f"--insn={insn}:{how}"), False, BROKEN, "instrumented", access=access,
                **{segment: BROKEN, other: USABLE}, also=outcomes("ok", **{insn: OUTCOME_OF[how]}))


def lost(event):
    """The state in which one event changes the GS base. The tracer hides itself, so that no tool seems to be the cause."""
    return Case(f"lost-{event}", f"the GS base is lost at the event {event}",
                launched(f"--lose={event} --untraced",
                         needs=("fsgsbase", *(["cpus"] if event == "migrate" else []))),
                False, BROKEN, "value-lost",
                access="instruction arch_prctl", fs=USABLE, gs=BROKEN, args="--survival",
                also=outcomes("ok", wrgsbase="value-lost") | survival(event))


LAUNCHED = [
    Case("launched", "a tracer that changes nothing", launched(""), True, USABLE,
         args="--survival", also=outcomes("ok") | survival()),
    *(one_of_four(insn, how) for insn in INSTRUCTIONS for how in ("ud", "gp", "wrong")),
    *(one_of_four(insn, "narrow") for insn in ("rdgsbase", "wrgsbase")),
    Case("all-undefined", "the kernel advertises the instructions, but all four are undefined", launched(ALL_UD),
         False, BROKEN, "instrumented",
         also=outcomes("undefined") | signal(SIGILL, ILL_ILLOPN)),
    *(Case(f"all-undefined-sigill-{how}", f"the same while SIGILL is {how}",
           Process(f"{{confine}} sigill={how} -- {{launch}} {ALL_UD} -- {{static}}"),
           False, BROKEN, "instrumented", also=outcomes("undefined"))
      for how in ("blocked", "ignored")),
    Case("all-undefined-sigill-handled", "the same while the process has its own handler for SIGILL",
         Process(f"{{launch}} {ALL_UD} -- {{shared}}",
                 environment=(("FOREIGN", "sigill"), ("LD_PRELOAD", "{foreign}"))),
         False, BROKEN, "instrumented", also=outcomes("undefined")),
    *(lost(event) for event in ("syscall", "signal", "yield", "sleep", "fork", "migrate")),
    Case("xen-pv-loses", "Xen before 4.15 loses the base of a PV guest",
         launched(f"{XEN_PV} --lose=yield --lose=sleep --untraced"),
         False, BROKEN, "value-lost", access="instruction arch_prctl", fs=USABLE, gs=BROKEN,
         args="--survival", also=survival("yield", "sleep")),
    Case("forged-hwcap2", "AT_HWCAP2 is cleared in one copy only, on the stack", launched("--hwcap2=0"),
         False, UNADVERTISED, "instrumented", also={"hwcap2.fsgsbase": False}),
    Case("removed-hwcap2", "AT_HWCAP2 is removed from one copy only, on the stack",
         launched("--hwcap2=absent"), False, UNADVERTISED, "instrumented",
         also={"hwcap2.fsgsbase": False}),
    Case("forged-vendor", "CPUID and the kernel name different makers of the processor",
         launched(f"{H0} " + vendor("CyrixInstead")), False, UNADVERTISED, "instrumented"),
    Case("unaware-kernel", "the instructions run under a kernel before 5.9", launched(f"{H0} {OLD}"),
         False, UNADVERTISED, "kernel-too-old privilege-risk"),
    Case("xen-pv-leaks", "a PV guest of Xen before 4.12, XSA-293",
         launched(f"{H0} {P0} {XEN_PV}"), False, UNADVERTISED, "privilege-risk"),
    Case("gvisor", "a sandbox whose arch_prctl does not support GS",
         launched(f"{H0} --arch_prctl=0x1004:einval"),
         False, UNADVERTISED, "sandboxed arch-prctl-denied", access="arch_prctl none"),
    Case("nameless-emulator", "there is no AT_HWCAP2, but the instructions run", launched(ABSENT),
         False, UNADVERTISED, "emulated", also={"hwcap2.present": False}),
    Case("unenforced", "nofsgsbase, but the instructions run all the same", launched(f"{H0} {P0}"),
         False, UNADVERTISED, "switched-off privilege-risk"),
    Case("old-kernel", "a kernel before 5.9", launched(f"{H0} {OLD} {ALL_UD}"),
         False, DISABLED, "kernel-too-old unproven"),
    Case("switched-off", "nofsgsbase", launched(f"{H0} {P0} {ALL_UD}"),
         False, DISABLED, "switched-off unproven"),
    # In a paravirtual guest, CPUID is not intercepted, and returns what the machine below Xen offers: here the signature of
    # QEMU. So the hypervisor's name must come from /sys/hypervisor.
    Case("xen-pv-switched-off", "nofsgsbase in a paravirtual guest of Xen 4.17",
         launched(f"{H0} {P0} {ALL_UD} " + signature("TCGTCGTCGTCG") + " --file=/sys/hypervisor/guest_type={xen-pv}"
                  " --file=/sys/hypervisor/version/major={xen-major} --file=/sys/hypervisor/version/minor={xen-minor}"),
         False, DISABLED, "switched-off unproven",
         also={"cpuid.hypervisor": "XenVMMXenVMM"}),
    *(Case(f"switched-off-seccomp-{how}", "the same, and a seccomp filter denies arch_prctl",
           Process(f"{{confine}} arch_prctl={how} -- {{launch}} {H0} {P0} {ALL_UD} -- {{static}}"),
           False, DISABLED, "switched-off unproven arch-prctl-denied", access="none",
           proof="advertised", also=outcomes("undefined", wrgsbase="not-tried"))
      for how in ("eperm", "trap")),
    Case("hyperv-switched-off", "nofsgsbase on Hyper-V with an AMD processor",
         launched(f"{H0} --file=/proc/cpuinfo={{cpuinfo-amd-without}} {ALL_UD} {AMD} "
                  + signature("Microsoft Hv")),
         False, DISABLED, "switched-off unproven upgrade-risk"),
    Case("hyperv-old-kernel", "a kernel before 5.9 on Hyper-V with an AMD processor",
         launched(f"{H0} {OLD} --file=/proc/cpuinfo={{cpuinfo-amd-with}} {ALL_UD} {AMD} "
                  + signature("Microsoft Hv")),
         False, DISABLED, "kernel-too-old unproven upgrade-risk"),
    Case("old-processor", "CPUID does not offer the instructions, and they do not run",
         launched(f"{H0} {P0} {NO_CPUID} {ALL_UD}"), False, UNSUPPORTED),
    Case("old-leaves", "CPUID ends before leaf 7", launched(f"{H0} {P0} --cpuid=0:eax:0:6 {ALL_UD}"),
         False, UNSUPPORTED, also={"cpuid.max_leaf": 6, "cpuid.fsgsbase": False}),
    Case("last-leaf", "CPUID ends with leaf 7", launched("--cpuid=0:eax:0:7"), True, USABLE,
         also={"cpuid.max_leaf": 7, "cpuid.fsgsbase": True}),
    Case("hidden", "CPUID does not offer the instructions, but they run", launched(f"{H0} {P0} {NO_CPUID}"),
         False, UNADVERTISED),
    Case("masked", "a debugger answers CPUID in the processor's place",
         launched(f"{NO_CPUID} --cpuid-faulting", needs=("fsgsbase", "cpuid_fault")),
         False, INCONSISTENT, "cpuid-masked", also={"cpuid.fsgsbase": False}),
    Case("forged-cpuid", "the kernel advertises what CPUID does not offer",
         launched(NO_CPUID), False, INCONSISTENT),
    *(Case(f"arch_prctl-lies-{segment}", f"arch_prctl gives a wrong {segment.upper()} base",
           launched(f"--arch_prctl={code}:lies"), True, USABLE, "arch-prctl-lies")
      for segment, code in (("fs", "0x1003"), ("gs", "0x1004"))),
    Case("cpus-differ-cpuid", "one CPU does not offer the instructions",
         launched(f"{NO_CPUID} --cpu={{cpu}}", needs=("fsgsbase", "cpus")),
         False, INCONSISTENT, "cpus-differ", args="--all-cpus",
         also={"cpus.0.cpuid_fsgsbase": True, "cpus.1.cpuid_fsgsbase": False,
               "cpus.1.count": 1}, steady=False),
    Case("cpus-differ-insn", "WRGSBASE is undefined on one CPU",
         launched("--insn=wrgsbase:ud --cpu={cpu}", needs=("fsgsbase", "cpus")),
         False, INCONSISTENT, "cpus-differ", args="--all-cpus --survival",
         also={"cpus.0.wrgsbase": "ok", "cpus.1.wrgsbase": "undefined", "cpus.1.count": 1}),
]

# -- machines with a kernel of their own ----------------------------------------------------------

# The findings with the verdict usable on a machine that QEMU emulates.
TCG = "emulated no-canonical-check"

KERNELS = [
    Case("uml", "user-mode Linux", Uml(), False, UNADVERTISED, "emulated",
         also={"hwcap2.present": False} | outcomes("ok")),
    Case("system", "Debian's kernel in an emulated machine", System(), True, USABLE, TCG,
         also=outcomes("ok")),
    Case("system-nofsgsbase", "the same with nofsgsbase", System("nofsgsbase"),
         False, DISABLED, "switched-off unproven",
         also={"hwcap2.present": True, "cpuid.fsgsbase": True} | outcomes("undefined")),
    Case("system-clearcpuid", "the same with clearcpuid=fsgsbase", System("clearcpuid=fsgsbase"),
         False, DISABLED, "switched-off unproven", also={"cpuid.fsgsbase": True}),
    Case("system-epyc-no-fsgsbase", "an EPYC that does not offer the instructions", System(cpu="EPYC,-fsgsbase"),
         False, UNSUPPORTED, also={"hwcap2.present": True}),
    Case("system-nehalem", "an old processor", System(cpu="Nehalem"), False, UNSUPPORTED),
    Case("system-4-cpus", "four CPUs", System(smp=4), True, USABLE, TCG,
         args="--all-cpus --survival",
         also={"cpus.0.cpus": "0-3", "cpus.0.count": 4, "cpus.1": "(absent)"} | survival(cpus=4)),
    Case("host-honest", "a hypervisor that executes what it offers", System(host="honest"),
         True, USABLE, "no-canonical-check", args="--survival",
         also={"cpuid.hypervisor": "Microsoft Hv"} | survival(cpus=1)),
    Case("host-lie-nofsgsbase", "the VM of the crash report, which boots with nofsgsbase",
         System("nofsgsbase", host="lie"), False, DISABLED, "switched-off unproven upgrade-risk"),
    Case("host-hide", "the same VM in compatibility mode", System(host="hide"),
         False, UNSUPPORTED),
    Case("host-hide-2-cpus", "compatibility mode on one of two CPUs",
         System(host="hide", smp=2), False, INCONSISTENT, "cpus-differ", args="--all-cpus",
         also={"cpus.0.cpuid_fsgsbase": False, "cpus.1.cpuid_fsgsbase": True}, steady=False),
    Case("host-hidden", "CPUID hides the instructions, but they run", System(host="hidden"),
         False, UNADVERTISED),
    Case("host-unenforced", "nofsgsbase, but the hypervisor runs the instructions all the same",
         System("nofsgsbase", host="unenforced"), False, UNADVERTISED,
         "switched-off privilege-risk"),
    Case("host-wrong", "RDGSBASE gives a wrong value in user mode",
         System(host="wrong ring=3"), False, BROKEN, access="instruction arch_prctl",
         fs=USABLE, gs=BROKEN, also=outcomes("ok", rdgsbase="wrong-value")),
    Case("host-narrow", "the 32-bit RDGSBASE does not clear the upper half in user mode",
         System(host="narrow ring=3"), False, BROKEN, access="instruction arch_prctl",
         fs=USABLE, gs=BROKEN, also=outcomes("ok", rdgsbase="wrong-value")),
    Case("host-lose", "the hypervisor loses the GS base", System(host="lose"),
         False, BROKEN, "value-lost no-canonical-check", access="instruction arch_prctl",
         fs=USABLE, gs=BROKEN, args="--survival", also=survival("cpuid", cpus=1)),
]

SECTIONS = {
    "Real: this machine, other builds, a debugger": [*NATIVE, *SIGNALS, *DEBUGGERS],
    "Real: emulators, tools, other kernels": [*TOOLS, *KERNELS],
    "Made by a tracer": LAUNCHED,
}

CASES = [case for cases in SECTIONS.values() for case in cases]

# All combinations of outcomes of the four instructions, for each answer of CPUID and of AT_HWCAP2. Each of these tests
# starts 256 processes.
EVERY = {f"every-{'offered' if offered else 'hidden'}-{hwcap2}": (offered, hwcap2)
         for offered in (True, False) for hwcap2 in ("promised", "refused", "absent")}


# -- the boot image -------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Boot:
    """The boot image on one emulated machine.

    way       how the image is booted: elf, pvh or uefi; or a firmware and a medium: bios or uefi, then -cd, -disk or -stick
    verdict   the expected verdict; empty if the image must not reach one
    findings  the expected findings
    cpus      how many CPUs the image must have tested: a number or a regular expression
    patches   bytes to replace in the image, OLD=NEW in hexadecimal, for failures that a machine can hardly have
    until     if given, the machine has no exit device, and the test ends the machine at a line that matches
    repeat    the number of boots, for results that depend on timing
    says      the lines that the image must print, in this order, as regular expressions for whole lines
    image     the image that Meson must build; if empty, `way` determines it

    cpu, smp, machine, append and host are arguments of machine.boot().
    """

    name: str
    verdict: str
    findings: str = ""
    says: tuple = ()
    way: str = "elf"
    image: str = None  # by default it follows from `way`
    cpu: str = "EPYC"
    smp: str = "1"
    cpus: int = 1
    machine: str = "q35"
    append: str = ""
    patches: tuple = ()
    host: str = None
    until: str = None
    repeat: int = 1

    @property
    def built(self):
        """The image that Meson must build for this case."""
        return self.image or ("iso" if "-" in self.way else "efi" if self.way == "uefi" else "elf")


EMULATED, HOSTED = "emulated,no-canonical-check", "no-canonical-check"
FOUR = {"smp": "4", "cpus": 4}
UNKNOWN = "unknown"


def undefined(*insns):
    """The lines that the image prints about instructions that raise #UD."""
    return tuple(rf"not ok \d+ - CPU 0: {insn}, 64-bit form: It raised invalid opcode \(#UD\)\." for insn in insns)


def hosted(mode, verdict, findings="", *says, **settings):
    """The case of the image on the defective host. `mode` is the text after "host=" on the host's command line."""
    return Boot("host-" + mode.replace(" insn=", "-"), verdict, findings, says, host=mode, **settings)


def wrong(insn, bits):
    """The line that the image prints about an instruction that runs and gives a wrong value."""
    return rf"not ok \d+ - CPU 0: {insn}, {bits}-bit form: It ran, but the value was wrong\."


BOOTS = [
    Boot("elf", USABLE, EMULATED,
         ("# CPU 0: set CR4.FSGSBASE", "# CPU 0: execute WRGSBASE",
          "# CPU 0: the instructions against MSR_GS_BASE", "# CPU 0: both bases over HLT",
          "# CPU 0: clear CR4.FSGSBASE again: .*",
          r"not ok \d+ - CPU 0: wrgsbase refuses a non-canonical address",
          r"ok \d+ - CPU 0: A base must keep its value across a HLT in ring 0\.", "# hypervisor: TCGTCGTCGTCG")),
    Boot("elf-4-cpus", USABLE, EMULATED, ("# CPU 3: set CR4.FSGSBASE", r"ok \d+ - 4 of 4 CPUs tested"),
         **FOUR),
    # Firmware also lists processors that could be plugged in. They do not count as missing.
    Boot("elf-hotplug", USABLE, EMULATED, (r"ok \d+ - 2 of 2 CPUs tested",), smp="2,maxcpus=4", cpus=2),
    Boot("elf-max", USABLE, EMULATED, cpu="max"),
    Boot("elf-not-offered", UNSUPPORTED, "",
         (r"ok \d+ - CPU 0: CR4.FSGSBASE can be set # SKIP CPUID does not offer it",), cpu="EPYC,-fsgsbase"),
    Boot("elf-nehalem", UNSUPPORTED, cpu="Nehalem", **FOUR),
    # The image must not query leaf 7 here. For a leaf above the highest one, this processor returns the highest leaf. That
    # is leaf 4, in which bit 0 of EBX is set, too.
    Boot("elf-leaf-4", UNSUPPORTED, cpu="Haswell,level=4"),
    Boot("elf-pc", USABLE, EMULATED, machine="pc"),
    Boot("elf-microvm", USABLE, EMULATED, machine="microvm", smp="2", cpus=2),
    Boot("elf-no-acpi", USABLE, EMULATED, machine="microvm,acpi=off", smp="2", cpus=2),
    Boot("elf-no-exit-device", USABLE, EMULATED, until=r"^fsgscheck: .* cpus=\d+$"),
    Boot("pvh", USABLE, EMULATED, way="pvh", **FOUR),
    Boot("pvh-microvm", USABLE, EMULATED, way="pvh", machine="microvm"),
    # With this patch, all processors except the first hang in their first instruction, so the verdict is unknown.
    Boot("elf-silent-cpus", UNKNOWN, EMULATED,
         (r"not ok \d+ - 1 of 4 CPUs tested", r"not ok \d+ - verdict is unknown",
          r"# advice: Guest: run the test again with one CPU\. .*"),
         smp="4", patches=("fafc31c08ed8=f4ebfd90fafc",)),
    # The processors of these four cases have no long mode, so the image's 32-bit code must give the verdict.
    Boot("elf-486", UNSUPPORTED, "", ("# reason: this CPU has no 64-bit mode.*",), cpu="486"),
    Boot("elf-qemu32", UNSUPPORTED, "", ("# advice: Host: .*64-bit CPU model.*",), cpu="qemu32"),
    Boot("elf-no-long-mode", UNSUPPORTED, cpu="EPYC,-lm"),
    Boot("pvh-no-long-mode", UNSUPPORTED, way="pvh", cpu="EPYC,-lm"),
    Boot("elf-64-cpus", USABLE, EMULATED, smp="64", cpus=64),
    # INT3 replaces the read of CR4, to cause an exception that the image does not expect.
    Boot("elf-exception", UNKNOWN, "",
         ("# CPU 0: read CR4 and the bases", "Bail out! unexpected exception 3 at 0x[0-9a-f]+"),
         cpus=0, patches=("0f20e0=cc9090",)),
    # QEMU hangs in this step, so the last line of the output must announce the step.
    Boot("elf-forced", "", "", ("# CPU 0: set CR4.FSGSBASE",), cpu="Nehalem", append="quiet force",
         until="set CR4.FSGSBASE"),
    # With a time limit of zero, the image gives up healthy processors, some of them while they print. They must stop
    # printing: the last line must be whole, and must not count a processor that finished later. How many processors are
    # counted depends on how busy this system is.
    Boot("given-up", UNKNOWN, EMULATED,
         ("# CPU [12]: no progress after its last step, so it was stopped", r"not ok \d+ - [12] of 3 CPUs tested"),
         cpus="[12]", image="hasty", smp="3", repeat=5),
    hosted("off", USABLE, EMULATED),
    hosted("honest", USABLE, HOSTED, "# hypervisor: Microsoft Hv, version 10.0, build 20348"),
    hosted("lie", BROKEN, "insn-ud", r"ok \d+ - CPU 0: CR4.FSGSBASE stays set", *undefined(*INSTRUCTIONS),
           "# advice: Guest: add nofsgsbase .*", "# advice: .*CompatibilityForMigrationEnabled.*"),
    hosted("hide", UNSUPPORTED),
    hosted("refuse", BROKEN, "cr4-refused", r"not ok \d+ - CPU 0: CR4.FSGSBASE can be set"),
    hosted("drop", BROKEN, "cr4-dropped", r"not ok \d+ - CPU 0: CR4.FSGSBASE stays set"),
    hosted("hidden", UNADVERTISED),
    hosted("unenforced", USABLE, "no-canonical-check,cr4-unenforced",
           r"not ok \d+ - CPU 0: all four raise #UD while CR4.FSGSBASE is clear"),
    hosted("software", USABLE, "", r"ok \d+ - CPU 0: wrgsbase refuses a non-canonical address"),
    *(hosted(f"partial insn={insn}", BROKEN, "insn-ud", *undefined(insn)) for insn in INSTRUCTIONS),
    hosted("wrong insn=rdfsbase", BROKEN, "", wrong("rdfsbase", 64)),
    hosted("wrong insn=wrgsbase", BROKEN, "", wrong("wrgsbase", 64)),
    hosted("narrow insn=rdfsbase", BROKEN, "", wrong("rdfsbase", 32)),
    hosted("narrow insn=wrgsbase", BROKEN, "", wrong("wrgsbase", 32)),
    hosted("lose", BROKEN, "no-canonical-check,value-lost",
           r"not ok \d+ - CPU 0: A base must keep its value across an execution of CPUID\."),
    # Only the boot processor is inside the host, so the other processors are healthy.
    Boot("host-lie-4-cpus", INCONSISTENT, "cpus-differ,insn-ud",
         ("# CPU 0: broken: .*", "# CPUs 1-3: usable: .*"), host="lie", **FOUR),
    # With `force`, the image sets CR4.FSGSBASE although CPUID does not offer it, and gets #GP. This is not `broken`.
    Boot("host-hide-forced", UNSUPPORTED, "",
         ("# CPU 0: set CR4.FSGSBASE", r"not ok \d+ - CPU 0: CR4.FSGSBASE can be set"), host="hide",
         append="force"),
    Boot("uefi", USABLE, EMULATED,
         ("# CPU 0: set CR4.FSGSBASE", r"not ok \d+ - CPU 0: wrgsbase refuses a non-canonical address"),
         way="uefi"),
    Boot("uefi-4-cpus", USABLE, EMULATED, ("# CPU 3: set CR4.FSGSBASE",), way="uefi", **FOUR),
    Boot("uefi-not-offered", UNSUPPORTED, way="uefi", cpu="EPYC,-fsgsbase"),
    Boot("uefi-forced", "", "", ("# CPU 0: set CR4.FSGSBASE",), way="uefi", cpu="Nehalem", append="force",
         until="set CR4.FSGSBASE"),
    *(Boot(f"iso-{way}", USABLE, EMULATED, way=way, smp="2", cpus=2)
      for way in ("bios-cd", "bios-disk", "bios-stick", "uefi-cd", "uefi-disk", "uefi-stick")),
]


def main():
    """Prints a line for each test."""
    for name in [*(case.name for case in CASES), *EVERY]:
        print("states", name)
    for case in BOOTS:
        print("boot", case.name, case.built)


if __name__ == "__main__":
    sys.exit(main())
