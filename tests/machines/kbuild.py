# SPDX-License-Identifier: MIT
"""Builds the kernel module with a distribution's kernel headers, which are unpacked into a folder."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest.mock

from support import SOURCE, Unavailable, aside, fetched, locked, machine, output

FLAVOUR = 'cloud-amd64'

# Other releases in the archive from which this machine takes its packages. They have older and newer kernels than this
# machine's release.
OLDEST = ('buster',)
OLDER = ('bullseye',)
NEWER = ('trixie', 'trixie-backports')

# Libraries that modpost and objtool of newer kernels need, and options in kernels' makefiles that only newer compilers know.
LIBRARIES = ('libc6', 'libelf1t64', 'libzstd1', 'zlib1g')
UNKNOWN = ('-fmin-function-alignment=*', '-fzero-init-padding-bits=*', '-fdiagnostics-show-context=*',
           '-fstrict-flex-arrays=*', '-Wno-format-overflow-non-kprintf')


def numbers(release):
    return [int(part) for part in re.findall(r'\d+', release)]


def releases(cache, suites=None):
    """The kernel releases that have headers, oldest first. `suites` names Debian releases; None is this machine's."""
    listed = fetched('apt-cache', 'search', '--names-only', rf'^linux-headers-[0-9].*-{FLAVOUR}$',
                  env=aside.releases_alone(cache, suites))
    found = re.findall(rf'^linux-headers-(\d+\.\d+\.\d+\S*-{FLAVOUR}) ', listed, re.M)
    if not found:
        raise Unavailable('no kernel headers are available')
    return sorted(found, key=numbers)


def _program(path, text):
    path.write_text(f'#!/bin/sh\n{text}\n', encoding='utf-8')
    path.chmod(0o755)


def _bring_libraries(root, environment):
    """Replaces modpost and objtool of a newer release by scripts, which run them with the C library of that release."""
    with tempfile.TemporaryDirectory(dir=root) as folder:
        fetched('apt-get', '--quiet', 'download', *LIBRARIES, cwd=folder, env=environment)
        for file in pathlib.Path(folder).glob('*.deb'):
            fetched('dpkg-deb', '--extract', file, root / 'libraries')
    libraries = root / 'libraries/usr/lib/x86_64-linux-gnu'
    loader = f'exec {libraries}/ld-linux-x86-64.so.2 --library-path {libraries}'
    kbuild, = root.glob('usr/lib/linux-kbuild-*')
    for name, real in (('scripts/mod/modpost', 'modpost.real-lsb-64'), ('tools/objtool/objtool', 'objtool.real-x86')):
        program = kbuild / name
        _program(program, f'{loader} {program.with_name(real)} "$@"')


def headers(cache, release, suites=None):
    """The build folder of a kernel. The kernel's packages are unpacked below `cache` instead of into the root
    directory."""
    root = pathlib.Path(cache).resolve() / release
    tree = root / 'usr/src' / f'linux-headers-{release}'
    with locked(root):
        if (root / 'complete').exists():
            return tree
        environment = aside.releases_alone(cache, suites)
        depends = fetched('apt-cache', 'depends', f'linux-headers-{release}', env=environment)
        packages = [f'linux-headers-{release}',
                    *re.findall(r'Depends: (linux-headers-\S+-common|linux-kbuild-\S+)', depends)]
        with tempfile.TemporaryDirectory(dir=root) as folder:
            fetched('apt-get', '--quiet', 'download', *packages, cwd=folder, env=environment)
            for file in pathlib.Path(folder).glob('*.deb'):
                fetched('dpkg-deb', '--extract', file, root)
        makefile = tree / 'Makefile'
        makefile.write_text(makefile.read_text(encoding='utf-8').replace('/usr/src', f'{root}/usr/src'),
                            encoding='utf-8')
        if suites == NEWER:
            _bring_libraries(root, environment)
        if suites:
            # The makefiles of another release's kernel have options that this machine's gcc may not know. This script calls
            # gcc without them.
            _program(tree / 'compiler', f'for word; do shift; case $word in {"|".join(UNKNOWN)}) ;;'
                                        ' *) set -- "$@" "$word" ;; esac; done\nexec gcc "$@"')
        (root / 'complete').touch()
    return tree


def image(cache, package, suites=None):
    """The kernel image that a meta-package depends on, in this machine's Debian or in the Debian releases `suites`."""
    environment = aside.releases_alone(pathlib.Path(cache) / 'headers', suites)
    with unittest.mock.patch.dict(os.environ, environment or {}):
        # The meta-package depends on a different kernel in each Debian release, so each release has its own folder.
        return machine.kernel(pathlib.Path(cache) / 'kernels' / (suites[-1] if suites else '.'), package)


def _make(tree, target, *arguments):
    """Runs a target of the module's Makefile or of the kernel's Makefile. Returns make's output."""
    compiler = tree / 'compiler'
    if compiler.exists():
        # A kernel of another release also needs another pahole to make BTF, so the module is built without BTF.
        arguments = (f'CC={compiler}', 'CONFIG_DEBUG_INFO_BTF_MODULES=', *arguments)
    # pahole is needed only if the headers include the kernel's vmlinux, from which the module's BTF is made.
    for tool in ('make', 'gcc', *(['pahole'] if (tree / 'vmlinux').exists() and not compiler.exists() else [])):
        if not shutil.which(tool):
            raise Unavailable(f'{tool} is not installed')
    done = subprocess.run(['make', '-j2', *arguments, target], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, env={**os.environ, 'LC_ALL': 'C'})
    if done.returncode:
        raise RuntimeError(f'the module does not build:\n{done.stdout}')
    return done.stdout


def build(out, tree, *arguments):
    """Builds the module in the folder `out`. Returns the module's path and make's output."""
    shutil.rmtree(out, ignore_errors=True)
    said = _make(tree, 'all', '-C', SOURCE / 'examples/kmod', f'KDIR={tree}', f'OUT={out}', *arguments)
    return pathlib.Path(out) / 'fsgscheck.ko', said


def built(cache, tree, edit=None):
    """Returns the module without debugging information, and builds it only if the sources, the headers' folder or gcc differ
    from an earlier build. `edit` may change a copy of the sources before.

    Debugging information is nine tenths of the file, and the kernel would read the whole file to load the module.
    """
    cache = pathlib.Path(cache).resolve()
    with locked(cache), tempfile.TemporaryDirectory(dir=cache) as out:
        out = pathlib.Path(out)
        _make(tree, 'source', '-C', SOURCE / 'examples/kmod', f'OUT={out}')
        if edit:
            edit(out)
        digest = hashlib.sha256(bytes(tree) + output('gcc', '--version').encode())
        for file in sorted(path for path in out.rglob('*') if path.is_file()):
            digest.update(bytes(file.relative_to(out)) + b'\0' + file.read_bytes())
        module = cache / f'{digest.hexdigest()}.ko'
        if not module.exists():
            _make(tree, 'modules', '-C', tree, f'M={out}')
            fetched('objcopy', '--strip-debug', '--remove-section=.BTF', out / 'fsgscheck.ko', out / 'stripped')
            (out / 'stripped').rename(module)
    return module
