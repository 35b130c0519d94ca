#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Enters a machine state of table.py, and compares fsgscheck's report there with the table.

    states.py run NAME      enters the state NAME, or all states of an entry of table.EVERY
    states.py page          makes the page about the peers, and compares it with the committed page
    states.py sites         compares the instructions that the tracer finds by their bytes with what a disassembler finds

The status is 0 if all is as the table says, 1 if not, and 77 with a reason if this machine cannot be put into the state.
$STATIC and similar variables name the programs. The peers are other detection code, which peers.c runs. fsgscheck's reports
and the peers' answers are written to $SCRATCH/results.
"""

import argparse
import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import table
from support import SOURCE, TESTS, Unavailable, advertised, builds, cpu_flags, locked, machine, parts

SCRATCH = pathlib.Path(os.environ["SCRATCH"]).resolve()
SECONDS = 50  # the time limit of one program; a whole test has 120 s

# For each build for another ABI or architecture: the compiler, the cross file, and whether the library is shared.
BUILDS = {
    "i386": ("i686-linux-gnu-gcc", "i386.ini", False),
    "x32": ("x86_64-linux-gnux32-gcc", "x32.ini", False),
    "musl": ("musl-gcc", "musl.ini", False),
    "musl-shared": ("musl-gcc", "musl.ini", True),
    "aarch64": ("aarch64-linux-gnu-gcc", "aarch64.ini", False),
}


class Failed(Exception):
    """The state was entered, but a result is not as expected."""


# -- programs -------------------------------------------------------------------------------------


class Programs:
    """The builds of the command and of the peers' program that run in the states."""

    def __init__(self, **others):
        self.others = others

    def command(self, key):
        """The text that replaces {key} in a command: the path of a program or of a file of FILES, or the number of a CPU."""
        if key in BUILDS:
            return self._cross(key)
        if key in FILES:
            return self._file(key)
        if key == "cpu":
            return str(max(os.sched_getaffinity(0)))
        path = self.others.get(key) or os.environ.get(key.upper())
        if not path:
            raise Unavailable(f"this build has no {key}" + " (libzydis-dev)" * (key == "launch"))
        return path

    def peers(self, key):
        """Like command(), but with the peers' program in place of fsgscheck."""
        if key not in ("static", "shared", *BUILDS):
            return self.command(key)
        compiler, _, shared = BUILDS.get(key, ("gcc", None, key == "shared"))
        output = SCRATCH / "peers" / key
        source = TESTS / "machines/peers.c"
        with locked(SCRATCH / "peers"):
            if not output.exists() or output.stat().st_mtime < source.stat().st_mtime:
                build([compiler, "-O2", "-D_GNU_SOURCE", *([] if shared else ["-static"]),
                       "-o", str(output), str(source)])
        return str(output)

    def _cross(self, key):
        compiler, cross, shared = BUILDS[key]
        if not shutil.which(compiler):
            raise Unavailable(f"{compiler} is not installed")
        target = "examples/fsgscheck/fsgscheck" if shared else "tests/fsgscheck-static"
        folder = builds.meson(SCRATCH / cross.removesuffix(".ini"), "--werror", "-Doptimization=1", "--cross-file",
                              TESTS / "guards/cross" / cross, targets=[target])
        return str(folder / target)

    def _file(self, key):
        """Writes a file of FILES and returns its path. Renames the finished file, because another test may read the old one."""
        path = SCRATCH / "peers" / f"{key}.txt"
        with locked(SCRATCH / "peers"):
            new = path.with_suffix(".new")
            new.write_text(FILES[key](), encoding="utf-8")
            new.replace(path)
        return str(path)


