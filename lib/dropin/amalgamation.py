# SPDX-License-Identifier: MIT
"""amalgamation.py FOLDER [DEPFILE]: writes the drop-in form, C files that any build compiles with one plain `cc -c`.

    fsgscheck.c, fsgscheck.h            the Linux library without its ring-0 half
    fsgscheck-core.c, fsgscheck-core.h  the freestanding core

The lists of source files are read from lib/meson.build. Assembly files become asm() at file scope. Every function
definition gets FSGS_PLAIN, whose attributes replace the compiler flags of lib/meson.build. The same sources always give
the same bytes.
"""

import re
import sys
from pathlib import Path

LIB = Path(__file__).resolve().parents[1]
ROOT = LIB.parent
# The headers of each form, each after the headers that it needs. The core needs no header of the Linux library.
HEADERS = {
    'fsgscheck': ['fsgscheck/version.h', 'fsgscheck/export.h', 'fsgscheck/report.h', 'fsgscheck.h', 'fsgscheck/insn.h',
                  'fsgscheck/base.h'],
    'fsgscheck-core': ['fsgscheck/version.h', 'fsgscheck/export.h', 'fsgscheck/report.h', 'fsgscheck/core.h'],
}
# The headers that assembly files can include, too.
IN_ASSEMBLY = {'fsgscheck/insn.h', 'fsgscheck/base.h'}
# The lists of source files in lib/meson.build from which each form is made.
LISTS = {
    'fsgscheck': ['decision_sources', 'core_sources', 'linux_sources', 'base_sources'],
    'fsgscheck-core': ['decision_sources', 'core_sources', 'ring0_sources'],
}
INCLUDE = re.compile(r'^ *# *include ([<"])([\w./-]+)[>"].*$')

PROLOGUE = {
    'fsgscheck': '''\
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define FSGS_BASE_LIMIT_CONST_ /* it is written here */
''',
    'fsgscheck-core': '',
}

# Definitions that the C file of each form has after it includes its own header.
NUMBERS = {
    'fsgscheck': '',
    'fsgscheck-core': '''\
#ifndef UINT64_C /* the harness's own stdint.h may have types alone */
#define UINT8_MAX   0xff
#define UINT32_C(c) c##U
#define UINT64_C(c) c##ULL
#endif
''',
}

PLAIN = '''
#if defined(__has_attribute)
#define FSGS_HAS(attribute) __has_attribute(attribute)
#else
#define FSGS_HAS(attribute) 0
#endif

/* Functions run while the FS base is foreign, before relocation, and where there is no C library. So nothing
 * that the compiler adds may use thread-local storage, and no loop may become a call of memcpy() or memset(). */
#if FSGS_HAS(no_stack_protector)
#define FSGS_NO_CANARY __attribute__((no_stack_protector))
#else
#define FSGS_NO_CANARY __attribute__((optimize("no-stack-protector")))
#endif
#if defined(__clang__)
#define FSGS_NO_LOOP_CALLS __attribute__((no_builtin("memcpy", "memset")))
#else
#define FSGS_NO_LOOP_CALLS __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif
#if FSGS_HAS(disable_sanitizer_instrumentation)
#define FSGS_NO_SANITIZER __attribute__((no_sanitize("all"), disable_sanitizer_instrumentation))
#elif FSGS_HAS(no_sanitize)
#define FSGS_NO_SANITIZER __attribute__((no_sanitize("all")))
#else
#define FSGS_NO_SANITIZER
#endif
#if FSGS_HAS(no_sanitize_coverage)
#define FSGS_NO_COVERAGE __attribute__((no_sanitize_coverage))
#elif defined(__clang__) && FSGS_HAS(no_sanitize)
#define FSGS_NO_COVERAGE __attribute__((no_sanitize("coverage")))
#else
#define FSGS_NO_COVERAGE
#endif
#if FSGS_HAS(no_profile_instrument_function)
#define FSGS_NO_PROFILE __attribute__((no_profile_instrument_function))
#else
#define FSGS_NO_PROFILE
#endif
#if FSGS_HAS(xray_never_instrument)
#define FSGS_NO_XRAY __attribute__((xray_never_instrument))
#else
#define FSGS_NO_XRAY
#endif
#if FSGS_HAS(no_split_stack) && defined(__x86_64__)
#define FSGS_NO_SPLIT_STACK __attribute__((no_split_stack))
#else
#define FSGS_NO_SPLIT_STACK
#endif
#if FSGS_HAS(externally_visible)
#define FSGS_FROM_ASSEMBLY __attribute__((externally_visible))
#else
#define FSGS_FROM_ASSEMBLY
#endif
#define FSGS_PLAIN                                                                                 \\
	__attribute__((no_instrument_function))                                                    \\
	FSGS_NO_CANARY FSGS_NO_LOOP_CALLS FSGS_NO_SANITIZER FSGS_NO_COVERAGE FSGS_NO_PROFILE       \\
	FSGS_NO_SPLIT_STACK FSGS_NO_XRAY

#if defined(__clang__) && !defined(__OPTIMIZE__)
/* It sets structures to zero by memset(): by this one, which needs no relocation. */
static void *fsgs_memset(void *to, int value, unsigned long size) __asm__("memset");
FSGS_PLAIN __attribute__((used)) static void *fsgs_memset(void *to, int value, unsigned long size)
{
	for (volatile unsigned char *at = to; size; size--)
		*at++ = (unsigned char)value;
	return to;
}
#endif

#pragma GCC diagnostic ignored "-Woverlength-strings" /* assembly */
#define FSGS_STRING(...)  FSGS_STRING_(__VA_ARGS__)
#define FSGS_STRING_(...) #__VA_ARGS__
'''


