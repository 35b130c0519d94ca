# SPDX-License-Identifier: MIT
"""Tests `fsgscheck run` with programs that die at an FSGSBASE instruction, because the machine does not enable the
instructions or because the program is 32-bit code. Tests `fsgscheck explain` with the core file of such a program.

    deaths.py --init FILE --command FILE --victim FILE --source FILE --wasm2c DIR --cache DIR

Prints TAP. Exits with 77 if QEMU or the kernel is not available."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from support import machine

KERNEL = 'console=ttyS0 panic=-1 quiet fsgs.run=/bin/sh fsgs.args=/script'

GO = '''package main

// #include <stdint.h>
// static void set_base(uint64_t base)
// {
// 	__asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0xae, 0xdf" : : "D"(base));
// }
import "C"

func main() {
	C.set_base(0)
}
'''

# Replaces the library's fsgs_base_access() in the program wasm2c, so that it uses the instructions on every machine.
FORCED = '''#include <fsgscheck/base.h>
uint32_t fsgs_base_access(uint32_t segment) { (void)segment; return FSGS_ACCESS_INSTRUCTION; }
'''

JAVA = '''class Victim {
    static native void call();
    public static void main(String[] none) { System.load("/libvictim.so"); call(); }
}
'''
JAVA_LIBRARY = '''__attribute__((noinline)) static void set_base(unsigned long base)
{
    __asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0xae, 0xdf" : : "D"(base));
}
void Java_Victim_call(void *env, void *class)
{
    (void)env, (void)class;
    set_base(0x1234);
    __asm__ volatile("");
}
'''

VICTIM = ['victim', 'wrgsbase', '0x1234']
# For each program: its command in the machine, the module and the function that contain the instruction, and the function's
# caller. None means that the name is not checked.
DEATHS = {
    'dynamic': (VICTIM, 'victim', 'execute', 'call'),
    'rdfsbase': (['victim', 'rdfsbase', '0'], 'victim', 'execute', 'call'),
    'rdgsbase': (['victim', 'rdgsbase', '0'], 'victim', 'execute', 'call'),
    'wrfsbase': (['victim', 'wrfsbase', '0'], 'victim', 'execute', 'call'),
    'static': (['victim-static', *VICTIM[1:]], 'victim-static', 'execute', 'call'),
    'stripped': (['victim-stripped', *VICTIM[1:]], 'victim-stripped', None, None),
    'debug file': (['victim-linked', *VICTIM[1:]], 'victim-linked', 'execute', 'call'),
    'child': ([*VICTIM, 'child'], 'victim', 'execute', 'call'),
    'abort': ([*VICTIM, 'abort'], 'victim', 'execute', 'call'),
    'go': (['go-victim'], 'go-victim', None, None),
    'wasm2c': (['wasm2c'], 'wasm2c', None, None),
    'java': (['java/bin/java', '-cp', '/', 'Victim'], 'libvictim.so', 'set_base', 'Java_Victim_call'),
}
I386 = {'i386': (['victim-i386', *VICTIM[1:]], 'victim-i386', 'execute', 'call')}

# For each machine: its settings, the verdict and the finding that `fsgscheck run` must report for 64-bit programs, and
# the programs.
MACHINES = {
    'switched off': ({'append': 'nofsgsbase'}, 'disabled', 'switched-off', {**DEATHS, **I386}),
    'hidden': ({'cpu': 'EPYC,-fsgsbase'}, 'unsupported', None,
               {'dynamic': DEATHS['dynamic'], 'static': DEATHS['static']}),
    'sound': ({}, 'usable', None, I386),
}


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=sys.stderr, timeout=200, **options)


def make(folder, arguments):
    """Builds the programs. Returns their paths by their names in the machine. Leaves out what cannot be built here."""
    made = {'victim': arguments.victim, 'fsgscheck': arguments.command}

    def path(name):
        return str(folder / name)

    def add(name, *command, needs='gcc', **options):
        if not shutil.which(needs):
            print(f'# without {name}: {needs} is not installed')
            return
        run(*command, **options)
        made[name] = path(name)

    flags = ['-D_GNU_SOURCE', '-O1', '-g', '-pthread', arguments.source, '-o']
    add('victim-static', 'gcc', '-static', *flags, path('victim-static'))
    add('victim-i386', 'i686-linux-gnu-gcc', '-static', *flags, path('victim-i386'), needs='i686-linux-gnu-gcc')
    add('victim-stripped', 'strip', '-o', path('victim-stripped'), arguments.victim, needs='strip')
    run('objcopy', '--only-keep-debug', arguments.victim, path('separate'))
    shutil.copy(path('victim-stripped'), path('victim-linked'))
    run('objcopy', f'--add-gnu-debuglink={path("separate")}', path('victim-linked'))
    made.update({name: path(name) for name in ('victim-linked', 'separate')})
    (folder / 'victim.go').write_text(GO, encoding='ascii')
    add('go-victim', 'go', 'build', '-o', path('go-victim'), path('victim.go'), needs='go',
        env={**os.environ, 'GO111MODULE': 'off', 'GOCACHE': path('go-cache'), 'HOME': str(folder)})
    parts = [Path(arguments.wasm2c) / name for name in ('client-sum.o', 'client.o')]
    if all(part.exists() for part in parts):
        root = Path(__file__).resolve().parents[2]
        (folder / 'forced.c').write_text(FORCED, encoding='ascii')
        add('wasm2c', 'gcc', '-I', root / 'include', '-o', path('wasm2c'), path('forced.c'), *parts,
            *(library for library in machine.libraries(arguments.command) if 'libfsgscheck' in library), '-lm')
    else:
        print('# without wasm2c: the test runtime-wasm2c builds it')
    return made


def java(folder):
    """Builds a Java program with its C library, and a small Java runtime. Returns pairs of a path in the machine and a file;
    none if the JDK is not installed."""
    if not shutil.which('jlink') or not shutil.which('javac'):
        print('# without java: jlink is not installed')
        return []
    for name, text in (('Victim.java', JAVA), ('libvictim.c', JAVA_LIBRARY)):
        (folder / name).write_text(text, encoding='ascii')
    library = folder / 'libvictim.so'
    run('gcc', '-O1', '-shared', '-fPIC', '-o', library, folder / 'libvictim.c')
    run('javac', '-d', folder, folder / 'Victim.java')
    run('jlink', '--add-modules', 'java.base', '--output', folder / 'java')
    files = [*(folder / 'java').rglob('*'), folder / 'Victim.class', library]
    return [(f'/{file.relative_to(folder)}', file) for file in files if file.is_file()]


class Deaths:
    def __init__(self, arguments, folder):
        self.folder = folder
        self.kernel = machine.kernel(arguments.cache)
        self.init = arguments.init
        self.made = make(folder, arguments)
        self.java = java(folder)
        self.number = self.failures = 0

    def has(self, command):
        return command[0] in self.made or f'/{command[0]}' in dict(self.java)

    def script(self, programs):
        lines = ['export LD_LIBRARY_PATH=/lib64:/lib']
        for name, (command, *_) in programs.items():
            if self.has(command):
                lines.append(f'echo "== {name}"; /fsgscheck run --json /{" ".join(command)} 2>&1; s=$?; '
                             f'echo; echo "== end $s"')
        # The kernel does not write the program's code into the core file, so `fsgscheck explain` reads the code from the
        # program's file. It must not do so after `: >/victim` has changed this file.
        lines += ['ulimit -c unlimited', f'/{" ".join(VICTIM)}', 'echo == core', '/fsgscheck explain --json /core*',
                  'echo == end $?', ': >/victim', 'echo == changed',
                  '/fsgscheck explain --json /core*', 'echo == end $?']
        return '\n'.join(lines) + '\n'

    def boot(self, options, programs):
        script = self.folder / 'script'
        script.write_text(self.script(programs), encoding='ascii')
        files = [('/init', self.init), ('/bin/sh', shutil.which('dash')), ('/script', script)]
        files += [(f'/{name}', file) for name, file in self.made.items()]
        files += self.java if 'java' in programs else []
        append = f'{KERNEL} {options.get("append", "")}'.strip()
        image = machine.initrd(self.folder / 'initrd', machine.with_libraries(files))
        return machine.boot(self.kernel, initrd=image, append=append, cpu=options.get('cpu', 'EPYC'), memory=1024,
                            timeout=400)

    def check(self, what, good, seen=''):
        self.number += 1
        self.failures += not good
        print(f'{"" if good else "not "}ok {self.number} - {what}', flush=True)
        if not good:
            print('# ' + str(seen)[-3000:].replace('\n', '\n# '))

    def machine(self, name, options, verdict, finding, programs):
        log = self.boot(options, programs).log
        for program, (command, module, symbol, caller) in programs.items():
            if not self.has(command):
                continue
            found = re.search(rf'^== {program}\n(.*?)^(\{{\n.*?^\}}\n).*?^== end (\d+)$', log, re.M | re.S)
            if not found:
                self.check(f'{name}: {program} dies and is explained', False, log)
                continue
            death = json.loads(found[2])
            here = death['run']
            expected = {'verdict': verdict, 'module': f'/{module}', 'cause': 'undefined', 'signal': 4}
            seen = {'verdict': death['verdict'], **{key: here[key] for key in ('module', 'cause', 'signal')}}
            if program == 'i386':
                expected.update(verdict='unsupported', mode=32)
                seen['mode'] = here['mode']
                finding = 'wrong-mode'
            if symbol:
                expected.update(symbol=symbol, caller=caller)
                seen.update(symbol=here['symbol'], caller=here['caller']['symbol'])
            self.check(f'{name}: {program}', seen == expected and (not finding or finding in death['findings']) and
                       here['advice'], f'{seen}\n{expected}\n{found[2]}')
            status = {'abort': 134, 'go': 2, 'child': 104, 'java': 134}.get(program, 132)
            self.check(f'{name}: {program} keeps its exit status', int(found[3]) == status, found[3])

        if verdict != 'usable':
            self.core(name, log)

    def core(self, name, log):
        for what, found in (('core', True), ('changed', False)):
            said = re.search(rf'^== {what}\n(.*?)^== end 3$', log, re.M | re.S)
            explained = json.loads(said[1])['explain'] if said else {}
            sources = explained.get('sources', [])
            self.check(f'{name}: {what}: the instruction is {"" if found else "not "}known',
                       [source['instruction'] for source in sources] == (['wrgsbase'] if found else []) and
                       ('hint' in explained) != found, said[1] if said else log)

    def all(self):
        for name, (options, verdict, finding, programs) in MACHINES.items():
            self.machine(name, options, verdict, finding, programs)
        print(f'1..{self.number}')
        return self.failures > 0


def main():
    parser = argparse.ArgumentParser()
    for option in ('init', 'command', 'victim', 'source', 'wasm2c', 'cache'):
        parser.add_argument(f'--{option}', required=True)
    with tempfile.TemporaryDirectory() as folder:
        return Deaths(parser.parse_args(), Path(folder)).all()


try:
    sys.exit(main())
except machine.Unavailable as missing:
    print(f'1..0 # SKIP {missing}')
    sys.exit(77)
