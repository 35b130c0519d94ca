# SPDX-License-Identifier: MIT
"""Tests the library as its users get it: installed into a prefix, and as a Meson subproject."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from support import SOURCE, for_dropin, output, parts, run

MESON = os.environ['MESON']
EXAMPLE = SOURCE / 'doc/examples/usable.c'

CPP = '''#include <fsgscheck.h>
#include <fsgscheck/base.h>
#include <cstdint>
#include <iostream>

int main()
{
	fsgs_report report;
	std::uint64_t base = 0;

	if (fsgs_check(&report, sizeof report, 0) || fsgs_get_gs_base(&base))
		return 4;
	std::cout << fsgs_name(FSGS_LIST_VERDICT, report.verdict) << ": " << fsgs_reason(&report, sizeof report) << '\\n';
}
'''
AUTOTOOLS = """AC_INIT([user], [1])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
{}AC_CONFIG_FILES([Makefile])
AC_OUTPUT
"""
# Host projects, by their build tool. Each has the source of the program, further tools that it needs, the commands that
# make build/user, and its build files for each form. doc/building.md gives the number of their lines that name the
# library.
FORMS = ('drop-in', 'shared')
HOSTS = {
    'CMake': ('usable.c', ['cmake'], 'cmake -S . -B build && cmake --build build', {
        'shared': {'CMakeLists.txt': 'cmake_minimum_required(VERSION 3.14)\nproject(user C)\nadd_executable(user usable.c)\n'
                                     'find_package(fsgscheck 1.0 REQUIRED)\ntarget_link_libraries(user fsgscheck::fsgscheck)\n'},
        'drop-in': {'CMakeLists.txt': 'cmake_minimum_required(VERSION 3.14)\nproject(user C)\n'
                                      'add_executable(user usable.c fsgscheck.c)\n'}}),
    'Meson': ('usable.c', [], f'{MESON} setup build && ninja -C build', {
        'shared': {'meson.build': "project('user', 'c')\nfsgscheck = dependency('fsgscheck')\n"
                                  "executable('user', 'usable.c', dependencies: fsgscheck)\n"},
        'drop-in': {'meson.build': "project('user', 'c')\nexecutable('user', 'usable.c', 'fsgscheck.c')\n"}}),
    'autotools': ('usable.c', ['autoreconf', 'automake'], 'autoreconf -i && mkdir build && cd build && ../configure && make', {
        'shared': {'configure.ac': AUTOTOOLS.format('PKG_CHECK_MODULES([FSGSCHECK], [fsgscheck >= 1.0])\n'),
                   'Makefile.am': 'bin_PROGRAMS = user\nuser_SOURCES = usable.c\nuser_CFLAGS = $(FSGSCHECK_CFLAGS)\n'
                                  'user_LDADD = $(FSGSCHECK_LIBS)\n'},
        'drop-in': {'configure.ac': AUTOTOOLS.format(''),
                    'Makefile.am': 'bin_PROGRAMS = user\nuser_SOURCES = usable.c fsgscheck.c fsgscheck.h\n'}}),
    'C++ by make': ('program.cpp', ['make'], 'make && mkdir build && mv user build', {
        'shared': {'Makefile': 'CXXFLAGS = -Wall -Wextra -Werror\nCXXFLAGS += $(shell pkg-config --cflags fsgscheck)\n'
                               'LDLIBS += $(shell pkg-config --libs fsgscheck)\n'
                               'user: program.cpp\n\t$(LINK.cc) $^ $(LDLIBS) -o $@\n'},
        'drop-in': {'Makefile': 'CXXFLAGS = -Wall -Wextra -Werror\nuser: program.cpp fsgscheck.o\n'
                                '\t$(LINK.cc) $^ $(LDLIBS) -o $@\n'}}),
}


def verdict(*command, **environment):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment})
    if done.returncode not in (0, 1, 2):
        raise AssertionError(f'{command}: status {done.returncode}\n{done.stderr}')
    return done.stdout


def is_linked_with_it(program):
    """Whether a program loads the shared library."""
    return 'libfsgscheck.so' in output('readelf', '-d', program)


def set_up(build, *arguments):
    """Makes a build directory, or changes its options. Objects that do not depend on these options are not compiled
    again."""
    output(MESON, 'setup', *(['--reconfigure'] if build.exists() else []), build, SOURCE, *arguments)


class Installed(unittest.TestCase):
    FILES = {'libfsgscheck.a', 'libfsgscheck.so', 'libfsgscheck.so.1'}
    # For each value of -Ddefault_library, the library files that are installed. The core is always an archive. The build
    # of setUpClass() already has the first value.
    KINDS = {'both': FILES, 'shared': FILES - {'libfsgscheck.a'}, 'static': {'libfsgscheck.a'}}

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.prefix = Path(cls.directory.name) / 'prefix'
        build = Path(cls.directory.name) / 'build'
        set_up(build, f'--prefix={cls.prefix}', '--libdir=lib', '-Dtests=disabled',
               '-Dwindows=disabled', '-Dbuildtype=release', '-Doptimization=0',
               *(['-Ddocs=enabled'] if shutil.which('doxygen') else []))
        output(MESON, 'install', '-C', build, timeout=500)
        cls.build = build
        os.environ['PKG_CONFIG_PATH'] = str(cls.prefix / 'lib/pkgconfig')

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def flags(self, package, *options):
        return output('pkg-config', *options, '--cflags', '--libs', package).split()

    def build_and_run(self, compiler, *options, flags):
        program = Path(self.directory.name) / 'program'
        output(compiler, EXAMPLE, '-o', program, *flags, *options)
        return verdict(program, LD_LIBRARY_PATH=str(self.prefix / 'lib'))

    def test_shared(self):
        self.assertRegex(self.build_and_run('cc', flags=self.flags('fsgscheck')), r'^\w+: .+\.\n$')

    def test_static(self):
        self.assertRegex(self.build_and_run('cc', '-static', flags=self.flags('fsgscheck', '--static')),
                         r'^\w+: .+\.\n$')

    def compiled(self, name, text, *compiler, flags):
        """Compiles a program from this text."""
        source, program = Path(self.directory.name) / name, Path(self.directory.name) / Path(name).stem
        source.write_text(text, encoding='utf-8')
        output(*compiler, source, '-o', program, *flags)
        return program

    def test_core(self):
        """A program that links only the core, without the Linux library, exits with the status for its verdict."""
        program = self.compiled('core.c', '#include <fsgscheck/core.h>\n'
                                'int main(void) { struct fsgs_report r = {0}; fsgs_decide(&r, sizeof r);'
                                ' return fsgs_exit_status(r.verdict); }\n', 'cc', flags=self.flags('fsgscheck-core'))
        self.assertEqual(run(program).returncode, 3)

    def test_command(self):
        self.assertRegex(verdict(self.prefix / 'bin/fsgscheck', LD_LIBRARY_PATH=str(self.prefix / 'lib')),
                         r'^FSGSBASE: ')

    def test_cpp_static(self):
        """A C++ program links with the static library."""
        program = self.compiled('program.cpp', CPP, 'c++', '-std=c++17', '-Wall', '-Wextra', '-Werror', '-static',
                                flags=self.flags('fsgscheck', '--static'))
        self.assertRegex(verdict(program), r'^\w+: .+\.\n$')

    def cmake(self, lines, *options, languages='C', source=EXAMPLE):
        """Builds and runs a CMake project of a few lines. Returns the program's output (empty if the configuration
        fails), and the error output of the configuration."""
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            (root / 'CMakeLists.txt').write_text(
                f'cmake_minimum_required(VERSION 3.14)\nproject(user {languages})\nadd_executable(user {source})\n{lines}\n',
                encoding='utf-8')
            done = run('cmake', '-S', root, '-B', root / 'build', *options)
            if done.returncode:
                return '', done.stderr
            output('cmake', '--build', root / 'build')
            return verdict(root / 'build/user', LD_LIBRARY_PATH=str(self.prefix / 'lib')), done.stderr

    @unittest.skipUnless(shutil.which('cmake'), 'cmake is not installed')
    def test_cmake(self):
        prefix = f'-DCMAKE_PREFIX_PATH={self.prefix}'
        for lines, option in (
                ('find_package(PkgConfig REQUIRED)\npkg_check_modules(FSGSCHECK REQUIRED IMPORTED_TARGET fsgscheck)\n'
                 'target_link_libraries(user PkgConfig::FSGSCHECK)', '-Wdev'),
                ('find_package(fsgscheck REQUIRED CONFIG)\ntarget_link_libraries(user fsgscheck::static)', prefix),
                ('include(FetchContent)\nFetchContent_Declare(fsgscheck SOURCE_DIR ' + str(SOURCE) + ' SOURCE_SUBDIR lib/dropin)\n'
                 'FetchContent_MakeAvailable(fsgscheck)\ntarget_link_libraries(user fsgscheck::fsgscheck)', '-Wdev')):
            with self.subTest(lines=lines):
                said, warned = self.cmake(lines, option)
                self.assertRegex(said, r'^\w+: .+\.\n$')
                self.assertEqual(warned, '')

    @unittest.skipUnless(shutil.which('cmake'), 'cmake is not installed')
    def test_cmake_finds_the_right_one(self):
        """CMake finds the libraries in a prefix that was moved. It stops if another major version or a newer version is
        wanted, or if the libraries were removed."""
        with tempfile.TemporaryDirectory() as directory:
            moved = Path(directory) / 'moved'
            shutil.copytree(self.prefix, moved, symlinks=True)
            core = 'find_package(fsgscheck %s REQUIRED)\ntarget_link_libraries(user fsgscheck::core)'
            source = Path(directory) / 'core.c'
            source.write_text('#include <fsgscheck/core.h>\n#include <stdio.h>\n'
                              'int main(void) { puts(fsgs_name(FSGS_LIST_VERDICT, 1)); return 0; }\n', encoding='utf-8')
            there = f'-DCMAKE_PREFIX_PATH={moved}'
            self.assertRegex(self.cmake(core % '', there, source=source)[0], r'^\w+\n$')
            for wanted in ('2.0', '0.9', '1.99'):
                self.assertIn('fsgscheck', self.cmake(core % wanted, there, source=source)[1])
            for library in moved.glob('lib/libfsgscheck*'):
                library.unlink()
            self.assertIn('install it again', self.cmake(core % '', there, source=source)[1])

    def host(self, name, form):
        """Builds and runs a host project."""
        source, tools, commands, forms = HOSTS[name]
        for tool in tools:
            if not shutil.which(tool):
                self.skipTest(f'{tool} is not installed')
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            text = CPP if source.endswith('cpp') else EXAMPLE.read_text(encoding='utf-8')
            environment = {'CMAKE_PREFIX_PATH': str(self.prefix)}
            if form == 'drop-in':
                text = for_dropin(text)
                environment = {'PKG_CONFIG_PATH': ''}
                for file in ('fsgscheck.c', 'fsgscheck.h'):
                    shutil.copy(self.prefix / 'share/fsgscheck' / file, root)
            for file, content in {source: text, **forms[form]}.items():
                (root / file).write_text(content, encoding='utf-8')
            output('sh', '-euc', commands, cwd=root, env={**os.environ, **environment})
            self.assertEqual(is_linked_with_it(root / 'build/user'), form == 'shared')
            self.assertRegex(verdict(root / 'build/user', LD_LIBRARY_PATH=str(self.prefix / 'lib')), r'^\w+: .+\.\n$')

    def test_host_projects(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for name, form, built in [(name, form, pool.submit(self.host, name, form)) for name in HOSTS for form in FORMS]:
                with self.subTest(host=name, form=form):
                    built.result()

    def test_lines_of_host_projects(self):
        page = (SOURCE / 'doc/building.md').read_text(encoding='utf-8')
        for name, (*_, forms) in HOSTS.items():
            lines = [sum('fsgscheck' in line.lower() for text in forms[form].values() for line in text.splitlines())
                     for form in FORMS]
            with self.subTest(host=name):
                self.assertIn(f'| {name} | {lines[0]} | {lines[1]} |', page)

    def test_static_flags(self):
        """Only the static library needs an additional flag: -pthread."""
        static = output('pkg-config', '--static', '--libs', 'fsgscheck').split()
        shared = output('pkg-config', '--libs', 'fsgscheck').split()
        self.assertIn('-lfsgscheck', shared)
        self.assertEqual([flag for flag in static if flag not in shared], ['-pthread'])
        for package in ('fsgscheck', 'fsgscheck-core'):
            text = (self.prefix / f'lib/pkgconfig/{package}.pc').read_text(encoding='utf-8')
            self.assertNotIn(str(self.build), text)

    def pages(self):
        return sorted((self.prefix / 'share/man').glob('man?/*'))

    def test_manual(self):
        self.assertGreater(len(self.pages()), 10)
        for path in self.pages():
            with self.subTest(page=path.name):
                text = path.read_text(encoding='utf-8')
                self.assertNotIn('@', text)
                self.assertNotRegex(text, r'(?<![\w*/(])\*\w+\*')
                # The linter reports an error for every page that only redirects to another page.
                if shutil.which('mandoc') and not text.startswith('.so '):
                    said = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', path], capture_output=True, text=True,
                                          check=False, timeout=30, cwd=self.prefix / 'share/man').stdout
                    self.assertEqual(said, '')

    @unittest.skipUnless(shutil.which('groff'), 'groff is not installed')
    def test_manual_on_a_terminal(self):
        """groff formats each page for 60 and 80 columns without a warning and without a hyphenated word, and prototypes
        fit into the line."""
        for path in self.pages():
            if path.read_text(encoding='utf-8').startswith('.so '):
                continue
            for width in 60, 80:
                with self.subTest(page=path.name, width=width):
                    done = run('groff', '-ww', '-man', '-Tutf8', '-P-cbou', f'-rLL={width}n', path)
                    self.assertEqual(done.stderr, '')
                    self.assertNotRegex(done.stdout, '\u2010\n')
                    synopsis = re.search(r'^SYNOPSIS\n(.*?)^\S', done.stdout, re.M | re.S)[1]
                    self.assertLessEqual(max(map(len, synopsis.splitlines())), width)

    def test_each_program_has_a_manual(self):
        there = {path.stem for path in self.pages()}
        self.assertEqual({path.name for path in (self.prefix / 'bin').iterdir()} - there, set())

    def test_every_function_has_a_manual(self):
        """Every function, exported or inline, has a page under its own name, and its group's page names it."""
        there = {path.stem: path for path in self.pages()}
        names = set()
        for header in (self.prefix / 'include').rglob('*.h'):
            text = re.sub(r'/\*.*?\*/', '', header.read_text(encoding='utf-8'), flags=re.S)
            names |= set(re.findall(r'^(?!typedef|extern)[\w ]*?[ *](fsgs_\w*[^\W_])\(', text, re.M))
        self.assertIn('fsgs_ensure_gs_base', names)
        for name in names:
            with self.subTest(function=name):
                page = there[name].read_text(encoding='utf-8')
                if page.startswith('.so '):
                    page = (self.prefix / 'share/man' / page.split()[1]).read_text(encoding='utf-8')
                self.assertIn(f'.SS {name}()', page)

    def test_manual_has_each_number(self):
        """The pages have every enumerator of the headers, with an explanation."""
        pages = ''.join(path.read_text(encoding='utf-8') for path in self.pages())
        for header in (self.prefix / 'include').rglob('*.h'):
            text = re.sub(r'/\*.*?\*/', '', header.read_text(encoding='utf-8'), flags=re.S)
            for inside in re.findall(r'^enum \w+ \{(.*?)^\};', text, re.M | re.S):
                for name in re.findall(r'\b(FSGS_\w+)\s*=', inside):
                    self.assertRegex(pages, rf'\n\.TP\n\\fB{name}\\fP = [^\n]+\n[^.\n]')

    @unittest.skipUnless(shutil.which('man'), 'man is not installed')
    def test_man_finds_a_function(self):
        shown = output('man', '-M', self.prefix / 'share/man', 'fsgs_usable', env={**os.environ, 'MANPAGER': 'cat'})
        self.assertTrue(re.search(r'^ +fsgs_usable\(\)\n +Whether ', shown, re.M), shown[:400])

    @unittest.skipUnless(shutil.which('doxygen'), 'doxygen is not installed')
    def test_reference(self):
        html = self.prefix / 'share/doc/fsgscheck/html'
        self.assertTrue((html / 'index.html').exists())
        for page in html.glob('*.html'):
            for sample in re.findall(r'href="(examples/[^"]*)"', page.read_text(encoding='utf-8')):
                self.assertTrue((html / sample).exists(), f'{page.name}: {sample}')

    def test_completion(self):
        """The completion offers the options that the command's help names."""
        helped = output(self.prefix / 'bin/fsgscheck', '--help', env={**os.environ, 'LD_LIBRARY_PATH':
                                                                   str(self.prefix / 'lib')})
        script = self.prefix / 'share/bash-completion/completions/fsgscheck'
        offered = output('bash', '-c', f'. {script}; COMP_WORDS=(fsgscheck ""); COMP_CWORD=1; _fsgscheck;'
                                    ' echo "${COMPREPLY[@]}"').split()
        own = {'--trace', '--untraced-ok'}  # options of `run`, which are offered after `run`
        self.assertEqual(set(re.findall(r'--[a-z][a-z-]*', helped)) - own | {'explain', 'run'}, set(offered))

    def test_completion_of_a_file_with_spaces(self):
        script = self.prefix / 'share/bash-completion/completions/fsgscheck'
        with tempfile.TemporaryDirectory() as directory:
            for name in ('serial of the host.log', 'serial.log', '*'):
                Path(directory, name).touch()
            offered = output('bash', '-c', f'. {script}; COMP_WORDS=(fsgscheck explain ""); COMP_CWORD=2; _fsgscheck;'
                                        ' printf "%s\n" "${COMPREPLY[@]}"', cwd=directory).splitlines()
        self.assertEqual(set(offered), {'serial of the host.log', 'serial.log', '*'})

    def test_image_is_reproducible(self):
        images = self.prefix / 'share/fsgscheck'
        if not (images / 'fsgscheck-boot.iso').exists():
            self.skipTest('the ISO was not built: GRUB for BIOS, mtools, xorriso, clang or lld is not installed')
        tools = [word for name in ('grub-mkimage', 'mformat', 'mmd', 'mcopy', 'xorriso')
                 for word in ('--' + name, shutil.which(name))]
        made = []
        for second in range(2):
            image = Path(self.directory.name) / f'{second}.iso'
            elf = shutil.copyfile(images / 'fsgscheck-boot.elf', image.with_suffix('.elf'))
            efi = shutil.copyfile(images / 'fsgscheck-boot.efi', image.with_suffix('.efi'))
            os.utime(efi, (1600000000 + 3600 * second,) * 2)
            output(sys.executable, SOURCE / 'examples/boot/iso.py', '--grub', '/usr/lib/grub/i386-pc', *tools, '--elf', elf,
                '--efi', efi, image, env={**os.environ, 'SOURCE_DATE_EPOCH': '1700000000'})
            made.append(image.read_bytes())
            time.sleep(2 - 2 * second)
        self.assertTrue(made[0] == made[1])

    def test_page_is_reproducible(self):
        """A build in another directory, with other options and at another time, gives the same bytes."""
        page = self.prefix / 'share/fsgscheck/fsgscheck.html'
        if not page.exists():
            self.skipTest('the page was not built: wasi-libc, libclang-rt-dev-wasm32 or what the ISO needs is not installed')
        # The page in the build directory from which this test runs.
        again = os.environ.get('PAGE')
        if not again:
            self.skipTest('the build directory has no page: it was configured without')
        self.assertTrue(Path(again).read_bytes() == page.read_bytes())

    def test_destdir(self):
        with tempfile.TemporaryDirectory() as root:
            output(MESON, 'install', '-C', self.build, '--destdir', root)
            there = Path(root) / str(self.prefix).lstrip('/')
            for file in ('include/fsgscheck.h', 'include/fsgscheck/core.h', 'lib/libfsgscheck.so.1',
                         'lib/libfsgscheck.a', 'lib/libfsgscheck-core.a', 'lib/pkgconfig/fsgscheck.pc',
                         'lib/cmake/fsgscheck/fsgscheck-config.cmake',
                         'lib/pkgconfig/fsgscheck-core.pc', 'bin/fsgscheck', 'share/fsgscheck/fsgscheck.schema.json'):
                self.assertTrue((there / file).exists(), file)
            version = output('pkg-config', '--modversion', 'fsgscheck').strip()
            self.assertTrue((there / f'lib/libfsgscheck.so.{version}').exists())

    def test_each_kind(self):
        for kind, wanted in self.KINDS.items():
            with self.subTest(kind=kind), tempfile.TemporaryDirectory() as root:
                set_up(self.build, f'-Ddefault_library={kind}')
                output(MESON, 'install', '-C', self.build, '--destdir', root)
                self.look_at_kind(kind, wanted, Path(root))

    def look_at_kind(self, kind, wanted, root):
        prefix = root / str(self.prefix).lstrip('/')
        there = {path.name for path in (prefix / 'lib').iterdir()} - {'cmake', 'pkgconfig', 'libfsgscheck-core.a'}
        self.assertEqual({name for name in there if not re.search(r'\.so\.\d+\.', name)}, wanted)
        self.assertTrue((prefix / 'lib/libfsgscheck-core.a').exists())
        # If both libraries were built, programs link with the shared one.
        self.assertEqual(is_linked_with_it(prefix / 'bin/fsgscheck'), kind != 'static')
        self.assertRegex(verdict(prefix / 'bin/fsgscheck', LD_LIBRARY_PATH=str(prefix / 'lib')), r'^FSGSBASE: ')
        flags = output('pkg-config', '--cflags', '--libs', 'fsgscheck',
                       env={**os.environ, 'PKG_CONFIG_PATH': str(prefix / 'lib/pkgconfig'),
                            'PKG_CONFIG_SYSROOT_DIR': str(root)}).split()
        output('cc', EXAMPLE, '-o', root / 'user', *flags)
        self.assertEqual(is_linked_with_it(root / 'user'), kind != 'static')
        self.assertRegex(verdict(root / 'user', LD_LIBRARY_PATH=str(prefix / 'lib')), r'^\w+: ')