# C names that assembly refers to. Link-time optimisation does not see these references, and would drop or rename the names.
FROM_ASSEMBLY = ('fsgs_guard_handle', 'fsgs_process')


READ = set()


def read(path):
    READ.add(path.resolve())
    return path.read_text(encoding='utf-8')


def lists():
    """The files of each list in lib/meson.build. Each file comes with its preprocessor condition, or '' if it has none."""
    found, conditions, name = {}, [], ''
    for line in read(LIB / 'meson.build').splitlines():
        words = line.split()
        if words[:1] == ['if']:
            conditions.append({'if x86_64': 'defined(__x86_64__)'}.get(line.strip(), ''))
        elif words[:1] == ['else']:
            conditions[-1] = '!' + conditions[-1]
        elif words[:1] == ['endif']:
            conditions.pop()
        assigned = re.match(r'\s*(\w+_sources)\s*\+?=', line)
        name = assigned[1] if assigned else name
        for file in re.findall(r"'((?:core|linux)/[\w-]+\.[cS])'", line):
            found.setdefault(name, []).append((file, ''.join(conditions)))
    return found


def plain(text):
    """The same text with FSGS_PLAIN before each function definition.

    A line that is only `{` begins the body of a function, because clang-format puts no other brace on a line of its own.
    """
    lines = text.split('\n')
    for number in [at for at, line in enumerate(lines) if line == '{']:
        first = number - 1
        while lines[first - 1] and not re.search(r'(^#|[;}]$|\*/$)', lines[first - 1]):
            first -= 1
        lines[first] = 'FSGS_PLAIN ' + lines[first]
    return '\n'.join(lines)


class Unit:
    """The C file of one form, and the functions that add its parts one after another."""

    def __init__(self, there):
        self.there = set(there)
        self.parts = []

    def add(self, path):
        """Adds a source or header, in which the files of this tree replace their #include lines. A header is added once."""
        text = read(path)
        text = re.sub(r'\A/\* SPDX-License-Identifier: MIT \*/\n', '', text)
        kept, depth = [], 0
        for line in plain(text).split('\n'):
            depth += bool(re.match(r'# *if', line)) - line.startswith('#endif')
            include = INCLUDE.match(line)
            name = include and include[2]
            if name and include[1] == '<' and not (ROOT / 'include' / name).exists():
                kept.append(line)
            elif name:
                file = ROOT / 'include' / name if include[1] == '<' else (path.parent / name).resolve()
                # In a source, a header inside #if is not marked as added, because only some machines include it there.
                inside = path.suffix == '.c' and depth > 0
                if file.suffix == '.def' or (file not in self.there if inside else self.is_new(file)):
                    self.parts.append('\n'.join(kept))
                    kept = []
                    self.add(file)
            else:
                kept.append(line)
        self.parts.append('\n'.join(kept))

    def is_new(self, file):
        new = file not in self.there
        self.there.add(file)
        return new

    def add_source(self, file):
        """Adds a C file, and #undef lines for its macros, because the next file may define them differently."""
        path = LIB / file
        self.add(path)
        names = re.findall(r'^# *define (\w+)', read(path), re.M)
        self.parts.append(''.join(f'#undef {name}\n' for name in sorted(set(names))))

    def add_assembly(self, file):
        """Adds an assembly file as asm(): its lines as strings, but preprocessor lines and names of macros as C code."""
        path = LIB / file
        text = re.sub(r'/\*.*?\*/', '', read(path), flags=re.S)
        own = set(re.findall(r'^# *define (\w+)', text, re.M))
        lines = []
        for line in text.split('\n'):
            include = INCLUDE.match(line)
            if include and include[2] == 'cet.h':
                # C code must not include cet.h, because its macros are for assembly files only.
                lines.append('#define _CET_ENDBR endbr64')
                own.add('_CET_ENDBR')
            elif include:
                file = ROOT / 'include' / include[2] if include[1] == '<' else path.parent / include[2]
                if not file.exists():
                    self.parts.append(line + '\n')
                    own |= {'SYS_rt_sigreturn', 'SYS_arch_prctl'}
                    continue
                own |= set(re.findall(r'^# *define (\w+)', read(file), re.M))
                if self.is_new(file.resolve()):
                    self.add(file)
            elif line.startswith('#'):
                lines.append(line)
            elif line.strip():
                lines.append(as_string(line.rstrip(), own))
        macros = re.findall(r'^\s*\.macro (\w+)', text, re.M)
        lines += [f'"\\t.purgem {name}\\n"' for name in dict.fromkeys(macros)]
        self.parts.append('__asm__(\n#if defined(__ELF__)\n"\\t.pushsection .text\\n"\n#endif\n' + '\n'.join(lines)
                          + '\n#if defined(__ELF__)\n"\\t.popsection\\n"\n#endif\n);\n'
                          + ''.join(f'#undef {name}\n' for name in sorted(own & set(re.findall(r'# *define (\w+)', '\n'.join(lines))))))


