# SPDX-License-Identifier: MIT
"""Checks that the inline functions are compiled to a load, a test and the instruction, without a call on their fast path.

    fast-path.py OBJDUMP LIBRARY

LIBRARY is the compiled fast-path.c. Each of its functions is read from its entry, in the order in which the processor
executes it when no conditional jump is taken.
"""
import re
import subprocess
import sys

WANTED = {'user_get_gs': 'rdgsbase', 'user_get_fs': 'rdfsbase',
          'user_set_gs': 'wrgsbase', 'user_set_fs': 'wrfsbase'}
# The most instructions on the fast path: the GOT's address, the load, the test, the jump, the instruction, the store,
# two for the result or for saving a register, and RET. ENDBR, which -fcf-protection puts first, is not counted.
MOST = 9


def functions(listing):
    found, name = {}, None
    for line in listing.splitlines():
        head = re.match(r'^[0-9a-f]+ <([^>]+)>:$', line)
        insn = re.match(r'^\s+([0-9a-f]+):\s+(\S+)\s*(.*)$', line)
        if head:
            name = head.group(1)
            found[name] = []
        elif insn and name:
            found[name].append((int(insn.group(1), 16), insn.group(2), insn.group(3)))
    return found


def walk(body):
    path = []
    for address, mnemonic, operands in body:
        path.append((mnemonic, operands))
        if mnemonic.startswith('ret'):
            return path
        if mnemonic.startswith(('call', 'jmp')):
            raise SystemExit(f'not ok: {mnemonic} {operands} after {path}')
    raise SystemExit(f'not ok: no return: {path}')


def main():
    objdump, library = sys.argv[1:]
    listing = subprocess.run([objdump, '-d', '--no-show-raw-insn', library], check=True,
                             capture_output=True, text=True).stdout
    found = functions(listing)
    for name, instruction in WANTED.items():
        path = walk(found[name])
        steps = [mnemonic for mnemonic, _ in path if mnemonic != 'endbr64']
        print(f'{name}: {" ".join(steps)}')
        if steps.count(instruction) != 1 or len(steps) > MOST:
            raise SystemExit(f'not ok: {name} is not a load, a test and {instruction}')


main()
