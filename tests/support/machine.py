#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The machines of the test suite: kernels, initial file systems, and QEMU runs.

Every machine is emulated (-accel tcg): the tests are about what a processor says and does, and a
virtual machine monitor in the host's kernel would answer in QEMU's place.

    machine.py kernel --cache DIR [--package NAME]
    machine.py initrd OUTPUT PATH=FILE...
    machine.py boot --kernel FILE [--host MODE --host-elf FILE] [...]

As a program it ends with 77, the status of a skipped test, when QEMU or a kernel is not available.
"""

import argparse
import contextlib
import dataclasses
import functools
import pathlib
import re
import select
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time

from support import Unavailable, aside, fetched, locked, parts

TIMED_OUT = 124

CLOUD = aside.CLOUD
GENERIC = "linux-image-amd64"

# The processor of the report that the project began with, as QEMU's model of it.  SMAP is off
# because the report's CR4 does not have it.
CPU_OF_REPORT = "EPYC,model-id=AMD EPYC 7281 16-Core Processor,-smap"


# -- kernels ------------------------------------------------------------------------------------


def _resolve(package):
    """Names the package that a kernel meta-package depends on: it changes with every release."""
    for line in fetched("apt-cache", "depends", package).splitlines():
        found = re.fullmatch(r"\s*Depends: (linux-image-\d\S+)", line)
        if found:
            return found[1]
    raise Unavailable(f"{package} depends on no kernel image")


def _unpack(package, folder, into):
    """Takes the kernel out of the one .deb in the folder, without installing anything."""
    archives = list(folder.glob("*.deb"))
    if len(archives) != 1:
        raise Unavailable(f"apt-get download {package} left {len(archives)} archives")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archives[0]], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                if not re.fullmatch(r"(\./)?boot/vmlinuz-[^/]+", member.name):
                    continue
                unfinished = folder / "vmlinuz"
                with archive.extractfile(member) as source, unfinished.open("wb") as target:
                    shutil.copyfileobj(source, target)
                into.parent.mkdir(parents=True, exist_ok=True)
                unfinished.replace(into)
                break
        # The data after the kernel is not needed; without a reader dpkg-deb ends by itself.
        process.stdout.close()
    if not into.exists():
        raise Unavailable(f"{package} has no kernel in it")


def kernel(cache, package=CLOUD):
    """Returns the path of the kernel that a Debian kernel package stands for.

    It is fetched by "apt-get download" into the folder `cache`, once.  When the package cannot be
    resolved or fetched, the newest kernel that an earlier call left there for it will do; when
    there is none either, Unavailable says why.
    """
    shelf = pathlib.Path(cache).resolve() / package
    with locked(shelf):
        return _newest(package, shelf)


def _newest(package, shelf):
    try:
        image = _resolve(package)
        path = shelf / image.replace("linux-image-", "vmlinuz-", 1)
        if not path.exists():
            shelf.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=shelf) as folder:
                folder = pathlib.Path(folder)
                fetched("apt-get", "--quiet", "download", image, cwd=folder)
                _unpack(image, folder, path)
        return path
    except Unavailable as reason:
        earlier = sorted(shelf.glob("vmlinuz-*"), key=lambda path: path.stat().st_mtime)
        if not earlier:
            raise Unavailable(f"no kernel from {package}: {reason}") from reason
        return earlier[-1]


# -- initial file systems -----------------------------------------------------------------------


def _newc(number, name, mode, content=b"", device=(0, 0)):
    """One entry of a cpio archive in the format that the kernel calls newc."""
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def initrd(output, files):
    """Writes an initial file system of (path inside, file outside) pairs; returns its path.

    One of the paths has to be /init.  Folders come by themselves, and /dev/console too, since the
    kernel opens it before /init can mount anything.  The same files make the same bytes.
    """
    files = [(path.strip("/"), pathlib.Path(file)) for path, file in files]
    if "init" not in (path for path, _ in files):
        raise ValueError("an initial file system needs an /init")
    folders = {"dev"}
    for path, _ in files:
        folders.update(str(parent) for parent in pathlib.PurePosixPath(path).parents)
    folders.discard(".")

    entries = [(folder, stat.S_IFDIR | 0o755) for folder in sorted(folders)]
    entries.append(("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1)))
    for path, file in files:
        entries.append((path, stat.S_IFREG | (file.stat().st_mode & 0o777), file.read_bytes()))
    entries.append(("TRAILER!!!", 0))

    output = pathlib.Path(output)
    output.write_bytes(b"".join(_newc(number, *entry) for number, entry in enumerate(entries)))
    return output


def libraries(program):
    """The loader and the libraries of a program."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"(/\S+) \(0x", listed))


def with_libraries(files):
    """The pairs for an initrd, and what their programs need: the loader at its own path, the rest in /lib."""
    needed = set().union(*(libraries(file) for _, file in files))
    return files + [(library if "ld-linux" in library else f"/lib/{pathlib.PurePath(library).name}", library)
                    for library in sorted(needed)]


# -- runs ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Run:
    """The output of a machine, and its end."""

    log: str            # the serial line, without carriage returns and escape sequences
    status: int | None  # QEMU's exit status; None when it was ended by `until` or the timeout
    seconds: float
    timed_out: bool
    errors: str         # QEMU's standard error

    def section(self, name="fsgscheck"):
        """Returns what a program run by init.c printed, and its status; None if it did not end."""
        name = re.escape(name)
        found = re.search(rf"^=== begin {name}\n(.*?)=== end {name} status=(\d+)$", self.log,
                          re.MULTILINE | re.DOTALL)
        return (found[1], int(found[2])) if found else None


@functools.cache
def qemu(with_host=False):
    """Returns the command that is the emulator, as a list.

    The defective host must see its guest read CR4. QEMU 9 and later do not leave the guest there (seen in
    10.0 and 11.1), so with them the host runs in Debian 12's QEMU 7.2, unpacked aside.
    """
    path = shutil.which("qemu-system-x86_64")
    if not path:
        raise Unavailable("qemu-system-x86_64 is not installed")
    if not with_host or int(re.search(r"version (\d+)", fetched(path, "--version"))[1]) < 9:
        return [path]
    return aside.qemu_system("bookworm")[1]


def plain(raw):
    text = raw.decode("utf-8", "replace").replace("\r", "")
    return re.sub(r"\x1b(\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[=>c])", "", text)


def _read(process, deadline, until):
    """Collects the output to its end, to the deadline, or until a line matches; says which."""
    raw = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            return raw, "deadline"
        piece = process.stdout.read1(65536)
        if not piece:
            return raw, "end"
        raw += piece
        if until and re.search(until, plain(raw), re.MULTILINE):
            return raw, "match"


def boot(kernel, *, append="", initrd=None, host=None, host_elf=None, modules=(), cpu="EPYC",
         smp=1, memory=512, machine="q35", debug_exit=True, until=None, timeout=30.0, extra=(),
         emulator=None):
    """Boots a machine, waits for its end, and returns a Run.

    kernel      a Linux kernel or a Multiboot or PVH image; None when `extra` brings the boot medium
    append      its command line
    initrd      Linux's initial file system
    host        None for the plain machine, or the defective host's own command line behind
                "host=", for example "lie" or "partial insn=wrgsbase"; needs host_elf
    modules     Multiboot modules, as (file, arguments) pairs: further ones with a host, or those
                of a kernel that is a Multiboot image itself
    debug_exit  add the isa-debug-exit device at port 0xf4
    until       a regular expression: once the log matches, the machine is ended
    timeout     seconds, after which the machine is ended
    emulator    the command that is QEMU, as a list; the installed one unless given

    Only the QEMU process started here is ever ended.
    """
    command = [*(emulator or qemu(with_host=host is not None)), "-accel", "tcg", "-M", machine, "-cpu", cpu, "-smp", str(smp),
               "-m", str(memory), "-nodefaults", "-display", "none", "-serial", "stdio",
               "-no-reboot"]
    if debug_exit:
        command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]

    with contextlib.ExitStack() as stack:
        # QEMU reads "FILE ARGUMENTS,FILE..." in -initrd: neither a blank nor a comma in a folder's
        # name may get there.  Links with plain names keep paths out of the guest's sight, too.
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def link(name, file):
            (folder / name).symlink_to(pathlib.Path(file).resolve(strict=True))
            return name

        def modules_of(files):
            words = (f"{link(f'module{number}', file)} {arguments}" for number, (file, arguments) in enumerate(files))
            return ["-initrd", ",".join(word.strip().replace(",", ",,") for word in words)]

        if host is not None:
            command += ["-kernel", link("host.elf", host_elf), "-append", f"host={host}"]
            words = [(kernel, append)]
            if initrd is not None:
                words.append((initrd, ""))
            command += modules_of([*words, *modules])
        elif kernel is not None:
            command += ["-kernel", link("guest", kernel), "-append", append]
            if initrd is not None:
                command += ["-initrd", link("initrd", initrd)]
            if modules:
                command += modules_of(modules)

        errors = stack.enter_context(tempfile.TemporaryFile())
        started = time.monotonic()
        process = stack.enter_context(
            subprocess.Popen([*command, *extra], cwd=folder, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=errors))
        try:
            raw, reason = _read(process, started + timeout, until)
            if reason == "end":
                process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        seconds = time.monotonic() - started

        errors.seek(0)
        lines = [line for line in plain(errors.read()).splitlines()
                 if "TCG doesn't support requested feature" not in line]
        return Run(log=plain(raw), status=process.returncode if reason == "end" else None,
                   seconds=seconds, timed_out=reason == "deadline", errors="\n".join(lines))


