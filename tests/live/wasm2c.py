# SPDX-License-Identifier: MIT
"""wasm2c.py SOURCE-ROOT LIBRARY DROP-IN FSGSCHECK SCRATCH: tests the library with code that this project did not write, C
code from wasm2c, which addresses its memory through GS.

Fetches the npm package wabt, whose wasm2c turns sum.wat into C. Compiles this C code with clang -mfsgsbase, connects it
with the library by the three hooks of examples/runtime/wasm2c, and runs it in each state of runtime.py. Two variants
run only natively: one does not restore GS (WASM_RT_SEGUE_FREE_SEGMENT=1), the other uses the drop-in form in place of
the library. If a tool is missing or npm cannot fetch the package, the test skips with the reason. The generated code
stays in SCRATCH.
"""
import os
import shutil
import subprocess
import sys

import runtime
from support import Unavailable, for_dropin, npm

# The first version that can address memory through GS (Segue). Debian's package is older.
PACKAGE = 'wabt@1.0.39'
NEEDED = ('clang', 'node', 'npm')


def skip(reason):
    print(f'1..0 # SKIP {reason}')
    sys.exit(0)


def build(root, library, scratch, tools):
    own = os.path.join(root, 'examples', 'runtime', 'wasm2c')
    wasm, generated, client = (os.path.join(scratch, name) for name in ('sum.wasm', 'sum.c', 'client'))
    folder = os.path.dirname(library)
    include = ['-I', scratch, '-I', own, '-I', os.path.join(root, 'include')]

    for command in (
            ['node', os.path.join(tools, 'wat2wasm'), os.path.join(own, 'sum.wat'), '-o', wasm],
            ['node', os.path.join(tools, 'wasm2c'), wasm, '-o', generated]):
        subprocess.run(command, check=True, stdout=sys.stderr, timeout=120)
    # With WASM_RT_SEGUE_FREE_SEGMENT=0, the generated code restores the GS base after each use. With 1, it assumes that
    # no other code uses GS.
    for name, option in ((client, '-DWASM_RT_SEGUE_FREE_SEGMENT=0'), (client + '-free', '-DWASM_RT_SEGUE_FREE_SEGMENT=1')):
        for command in (
                ['clang', '-O2', '-mfsgsbase', option, *include, '-c', generated, '-o', name + '-sum.o'],
                ['clang', '-O2', '-Wall', '-Wextra', '-Werror', option, *include,
                 '-c', os.path.join(own, 'host.c'), '-o', name + '.o'],
                ['clang', name + '-sum.o', name + '.o', library, f'-Wl,-rpath,{folder}', '-lm', '-o', name]):
            subprocess.run(command, check=True, stdout=sys.stderr, timeout=120)
    return client


def build_dropin(root, dropin, scratch):
    """Builds the same program with the drop-in form in place of the library."""
    own, client = os.path.join(root, 'examples', 'runtime', 'wasm2c'), os.path.join(scratch, 'client-dropin')
    with open(os.path.join(own, 'host.c'), encoding='utf-8') as file:
        host = for_dropin(file.read())
    with open(client + '.c', 'w', encoding='utf-8') as file:
        file.write(host)
    subprocess.run(['clang', '-O2', '-Wall', '-Wextra', '-Werror', '-I', scratch, '-I', own, '-I', dropin, client + '.c',
                    os.path.join(scratch, 'client-sum.o'), os.path.join(dropin, 'fsgscheck.c'), '-lm', '-pthread', '-o', client],
                   check=True, stdout=sys.stderr, timeout=120)
    return client


def main():
    root, library, dropin, command, scratch = (os.path.abspath(path) for path in sys.argv[1:])
    for tool in NEEDED:
        if not shutil.which(tool):
            skip(f'{tool} is missing')
    try:
        tools = npm.packages(scratch, PACKAGE) / 'wabt' / 'bin'
    except Unavailable as reason:
        skip(reason)
    client = build(root, library, scratch, tools)
    tap = runtime.Tap()
    runtime.every_state(tap, client, command)
    runtime.stage(tap, 'native, without restoring GS', [], False, client + '-free', command)
    runtime.stage(tap, 'native, with the drop-in form', [], False, build_dropin(root, dropin, scratch), command)
    return tap.end()


sys.exit(main())
