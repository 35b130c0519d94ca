# SPDX-License-Identifier: MIT
"""Builds the Debian packages from a source tarball, and checks their contents. lintian checks them, too.

    PYTHONPATH=tests python3 tests/guards/debian.py [--fresh [--mirror ADDRESS]]

With --fresh the packages are installed in a fresh Debian, where DKMS builds the module. This needs root and mmdebstrap.
If no fresh Debian can be made, the test counts as skipped after all other checks have passed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from support import SOURCE, archive

# The kernel headers for the fresh Debian. This package is smaller than the headers of other kernels.
HEADERS = 'linux-headers-cloud-amd64'


def run(*command, **options):
    print('+', *command, flush=True)
    return subprocess.run([str(c) for c in command], check=True, timeout=1500, **options)


def build(work):
    """Makes a source tarball from the files in git, unpacks it, and builds all packages there. Returns the packages and
    the .changes file."""
    version = re.search(r'\((.*?)-', (SOURCE / 'doc/debian/changelog').read_text(encoding='utf-8'))[1]
    name = f'libfsgscheck-{version}'
    files = run('git', '-C', SOURCE, 'ls-files', '-z', stdout=subprocess.PIPE).stdout
    run('tar', '-C', SOURCE, '--null', '-T', '-', f'--transform=s,^,{name}/,', '-czf',
        work / f'libfsgscheck_{version}.orig.tar.gz', input=files)
    run('tar', '-xf', f'libfsgscheck_{version}.orig.tar.gz', cwd=work)
    shutil.copytree(SOURCE / 'doc/debian', work / name / 'debian')
    log = (work / 'build.log').open('w', encoding='utf-8')
    try:
        # To save time, builds without optimisation, without packages of debugging symbols, and with the lowest level of
        # compression.
        run('dpkg-buildpackage', '-us', '-uc', cwd=work / name, stdout=log, stderr=log,
            env={**os.environ, 'DEB_BUILD_OPTIONS': 'noautodbgsym noopt', 'DPKG_DEB_COMPRESSOR_LEVEL': '0'})
    except subprocess.CalledProcessError:
        print((work / 'build.log').read_text(encoding='utf-8')[-4000:])
        raise
    return sorted(work.glob('*.deb')), next(work.glob('*.changes'))


def contents(package):
    listed = run('dpkg-deb', '--contents', package, stdout=subprocess.PIPE, text=True).stdout
    print(listed)
    return listed


def what_belongs(packages):
    """Each of these files must be in its package and in no other one. The conformance suite must be in no package."""
    wanted = {'libfsgscheck1': ['/libfsgscheck.so.1'],
              'libfsgscheck-dev': ['/usr/include/fsgscheck.h', '/libfsgscheck.a', '/libfsgscheck-core.a', '/fsgscheck.pc',
                                   '/fsgscheck-config.cmake', '/fsgs_usable.3', '/examples/usable.c', '/share/fsgscheck/fsgscheck.c',
                                   '/share/fsgscheck/fsgscheck.h', '/share/fsgscheck/fsgscheck-core.c',
                                   '/share/fsgscheck/fsgscheck-core.h'],
              'fsgscheck': ['/bin/fsgscheck', '/fsgscheck.1', '/fsgscheck.schema.json', '/fsgscheck.html', '/share/fsgscheck/fsgscheck-boot.iso',
                            '/share/fsgscheck/fsgscheck-boot.elf', '/share/fsgscheck/fsgscheck-boot.efi'],
              'fsgscheck-guard': ['/fsgscheck-guard/install', '/fsgscheck-guard/uninstall',
                                  '/fsgscheck-guard/07_fsgscheck-guard', '/fsgscheck-guard/fsgscheck-guard.service',
                                  '/fsgscheck-guard/fsgscheck-guard.conf', '/fsgscheck-guard/fsgscheck-boot.elf',
                                  '/fsgscheck-guard/fsgscheck-boot.efi'],
              'fsgscheck-dkms': ['/dkms.conf', '/Kbuild', '/main.c', '/guard.S', '/core/ring0.c']}
    listed = {package.name.partition('_')[0]: contents(package) for package in packages}
    assert set(listed) - {f'{name}-dbgsym' for name in wanted} == set(wanted), sorted(listed)
    for owner, files in wanted.items():
        for file in files:
            found = [name for name, text in listed.items() if re.search(rf'{re.escape(file)}(?:\.gz)?(?: ->.*)?$', text, re.M)]
            assert found == [owner], f'{file} is in {found}, not in {owner} alone'
    for name, text in listed.items():
        assert 'fsgs-conformance' not in text, f'{name} has a page or a program of the suite'


def same_image(packages, work):
    """The images in the packages must be the images that were built. A stripped image would not start."""
    built = {path.name: path for path in work.glob('*/obj-*/examples/boot/fsgscheck-boot.*') if path.is_file()}
    for package in packages:
        if package.name.startswith(('fsgscheck_', 'fsgscheck-guard_')):
            root = work / package.name.partition('_')[0]
            run('dpkg-deb', '--extract', package, root)
            images = [path for path in root.rglob('fsgscheck-boot.*') if path.suffix in ('.elf', '.efi', '.iso')]
            assert len(images) in (2, 3), images
            for image in images:
                assert image.read_bytes() == built[image.name].read_bytes(), f'{image} was changed'


def fresh_debian(root, source):
    """Makes a Debian that has the dependencies of our packages, but not the packages. Returns an empty string, or the
    reason why that failed."""
    if os.geteuid():
        return 'a chroot takes root'
    if not shutil.which('mmdebstrap'):
        return 'mmdebstrap is not installed'
    # mmdebstrap lets apt resolve the dependencies. debootstrap would do that itself, and take several times as long.
    done = subprocess.run(['mmdebstrap', '--variant=minbase', '--dpkgopt=force-unsafe-io',
                           f'--include=libc6-dev,libdw1,dkms,kmod,{HEADERS}', archive.release(), root, *source],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=2400)
    return '' if done.returncode == 0 else 'mmdebstrap could not make a Debian:\n' + done.stdout[-2000:]


def inside(root, *command, **options):
    """Runs a command in the Debian at `root`. /proc is mounted there while the command runs."""
    return run('unshare', '--mount', 'sh', '-c', 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"', root, *command,
               stdout=subprocess.PIPE, text=True, **options).stdout


def install(packages, root):
    """Installs the packages in the Debian at `root`. There, fsgscheck must print a report, and a program that was built
    with the packages' files must run. This system's compiler builds the program.
    """
    for package in packages:
        shutil.copy(package, root / 'var/cache')
    inside(root, 'sh', '-c', 'dpkg -i /var/cache/*.deb')
    done = subprocess.run(['chroot', root, 'fsgscheck', '--json'], capture_output=True, text=True, check=False,
                          timeout=60)
    report = json.loads(done.stdout)
    print('in the chroot:', report['verdict'], report['reason'])
    libraries = root / 'usr/lib/x86_64-linux-gnu'
    flags = run('pkg-config', '--cflags', '--libs', 'fsgscheck', stdout=subprocess.PIPE, text=True,
                env={**os.environ, 'PKG_CONFIG_SYSROOT_DIR': root, 'PKG_CONFIG_LIBDIR': libraries / 'pkgconfig',
                     'PKG_CONFIG_ALLOW_SYSTEM_CFLAGS': '1', 'PKG_CONFIG_ALLOW_SYSTEM_LIBS': '1'}).stdout.split()
    run('cc', f'--sysroot={root}', SOURCE / 'doc/examples/usable.c', '-o', root / 'tmp/usable', *flags)
    needed = run('readelf', '-d', root / 'tmp/usable', stdout=subprocess.PIPE, text=True).stdout
    assert 'libfsgscheck.so.1' in needed, needed
    run('chroot', root, 'sh', '-c', '/tmp/usable; test $? -le 3')


def register(root):
    """Installs the package of the module again, over itself. DKMS must then list the module, and must be able to build it.
    Purging the package must remove everything."""
    inside(root, 'sh', '-c', 'dpkg -i /var/cache/fsgscheck-dkms_*.deb')
    module, = (path.name.replace('-', '/') for path in (root / 'usr/src').glob('fsgscheck-*'))
    said = inside(root, 'dkms', 'status')
    assert said.strip() == f'{module}: added', said
    release, = (path.name for path in (root / 'lib/modules').iterdir())
    print(inside(root, 'dkms', 'install', module, '-k', release))
    made, = (root / 'lib/modules' / release).rglob('fsgscheck.ko*')
    said = inside(root, 'modinfo', made.relative_to(root / 'lib/modules' / release).name.partition('.')[0], '-k', release)
    print(said)
    assert f'vermagic:       {release} ' in said, said
    inside(root, 'dpkg', '--purge', 'fsgscheck-dkms')
    left = [*(root / 'usr/src').glob('fsgscheck*'), *(root / 'var/lib/dkms').glob('fsgscheck*'), *(root / 'lib').rglob('fsgscheck.ko*')]
    assert not left, left


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--mirror', nargs=1, help='where mmdebstrap fetches from (default: as apt does)')
    parser.add_argument('--fresh', action='store_true', help='install them in a fresh Debian, too')
    options = parser.parse_args()
    for tool in ('git', 'dpkg-buildpackage', 'dh', 'lintian'):
        if not shutil.which(tool):
            print(f'skipped: {tool} is not installed')
            return 77
    if not (SOURCE / '.git').exists():
        print('skipped: not a git clone, so the files of the package are unknown')
        return 77
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        packages, changes = build(work)
        what_belongs(packages)
        same_image(packages, work)
        run('lintian', '--fail-on', 'error', '--allow-root', changes)
        if not options.fresh:
            return 0
        missing = fresh_debian(work / 'root', options.mirror or archive.mirror())
        if missing:
            print('skipped: the packages are built and good, but not installed:', missing)
            return 77
        install(packages, work / 'root')
        register(work / 'root')
    return 0


if __name__ == '__main__':
    sys.exit(main())
