# SPDX-License-Identifier: MIT
"""Checks that the inline forms become part of their caller, whatever the compiler's options add to functions.

    inline-forms.py OBJDUMP INCLUDE SOURCE COMPILER...

A caller that runs while the FS base is foreign has no stack protector and is not instrumented. The other functions of its
unit may have both. SOURCE is compiled as C and as C++, with -O0 to -O3, position-independent and not. Each function of
INSTRUCTIONS must contain its instruction, may call only functions of LIBRARY, and must not read the canary. The unit must
not define a function of the library, because the compiler could instrument it, and other copies of the library could
bind to it.
"""
import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

INSTRUCTIONS = {'user_get_gs': 'rdgsbase', 'user_get_fs': 'rdfsbase', 'user_set_gs': 'wrgsbase', 'user_set_fs': 'wrfsbase'}
# Functions of the library that are called off the fast path.
LIBRARY = {'fsgs_get_base_value', 'fsgs_set_base', 'fsgs_ensure_base'}
LANGUAGES = {'c': 'c11', 'c++': 'c++17'}
CANARY = re.compile(r'%fs:0x28')
# Options of a unit, each with a pattern of the code that it adds to guarded(). None means that the test expects no such
# code.
ADDED = {
    '-fno-stack-protector': None,
    '-fstack-protector-strong': None,
    '-fstack-protector-all': CANARY,
    '-finstrument-functions': re.compile('__cyg_profile_func_enter'),
}


def plain(symbol):
    """The name, in the source, of a C++ symbol or of a part of a function."""
    mangled = re.match(r'_Z(\d+)', symbol)
    name = symbol[mangled.end():][:int(mangled[1])] if mangled else symbol
    return re.sub(r'\.(cold|isra|constprop|part).*', '', name)


def functions(listing):
    """The lines of each function, including relocations. A part that gcc has split off as cold belongs to its
    function."""
    found, name = {}, None
    for line in listing.splitlines():
        head = re.match(r'^[0-9a-f]+ <([^>]+)>:$', line)
        if head:
            name = plain(head[1])
        elif name:
            found.setdefault(name, []).append(line)
    return found


def called(lines):
    """The targets of calls, and of jumps that leave the function."""
    targets = set()
    for line, after in zip(lines, [*lines[1:], '']):
        if re.search(r'\t(call|jmp)', line):
            relocation = re.search(r'R_X86_64_\w+\t([.\w]+)', after)
            within = re.search(r'<([\w.]+?)(\+0x[0-9a-f]+)?>', line)
            if relocation:
                targets.add(relocation[1])
            elif within and not within[2]:
                targets.add(within[1])
    return {plain(target) for target in targets}


def look(listing):
    """The errors in a unit, as sentences."""
    found = functions(listing)
    for name, instruction in INSTRUCTIONS.items():
        body = found[name]
        others = {target for target in called(body) if target not in LIBRARY | {name} and not target.startswith('.')}
        if others:
            yield f'{name} calls {", ".join(sorted(others))}'
        if not any(re.search(rf'\t{instruction}\b', line) for line in body):
            yield f'{name} has no {instruction}'
        if any(CANARY.search(line) for line in body):
            yield f'{name} reads the canary'
    for name in found:
        if name.startswith('fsgs_'):
            yield f'{name} is a function of the unit'


def main():
    objdump, include, source, *compilers = sys.argv[1:]
    tried, wrong = 0, []
    with tempfile.TemporaryDirectory() as directory:
        unit = Path(directory, 'unit.o')
        for compiler, language, level, pic, option in itertools.product(
                compilers, LANGUAGES, ('-O0', '-O1', '-O2', '-O3'), ('-fno-pic', '-fPIC'), ADDED):
            subprocess.run([compiler, '-x', language, f'-std={LANGUAGES[language]}', '-c', level, pic, option,
                            f'-I{include}', '-DFOREIGN', source, '-o', unit], check=True, timeout=60)
            listing = subprocess.run([objdump, '-dr', '--no-show-raw-insn', unit], check=True, capture_output=True,
                                     text=True, timeout=60).stdout
            tried += 1
            said = list(look(listing))
            # Without this check, the test would pass for an option that adds nothing to the unit.
            if ADDED[option] and not ADDED[option].search('\n'.join(functions(listing)['guarded'])):
                said.append('the option is not in force')
            wrong += [f'{compiler} {language} {level} {pic} {option}: {what}' for what in said]
    print(f'{tried} builds by {", ".join(compilers)}')
    if wrong:
        raise SystemExit('\n'.join(['not ok:', *wrong]))


main()
