# SPDX-License-Identifier: MIT
"""Checks the recipes of doc/packaging with the tools that Debian has for them. Each class is one test."""

import os
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

from support import SOURCE, Unavailable, output, parts, run

RECIPES = SOURCE / 'doc/packaging'
VERSION = re.search(r"version: '(.*?)'", (SOURCE / 'meson.build').read_text(encoding='utf-8'))[1]
NAME = f'fsgscheck-{VERSION}'  # the folder in the tarball of examples/release

# Replacements for the functions of abuild that our APKBUILD uses.
ABUILD = r'''
amove() {
	for moved; do
		mkdir -p "$subpkgdir/$(dirname "$moved")"
		mv "$pkgdir/$moved" "$subpkgdir/$moved"
	done
}
default_dev() { amove usr/include usr/lib/pkgconfig usr/lib/libfsgscheck.so; }
default_doc() { amove usr/share/man usr/share/licenses; }
default_static() { amove usr/lib/libfsgscheck.a usr/lib/libfsgscheck-core.a; }
'''

# A replacement for Conan's modules. It runs the real CMake.
CONAN = {
    'conan/__init__.py': 'class ConanFile:\n    class cpp_info:\n        pass\n',
    'conan/tools/__init__.py': '',
    'conan/tools/files.py': '''
import fnmatch, pathlib, shutil
def copy(recipe, pattern, src, dst, keep_path=True):
    for path in pathlib.Path(src).rglob('*'):
        name = path.relative_to(src)
        if path.is_file() and fnmatch.fnmatch(str(name), pattern):
            to = pathlib.Path(dst) / (name if keep_path else name.name)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
''',
    'conan/tools/cmake.py': '''
import os, subprocess
def cmake_layout(recipe):
    recipe.source_folder, recipe.build_folder = recipe.folder, os.path.join(recipe.folder, 'build')
class CMake:
    def __init__(self, recipe):
        self.recipe = recipe
    def configure(self, build_script_folder):
        subprocess.run(['cmake', '-S', os.path.join(self.recipe.source_folder, build_script_folder), '-B', self.recipe.build_folder],
                       check=True)
    def build(self):
        subprocess.run(['cmake', '--build', self.recipe.build_folder], check=True)
''',
    'create.py': '''
import conanfile
recipe = conanfile.Fsgscheck()
recipe.recipe_folder, recipe.export_sources_folder, recipe.folder, recipe.package_folder = RECIPES, 'tree', 'tree', 'package'
for step in 'export_sources', 'layout', 'build', 'package', 'package_info':
    getattr(recipe, step)()
info = recipe.cpp_info
print(*(f'-D{name}' for name in info.defines), *(f'-l{name}' for name in info.libs + info.system_libs), sep='\\n')
''',
}


class Packaging(unittest.TestCase):
    needs = ()

    def setUp(self):
        for tool in self.needs:
            if not shutil.which(tool):
                raise Unavailable(f'{tool} is not installed')
        self.work = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def pack(self, folder):
        """Packs the files that git lists into a source tarball."""
        if not (SOURCE / '.git').exists():
            raise Unavailable('not a git clone, so the files of the package are unknown')
        files = output('git', '-C', SOURCE, 'ls-files', '-z')
        folder.mkdir(parents=True)
        output('tar', '-C', SOURCE, '--null', '-T', '-', f'--transform=s,^,{NAME}/,', '-cJf', folder / f'{NAME}.tar.xz',
               input=files, env={**os.environ, 'XZ_OPT': '-0'})
        return folder / f'{NAME}.tar.xz'

    def assert_owners(self, packages, wanted):
        """Each file of `wanted` must be in its package and in no other one."""
        self.assertEqual(set(packages), set(wanted))
        for owner, files in wanted.items():
            for file in files:
                with self.subTest(file=file):
                    found = [name for name, listed in packages.items()
                             if any(re.search(rf'{re.escape(file)}(\.gz)?$', path) for path in listed)]
                    self.assertEqual(found, [owner])


DEVELOPMENT = ['/include/fsgscheck.h', '/include/fsgscheck/base.h', '/libfsgscheck.so', '/fsgscheck.pc', '/fsgscheck-config.cmake',
               '/share/fsgscheck/fsgscheck.c', '/share/fsgscheck/fsgscheck-core.h']
ARCHIVES = ['/libfsgscheck.a', '/libfsgscheck-core.a']
COMMAND = ['/bin/fsgscheck', '/fsgscheck.schema.json', '/completions/fsgscheck']
LIBRARY = ['/libfsgscheck.so.1']


class Rpm(Packaging):
    needs = ('git', 'rpmbuild', 'rpm')

    def test_packages(self):
        self.pack(self.work / 'SOURCES')
        # The build requirements have other names in Debian, hence --nodeps. rpmbuild fails if a file belongs to no
        # package.
        output('rpmbuild', '-bb', '--nodeps', '--define', f'_topdir {self.work}', '--define', 'debug_package %{nil}',
               RECIPES / 'libfsgscheck.spec', timeout=800)
        packages, requires = {}, {}
        for file in self.work.glob('RPMS/*/*.rpm'):
            name, version = output('rpm', '-qp', '--qf', '%{name} %{version}', file).split()
            self.assertEqual(version, VERSION)
            packages[name] = output('rpm', '-qpl', file).splitlines()
            requires[name] = output('rpm', '-qpR', file)
        self.assert_owners(packages, {'libfsgscheck': [*LIBRARY, '/COPYING'],
                                      'libfsgscheck-devel': [*DEVELOPMENT, *ARCHIVES, '/fsgs_usable.3'],
                                      'fsgscheck': [*COMMAND, '/fsgscheck.1']})
        self.assertNotIn('fsgs-', ''.join(map(''.join, packages.values())))
        self.assertIn('libfsgscheck.so.1(LIBFSGSCHECK_1.0)', requires['fsgscheck'])