def as_string(line, macros):
    """A line of assembly as C strings. The names of macros stay outside the quotes, so that they are expanded."""
    words = re.split(r'(\b[A-Z_]\w+(?:\([^()]*\))?)', line)
    made = []
    for word in words:
        name = word.split('(')[0]
        if name in macros:
            called = word if f'{name}(' in word and name == 'FSGS_GUARD' else name
            made.append(f'" FSGS_STRING({called}) "' + word[len(called):].replace('"', '\\"'))
        else:
            made.append(word.replace('\\', '\\\\').replace('"', '\\"'))
    return ('"' + ''.join(made).replace('\t', '\\t') + '\\n"').replace('"" ', '')


def notice(name, what):
    """The comment at the start of a generated file, with the licence."""
    version = '.'.join(re.findall(r'^#define FSGS_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)',
                                  read(ROOT / 'include/fsgscheck/version.h'), re.M))
    licence = read(ROOT / 'COPYING').strip()
    text = f'{name}: {what} of libfsgscheck {version}.\n\nWritten by lib/dropin/amalgamation.py: change the sources there.\n\n{licence}'
    return '/*\n' + ''.join(f' * {line}'.rstrip() + '\n' for line in text.split('\n')) + ' */\n'


def header(form):
    text = notice(f'{form}.h', 'the drop-in header')
    text += '#ifndef FSGS_STATIC\n#define FSGS_STATIC /* hidden: no other copy in the process binds to this one */\n#endif\n\n'
    for name in HEADERS[form]:
        part = read(ROOT / 'include' / name)
        part = re.sub(r'\A/\* SPDX-License-Identifier: MIT \*/\n', '', part)
        part = re.sub(r'(?m)^#include <fsgscheck.*>\n', '', part)
        text += part if name in IN_ASSEMBLY else f'#ifndef __ASSEMBLER__\n{part}#endif\n'
        text += '\n'
    return text


def source(form):
    unit = Unit((ROOT / 'include' / name).resolve() for name in HEADERS[form])
    unit.parts += [notice(f'{form}.c', 'the drop-in form'), PROLOGUE[form], PLAIN, f'#include "{form}.h"\n', NUMBERS[form]]
    files = lists()
    chosen = [file for name in LISTS[form] for file in files[name]]
    # Assembly comes last, because system headers use some of the names that it defines.
    for file, condition in sorted(chosen, key=lambda entry: entry[0].endswith('.S')):
        if condition:
            unit.parts.append(f'#if {condition}\n')
        unit.parts.append(f'/* lib/{file} */\n')
        if file.endswith('handlers.S'):
            unit.parts += [f'extern __typeof__({name}) {name} FSGS_FROM_ASSEMBLY;\n' for name in FROM_ASSEMBLY]
        (unit.add_assembly if file.endswith('.S') else unit.add_source)(file)
        if condition:
            unit.parts.append(f'#endif /* {condition} */\n')
    return re.sub(r'\n{3,}', '\n\n', '\n'.join(unit.parts))


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for form in HEADERS:
        (folder / f'{form}.h').write_text(header(form), encoding='utf-8')
        (folder / f'{form}.c').write_text(source(form), encoding='utf-8')
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text('fsgscheck.c: ' + ' '.join(map(str, sorted(READ))) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
