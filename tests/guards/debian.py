# SPDX-License-Identifier: MIT
"""The Debian packages: built from the source package, looked at by lintian, installed in a fresh Debian.

    PYTHONPATH=tests python3 tests/guards/debian.py [--mirror ADDRESS]

The fresh Debian takes root and debootstrap; without them the test is skipped when all the rest has passed.
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


def run(*command, **options):
    print('+', *command, flush=True)
    return subprocess.run([str(c) for c in command], check=True, timeout=1500, **options)


def build(work):
    """All packages, from a source package that was packed and unpacked."""
    version = re.search(r'\((.*?)-', (SOURCE / 'doc/debian/changelog').read_text(encoding='utf-8'))[1]
    name = f'libfsgscheck-{version}'
    files = run('git', '-C', SOURCE, 'ls-files', '-z', stdout=subprocess.PIPE).stdout
    run('tar', '-C', SOURCE, '--null', '-T', '-', f'--transform=s,^,{name}/,', '-czf',
        work / f'libfsgscheck_{version}.orig.tar.gz', input=files)
    run('tar', '-xf', f'libfsgscheck_{version}.orig.tar.gz', cwd=work)
    shutil.copytree(SOURCE / 'doc/debian', work / name / 'debian')
    log = (work / 'build.log').open('w', encoding='utf-8')
    try:
        # Without symbols and with fast compression: the tests do not need more.
        run('dpkg-buildpackage', '-us', '-uc', cwd=work / name, stdout=log, stderr=log,
            env={**os.environ, 'DEB_BUILD_OPTIONS': 'noautodbgsym', 'DPKG_DEB_COMPRESSOR_LEVEL': '0'})
    except subprocess.CalledProcessError:
        print((work / 'build.log').read_text(encoding='utf-8')[-4000:])
        raise
    return sorted(work.glob('*.deb')), next(work.glob('*.changes'))


def contents(package):
    listed = run('dpkg-deb', '--contents', package, stdout=subprocess.PIPE, text=True).stdout
    print(listed)
    return listed


def what_belongs(packages):
    """Files that a package must have, a file that must not exist, and packages without dependencies."""
    wanted = {'libfsgscheck1': ['/libfsgscheck.so.1'],
              'libfsgscheck-dev': ['/fsgscheck.h', '/libfsgscheck.a', '/libfsgscheck-core.a', '/fsgscheck.pc', '/fsgscheck-config.cmake',
                                   '/fsgs_usable.3', '/examples/usable.c'],
              'fsgscheck': ['/bin/fsgscheck', '/fsgscheck.1', '/fsgscheck.schema.json', '/fsgscheck.html'],
              'fsgscheck-guard': ['/fsgscheck-guard/install', '/fsgscheck-guard/uninstall',
                                  '/fsgscheck-guard/07_fsgscheck-guard', '/fsgscheck-guard/fsgscheck-guard.service',
                                  '/fsgscheck-guard/fsgscheck-guard.conf', '/fsgscheck-guard/fsgscheck-boot.elf',
                                  '/fsgscheck-guard/fsgscheck-boot.efi']}
    for package in packages:
        listed = contents(package)
        for file in wanted.get(package.name.partition('_')[0], []):
            assert file in listed, f'{package.name} lacks {file}'
        assert 'fsgs-conformance' not in listed, f'{package.name} has a page or a program of the suite'


def fresh_debian(root, source):
    """A Debian with the dependencies of our packages, but without them; or the reason why there is none."""
    if os.geteuid():
        return 'a chroot takes root'
    if not shutil.which('debootstrap'):
        return 'debootstrap is not installed'
    done = subprocess.run(['debootstrap', '--variant=minbase', '--include=libc6-dev,libdw1', 'bookworm', root,
                           *source], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=900)
    return '' if done.returncode == 0 else 'debootstrap could not make a Debian:\n' + done.stdout[-2000:]


def install(packages, root):
    """fsgscheck must answer there, and a program that was built with the packages' files run.

    The compiler is this system's: it would be most of that Debian.
    """
    for package in packages:
        shutil.copy(package, root / 'var/cache')
    run('chroot', root, 'sh', '-c', 'dpkg -i /var/cache/*.deb', stdout=subprocess.DEVNULL)
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--mirror', nargs=1, help='where debootstrap fetches from (default: as apt does)')
    options = parser.parse_args()
    for tool in ('git', 'dpkg-buildpackage', 'dh', 'lintian'):
        if not shutil.which(tool):
            print(f'skipped: {tool} is not installed')
            return 77
    if not (SOURCE / '.git').exists():
        print('skipped: not a clone, so what belongs into the package is not known')
        return 77
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        packages, changes = build(work)
        what_belongs(packages)
        run('lintian', '--fail-on', 'error', '--allow-root', changes)
        missing = fresh_debian(work / 'root', options.mirror or archive.mirror())
        if missing:
            print('skipped: the packages are built and good, but not installed:', missing)
            return 77
        install(packages, work / 'root')
    return 0


if __name__ == '__main__':
    sys.exit(main())
