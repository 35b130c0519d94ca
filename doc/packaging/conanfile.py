# SPDX-License-Identifier: MIT
"""The static library for Conan 2: `conan create doc/packaging`.

Checked in part: the test install-conan runs each method of this recipe with replacements of Conan's modules, which run the
real CMake. Conan itself was not run, since Debian does not have it.
"""

import os

from conan import ConanFile
from conan.tools.cmake import CMake, cmake_layout
from conan.tools.files import copy


class Fsgscheck(ConanFile):
    name = 'fsgscheck'
    version = '1.0.0'
    description = 'Whether the FSGSBASE instructions can really be used'
    license = 'MIT'
    settings = 'os', 'arch', 'compiler', 'build_type'
    package_type = 'static-library'
    generators = 'CMakeToolchain'

    def export_sources(self):
        tree = os.path.join(self.recipe_folder, '..', '..')
        for pattern in ('COPYING', 'include/*', 'lib/*'):
            copy(self, pattern, tree, self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def build(self):
        cmake = CMake(self)
        cmake.configure(build_script_folder=os.path.join('lib', 'dropin'))
        cmake.build()

    def package(self):
        copy(self, 'COPYING', self.source_folder, os.path.join(self.package_folder, 'licenses'))
        copy(self, '*.h', os.path.join(self.source_folder, 'include'), os.path.join(self.package_folder, 'include'))
        copy(self, '*.a', self.build_folder, os.path.join(self.package_folder, 'lib'), keep_path=False)

    def package_info(self):
        self.cpp_info.libs = ['fsgscheck']
        self.cpp_info.defines = ['FSGS_STATIC']
        self.cpp_info.system_libs = ['pthread']