class Apk(Packaging):
    needs = ('git', 'musl-gcc', 'meson')

    def test_functions(self):
        """Runs the functions of our APKBUILD in abuild's order, with musl's compiler."""
        output('tar', '-C', self.work, '-xJf', self.pack(self.work / 'sources'))
        script = self.work / 'abuild'
        script.write_text(ABUILD + f''' . {RECIPES}/APKBUILD
cd "$builddir"
build >&2
package >&2
for sub in $subpackages; do
	subpkgdir=$work/${{sub%:*}}
	case $sub in
	*:*) "${{sub#*:}}" ;;
	*) function=${{sub##*-}}; "$(command -v "$function" || echo "default_$function")" ;;
	esac
done
echo "$pkgname $subpackages"
''', encoding='utf-8')
        # Debian's musl-gcc does not search the kernel's headers. On Alpine they are in /usr/include.
        headers = ' '.join(f'-idirafter {folder}' for folder in ('/usr/include', '/usr/include/x86_64-linux-gnu'))
        main, *others = output('sh', '-eu', script, timeout=800,
                               env={**os.environ, 'CC': 'musl-gcc', 'CFLAGS': headers, 'srcdir': str(self.work),
                                    'work': str(self.work), 'pkgdir': str(self.work / 'libfsgscheck')}).split()
        packages = {name: [str(path) for path in (self.work / name).rglob('*') if not path.is_dir()]
                    for name in [main, *(other.partition(':')[0] for other in others)]}
        self.assert_owners(packages, {'libfsgscheck': LIBRARY, 'libfsgscheck-static': ARCHIVES, 'libfsgscheck-dev': DEVELOPMENT,
                                      'libfsgscheck-doc': ['/fsgs_usable.3', '/fsgscheck.1', '/COPYING'], 'fsgscheck': COMMAND})
        command = self.work / 'fsgscheck/usr/bin/fsgscheck'
        self.assertNotIn('libc.so.6', output('readelf', '-d', command))
        done = run(command, env={**os.environ, 'LD_LIBRARY_PATH': str(self.work / 'libfsgscheck/usr/lib')})
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        self.assertRegex(done.stdout, '^FSGSBASE: ')


class Nix(Packaging):
    needs = ('nix-instantiate',)

    def test_evaluates(self):
        """Every attribute of the recipe has a value. The test passes stand-ins for the arguments that Nixpkgs passes."""
        stand_in = '''let recipe = import %s/package.nix {
            lib = { licenses.mit = "MIT"; platforms.linux = [ "x86_64-linux" ]; };
            stdenv.mkDerivation = attributes: attributes;
            meson = "meson"; ninja = "ninja"; pkg-config = "pkg-config"; python3 = "python3"; };
            in builtins.toJSON (recipe // { src = builtins.pathExists (recipe.src + "/meson.build"); })''' % RECIPES
        said = output('nix-instantiate', '--eval', '--strict', '--expr', stand_in,
                      env={**os.environ, 'HOME': str(self.work), 'NIX_STORE_DIR': str(self.work / 'store'),
                           'NIX_STATE_DIR': str(self.work / 'state'), 'NIX_LOG_DIR': str(self.work / 'log'),
                           'NIX_CONF_DIR': str(self.work)})
        self.assertIn('\\"src\\":true', said)
        for option in re.findall(r'-D([\w-]+)=', said):
            self.assertIn(f"option('{option}'", (SOURCE / 'meson_options.txt').read_text(encoding='utf-8'))


class Conan(Packaging):
    needs = ('cmake',)

    def test_methods(self):
        shutil.copy(RECIPES / 'conanfile.py', self.work)
        for name, text in CONAN.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(text.replace('RECIPES', repr(str(RECIPES))), encoding='utf-8')
        said = output(sys.executable, 'create.py', cwd=self.work, env={**os.environ, 'PYTHONPATH': str(self.work)})
        flags = re.findall(r'^-[Dl]\w+$', said, re.M)
        package = self.work / 'package'
        self.assertTrue((package / 'licenses/COPYING').exists())
        output('cc', f'-I{package}/include', SOURCE / 'doc/examples/usable.c', f'-L{package}/lib', *flags, '-o', self.work / 'usable')
        self.assertIn(run(self.work / 'usable').returncode, (0, 1, 2))


class Recipes(unittest.TestCase):
    VERSIONS = {'libfsgscheck.spec': r'^Version: +(.*)', 'APKBUILD': r'^pkgver=(.*)', 'package.nix': r'^  version = "(.*)"',
                'conanfile.py': r"^    version = '(.*)'"}

    def test_version(self):
        for name, pattern in self.VERSIONS.items():
            with self.subTest(recipe=name):
                self.assertEqual(re.findall(pattern, (RECIPES / name).read_text(encoding='utf-8'), re.M), [VERSION])

    def test_each_says_whether_it_was_checked(self):
        self.assertEqual({path.name for path in RECIPES.iterdir() if path.is_file()}, set(self.VERSIONS))
        for name in self.VERSIONS:
            with self.subTest(recipe=name):
                self.assertRegex((RECIPES / name).read_text(encoding='utf-8'), r'(?m)^(# )?Checked(| in part): ')


if __name__ == '__main__':
    parts.run()
