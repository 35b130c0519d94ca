# SPDX-License-Identifier: MIT
"""The kernel module, built against a distribution's headers that nobody has to install."""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / 'machines'))

import machine  # noqa: E402  (the path has to be known first)

FLAVOUR = 'cloud-amd64'


def _run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f'status {done.returncode}']
        raise machine.Unavailable(f"{' '.join(map(str, command[:2]))} failed: {words[-1]}")
    return done.stdout


@contextlib.contextmanager
def locked(folder):
    """Two tests that want to make the same thing take turns."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def releases():
    """The kernels whose headers are to be had, oldest first."""
    listed = _run('apt-cache', 'search', '--names-only', rf'^linux-headers-[0-9].*-{FLAVOUR}$')
    found = re.findall(rf'^linux-headers-(\d+\.\d+\.\d+\S*-{FLAVOUR}) ', listed, re.M)
    if not found:
        raise machine.Unavailable('no kernel headers are to be had')
    return sorted(found, key=lambda name: [int(part) for part in re.findall(r'\d+', name)])


def headers(cache, release):
    """The build folder of a kernel: its packages, unpacked where they are, not where they want to be."""
    root = pathlib.Path(cache).resolve() / release
    tree = root / 'usr/src' / f'linux-headers-{release}'
    with locked(root):
        if (root / 'complete').exists():
            return tree
        depends = _run('apt-cache', 'depends', f'linux-headers-{release}')
        packages = [f'linux-headers-{release}',
                    *re.findall(r'Depends: (linux-headers-\S+-common|linux-kbuild-\S+)', depends)]
        with tempfile.TemporaryDirectory(dir=root) as folder:
            _run('apt-get', '--quiet', 'download', *packages, cwd=folder)
            for archive in pathlib.Path(folder).glob('*.deb'):
                _run('dpkg-deb', '--extract', archive, root)
        makefile = tree / 'Makefile'
        makefile.write_text(makefile.read_text(encoding='utf-8').replace('/usr/src', f'{root}/usr/src'),
                            encoding='utf-8')
        (root / 'complete').touch()
    return tree


def build(out, tree, *arguments):
    """Builds the module from the laid-out sources, anew; returns it and what make said."""
    # The last where the headers bring the kernel's types along, which a module's own are made to fit.
    for tool in ('make', 'gcc-12', *(['pahole'] if (tree / 'vmlinux').exists() else [])):
        if not shutil.which(tool):
            raise machine.Unavailable(f'{tool} is not installed')
    shutil.rmtree(out, ignore_errors=True)
    done = subprocess.run(['make', '-C', SOURCE / 'examples/kmod', f'KDIR={tree}', f'OUT={out}', *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, env={**os.environ, 'LC_ALL': 'C'})
    if done.returncode:
        raise RuntimeError(f'the module does not build:\n{done.stdout}')
    return pathlib.Path(out) / 'fsgscheck.ko', done.stdout
