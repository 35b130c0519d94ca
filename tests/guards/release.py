# SPDX-License-Identifier: MIT
"""Makes the release in two clones, and again in the unpacked source tarball of the first release. The files must be the
same, byte for byte. Then tests the files."""

import base64
import contextlib
import gzip
import os
import re
import shutil
import tarfile
import tempfile
import unittest
from pathlib import Path

from support import SOURCE, STATUS, Unavailable, output, parts, run

OVMF = Path('/usr/share/OVMF/OVMF_CODE_4M.fd')


def release(tree, *arguments, **environment):
    """Runs examples/release of a tree with an unusual time zone, mask and CFLAGS, which must not change the result."""
    return run('sh', '-c', 'umask 077; exec "$@"', 'sh', tree / 'examples/release', *arguments, timeout=None,
               env={**os.environ, 'TZ': 'Asia/Tokyo', 'CFLAGS': '-O0 -g', **environment})


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def contents(archive):
    """The bytes of each file in a tar archive, and whether the file is executable."""
    with tarfile.open(archive) as opened:
        return {member.name: (member.mode & 0o100, opened.extractfile(member).read()) for member in opened if member.isfile()}


class Release(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (SOURCE / '.git').exists():
            raise Unavailable('not a clone, so nothing can be cloned')
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.work = Path(directory.name)
        cls.clones = [cls.work / 'first', cls.work / 'a longer path/of the second']
        for clone in cls.clones:
            output('git', 'clone', '--quiet', '--no-tags', SOURCE, clone)
        cls.folder = cls.work / 'release'
        cls.made(cls.clones[0], cls.folder)
        cls.version = output(cls.folder / 'fsgscheck', '--version').split()[1]

    @classmethod
    def made(cls, tree, *folder, **environment):
        done = release(tree, *folder, **environment)
        if done.returncode:
            raise AssertionError(done.stderr)
        return Path(done.stdout.strip())

    def refused(self, status, words, tree, *arguments):
        """The release must be refused, with the reason in the message, and no file may be made."""
        before = sorted(self.work.iterdir())
        done = release(tree, *arguments)
        self.assertEqual((done.returncode, done.stdout), (status, ''))
        self.assertIn(words, done.stderr)
        self.assertEqual(sorted(self.work.iterdir()), before)

    def test_second_clone_makes_the_same(self):
        """The second clone writes into the default folder, which is in the build directory."""
        build = self.work / 'other build'
        again = self.made(self.clones[1], FSGSCHECK_BUILD=str(build))
        self.assertEqual(again, build / 'release')
        self.same(again)

    def test_unpacked_tarball_makes_the_same(self):
        output('tar', '-C', self.work, '-xf', self.tarball())
        tree = self.work / f'fsgscheck-{self.version}'
        (tree / 'build').mkdir()
        (tree / 'build/left').touch()
        self.same(self.made(tree, self.work / 'from-tarball'))

    def same(self, again):
        first, second = files(self.folder), files(again)
        self.assertEqual(sorted(first), sorted(second))
        self.assertEqual([name for name, content in first.items() if content != second[name]], [])

    def tarball(self):
        return self.folder / f'fsgscheck-{self.version}.tar.xz'

    def test_what_is_in_it(self):
        version = self.version
        self.assertEqual(set(files(self.folder)), {
            'SHA256SUMS', 'fsgscheck', f'fsgscheck-{version}.tar.xz', f'fsgscheck-guard-{version}.tar.xz', 'fsgscheck.html',
            'fsgscheck-explain.exe', 'fsgscheck-boot.elf', 'fsgscheck-boot.efi', 'fsgscheck-boot.iso', 'fsgscheck.c',
            'fsgscheck.h', 'fsgscheck-core.c', 'fsgscheck-core.h', f'fsgscheck_{version}-1_amd64.deb',
            f'fsgscheck-guard_{version}-1_amd64.deb', f'libfsgscheck1_{version}-1_amd64.deb',
            f'libfsgscheck-dev_{version}-1_amd64.deb', f'fsgscheck-dkms_{version}-1_amd64.deb'})
        checked = output('sha256sum', '--check', '--strict', 'SHA256SUMS', cwd=self.folder)
        self.assertEqual(checked.count(': OK\n'), len(files(self.folder)) - 1)

    def test_tarball_is_what_is_committed(self):
        """The tarball has the committed files with git's modes, and does not contain the name of the user who made
        it."""
        committed = self.work / 'committed.tar'
        output('git', '-C', self.clones[0], 'archive', f'--prefix=fsgscheck-{self.version}/', '-o', committed, 'HEAD')
        self.assertEqual(contents(self.tarball()), contents(committed))
        with tarfile.open(self.tarball()) as archive:
            self.assertEqual({(member.uid, member.gid, member.uname, member.gname, member.mode & 0o666)
                              for member in archive}, {(0, 0, '', '', 0o644)})

    def test_command_needs_no_library(self):
        command = self.folder / 'fsgscheck'
        self.assertNotIn('INTERP', output('readelf', '--program-headers', '--wide', command))
        done = run(command, '--json', env={})
        self.assertIn(done.returncode, range(4), done.stderr)
        self.assertIn(f'"library": "{self.version}"', done.stdout)
        log = SOURCE / 'tests/machines/logs/lie-6.1-generic.log'
        self.assertEqual(run(command, 'explain', log).returncode, 2)

    def booted(self, *arguments):
        if not shutil.which('qemu-system-x86_64'):
            raise Unavailable('qemu-system-x86 is not installed')
        done = run('timeout', 150, 'qemu-system-x86_64', '-M', 'q35', '-accel', 'tcg', '-cpu', 'max', '-m', 256, '-display',
                   'none', '-serial', 'stdio', '-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', *arguments, errors='replace')
        self.assertEqual(done.returncode, 2 * (16 + STATUS['usable']) + 1, done.stdout[-2000:])
        self.assertRegex(done.stdout.splitlines()[-1], r'fsgscheck: verdict=usable .*cpus=1$')

    def test_image_boots_as_elf(self):
        self.booted('-kernel', self.folder / 'fsgscheck-boot.elf')

    def test_image_boots_as_iso(self):
        self.booted('-cdrom', self.folder / 'fsgscheck-boot.iso')

    def test_image_boots_as_efi(self):
        if not OVMF.exists():
            raise Unavailable('ovmf is not installed')
        place = self.work / 'medium/EFI/BOOT'
        place.mkdir(parents=True)
        shutil.copy(self.folder / 'fsgscheck-boot.efi', place / 'BOOTX64.EFI')
        self.booted('-drive', f'if=pflash,format=raw,readonly=on,file={OVMF}', '-drive',
                    f'format=raw,file=fat:rw:{self.work}/medium')

    def test_guard_installs_from_its_archive(self):
        """The installer in the guard's archive works on a folder that stands for a system's root. It installs the
        images of the same release."""
        root = self.work / 'root'
        for folder in ('etc/grub.d', 'boot'):
            (root / folder).mkdir(parents=True)
        output('tar', '-C', self.work, '-xf', self.folder / f'fsgscheck-guard-{self.version}.tar.xz')
        output(self.work / f'fsgscheck-guard-{self.version}/install', '--root', root)
        for image in ('fsgscheck-boot.elf', 'fsgscheck-boot.efi'):
            self.assertEqual((root / 'boot/fsgscheck' / image).read_bytes(), (self.folder / image).read_bytes())

    def test_drop_in_files_compile(self):
        program = self.work / 'usable'
        output('cc', f'-I{self.folder}', SOURCE / 'doc/examples/usable.c', self.folder / 'fsgscheck.c', '-o', program)
        self.assertIn(run(program).returncode, range(4))

    def test_page_has_the_image(self):
        page = (self.folder / 'fsgscheck.html').read_text(encoding='utf-8')
        image = re.search(r'id="data-image"[^>]*>\s*([\w+/=]+)', page)[1]
        self.assertTrue(gzip.decompress(base64.b64decode(image)) == (self.folder / 'fsgscheck-boot.iso').read_bytes())

    def test_changed_tree_is_refused(self):
        with self.changed('README.md', r'\Z', 'more\n'):
            self.refused(1, 'README.md', self.clones[0], self.work / 'none')

    def test_two_dates_are_refused(self):
        with self.changed('NEWS.md', r'\(\d{4}-\d\d-\d\d\)', '(2030-01-01)'):
            self.refused(1, 'of 2030-01-01', self.clones[0], self.work / 'none')

    def test_another_tagged_commit_is_refused(self):
        clone = self.work / 'tagged'
        output('git', 'clone', '--quiet', '--no-tags', SOURCE, clone)
        output('git', '-C', clone, 'tag', f'v{self.version}', 'HEAD~1')
        self.refused(1, 'another commit', clone, self.work / 'none')

    def test_bad_folders_are_refused(self):
        self.refused(1, 'not empty', self.clones[0], self.folder)
        self.refused(1, 'in the source tree', self.clones[0], self.clones[0] / 'doc/release')
        self.refused(64, 'usage', self.clones[0], '--help')
        self.refused(64, 'usage', self.clones[0], 'one', 'two')

    @contextlib.contextmanager
    def changed(self, name, pattern, replacement):
        """Changes the text of a file of the first clone, until the block ends."""
        path = self.clones[0] / name
        text = path.read_text(encoding='utf-8')
        path.write_text(re.sub(pattern, replacement, text, count=1), encoding='utf-8')
        try:
            yield
        finally:
            path.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    parts.run()