# -- user-mode Linux ----------------------------------------------------------------------------

# Debian's 6.1 neither knows the extended state of recent processors nor keeps it: no AVX there.
_NO_AVX = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-AVX_Fast_Unaligned_Load"


def user_mode_linux(confine, init, program, arguments, timeout=30.0):
    """Runs the program in user-mode Linux, with this machine's root as its own; returns a Run.

    `confine` hides the processor's extended state, which user-mode Linux would not find room for.
    """
    if not shutil.which("linux.uml"):
        raise Unavailable("user-mode-linux is not installed")
    started = time.monotonic()
    status = None
    try:
        done = subprocess.run([confine, "xstate=eperm", "--", "linux.uml", "rootfstype=hostfs",
                               "ro", f"init={init}", "con0=fd:0,fd:1", "con=null", "mem=128M",
                               "quiet", f"GLIBC_TUNABLES={_NO_AVX}", f"fsgs.run={program}",
                               "fsgs.args=" + ",".join(arguments), "fsgs.end=off"],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=timeout)
        log, errors, status = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as late:
        log, errors = late.stdout or b"", late.stderr or b""
    return Run(log=plain(log), status=status, seconds=time.monotonic() - started,
               timed_out=status is None, errors=plain(errors))


# -- the program --------------------------------------------------------------------------------


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)

    action = actions.add_parser("kernel", help="fetch a kernel and print its path")
    action.add_argument("--cache", required=True, help="folder to keep kernels in")
    action.add_argument("--package", default=CLOUD)

    action = actions.add_parser("initrd", help="write an initial file system")
    action.add_argument("output")
    action.add_argument("files", nargs="+", metavar="PATH=FILE")

    action = actions.add_parser("boot", help="boot a machine and print its serial log")
    action.add_argument("--kernel")
    action.add_argument("--append", default="")
    action.add_argument("--initrd")
    action.add_argument("--host", metavar="MODE")
    action.add_argument("--host-elf")
    action.add_argument("--cpu", default="EPYC")
    action.add_argument("--smp", type=int, default=1)
    action.add_argument("--memory", type=int, default=512)
    action.add_argument("--machine", default="q35")
    action.add_argument("--until", metavar="REGEX")
    action.add_argument("--timeout", type=float, default=30.0)
    action.add_argument("extra", nargs="*", help="further arguments for QEMU, behind --")

    arguments = parser.parse_args()
    if arguments.action == "boot" and arguments.host and not arguments.host_elf:
        parser.error("--host needs --host-elf")
    return arguments


def main():
    """Runs one action; returns the exit status."""
    arguments = _arguments()
    options = vars(arguments)
    action = options.pop("action")
    if action == "kernel":
        print(kernel(**options))
        return 0
    if action == "initrd":
        initrd(arguments.output, [pair.split("=", 1) for pair in arguments.files])
        return 0
    run = boot(**options)
    sys.stdout.write(run.log)
    if run.errors:
        print(run.errors, file=sys.stderr)
    if run.timed_out:
        print(f"ended after {run.seconds:.1f} s", file=sys.stderr)
        return TIMED_OUT
    return run.status or 0


if __name__ == "__main__":
    parts.run_main(main)
