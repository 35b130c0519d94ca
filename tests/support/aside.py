# SPDX-License-Identifier: MIT
"""Packages of this system's release and of other releases, unpacked into a folder and never installed.

The folder is $FSGSCHECK_CACHE, or $XDG_CACHE_HOME/fsgscheck, or ~/.cache/fsgscheck. It is outside of the source tree, and
all build directories share it. The package list of another release is refreshed at most once a day. Without a network,
the newest packages that were unpacked earlier are used.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from support import Unavailable, archive, fetched, locked

KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'
DAY = 86400
CLOUD = 'linux-image-cloud-amd64'
LOADER = 'ld-linux-x86-64.so.2'
# The modules that kernel() can return: for a guest that runs guests of its own by KVM or Xen.
MODULES = ('irqbypass', 'kvm', 'kvm-amd', 'kvm-intel', 'xen-privcmd', 'xen-evtchn', 'xen-gntdev', 'xen-gntalloc', 'xenfs')


def cache():
    home = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
    return pathlib.Path(os.environ.get('FSGSCHECK_CACHE') or pathlib.Path(home) / 'fsgscheck').resolve()


def releases_alone(folder, releases):
    """The environment variables with which apt knows only these releases. If `releases` is None, returns None, and apt
    uses the machine's own configuration."""
    if releases is None:
        return None
    site = archive.mirror()
    if not site:
        raise Unavailable('where this machine takes its packages from is not known')
    root = pathlib.Path(folder).resolve() / 'apt' / releases[-1]
    with locked(root):
        complete = root / 'complete'
        if not complete.exists() or time.time() - complete.stat().st_mtime > DAY:
            for part in ('lists/partial', 'archives/partial'):
                (root / part).mkdir(parents=True, exist_ok=True)
            (root / 'status').touch()
            (root / 'sources.list').write_text(
                ''.join(f'deb [arch=amd64 signed-by={KEYS}] {site[0]} {name} main\n' for name in releases),
                encoding='utf-8')
            (root / 'apt.conf').write_text(
                f'Dir::State "{root}"; Dir::State::status "{root}/status"; Dir::Cache "{root}";\n'
                f'Dir::Etc::sourcelist "{root}/sources.list"; Dir::Etc::sourceparts "/dev/null";\n'
                'Acquire::Languages "none"; APT::Sandbox::User "root"; APT::Update::Error-Mode "any";\n',
                encoding='utf-8')
            try:
                fetched('apt-get', '--quiet', 'update', env={**os.environ, 'APT_CONFIG': f'{root}/apt.conf'})
            except Unavailable as reason:
                names = ' and '.join(releases)
                raise Unavailable(f"no {names} in this machine's archive: {reason}") from reason
            complete.touch()
    return {**os.environ, 'APT_CONFIG': f'{root}/apt.conf'}


def resolve(package, pattern, environment=None):
    """The package that a meta-package depends on. A kernel package has a new name with every version of the kernel."""
    listed = fetched('apt-cache', 'depends', package, env=environment)
    found = re.search(rf'^\s*Depends: ({pattern})$', listed, re.M)
    if not found:
        raise Unavailable(f'{package} depends on no {pattern}')
    return found[1]


def _extract(file, into, only):
    if not only:
        fetched('dpkg-deb', '--extract', file, into)
        return
    with subprocess.Popen(['dpkg-deb', '--fsys-tarfile', file], stdout=subprocess.PIPE) as packed:
        # With several packages, a pattern may match nothing in one of them. That is not an error.
        subprocess.run(['tar', '--extract', '--directory', into, '--wildcards', *only], stdin=packed.stdout, check=False,
                       stderr=subprocess.DEVNULL)


