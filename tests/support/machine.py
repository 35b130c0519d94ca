#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The machines of the test suite: kernels, initial file systems, and QEMU runs.

    machine.py kernel --cache DIR [--package NAME]
    machine.py initrd OUTPUT PATH=FILE...
    machine.py boot --kernel FILE [--host MODE --host-elf FILE] [...]

The program exits with 77, the status of a skipped test, if QEMU or a kernel is not available. QEMU emulates every machine
(-accel tcg), because the tests depend on the emulated processor. With KVM, the real processor would execute the
instructions.
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

# QEMU's model of the processor in the bug report that the project began with. SMAP is off, because it is not set in the CR4
# of that report.
CPU_OF_REPORT = "EPYC,model-id=AMD EPYC 7281 16-Core Processor,-smap"


# -- kernels ------------------------------------------------------------------------------------


def _resolve(package):
    """The package that a kernel meta-package depends on. Its name changes with every version of the kernel."""
    for line in fetched("apt-cache", "depends", package).splitlines():
        found = re.fullmatch(r"\s*Depends: (linux-image-\d\S+)", line)
        if found:
            return found[1]
    raise Unavailable(f"{package} depends on no kernel image")


def _unpack(package, folder, into):
    """Takes the kernel out of the only .deb in the folder, without installing anything."""
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
        # The data after the kernel is not needed. Without a reader, dpkg-deb ends by itself.
        process.stdout.close()
    if not into.exists():
        raise Unavailable(f"{package} has no kernel in it")


def kernel(cache, package=CLOUD):
    """Returns the path of the newest kernel of a Debian kernel meta-package.

    "apt-get download" fetches each kernel package once, into the folder `cache`. If the package cannot be resolved or
    fetched, the newest kernel that an earlier call has fetched for it is returned. If there is none, Unavailable gives
    the reason.
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

    One of the paths must be /init. The function adds the folders, and /dev/console, which the kernel opens before /init
    can mount anything. The same files always give the same bytes.
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
    """The paths of the loader and of the libraries of a program."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"(/\S+) \(0x", listed))


def with_libraries(files):
    """Adds to the pairs for initrd() the libraries that the programs need: the loader at its own path, the others in
    /lib."""
    needed = set().union(*(libraries(file) for _, file in files))
    return files + [(library if "ld-linux" in library else f"/lib/{pathlib.PurePath(library).name}", library)
                    for library in sorted(needed)]


# -- runs ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Run:
    """The output of a machine, and how it ended."""

    log: str            # the text of the serial line, without carriage returns and escape sequences
    status: int | None  # the emulator's exit status; None if `until` or the timeout ended it
    seconds: float
    timed_out: bool
    errors: str         # the emulator's standard error

    def section(self, name="fsgscheck"):
        """Returns the output of a program that init.c ran, and its status; None if the program did not end."""
        name = re.escape(name)
        found = re.search(rf"^=== begin {name}\n(.*?)=== end {name} status=(\d+)$", self.log,
                          re.MULTILINE | re.DOTALL)
        return (found[1], int(found[2])) if found else None


@functools.cache
def qemu(with_host=False):
    """Returns the command that starts the emulator, as a list.

    The defective host must intercept reads of CR4 by its guest. QEMU 9 and later do not exit to the host at such a read
    (seen in 10.0 and 11.1). So with these versions the host runs in Debian 12's QEMU 7.2, which is unpacked into a folder.
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
    """Collects the output until it ends, until the deadline, or until it matches `until`. Returns the output, and which of
    these happened."""
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

    kernel      a Linux kernel, or a Multiboot or PVH image; None if `extra` has the boot medium
    append      the kernel's command line
    initrd      Linux's initial file system
    host        None for the plain machine, or the text after "host=" on the defective host's command line, for example
                "lie" or "partial insn=wrgsbase"; needs host_elf
    modules     Multiboot modules, as (file, arguments) pairs. With a host, they follow the kernel and the initrd. Without
                a host, they belong to a kernel that is a Multiboot image.
    debug_exit  add the isa-debug-exit device at port 0xf4
    until       a regular expression; when the log matches, the machine is ended
    timeout     the machine is ended after this many seconds
    emulator    the command that starts QEMU, as a list; by default the installed QEMU

    Only the QEMU process that this function has started is ended.
    """
    command = [*(emulator or qemu(with_host=host is not None)), "-accel", "tcg", "-M", machine, "-cpu", cpu, "-smp", str(smp),
               "-m", str(memory), "-nodefaults", "-display", "none", "-serial", "stdio",
               "-no-reboot"]
    if debug_exit:
        command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]

    with contextlib.ExitStack() as stack:
        # QEMU reads "FILE ARGUMENTS,FILE..." in -initrd, so the name of a file or folder must not contain a blank or a
        # comma. Links with plain names avoid that, and hide the paths from the guest.
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

# Debian's user-mode Linux 6.1 does not save the extended state of recent processors. So programs in it must not use AVX.
_NO_AVX = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-AVX_Fast_Unaligned_Load"


def user_mode_linux(confine, init, program, arguments, timeout=30.0):
    """Runs the program in user-mode Linux with this machine's root file system. Returns a Run.

    `confine` hides the processor's extended state, for which user-mode Linux has no room.
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
    action.add_argument("extra", nargs="*", help="further arguments for QEMU, after --")

    arguments = parser.parse_args()
    if arguments.action == "boot" and arguments.host and not arguments.host_elf:
        parser.error("--host needs --host-elf")
    return arguments


def main():
    """Runs the action that the command line names. Returns the exit status."""
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
