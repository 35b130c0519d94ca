#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that each defective host behaves as policy.c describes it.

The test does not use the library. A small image in ring 0 (payload.c) and a small program under a stock kernel (probe.c)
show what a host does. If that kernel dies, its last messages show what the host did.

    selftest.py ring0 ...    runs the image in ring 0 under every host: a fifth of a second each
    selftest.py linux ...    runs a stock kernel under the hosts: about two seconds each

The output is TAP. The status is 0, or 1 if a case failed, or 77 if the emulator or the kernel is missing. With --logs,
the serial logs of the cases that name a log are written, too.
"""

import argparse
import pathlib
import re
import tempfile

from support import machine, parts

CR4_FSGSBASE = 1 << 16

INSTRUCTIONS = ("rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase")


# -- ring 0 -------------------------------------------------------------------------------------


def answers(**changes):
    """The payload's results on the host `honest`, with some changes. In the names of changes, "_" stands for "-"."""
    said = {"magic": "ok", "host-reserved": "1", "cmdline": "one, two", "modules": "0x1",
            "hyper-v": "1", "svm": "0", "efer-svme": "0", "cpuid": "1", "cr4-set": "ok",
            "cr4-read": "1", "rdgsbase-32": "ok", "wrgsbase-32": "ok", "survives-cpuid": "ok",
            # "ok" means that there was no #GP. Every real processor raises it, but QEMU does not.
            "non-canonical": "ok"}
    for name in INSTRUCTIONS:
        said[name] = "ok"
        said[f"{name}-off"] = "#UD"
    return said | {name.replace("_", "-"): answer for name, answer in changes.items()}


def all_four(answer, suffix=""):
    return {name + suffix: answer for name in INSTRUCTIONS}


UNDEFINED = all_four("#UD") | {"rdgsbase_32": "#UD", "wrgsbase_32": "#UD", "non_canonical": "#UD"}
RUNS_WHEN_OFF = all_four("ok", "_off")

RING0 = [
    ("off", answers(hyper_v="0", svm="1")),
    ("honest", answers()),
    ("lie", answers(**UNDEFINED)),
    ("hide", answers(cpuid="0", cr4_set="#GP", cr4_read="0", **UNDEFINED)),
    ("refuse", answers(cr4_set="#GP", cr4_read="0", **UNDEFINED)),
    ("drop", answers(cr4_read="0", **UNDEFINED)),
    ("hidden", answers(cpuid="0", cr4_set="#GP", cr4_read="0", **RUNS_WHEN_OFF)),
    ("unenforced", answers(**RUNS_WHEN_OFF)),
    ("software", answers(non_canonical="#GP")),
    ("partial insn=rdfsbase", answers(rdfsbase="#UD", non_canonical="#GP")),
    ("partial insn=rdgsbase", answers(rdgsbase="#UD", rdgsbase_32="#UD", non_canonical="#GP")),
    ("partial insn=wrfsbase", answers(wrfsbase="#UD", non_canonical="#GP")),
    ("partial", answers(wrgsbase="#UD", wrgsbase_32="#UD", non_canonical="#UD")),
    ("partial ring=0", answers(wrgsbase="#UD", wrgsbase_32="#UD", non_canonical="#UD")),
    ("partial ring=3", answers(non_canonical="#GP")),
    ("wrong", answers(rdgsbase="wrong", rdgsbase_32="wrong", non_canonical="#GP")),
    ("wrong insn=wrfsbase", answers(wrfsbase="wrong", non_canonical="#GP")),
    ("narrow", answers(rdgsbase_32="wrong", non_canonical="#GP")),
    ("narrow insn=wrgsbase", answers(wrgsbase_32="wrong", non_canonical="#GP")),
    ("lose", answers(survives_cpuid="wrong")),
]

# Invalid options, which the host must refuse: (name, the host's command line, the processor, the message).
REFUSALS = [
    ("a host of another name", "lies", "EPYC", "no such host"),
    ("an instruction of another name", "partial insn=swapgs", "EPYC", "no such instruction"),
    ("another ring", "partial ring=1", "EPYC", "a ring is 0 or 3"),
    ("a processor without SVM", "lie", "EPYC,-svm", "this processor has no SVM"),
    ("a real bit that the processor lacks", "honest", "EPYC,-fsgsbase", "needs a processor with"),
]


def said(log):
    """The results that the payload printed."""
    return dict(line.split("=", 1) for line in log.splitlines() if "=" in line and ": " not in line)


def differences(expected, found):
    """Returns the results that are not as expected. If `expected` has a set of values, each of them is right."""
    problems = []
    for name, answer in expected.items():
        right = answer if isinstance(answer, set) else {answer}
        if found.get(name) not in right:
            problems.append(f"{name}: expected {' or '.join(sorted(right))}, "
                            f"got {found.get(name, 'nothing')}")
    return problems