class Subproject(unittest.TestCase):
    def build(self, root, dependency, *options, targets=('user',), **environment):
        """Builds a host project. The subproject must build nothing but the library."""
        (root / 'subprojects').mkdir(exist_ok=True)
        shutil.copyfile(EXAMPLE, root / 'usable.c')
        (root / 'meson.build').write_text(
            f"project('user', 'c')\n{dependency}executable('user', 'usable.c', dependencies: fsgscheck)\n", encoding='utf-8')
        output(MESON, 'setup', root / 'build', root, *options, env={**os.environ, **environment})
        output('ninja', '-C', root / 'build', *targets)
        self.assertRegex(verdict(root / 'build/user'), r'^\w+: ')
        self.assertFalse((root / 'build/subprojects/fsgscheck/tests/unit').exists())
        return root / 'build/user'

    def test_follows_its_host(self):
        """The subproject has the kind of library that its host chose when the host was first configured."""
        for options, linked in ((['-Ddefault_library=both', '--unity=on'], True), (['-Ddefault_library=static'], False),
                                (['-Dfsgscheck:default_library=static'], False)):
            with self.subTest(options=options), tempfile.TemporaryDirectory() as directory:
                root = Path(directory)
                (root / 'subprojects').mkdir()
                (root / 'subprojects/fsgscheck').symlink_to(SOURCE)
                user = self.build(root, "fsgscheck = dependency('fsgscheck', fallback: ['fsgscheck', 'fsgscheck_dep'])\n",
                                  *options)
                self.assertEqual(is_linked_with_it(user), linked)

    @unittest.skipUnless(shutil.which('git') and (SOURCE / '.git').exists(), 'not a clone, which a wrap could name')
    def test_wrap(self):
        """The wrap file and the line of Meson in doc/building.md work, with a clone of this tree as the address."""
        page = (SOURCE / 'doc/building.md').read_text(encoding='utf-8')
        wrap = re.search(r'^```ini\n(.*?)^```', page, re.M | re.S)[1]
        line = re.search(r"^```meson\n(.*?)^```", page, re.M | re.S)[1]
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            output('git', 'clone', '--quiet', '--depth', '1', f'file://{SOURCE}', root / 'clone')
            (root / 'subprojects').mkdir()
            (root / 'subprojects/fsgscheck.wrap').write_text(
                re.sub(r'(?m)^url = .*$', f'url = file://{root}/clone',
                       re.sub(r'(?m)^revision = .*$', 'revision = HEAD', wrap)), encoding='utf-8')
            # The host chooses no kind of library, so it gets the shared one. Without named targets, ninja also builds
            # all default targets of the subproject.
            self.assertTrue(is_linked_with_it(self.build(root, line, targets=(), PKG_CONFIG_LIBDIR=str(root))))


if __name__ == '__main__':
    parts.run()