def _cpuinfo(flag, amd):
    """This machine's /proc/cpuinfo. Without `flag`, it has no fsgsbase. With `amd`, the vendor is AMD."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    if not flag:
        text = re.sub(r" fsgsbase\b", "", text)
    return re.sub(r"(?m)^(vendor_id\s*: ).*", r"\1AuthenticAMD", text) if amd else text


# The contents of files that the tracer launch.c opens in place of files in /proc and /sys.
FILES = {
    "cpuinfo-without": lambda: _cpuinfo(False, False),
    "cpuinfo-amd-with": lambda: _cpuinfo(True, True),
    "cpuinfo-amd-without": lambda: _cpuinfo(False, True),
    "xen-pv": lambda: "PV\n",
    "xen-major": lambda: "4\n",
    "xen-minor": lambda: "17\n",
}


def build(command):
    """Runs a build step. If the compiler is missing, the test skips. If the step fails, the test fails."""
    if not shutil.which(command[0]):
        raise Unavailable(f"{command[0]} is not installed")
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode != 0:
        raise Failed(f"{' '.join(command)}: status {run.returncode}\n{run.stdout}")


# -- processes ------------------------------------------------------------------------------------


def require(needs):
    """Skips the test if this machine lacks a feature that the state needs."""
    if "fsgsbase" in needs and not advertised():
        raise Unavailable("this kernel does not advertise FSGSBASE")
    if "cpuid_fault" in needs and "cpuid_fault" not in cpu_flags():
        raise Unavailable("this processor has no CPUID faulting")
    if "cpus" in needs and len(os.sched_getaffinity(0)) < 2:
        raise Unavailable("this machine has one CPU")


def run_process(state, resolve, arguments):
    """Runs one program in a state of this machine. Returns its output and its exit status."""
    def fill(word):
        return re.sub(r"\{([a-z0-9-]+)\}", lambda found: resolve(found[1]), word)

    words = [fill(word) for word in shlex.split(state.command)] + arguments
    # Only these three variables and the state's own are passed, because Meson sets variables for the loader and the
    # allocator.
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
    environment |= {key: fill(value) for key, value in state.environment}
    run = _run(words, environment)
    return run.stdout.decode(), run.returncode


def _run(words, environment=None):
    if not shutil.which(words[0]):
        raise Unavailable(f"{words[0]} is not installed")
    try:
        run = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, check=False,
                             capture_output=True, timeout=SECONDS)
    except OSError as error:
        raise Unavailable(f"this kernel does not run it: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{' '.join(words)} did not end within {SECONDS} s") from error
    sys.stderr.buffer.write(run.stderr)
    sys.stderr.flush()
    return run


def ask_process(state, programs, arguments):
    """Runs the peers' program and fsgscheck in the state. Returns the peers' answers, and fsgscheck's output and status."""
    require(state.needs)
    # The peers' program runs first, because its build is short. If this kernel cannot run programs of this kind, such as
    # 32-bit programs, the test skips before the long build of fsgscheck.
    answers, _ = run_process(state, programs.peers, [])
    return answers, *run_process(state, programs.command, arguments)


# -- kernels --------------------------------------------------------------------------------------


def _split(section):
    """Splits the output of the peers' program, which ends by executing fsgscheck. Returns the peers' answers, and fsgscheck's
    output and status."""
    if not section:
        return None
    answers, _, report = section[0].partition("\n")
    return answers, report, section[1]


def ask_system(state, programs, arguments):
    """Like ask_process(), but in an emulated machine."""
    words = ["console=ttyS0", "panic=-1", "quiet", "fsgs.run=/peers",
             "fsgs.args=" + ",".join(["/fsgscheck", *arguments]), *state.append.split()]
    host = {}
    if state.host:
        host = {"host": state.host, "host_elf": programs.command("host")}
    cpu = machine.CPU_OF_REPORT if state.host else state.cpu
    with tempfile.TemporaryDirectory() as folder:
        initrd = machine.initrd(pathlib.Path(folder) / "initrd",
                                [("/init", programs.command("init")),
                                 ("/fsgscheck", programs.command("static")),
                                 ("/peers", programs.peers("static"))])
        run = machine.boot(machine.kernel(SCRATCH / "kernels"), append=" ".join(words), initrd=initrd, cpu=cpu,
                           smp=state.smp, timeout=2 * SECONDS, **host)
    answers = _split(run.section("peers"))
    if not answers:
        raise Failed(f"fsgscheck did not end in the machine\n{run.log[-4000:]}{run.errors}")
    return answers


def ask_uml(_, programs, arguments):
    """Like ask_process(), but in user-mode Linux."""
    run = machine.user_mode_linux(programs.command("confine"), programs.command("init"),
                                  programs.peers("static"),
                                  [programs.command("static"), *arguments], timeout=SECONDS)
    answers = _split(run.section("static"))
    if not answers:
        raise Failed(f"fsgscheck did not end\n{run.log[-4000:]}{run.errors}")
    return answers


# -- the comparison -------------------------------------------------------------------------------