def check_ring0(options, payload, host, expected):
    run = machine.boot(payload, append="one, two", host=host, host_elf=options.host_elf,
                       modules=[(payload, "third")], memory=64)
    problems = differences(expected, said(run.log))
    if not run.log.startswith(f"host: {host.split()[0]}"):
        problems.append("the host did not name itself")
    if run.status != 33:
        problems.append(f"QEMU's status is {run.status}, not 33")
    return problems, run


def check_refusal(options, host, cpu, words):
    run = machine.boot(options.payload, host=host, host_elf=options.host_elf, cpu=cpu, memory=64)
    problems = []
    if not re.search(f"^host: stopped: .*{re.escape(words)}", run.log, re.MULTILINE):
        problems.append(f"missing: {words}")
    if run.status != 255:
        problems.append(f"QEMU's status is {run.status}, not 255")
    return problems, run


def cases_ring0(options):
    for host, expected in RING0:
        yield (f"{host}: in ring 0", None,
               lambda host=host, expected=expected:
               check_ring0(options, options.payload, host, expected))
    yield ("lie: the same as a 32-bit ELF file", None,
           lambda: check_ring0(options, options.payload_elf32, "lie", dict(RING0)["lie"]))
    for name, host, cpu, words in REFUSALS:
        yield (f"refused: {name}", None,
               lambda host=host, cpu=cpu, words=words: check_refusal(options, host, cpu, words))


# -- Linux --------------------------------------------------------------------------------------


def signs(cpuid, hwcap2, answer, **changes):
    """The probe's output: CPUID, AT_HWCAP2, and the same result for all trials, except for the changes."""
    trials = [*INSTRUCTIONS, "gs-moves", "gs-zero-extends", "gs-survives-cpuid",
              "gs-survives-sleep"]
    found = {"cpuid": str(cpuid), "hwcap2": str(hwcap2)} | dict.fromkeys(trials, answer)
    return found | {name.replace("_", "-"): answer for name, answer in changes.items()}


HEALTHY = signs(1, 1, "ok")
ILLEGAL = "Illegal instruction"
WRGSBASE_ILLEGAL = dict.fromkeys(("wrgsbase", "gs_moves", "gs_zero_extends", "gs_survives_cpuid",
                                  "gs_survives_sleep"), ILLEGAL)
RDGSBASE_WRONG = dict.fromkeys(("rdgsbase", "gs_moves", "gs_zero_extends", "gs_survives_cpuid",
                                "gs_survives_sleep"), "wrong")

# The instructions run, but the kernel does not use them, so a context switch loses a GS base that WRGSBASE wrote. A sleep
# always causes a context switch. In the other trials, there may be one at the wrong moment.
UNSAVED = {"gs_moves": {"ok", "wrong"}, "gs_zero_extends": {"ok", "wrong"},
           "gs_survives_cpuid": {"ok", "wrong"}, "gs_survives_sleep": "wrong"}

# A host on which the kernel boots, additional arguments of the kernel, the probe's expected output, and the name of the log
# (None: the log is not kept).
ALIVE = [
    ("off", "", HEALTHY, None),
    ("honest", "", HEALTHY, "honest"),
    ("lie", "nofsgsbase", signs(1, 0, ILLEGAL), "lie-nofsgsbase"),
    ("lie", "clearcpuid=fsgsbase", signs(1, 0, ILLEGAL), None),
    ("hide", "", signs(0, 0, ILLEGAL), "hide"),
    ("hidden", "", signs(0, 0, "ok", **UNSAVED), None),
    ("unenforced", "nofsgsbase", signs(1, 0, "ok", **UNSAVED), None),
    ("partial ring=3", "", signs(1, 1, "ok", **WRGSBASE_ILLEGAL), None),
    ("wrong ring=3", "", signs(1, 1, "ok", **RDGSBASE_WRONG), None),
    ("narrow ring=3", "", signs(1, 1, "ok", gs_zero_extends="wrong"), None),
    ("lose", "", signs(1, 1, "ok", gs_survives_cpuid="wrong"), None),
]

# The kernel's last messages when it crashes. Some releases print "Oops: " before "invalid opcode".
INVALID_OPCODE = r"invalid opcode: 0000 \[#1\]"
SAVE_FSGS = r"RIP: 0010:current_save_fsgs\+.*\n.*Code: .*<f3> 48 0f ae c0"
COPY_THREAD = r"copy_thread\+"
IDLE_TASK = r"Kernel panic - not syncing: Attempted to kill the idle task!"
HYPER_V = r"Hypervisor detected: Microsoft Hyper-V"
BUILD = r"Hyper-V: Host Build 10\.0\.20348\.0-0-0"
EARLY_GP = r"PANIC: early exception 0x0d"
WRITE_CR4 = r"RIP: 0010:native_write_cr4\+"

