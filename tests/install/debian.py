# SPDX-License-Identifier: MIT
"""The Debian packages: built from the source package, looked at by lintian, installed in a fresh Debian.

    tests/install/debian.py --chroot [--mirror ADDRESS]

The chroot by hand: it takes root and debootstrap, which fetches a whole small system. tests/run does the rest.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


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
        run('dpkg-buildpackage', '-us', '-uc', cwd=work / name, stdout=log, stderr=log)
    except subprocess.CalledProcessError:
        print((work / 'build.log').read_text(encoding='utf-8')[-4000:])
        raise
    return sorted(work.glob('*.deb')), next(work.glob('*.changes'))


def install(packages, root, mirror):
    """In a Debian that has nothing else. Its fsgscheck must answer, and pkg-config find the library."""
    run('debootstrap', '--variant=minbase', '--include=gcc,libc6-dev,pkg-config', 'bookworm', root,
        *([mirror] if mirror else []), stdout=subprocess.DEVNULL)
    for package in packages:
        shutil.copy(package, root / 'var/cache')
    run('chroot', root, 'sh', '-c', 'dpkg -i /var/cache/*.deb', stdout=subprocess.DEVNULL)
    done = subprocess.run(['chroot', root, 'fsgscheck', '--json'], capture_output=True, text=True, check=False,
                          timeout=60)
    report = json.loads(done.stdout)
    print('in the chroot:', report['verdict'], report['reason'])
    shutil.copy(SOURCE / 'doc/examples/usable.c', root / 'tmp')
    run('chroot', root, 'sh', '-c', 'cd /tmp && cc usable.c $(pkg-config --cflags --libs fsgscheck) && ./a.out;'
        ' test $? -le 3')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--mirror', help='where debootstrap fetches from')
    parser.add_argument('--chroot', action='store_true', help='install them in a fresh Debian')
    options = parser.parse_args()
    for tool in ('git', 'dpkg-buildpackage', 'dh', 'lintian', *(['debootstrap'] if options.chroot else [])):
        if not shutil.which(tool):
            print(f'skipped: {tool} is not installed')
            return 77
    if not (SOURCE / '.git').exists():
        print('skipped: not a clone, so what belongs into the package is not known')
        return 77
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        packages, changes = build(work)
        print(*(package.name for package in packages), sep='\n')
        for package in packages:
            run('dpkg-deb', '--contents', package)
        run('lintian', '--fail-on', 'error', '--allow-root', changes)
        if options.chroot:
            install([p for p in packages if 'dbgsym' not in p.name], work / 'root', options.mirror)
    return 0


if __name__ == '__main__':
    sys.exit(main())