def field(report, path):
    """The value in the report at a path like "a.b.c", or "(absent)". The findings are sorted."""
    for key in path.split("."):
        if isinstance(report, list) and key.isdigit() and int(key) < len(report):
            report = report[int(key)]
        elif isinstance(report, dict) and key in report:
            report = report[key]
        else:
            return "(absent)"
    return sorted(report) if path == "findings" else report


def differences(expected, report):
    """One line for each field whose value is not that of the table."""
    return [f"{path}: expected {json.dumps(value)}, got {json.dumps(field(report, path))}"
            for path, value in expected.items() if field(report, path) != value]


def parse(text, what):
    """The JSON object in an output. A debugger may have printed lines before and after it."""
    try:
        return json.loads(text[text.find("{"):text.rfind("}") + 1])
    except json.JSONDecodeError as error:
        raise Failed(f"{what} printed no JSON: {error}\n{text}") from error


ASK = {table.Process: ask_process, table.System: ask_system, table.Uml: ask_uml}


def enter(case, programs):
    """Runs fsgscheck and all peers in a state. Returns fsgscheck's report, with its status, and the peers' answers."""
    arguments = ["--json", *case.args.split()]
    answers, text, status = ASK[type(case.machine)](case.machine, programs, arguments)
    report = parse(text, "fsgscheck")
    if report["schema"] != 1:
        raise Failed(f"schema {report['schema']}")
    return report | {"status": status}, parse(answers, "the peers' program")


def run(case, programs, results):
    """Runs one case, and stores its result for the page about the peers. Returns the test's exit status."""
    result = results / f"{case.name}.json"
    result.unlink(missing_ok=True)
    report, answers = enter(case, programs)
    wrong = differences(case.expected, report)
    results.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps({"report": report, "peers": answers}), encoding="utf-8")
    if wrong:
        print(f"{case.name}: {case.about}: {len(wrong)} fields are wrong", *wrong, sep="\n  ")
        print(json.dumps(report, indent=1))
        return 1
    print(f"{case.name}: {report['verdict']} {','.join(report['findings'])}".rstrip())
    return 0


# -- every combination ----------------------------------------------------------------------------

SEVERITY = (table.USABLE, table.UNSUPPORTED, table.DISABLED, table.UNADVERTISED,
            table.INCONSISTENT, table.BROKEN)
OUTCOMES = {"right": "ok", **{how: table.OUTCOME_OF[how] for how in ("ud", "gp", "wrong")}}


def decide(offered, hwcap2, outcomes):
    """A second implementation of the library's decision, written from its description, for the states of table.EVERY.
    Returns the expected fields of the report."""
    def segment(letter):
        own = [outcomes[insn] for insn in table.INSTRUCTIONS if insn[2] == letter]
        if hwcap2 == "promised" and not offered:
            return table.INCONSISTENT
        if hwcap2 == "promised":
            return table.USABLE if own == ["ok", "ok"] else table.BROKEN
        if any(outcome in ("ok", "wrong-value") for outcome in own):
            return table.UNADVERTISED
        return table.DISABLED if offered else table.UNSUPPORTED

    fs, gs = segment("f"), segment("g")
    verdict = max(fs, gs, key=SEVERITY.index)
    ran = any(outcome in ("ok", "wrong-value") for outcome in outcomes.values())
    findings = [finding for finding, condition in (
        ("instrumented", verdict == table.BROKEN),
        ("unproven", verdict == table.DISABLED),
        ("kernel-too-old", hwcap2 == "refused" and offered),
        ("privilege-risk", hwcap2 == "refused" and offered and verdict == table.UNADVERTISED),
        ("emulated", hwcap2 == "absent" and ran)) if condition]
    case = table.Case("", "", None, False, verdict, " ".join(findings), fs=fs, gs=gs,
                      also={f"trials.{insn}.outcome": outcomes[insn]
                            for insn in table.INSTRUCTIONS})
    return case.expected


def run_combination(programs, options, hows, expected):
    """Runs fsgscheck with the outcomes `hows` of the four instructions. Returns the errors in its report."""
    words = [f"--insn={insn}:{how}" for insn, how in zip(table.INSTRUCTIONS, hows)]
    state = table.launched(" ".join([*options, *words]))
    text, status = run_process(state, programs.command, ["--json"])
    wrong = differences(expected, parse(text, "fsgscheck") | {"status": status})
    return [f"{' '.join(words)}: {line}" for line in wrong]