# A host on which the kernel crashes, additional arguments of the kernel, patterns for its messages, whether the CR4 that it
# prints has the FSGSBASE bit, and the line at which the test ends the machine (None: the machine ends itself).
DEAD = [
    ("lie", "", [HYPER_V, BUILD, INVALID_OPCODE, SAVE_FSGS, COPY_THREAD, IDLE_TASK], True, None),
    ("drop", "", [HYPER_V, BUILD, INVALID_OPCODE, SAVE_FSGS, COPY_THREAD, IDLE_TASK], False, None),
    # On this host, the kernel faults before it has its console. It prints only on its early console, and then hangs or
    # reboots.
    ("refuse", "earlyprintk=serial", [HYPER_V, EARLY_GP, WRITE_CR4], False, r"</TASK>$"),
]


def boot_linux(options, host, words, until=None):
    return machine.boot(options.kernel, append=f"console=ttyS0 panic=-1 {words}".rstrip(),
                        initrd=options.initrd, host=host, host_elf=options.host_elf,
                        cpu=machine.CPU_OF_REPORT, until=until)


def check_alive(options, host, words, expected, quiet):
    run = boot_linux(options, host, f"{words} {'quiet ' if quiet else ''}fsgs.run=/probe".strip())
    section = run.section("probe")
    if not section:
        return ["the probe did not run to its end"], run
    output, status = section
    found = dict(re.findall(r"^probe: (\S+?)=(.*)$", output, re.MULTILINE))
    problems = differences(expected, found)
    if status != 0:
        problems.append(f"the probe's status is {status}")
    if run.status != 0:
        problems.append(f"QEMU's status is {run.status}, not 0")
    return problems, run


def check_dead(options, host, words, expected, bit, until):
    run = boot_linux(options, host, words, until)
    problems = [f"no match for {pattern}" for pattern in expected
                if not re.search(pattern, run.log)]
    cr4 = re.search(r"CR4: ([0-9a-f]{16})", run.log)
    if not cr4:
        problems.append("the kernel did not print CR4")
    elif bool(int(cr4[1], 16) & CR4_FSGSBASE) != bit:
        problems.append(f"CR4 is {cr4[1]}, bit 16 should be {int(bit)}")
    if run.timed_out or run.section("probe"):
        problems.append("the kernel did not die in time")
    return problems, run


def kernel_label(path):
    """A short name for a kernel: "6.1-cloud", "6.1-generic"."""
    release = re.match(r"vmlinuz-(\d+\.\d+)", path.name)[1]
    return f"{release}-{'cloud' if '-cloud-' in path.name else 'generic'}"


def cases_linux(options):
    label = kernel_label(options.kernel)
    for host, words, expected, bit, until in DEAD:
        yield (f"{host}: kills Linux {label}", f"{host}-{label}",
               lambda host=host, words=words, expected=expected, bit=bit, until=until:
               check_dead(options, host, words, expected, bit, until))
    for host, words, expected, log in ALIVE:
        yield (f"{host}: Linux {label} {words}".rstrip(), log and f"{log}-{label}",
               lambda host=host, words=words, expected=expected, quiet=not log:
               check_alive(options, host, words, expected, quiet))


# -- the test -----------------------------------------------------------------------------------


def run_cases(cases, logs):
    """Runs the cases one after the other, and prints TAP. Returns the exit status."""
    failed = 0
    cases = list(cases)
    print(f"1..{len(cases)}")
    for number, (name, log, check) in enumerate(cases, 1):
        problems, run = check()
        failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {number} - {name} # {run.seconds:.1f} s",
              flush=True)
        for problem in problems:
            print(f"# {problem}")
        if problems:
            print("\n".join(f"# | {line}" for line in f"{run.log}\n{run.errors}".splitlines()))
        if logs and log:
            (logs / f"{log}.log").write_text(run.log, encoding="utf-8")
    return 1 if failed else 0


def main():
    """Runs the requested group of cases. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("group", choices=("ring0", "linux"))
    parser.add_argument("--host-elf", type=pathlib.Path, required=True)
    parser.add_argument("--payload", type=pathlib.Path, help="for ring0")
    parser.add_argument("--payload-elf32", type=pathlib.Path, help="for ring0")
    parser.add_argument("--init", type=pathlib.Path, help="for linux")
    parser.add_argument("--probe", type=pathlib.Path, help="for linux")
    parser.add_argument("--cache", type=pathlib.Path, help="for linux: folder to keep kernels in")
    parser.add_argument("--package", default=machine.CLOUD, help="for linux: the kernel's package")
    parser.add_argument("--logs", type=pathlib.Path, help="folder to write serial logs to")
    options = parser.parse_args()

    machine.qemu(with_host=True)
    if options.group == "ring0":
        return run_cases(cases_ring0(options), options.logs)
    with tempfile.TemporaryDirectory() as folder:
        options.kernel = machine.kernel(options.cache, options.package)
        programs = [("/init", options.init), ("/probe", options.probe)]
        options.initrd = machine.initrd(pathlib.Path(folder) / "initrd", programs)
        return run_cases(cases_linux(options), options.logs)


if __name__ == "__main__":
    parts.run_main(main)