def _fetch(root, packages, environment, libraries, only):
    with tempfile.TemporaryDirectory(dir=root) as folder:
        folder = pathlib.Path(folder)
        if libraries:
            (folder / 'partial').mkdir()
            fetched('apt-get', '--quiet', '--yes', '--no-install-recommends', '--download-only', '-o', 'Debug::NoLocking=1',
                '-o', f'Dir::Cache::archives={folder}', 'install', *packages, env=environment)
        else:
            fetched('apt-get', '--quiet', 'download', *packages, cwd=folder, env=environment)
        tree = root / 'tree'
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        for file in sorted(folder.glob('*.deb')):
            _extract(file, tree, only)


def unpacked(*packages, release=None, libraries=False, only=()):
    """Unpacks these packages as into a root directory. Returns the folder, and the version of the first package.

    release    None for this system's own packages, or the name of another release
    libraries  also unpack all that the packages depend on, including the C library: see command()
    only       patterns of tar that select the wanted files
    """
    wanted = hashlib.sha256(repr((packages, libraries, tuple(only))).encode()).hexdigest()[:8]
    shelf = cache() / (release or 'own') / f'{packages[0]}-{wanted}'
    try:
        environment = releases_alone(cache(), release and (release,))
        shown = fetched('apt-cache', 'show', '--no-all-versions', packages[0], env=environment)
        version = re.search(r'^Version: (\S+)$', shown, re.M)[1]
        root = shelf / re.sub(r'[^\w.+~-]', '_', version)
        with locked(root):
            if not (root / 'complete').exists():
                _fetch(root, packages, environment, libraries, only)
                (root / 'complete').write_text(version, encoding='ascii')
    except Unavailable as reason:
        earlier = sorted(shelf.glob('*/complete'), key=lambda path: path.stat().st_mtime)
        if not earlier:
            raise Unavailable(f'no {packages[0]} of {release or "this release"}: {reason}') from reason
        root, version = earlier[-1].parent, earlier[-1].read_text(encoding='ascii')
    return root / 'tree', version


def kernel(package=CLOUD, release=None, modules=()):
    """The path of a meta-package's newest kernel, and (file name, path) pairs of its modules of these names. The modules
    are stripped to make them small."""
    environment = releases_alone(cache(), release and (release,))
    image = resolve(package, r'linux-image-\d\S+', environment)
    tree, _ = unpacked(image, release=release, only=['./boot/vmlinuz-*', *(f'*/{name}.ko' for name in MODULES)])
    found = []
    for name in modules:
        file = next(tree.glob(f'**/{name}.ko'), None)
        if file is None:
            raise Unavailable(f'{image} has no module {name}')
        small = file.with_suffix('.stripped')
        if not small.exists():
            fetched('objcopy', '--strip-debug', '--remove-section=.BTF', file, small)
        found.append((f'{name}.ko', small))
    return next(tree.glob('boot/vmlinuz-*')), found


def command(tree, program):
    """The command that runs a program of unpacked(..., libraries=True) with the C library of its own release."""
    # Debian 12 and earlier have the C library in /lib. In an unpacked tree, /lib is not a link to usr/lib.
    libraries = [tree / folder / 'x86_64-linux-gnu' for folder in ('usr/lib', 'lib')]
    loader = next((folder / LOADER for folder in libraries if (folder / LOADER).exists()), None)
    program = tree / program
    if not program.exists():
        raise Unavailable(f'{program.name} is not in its package')
    if not loader:
        return [str(program)]
    return [str(loader), '--inhibit-cache', '--library-path', ':'.join(map(str, libraries)), str(program)]


def qemu_system(release):
    """The version of a release's QEMU, and the command that runs it, in the form that machine.boot() takes."""
    tree, version = unpacked('qemu-system-x86', release=release, libraries=True)
    # QEMU looks for its modules beside the running file, which is the dynamic loader. So a variable names their folder.
    return version, ['env', f'QEMU_MODULE_DIR={tree}/usr/lib/x86_64-linux-gnu/qemu', *command(tree, 'usr/bin/qemu-system-x86_64'),
                     '-L', str(tree / 'usr/share/seabios'), '-L', str(tree / 'usr/share/qemu')]