def run_every(name, programs):
    """Runs a process for each combination of the four instructions' outcomes, with the CPUID and AT_HWCAP2 that `name`
    stands for. Returns whether a report has errors."""
    offered, hwcap2 = table.EVERY[name]
    options = {"promised": [], "refused": [table.H0], "absent": [table.ABSENT]}[hwcap2]
    options += [] if offered else [table.NO_CPUID]

    def combination(hows):
        outcomes = {insn: OUTCOMES[how] for insn, how in zip(table.INSTRUCTIONS, hows)}
        return run_combination(programs, options, hows, decide(offered, hwcap2, outcomes))

    require(("fsgsbase",))
    every = list(itertools.product(OUTCOMES, repeat=len(table.INSTRUCTIONS)))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [line for lines in pool.map(combination, every) for line in lines]
    print(f"{name}: {len(every)} processes, {len(wrong)} fields are wrong", *wrong, sep="\n  ")
    return bool(wrong)


# -- what the tracer changes ----------------------------------------------------------------------


def run_sites(programs):
    """The tracer must find each instruction as often as a disassembler does, so that it changes no bytes that only look like
    one."""
    static = programs.command("static")
    found = _run([programs.command("launch"), "--sites", "--", static]).stdout.decode()
    code = _run(["objdump", "-d", "--no-show-raw-insn", static]).stdout.decode()
    counts = {insn: len(re.findall(rf"\t{insn}\b", code))
              for insn in (*table.INSTRUCTIONS, "cpuid")}
    right = "".join(f"{insn} {count}\n" for insn, count in counts.items())
    print("by bytes:", *found.split(), "disassembled:", *right.split())
    return int(found != right or 0 in counts.values())


# -- the page about the peers ---------------------------------------------------------------------

PEERS = {
    "builtin": '`__builtin_cpu_supports("fsgsbase")`',
    "present": "`CPU_FEATURE_PRESENT`",
    "active": "`CPU_FEATURE_ACTIVE`",
    "auxv": "`getauxval(AT_HWCAP2) & 2`",
    "cpuinfo": "/proc/cpuinfo",
}
MIN_ROWS = 30  # with fewer states, the run was not complete

PAGE = """\
<!-- SPDX-License-Identifier: MIT -->
# Comparison with other checks

May a program use the FSGSBASE instructions here? This page compares `fsgscheck` with five other checks, its peers:
GCC's builtin, two macros of glibc, the bare bit of `AT_HWCAP2`, and the flag in `/proc/cpuinfo`. Each line of a
table of states is one machine state, in which a live process makes all these checks. A peer is right if its yes or
no agrees with the column "truth". `fsgscheck` is right if it says `usable` exactly where the truth is yes, and if
its findings, accesses and exit status are those that the tests' table demands. "–" means that the peer does not
exist in that build; such an entry is not counted. Lines marked * are not counted for the peers.

The tests write this page. `tests/run --suite states` enters the states of `tests/machines/table.py` and writes the
page to `tests/machines/peers.md` in the build directory. The last test of the suite, `states-peers-page`, compares
each line of that page with this copy. Lines marked * are not compared, because in these states the answer of a
peer depends on the CPU that runs it. This copy was made on an x86-64 machine that has FSGSBASE, with
{versions}. States that this machine could not enter are not listed.

The truth is "yes" if a program may rely on all four instructions. If the instructions run, but the kernel does
not advertise them, the truth is "no", because the kernel need not preserve the bases that they write. If only one
segment is broken, the truth is "no", too; `fsgscheck` then gives the access of each segment separately.

| check | right, real states | answers, real states | right, all states | answers, all states |
|---|---|---|---|---|
{scores}

{sections}"""


def versions():
    """The versions of the software on which the peers' answers depend."""
    def version(program):
        run = subprocess.run([program, "--version"], stdin=subprocess.DEVNULL, check=False,
                             capture_output=True, text=True)
        return re.search(r"\d+\.\d+", run.stdout)[0]

    programs = {"GCC": "gcc", "QEMU": "qemu-x86_64", "valgrind": "valgrind"}
    missing = [program for program in programs.values() if not shutil.which(program)]
    if missing:
        raise Unavailable(f"not installed: {', '.join(missing)}")
    words = [f"{name} {version(program)}" for name, program in programs.items()]
    return ", ".join([*words, os.confstr("CS_GNU_LIBC_VERSION")])


WORDS = {True: "yes", False: "no", None: "–"}


def page_row(case, said):
    """The row of one state in the page. A wrong answer is in bold."""
    def cell(answer):
        return WORDS[answer] if answer in (None, case.safe) else f"**{WORDS[answer]}**"

    report = said["report"]
    right = not differences(case.expected, report)
    verdict = report["verdict"] if right else f"**{report['verdict']}**"
    cells = [case.name + ("" if case.steady else " *"), case.about.replace("|", "\\|"), WORDS[case.safe],
             *(cell(said["peers"][peer]) for peer in PEERS), verdict]
    return f"| {' | '.join(cells)} |"


def _score(name, answers):
    """The row of one peer: the number of right answers and of all answers, in the real states and then in all states.
    `answers` has pairs: the case, and whether the answer was right."""
    cells = []
    for cases in ([case for case in table.CASES if case not in table.LAUNCHED], table.CASES):
        right = [whether for case, whether in answers if case in cases]
        cells += [str(sum(right)), str(len(right))]
    return f"| {name} | {' | '.join(cells)} |"


def make_page(found):
    """The page. `found` has pairs: a case, and its result from run()."""
    sections = []
    scores = [_score(name, [(case, said["peers"][peer] == case.safe) for case, said in found
                            if case.steady and said["peers"][peer] is not None])
              for peer, name in PEERS.items()]
    scores.append(_score("`fsgscheck`", [(case, not differences(case.expected, said["report"]))
                                         for case, said in found]))
    for title, cases in table.SECTIONS.items():
        rows = [page_row(case, said) for case, said in found if case in cases]
        head = ["state", "what it is", "truth", *PEERS, "fsgscheck"]
        sections += [f"## {title}", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows,
                     ""]
    return PAGE.format(versions=versions(), scores="\n".join(scores),
                       sections="\n".join(sections).rstrip() + "\n")


def rows_of(page):
    """The rows of the page's tables, by the state's name."""
    rows = [line for line in page.splitlines() if line.count("|") == len(PEERS) + 5]
    lines = {line.split("|")[1].strip(): line for line in rows}
    return {name: line for name, line in lines.items() if name not in ("state", "---")}


def run_page():
    """Writes the page into $SCRATCH, and compares its rows with those of doc/peers.md. Returns the test's exit status."""
    found = [(case, json.loads(path.read_text(encoding="utf-8"))) for case in table.CASES
             if (path := SCRATCH / "results" / f"{case.name}.json").exists()]
    if len(found) < MIN_ROWS:
        raise Unavailable(f"{len(found)} states were entered before; run the whole suite")
    page = make_page(found)
    (SCRATCH / "peers.md").write_text(page, encoding="utf-8")
    old = (SOURCE / "doc/peers.md").read_text(encoding="utf-8")
    if versions() not in old:
        raise Unavailable(f"the committed page was not made with {versions()}")
    here, there = rows_of(page), rows_of(old)
    wrong = [f"here  {row}\n  there {there.get(name, '(no such line)')}"
             for name, row in here.items() if there.get(name) != row and not name.endswith("*")]
    print(f"peers-page: {len(here)} lines, {len(wrong)} differ", *wrong, sep="\n  ")
    return bool(wrong)


# -- the program ----------------------------------------------------------------------------------


def run_test(name, programs):
    """Runs one test of the table. Returns its exit status."""
    if name in table.EVERY:
        return run_every(name, programs)
    case = next(case for case in table.CASES if case.name == name)
    return run(case, programs, SCRATCH / "results")


def main():
    """Runs the action that the command line names. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    run_action = actions.add_parser("run", help="one case")
    run_action.add_argument("name", metavar="NAME",
                            choices=[*(case.name for case in table.CASES), *table.EVERY])
    actions.add_parser("sites", help="what the tracer changes")
    actions.add_parser("page", help="the page about the peers")
    arguments = parser.parse_args()
    try:
        if arguments.action == "page":
            return run_page()
        if arguments.action == "sites":
            return run_sites(Programs())
        return run_test(arguments.name, Programs())
    except Failed as reason:
        print(reason)
        return 1


if __name__ == "__main__":
    parts.run_main(main)
