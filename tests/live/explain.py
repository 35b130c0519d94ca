# SPDX-License-Identifier: MIT
"""explain.py CLASS: tests one subject of `fsgscheck explain`. captures.py and pasted.py use the functions of this file."""

import fcntl
import glob
import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
import termios
import time
import unittest

from support import INSNS, STATUS, parts

COMMAND = os.environ['FSGSCHECK']
VICTIM = os.environ.get('VICTIM', '')
HERE = os.path.dirname(os.path.abspath(__file__))
OWN = os.path.join(HERE, 'logs')
MACHINES = os.path.join(HERE, '..', 'machines', 'logs')


def explain(*arguments, text=None):
    data = text.encode() if isinstance(text, str) else text
    return subprocess.run([COMMAND, 'explain', *arguments], input=data, capture_output=True,
                          stdin=subprocess.DEVNULL if data is None else None, timeout=60)


def peak_memory(files):
    """Returns the command's peak memory in KiB when it has read the files. The command reads standard input last. The
    input is larger than a pipe's buffer, so the write returns only after the command has read the files."""
    with subprocess.Popen([COMMAND, 'explain', *files, '-'], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL) as child:
        child.stdin.write(b'\n' * (1 << 20))
        child.stdin.flush()
        with open(f'/proc/{child.pid}/status', encoding='ascii') as status:
            return int(re.search(r'VmHWM:\s+(\d+)', status.read())[1])


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def machine_logs(pattern):
    return sorted(glob.glob(os.path.join(MACHINES, pattern)))


HEAD = '''\
Linux version 6.1.0-56-amd64 (builder@forge) (gcc 12.2.0) #1 SMP PREEMPT_DYNAMIC
Command line: console=ttyS0
Hypervisor detected: Microsoft Hyper-V
Hyper-V: Host Build 10.0.20348.0-0-0
'''


def dump(code='f3 48 0f ae c0 48 89 83', cr4='00000000001506f0', symbol='current_save_fsgs+0x38/0xa0',
         rdi='ffff8a60c1414c80', selector='0010'):
    return f'''\
RIP: {selector}:{symbol}
Code: 66 8c e8 66 89 83 26 15 00 00 0f 1f 44 00 00 <{code[:2]}>{code[2:]}
RSP: 0000:ffffffffade03d00 EFLAGS: 00000046
RAX: 0000000000000000 RBX: ffffffffade1aa40 RCX: 0000000000000000
RDX: ffffffffade1aa40 RSI: ffffffffade03e68 RDI: {rdi}
RBP: 0000000000000246 R08: 0000000000000000 R09: 0000000000000000
R10: 0000000000000000 R11: 0000000000000000 R12: ffffcc4680017f58
R13: 0000000000800300 R14: ffffcc4680014000 R15: 0000000000000000
FS:  0000000000000000(0000) GS:ffff8a60df200000(0000) knlGS:0000000000000000
CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033
CR2: ffff8a60dfdff000 CR3: 000000001c010000 CR4: {cr4}
'''


def crash(header='invalid opcode: 0000 [#1] PREEMPT SMP NOPTI', who='0 PID: 0 Comm: swapper/0',
          release='6.1.0-56-amd64', **other):
    return f'''\
{header}
CPU: {who} Not tainted {release} #1  Debian 6.1.192-2
Hardware name: Microsoft Corporation Virtual Machine
{dump(**other)}Call Trace:
 copy_thread+0x9b/0x280
---[ end trace 0000000000000000 ]---
'''


STORY = HEAD + crash()


class Case(unittest.TestCase):
    def report(self, text=None, *files):
        done = explain('--json', *(files or ('-',)), text=text)
        self.assertEqual(done.stderr, b'')
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, STATUS[report['verdict']])
        return report

    def expect(self, text, verdict, findings=(), instruction=None):
        report = self.report(text)
        self.assertEqual((report['verdict'], report['findings']), (verdict, list(findings)), text)
        if instruction:
            self.assertEqual(report['explain']['sources'][0]['instruction'], instruction)
        return report

    def expect_nothing(self, text):
        report = self.report(text)
        self.assertFalse(report['explain']['evidence'], text)
        return report


class Story(Case):
    """The logs of several kernels in each mode of the defective host (lie, drop, refuse ...): the verdict, the finding, and
    the advice."""

    def logs(self, pattern):
        logs = machine_logs(pattern)
        if len(logs) < 2:
            self.skipTest('no such logs in tests/machines/logs')
        return logs

    def crash_logs(self, mode, finding):
        for log in self.logs(f'{mode}-6*.log'):
            with self.subTest(log):
                report = self.report(None, log)
                source = report['explain']['sources'][0]
                self.assertEqual(report['verdict'], 'broken')
                self.assertEqual(report['findings'], [finding])
                self.assertEqual(len(report['explain']['sources']), 1)
                self.assertEqual(report['kernel']['release'],
                                 re.search(rb'Linux version (\S+)', read(log))[1].decode())
                self.assertEqual(report['cpuid']['hypervisor'], 'Microsoft Hv')
                yield report, source, explain(log).stdout.decode()

    def test_lie(self):
        for report, source, page in self.crash_logs('lie', 'insn-ud'):
            self.assertEqual(source['instruction'], 'rdfsbase')
            self.assertIn('current_save_fsgs+0x3', source['symbol'])
            self.assertEqual(int(source['cr4'], 16) >> 16 & 1, 1)
            self.assertEqual(report['trials']['rdfsbase']['outcome'], 'undefined')
            for word in ('FSGSBASE: broken', 'insn-ud', 'rdfsbase', 'f3 48 0f ae c0', 'CR4',
                         'PSE PAE', 'FSGSBASE OSXSAVE', 'current_save_fsgs', 'Microsoft Hv'):
                self.assertIn(word, page)
            steps = report['advice'].split('\n')
            self.assertRegex(steps[0], '^Guest: .*nofsgsbase')
            self.assertRegex(report['advice'], r'SSE4.*x86-64-v2.*\n    Set-VMProcessor -VMName NAME')

    def test_drop(self):
        for report, source, page in self.crash_logs('drop', 'cr4-dropped'):
            self.assertEqual(source['instruction'], 'rdfsbase')
            self.assertNotIn('FSGSBASE', source['cr4_bits'])
            self.assertIn('FSGSBASE (bit 16) is clear', page)

    def test_refuse(self):
        for report, source, page in self.crash_logs('refuse', 'cr4-refused'):
            self.assertIsNone(source['instruction'])
            self.assertIn('native_write_cr4', source['symbol'])
            self.assertRegex(report['advice'], '^Guest: .*nofsgsbase')

    def test_nofsgsbase(self):
        for log in self.logs('lie-nofsgsbase-*.log'):
            report = self.report(None, log)
            self.assertEqual(report['verdict'], 'disabled')
            self.assertEqual(report['findings'], ['switched-off', 'unproven', 'upgrade-risk'])
            self.assertEqual(report['cpuid']['vendor'], 'AuthenticAMD')
            self.assertEqual(report['cpuid']['family'], 23)
            self.assertEqual(report['cpuid']['hypervisor_build'], 20348)
            self.assertRegex(report['advice'], 'keep nofsgsbase')

    def test_healthy(self):
        for log in self.logs('honest-*.log') + self.logs('hide-*.log'):
            done = explain(log)
            self.assertEqual(done.returncode, 3)
            self.assertIn(b'no evidence of FSGSBASE here', done.stdout)


class Unrelated(Case):
    """Crashes with other causes, and the kernel's lines about programs that crashed, are not evidence."""

    def test_ten(self):
        logs = glob.glob(os.path.join(OWN, 'unrelated-*.log'))
        self.assertEqual(len(logs), 10)
        for log in logs:
            with self.subTest(log):
                report = self.report(None, log)
                self.assertFalse(report['explain']['evidence'])
                self.assertIn(b'no evidence of FSGSBASE here', explain(log).stdout)
                self.assertEqual(report['explain']['crashes'],
                                 0 if 'user' in log or 'lockup' in log else 1)

    def test_together(self):
        text = b''.join(map(read, sorted(glob.glob(os.path.join(OWN, 'unrelated-*.log')))))
        seen = self.expect_nothing(text)['explain']
        self.assertGreaterEqual(seen['other_crashes'], 7)  # a panic can count as the end of a crash in the log before it
        self.assertEqual(seen['other_crashes'], seen['crashes'])

    def test_around_ours(self):
        text = b''.join(map(read, sorted(glob.glob(os.path.join(OWN, 'unrelated-*.log')))))
        self.expect(text + STORY.encode() + text, 'broken', ['insn-ud'])

    def test_other_cr4_write(self):
        """A fault of a write to CR4 is not evidence if the write sets UMIP and not FSGSBASE, or if FSGSBASE was set
        already."""
        for value in ('00000000000008b0', '0000000000010000'):
            self.expect_nothing(HEAD + crash('PANIC: early exception 0x0d IP 10:ffffffffa2c46272 error 0',
                                             code='0f 22 e7 eb 1a', rdi=value,
                                             cr4='00000000000100b0', symbol='native_write_cr4+0x2/0x60'))

    def test_program_in_kernel_dump(self):
        """The dump of a crash in a system call also shows the instruction bytes of the program (RIP: 0033). These are not
        evidence."""
        text = crash(code='0f 0b 41 f7') + dump(selector='0033', symbol='0x7f4c1d3b1a57')
        self.expect_nothing(HEAD + text)

    def test_32_bit_kernel(self):
        self.expect_nothing(crash().replace('RIP: 0010:', 'EIP: 0060:'))

    def test_empty_and_binary(self):
        self.expect_nothing('')
        self.expect_nothing(bytes(range(256)) * 300)
        self.expect_nothing(b'\n' * 10000)
        self.expect_nothing(b'x' * 100000)


class Evidence(Case):
    """What a log proves, and what `explain` must leave open."""

    def note(self, text, verdict, word, findings=()):
        report = self.expect(text, verdict, findings)
        notes = [n for s in report['explain']['sources'] for n in s['notes']]
        self.assertTrue(any(word in n for n in notes), notes)

    def test_wordings(self):
        for header in ('invalid opcode: 0000 [#1] PREEMPT SMP NOPTI', 'invalid opcode: 0000 [#1] SMP',
                       'Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI', 'invalid opcode: 0000 [#12]',
                       'PANIC: early exception 0x06 IP 10:ffffffff9765b7f6 error 0 cr2 0xffff8a9fdfdff000',
                       'PANIC: early exception 06 rip 10:ffffffff9765b7f6 error 0 cr2 ffff8a9fdfdff000'):
            self.expect(HEAD + crash(header), 'broken', ['insn-ud'], 'rdfsbase')
        for header in ('PANIC: early exception 0x0d IP 10:ffffffff9765b7f6 error 0 cr2 0x0',
                       'general protection fault: 0000 [#1] SMP',
                       'general protection fault, maybe for address 0x0: 0000 [#1] PREEMPT SMP',
                       'Oops: general protection fault: 0000 [#1] PREEMPT SMP'):
            self.expect(HEAD + crash(header, code='0f 22 e7 eb', rdi='00000000000100b0',
                                     cr4='00000000000000b0', symbol='native_write_cr4+0x6/0x60'),
                        'broken', ['cr4-refused'])

    # `explain` finds the evidence after much other text, and in each of many files.
    def test_late(self):
        before = ''.join(f'usb 1-{i}: new high-speed USB device\n' for i in range(5000))
        for text in (before + STORY, STORY * 200):
            seen = self.report(text)
            self.assertEqual([(source['verdict'], source['findings']) for source in seen['explain']['sources']],
                             [('broken', ['insn-ud'])])
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, f'{i}.log') for i in range(200)]
            for file in files:
                with open(file, 'w', encoding='ascii') as out:
                    out.write(STORY)
            self.assertEqual([source['count'] for source in self.report(None, *files)['explain']['sources']], [200])

    def test_cr4(self):
        self.expect(HEAD + crash(cr4='00000000001406b0'), 'broken', ['cr4-dropped'], 'rdfsbase')
        self.note(HEAD + crash(cr4='0000000000'), 'broken', 'CR4 is missing')

    def test_no_header(self):
        """A dump without its first line is sufficient evidence only if other lines show that the kernel ended a task or
        panicked."""
        text = HEAD + '\n'.join(crash().split('\n')[1:])
        self.note(text, 'broken', 'why the kernel stopped is missing', ['insn-ud'])
        text = text.replace('---[ end trace', '---[ end of').replace('00000046', '00000246')
        self.note(text, 'unknown', 'why the kernel stopped is missing')
        self.note(text + 'Kernel panic - not syncing: Attempted to kill the idle task!\n', 'broken',
                  'why the kernel stopped is missing', ['insn-ud'])
        for sample in ('NMI backtrace for cpu 0', 'watchdog: BUG: soft lockup - CPU#3 stuck for 22s!',
                       'sysrq: Show Regs'):
            self.expect_nothing(HEAD + sample + '\n' + text[len(HEAD):])

    def test_code_cut_off(self):
        for code in ('f3', 'f3 48', 'f3 48 0f', 'f3 48 0f ae'):
            self.note(HEAD + crash(code=code), 'unknown', 'missing, cut off or misread')
            self.expect_nothing(HEAD + crash(code=code, symbol='do_something+0x1/0x2'))

    def test_right_edge(self):
        """The last 24 lines of a screen of 80 columns, with the right edge cut off, as in a photograph."""
        for log in machine_logs('lie-6*.log'):
            lines = [line[at:at + 80] for line in read(log).decode().splitlines() if line.startswith('[')
                     for at in range(0, len(line), 80)]
            for width in range(66, 81):
                report = self.report('\n'.join(line[:width] for line in lines[-24:]) + '\n')
                self.assertTrue(report['explain']['evidence'], (log, width))
                self.assertIn(report['verdict'], ('broken', 'unknown'), (log, width))
            self.assertEqual(report['verdict'], 'broken', log)
            report = self.expect_nothing('\n'.join(lines[-10:]) + '\n')
            self.assertEqual(report['explain']['unread_crashes'], 1, log)

    def test_not_enabled(self):
        clear = {'cr4': '00000000001406b0'}
        self.expect(crash(release='5.4.0-42-generic', **clear), 'broken', ['cr4-dropped'])
        self.note(crash(symbol='init_module+0x8/0x20 [gsbase]', **clear), 'unknown', 'must raise invalid opcode')
        self.note(HEAD + 'FSGSBASE disabled via kernel command line\n' + crash(**clear), 'disabled',
                  'must raise invalid opcode', ['switched-off', 'unproven'])
        self.note(crash(symbol='init_module+0x8/0x20 [gsbase]'), 'broken', 'is in a module',
                  ['insn-ud'])

    def test_no_symbol(self):
        """If the symbol is cut off, the code may be that of a module. With CR4.FSGSBASE clear, invalid opcode is right for a
        module, so the verdict is unknown. With the bit set, the symbol does not matter."""
        for symbol in ('', 'current_save', '0xffffffff8107a1c0'):
            self.note(HEAD + crash(cr4='00000000001406b0', symbol=symbol), 'unknown', 'missing or cut off')
            self.note(HEAD + crash(cr4='0000', symbol=symbol), 'unknown', 'missing or cut off')
            self.expect(HEAD + crash(symbol=symbol), 'broken', ['insn-ud'])
        self.note(crash(cr4='00000000001406b0', symbol='a' * 120 + '+0x8/0x20 [m]'), 'unknown', 'must raise')

    def test_refused_with_others(self):
        gp = {'header': 'general protection fault: 0000 [#1] SMP', 'code': '0f 22 e7 eb',
              'symbol': 'native_write_cr4+0x6/0x60'}
        self.note(HEAD + crash(rdi='0000000000150ef0', cr4='00000000000006b0', **gp), 'unknown',
                  'and other bits')
        self.note(HEAD + crash(rdi='00000000', cr4='00000000000006b0', **gp), 'unknown', 'does not show')
        self.note(HEAD + crash(rdi='0000000000150ef0', cr4='0000', **gp), 'unknown', 'does not show')

    def test_pinned(self):
        warning = ('------------[ cut here ]------------\npinned CR4 bits changed: 0x%x!?\n'
                   'WARNING: CPU: %d PID: %d at arch/x86/kernel/cpu/common.c:449 native_write_cr4+0x53/0x60\n'
                   'CPU: %d PID: %d Comm: swapper/1 Not tainted 6.1.0-56-amd64 #1\n')
        self.expect(HEAD + warning % (0x10000, 1, 0, 1, 0), 'inconsistent', ['cpus-differ'])
        self.note(HEAD + warning % (0x10000, 0, 812, 0, 812), 'unknown', 'restored CR4.FSGSBASE')
        self.expect_nothing(HEAD + warning % (0x800, 1, 0, 1, 0))

    def test_clearcpuid(self):
        self.note(HEAD + 'Clearing CPUID bits: fsgsbase\n', 'unknown', 'cleared the feature')
        self.expect_nothing(HEAD + 'Clearing CPUID bits: smap\n')

    def test_quoted_source(self):
        self.expect_nothing('pr_info("FSGSBASE disabled via kernel command line\\n");\n')

    def test_hypervisors(self):
        for name, signature, word in (('KVM', 'KVMKVMKVM', '-cpu MODEL,-fsgsbase'),
                                      ('VMware', 'VMwareVMware', 'EVC'),
                                      ('Xen HVM', 'XenVMMXenVMM', 'fsgsbase=0')):
            report = self.expect(STORY.replace('Microsoft Hyper-V', name), 'broken', ['insn-ud'])
            self.assertEqual(report['cpuid']['hypervisor'], signature)
            self.assertIn(word, report['advice'])

    def test_builds(self):
        for line in ('Hyper-V: Host Build 10.0.14393.0-0-0', 'Hyper-V Host Build:14393-10.0-0-0.0'):
            report = self.report(STORY.replace('Hyper-V: Host Build 10.0.20348.0-0-0', line))
            self.assertEqual(report['cpuid']['hypervisor_build'], 14393)

    def test_several(self):
        other = STORY.replace('6.1.0-56', '6.12.1').replace('1506f0', '1406f0')
        report = self.report(STORY * 3 + other)
        self.assertEqual([s['findings'] for s in report['explain']['sources']],
                         [['insn-ud'], ['cr4-dropped']])
        self.assertEqual([s['count'] for s in report['explain']['sources']], [3, 1])
        self.assertEqual([s['kernel'] for s in report['explain']['sources']],
                         ['6.1.0-56-amd64', '6.12.1-amd64'])


class Encodings(Case):
    """`explain` recognises every form of the four instructions, and does not take neighbouring opcodes for them."""

    def test_insns(self):
        for digit, name in enumerate(INSNS):
            for rex in ('', *(f'{r:02x} ' for r in range(0x40, 0x50))):
                for register in (0, 4, 7):
                    code = f'f3 {rex}0f ae {0xc0 | digit << 3 | register:02x}'
                    self.expect(HEAD + crash(code=code), 'broken', ['insn-ud'], name)

    def test_prefixes(self):
        for code in ('66 f3 48 0f ae c8', 'f2 f3 0f ae c8', '65 f3 4c 0f ae c8', 'f3 67 48 0f ae c8'):
            self.expect(HEAD + crash(code=code), 'broken', ['insn-ud'], 'rdgsbase')

    def test_neighbours(self):
        for code in ('f0 f3 48 0f ae c0',        # with LOCK
                     'f3 f2 48 0f ae c0',        # F2 overrides F3
                     '48 0f ae c0', '0f ae c0',  # no F3
                     'f3 48 0f ae 00', 'f3 48 0f ae 40 08', 'f3 48 0f ae 98 00 00 00 00',  # memory
                     'f3 48 0f ae e0', 'f3 48 0f ae e8', 'f3 0f ae f0', 'f3 0f ae f8',  # /4 to /7
                     'f3 48 0f af c0', 'f3 48 0e ae c0', 'f3 48 f3 0f ae', '0f 0b', '67 0f b9 40 12'):
            self.expect_nothing(HEAD + crash(code=code, symbol='aes_init+0x1/0x2'))

    def test_cr4_writes(self):
        registers = {'0f 22 e0': 'RAX', '0f 22 e1': 'RCX', '0f 22 e7': 'RDI', '41 0f 22 e2': 'R10',
                     '48 0f 22 e6': 'RSI'}
        base = crash('general protection fault: 0000 [#1] SMP', code='0f 22 e7',
                     cr4='00000000000006b0', symbol='native_write_cr4+0x6/0x60')
        for code, register in registers.items():
            text = base.replace('<0f> 22 e7', f'<{code[:2]}>{code[2:]} eb 1a')
            text = re.sub(rf'{register}: \w{{16}}', f'{register}: 00000000000106b0', text)
            self.expect(HEAD + text, 'broken', ['cr4-refused'])
        every = re.sub(r'(R\w\w): \w{16}', r'\1: 00000000000106b0', base)
        for code in ('0f 22 d8', '0f 20 e0', '44 0f 22 e0', '0f 23 e0'):
            self.expect_nothing(HEAD + every.replace('<0f> 22 e7', f'<{code[:2]}>{code[2:]}'))


class Forms(Case):
    """The same crash in the forms that consoles give to text: prefixes, line ends, colours, mixed and cut lines."""

    def same(self, text):
        return self.expect(text, 'broken', ['insn-ud'], 'rdfsbase')['explain']

    def lines(self, put):
        return ''.join(put(line, n) for n, line in enumerate(STORY.splitlines()))

    def test_prefixes(self):
        for prefix in ('[    0.504566] ', '<4>[    0.504566] ', '<4>',
                       'Jul 23 10:11:12 vm7 kernel: ', '2025-07-23T10:11:12.123456+02:00 vm7 kernel: ',
                       'Jul 23 10:11:12 vm7 kernel: [    0.504566] ', '[Wed Jul 23 10:11:12 2025] ',
                       '[    0.504566][    T0] ', '[    0.504566] [C0] ', '0x3f8| '):
            self.same(self.lines(lambda line, n: f'{prefix}{line}\n'))

    def test_line_ends(self):
        for end in ('\n', '\r\n', '\n\r', '\r', '\r\r\n'):
            seen = self.same(self.lines(lambda line, n: line + end))
            self.assertEqual(seen['lines'], STORY.count('\n') * end.count('\r' if '\r' in end else '\n'))
            self.assertEqual(self.same(self.lines(lambda line, n: line + end) * 3)['sources'][0]['count'], 3)
        self.same(STORY.rstrip('\n'))
        for text, lines in (('a\r\n\r\n\r\nb\r\n', 4), ('a\n\n\nb', 4), ('a\r\r\rb\r', 4), ('\n\r\n\r', 2)):
            self.assertEqual(self.expect_nothing(text)['explain']['lines'], lines)

    def test_colours(self):
        self.same(self.lines(lambda line, n: f'\033[32m[    0.5] \033[0m\033[33m{line}\033[0m\n'))
        self.same(re.sub(r'(\w+: )', '\033[1;31m\\1\033[0m', STORY))
        self.same('\033[2J\033[01;01H\033[=3h' + STORY)

    def test_interleaved(self):
        """The lines of two crashing CPUs alternate, and the caller ([T0], [C3]) in each line tells them apart. Then one
        crash alternates with other messages."""
        other = HEAD + crash(code='0f 0b 66 90', who='1 PID: 7 Comm: x', symbol='slab_free+0x1/0x2',
                             cr4='00000000001406b0')
        pairs = list(zip(STORY.splitlines(), other.splitlines()))
        for body in ([f'[    0.5][    T0] {a}\n[    0.5][   T77] {b}\n' for a, b in pairs],
                     [f'[    0.5][   C3] {b}\n[    0.5][    C0] {a}\n' for a, b in pairs]):
            self.assertEqual(self.same(''.join(body))['other_crashes'], 1)
        self.same(self.lines(lambda line, n: f'{line}\nusb 1-1: new high-speed USB device number {n}\n'))

    def test_warning_in_between(self):
        """Another CPU's warning, with its own registers, follows the first line of the crash."""
        warning = 'WARNING: CPU: 1 PID: 9 at kernel/x.c:1 x+0x1/0x2\n' + dump('0f 0b 66', symbol='x+0x1/0x2',
                                                                            cr4='00000000001406b0')
        header, rest = crash().split('\n', 1)
        self.same(HEAD + header + '\n' + warning + rest)

    def test_truncated_lines(self):
        """The dump is cut off at the right edge, but the crash repeats the dump, whole, after the trace."""
        cut = ''.join(line[:28] + '\n' for line in dump().splitlines())
        self.same(HEAD + crash().replace(dump(), cut) + dump())
        self.same(HEAD + crash(cr4='00000000') + dump())

    def test_cut_anywhere(self):
        """Wherever the log ends, the verdict is `unknown`, or `broken` with the lines that prove it still in the log."""
        for end in range(len(HEAD), len(STORY), 7):
            report = self.report(STORY[:end])
            self.assertIn(report['verdict'], ('unknown', 'broken'))
            if report['verdict'] == 'broken':
                self.assertIn('<f3> 48 0f ae c0', STORY[:end])
                self.assertIn(report['findings'], ([], ['insn-ud']))
                self.assertIn('RIP: 0010:current_save_fsgs+0x38/0xa0', STORY[:end])

    def test_pieces(self):
        """The output does not depend on the sizes of the pieces in which the input arrives."""
        whole = explain('-', text=STORY).stdout
        for size in (1, 2, 3, 7, 64, 1000):
            child = subprocess.Popen([COMMAND, 'explain', '-'], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, bufsize=0)
            for at in range(0, len(STORY), size):
                child.stdin.write(STORY[at:at + size].encode())
                while fcntl.ioctl(child.stdin, termios.FIONREAD, b'\0\0\0\0') != b'\0\0\0\0':
                    time.sleep(0)
            self.assertEqual(child.communicate()[0], whole)

    def test_terminal(self):
        """Control sequences in a file must not reach the terminal."""
        out = explain('-', text=STORY.replace('current_save', 'a\x07\x9b\x1b]0;x\x07')).stdout
        self.assertNotIn(b'\x1b', out)
        self.assertNotIn(b'\x07', out)


class Cpuinfo(Case):
    AMD = os.path.join(OWN, 'cpuinfo-epyc-7281.txt')
    INTEL = os.path.join(OWN, 'cpuinfo-xeon-e5-2620.txt')

    def test_upgrade_risk(self):
        report = self.report(None, self.AMD)
        self.assertEqual(report['verdict'], 'unknown')
        self.assertEqual(report['findings'], ['unproven', 'upgrade-risk'])
        self.assertEqual(report['cpuinfo_flag'], True)
        self.assertIsNone(report['hwcap2']['fsgsbase'])
        self.assertIsNone(report['cpuid']['fsgsbase'])
        self.assertRegex(report['advice'], '^Guest: run the fsgscheck boot image .* before you upgrade')
        self.assertTrue(any('suggest Hyper-V' in n for n in report['explain']['sources'][0]['notes']))

    def test_table(self):
        done = explain(self.AMD, self.INTEL)
        page = done.stdout.decode()
        self.assertEqual(done.returncode, 3)
        for row in (r'\* vendor +AuthenticAMD +GenuineIntel', r'\* processor +AMD EPYC 7281 16-Core +Intel',
                    r'\* family/model/stepping +23/1/2 +6/63/2', r'  cpuinfo +yes +yes',
                    r'  microcode +0xffffffff +0xffffffff', r'  hypervisor +Microsoft Hv \(inferred\)'):
            self.assertRegex(page, row)
        self.assertEqual(page.count('upgrade-risk:'), 1)
        self.assertRegex(page, 'What the differences .* prove, and what they do not prove')

    def test_without_the_trait(self):
        text = read(self.AMD).replace(b'0xffffffff', b'0x8001250')
        self.expect(text, 'unknown', ['unproven'])

    def test_without_the_flag(self):
        report = self.expect(read(self.AMD).replace(b' fsgsbase', b''), 'unknown')
        self.assertEqual(report['cpuinfo_flag'], False)

    def test_cpus_differ(self):
        one = read(self.AMD)
        two = one.replace(b'processor : 0', b'processor : 1').replace(b' fsgsbase', b'')
        report = self.expect(one + b'\n' + two, 'inconsistent', ['cpus-differ'])
        self.assertEqual(report['explain']['machines'], 1)

    def test_two_in_one_file(self):
        report = self.report(read(self.AMD) + b'\n' + read(self.INTEL))
        self.assertEqual(report['explain']['machines'], 2)

    def test_own(self):
        if not os.path.exists('/proc/cpuinfo') or os.uname().machine != 'x86_64':
            self.skipTest('no x86 cpuinfo here')
        report = self.report(None, '/proc/cpuinfo')
        self.assertEqual(report['cpuinfo_flag'], b' fsgsbase' in read('/proc/cpuinfo'))

    def test_other_architecture(self):
        self.expect_nothing('processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\n'
                            'CPU implementer\t: 0x41\n')


def report_text(verdict='usable', findings=(), host=None, indent=None, **other):
    report = {'schema': 1, 'verdict': verdict, 'fs': verdict, 'gs': verdict, 'proof': 'tried',
              'findings': list(findings), 'cpuid': {'vendor': 'AuthenticAMD', 'hypervisor': 'KVMKVMKVM'},
              'kernel': {'release': '6.1.0'}, **other}
    if host:
        report['host'] = host
    return json.dumps(report, indent=indent)


class Reports(Case):
    """The command's own JSON as input: one report or many."""

    def test_round_trip(self):
        own = subprocess.run([COMMAND, '--json'], capture_output=True, timeout=30).stdout
        again = self.report(own)
        for key in ('verdict', 'fs', 'gs', 'proof', 'findings', 'cpuid', 'hwcap2', 'cpuinfo_flag',
                    'access', 'kernel', 'reason', 'advice'):
            self.assertEqual(again[key], json.loads(own)[key], key)

    def test_own_output(self):
        """If `explain` reads its own JSON about a crash, it gives the same verdict and advice again."""
        first = explain('--json', '-', text=STORY).stdout
        again = self.report(first)
        for key in ('verdict', 'findings', 'reason', 'advice'):
            self.assertEqual(again[key], json.loads(first)[key], key)

    def test_forms(self):
        one, two = report_text(indent=2), report_text('broken', ['insn-ud'], 'b')
        for text in (f'{one}\n{two}\n', f'{one}{two}', f'[{one},\n{two}]\n', f'{two}\n{one}',
                     f'{one} , {two}', f'{STORY}{one}\n{two}\n', '\r\n'.join((one + '\n' + two).split('\n'))):
            report = self.report(text)
            self.assertEqual(report['verdict'], 'broken', text)

    def test_one_line_array(self):
        self.assertEqual(self.report('[\n' + report_text('disabled') + ']\n')['verdict'], 'disabled')

    def test_others(self):
        """Other JSON, other schemas and damaged JSON do not count as reports. `explain` still reads the text after them."""
        for text in ('{}', '{"verdict": "broken"}', '{"schema": 2, "verdict": "broken"}',
                     '{"schema": 1, "verdict": "broken"', '{"schema": 1, "verdict": "broken",}',
                     '{"schema": 1, "verdict" "broken"}', '{"a": {"schema": 1, "verdict": "broken"}}',
                     '{"schema": 01, "verdict": "broken"}', '{"schema": 1, "verdict": "bro\nken"}',
                     '{' * 100, '{"a":' * 100, '{"schema": 1, "verdict": "broken"]', '{"\\u12"}'):
            self.expect_nothing(text)
            self.expect(text + '\n' + STORY if '\n' not in text and text.endswith('}') else STORY,
                        'broken', ['insn-ud'])

    def test_log_after_brace(self):
        self.expect('{\n' + STORY, 'broken', ['insn-ud'])
        self.expect(STORY.replace('\nCPU: ', '\n{\nCPU: ', 1), 'broken', ['insn-ud'])

    def test_strings(self):
        report = self.report(report_text(cpuid={'vendor': 'x' * 500, 'brand': 'a"\\\u00e9\U0001f600\n'}))
        self.assertEqual(report['cpuid']['vendor'], 'x' * 15)
        self.assertEqual(report['cpuid']['brand'], 'a"\\\u00e9\U0001f600?')

    def test_first_line(self):
        """A crash inside one long line of JSON has the line number of that line."""
        report = self.report(json.dumps({'Output': STORY * 4, 'pad': 'x' * 20000}))
        self.assertEqual(report['explain']['sources'][0]['line'], 1)

    def test_long_line(self):
        text = report_text('broken', ['insn-ud'], notes=['x' * 1000] * 300)
        self.assertEqual(self.report(text)['verdict'], 'broken')

    def test_later_version(self):
        self.expect(report_text('usable', ['from-the-future']), 'usable')
        self.expect(report_text('from-the-future'), 'unknown')

    def test_image(self):
        line = 'fsgscheck: verdict=broken findings=insn-ud,cr4-unenforced cpus=4\r\n'
        report = self.expect('TAP version 13\n' + line, 'broken', ['insn-ud', 'cr4-unenforced'])
        self.assertRegex(report['advice'], '^Guest: .*nofsgsbase')
        report = self.report('# processor: AMD EPYC 7281 (family 23, model 1, stepping 2)\n'
                             '# hypervisor: Microsoft Hv, version 10.0, build 20348\n' + line)
        self.assertEqual(report['cpuid']['vendor'], 'AuthenticAMD')
        self.assertEqual(report['cpuid']['family'], 23)
        self.assertEqual(report['cpuid']['hypervisor_build'], 20348)
        self.assertIn('CompatibilityForMigrationEnabled', report['advice'])
        self.expect('fsgscheck: verdict=usable findings= cpus=1\n', 'usable')
        # The line does not say what is inconsistent. If the CPUs agree, it was a test that was repeated.
        said = explain('-', text=b'fsgscheck: verdict=inconsistent findings= cpus=1\n').stdout
        self.assertIn(b'Repeated tests on this machine gave different results.', said)
        self.assertIn(b'1. Host: the machine changed during the test.', said)
        self.expect_nothing('fsgscheck: verdict=usable findings=\n')
        self.expect_nothing('fsgscheck: verdict=nonsense findings= cpus=1\n')

    def test_weight(self):
        """`usable` outweighs a /proc/cpuinfo, `unknown` outweighs `usable`, and `broken` outweighs `inconsistent`."""
        cpuinfo = read(Cpuinfo.AMD).decode()
        self.assertEqual(self.report(report_text() + '\n' + cpuinfo)['verdict'], 'usable')
        self.assertEqual(self.report(report_text() + '\n' + report_text('unknown'))['verdict'], 'unknown')
        self.assertEqual(self.report(report_text('inconsistent') + '\n' + report_text('broken'))['verdict'],
                         'broken')


class Fleet(Case):
    """A table of 10,000 hosts takes less than 2 s of processor time and 8 MiB of memory."""
    HOSTS = 10000

    def make(self, folder):
        odd = {17: ('broken', ['insn-ud']), 4711: ('inconsistent', ['cpus-differ']), 9999: ('unknown', [])}
        files = []
        own = json.loads(subprocess.run([COMMAND, '--json'], capture_output=True, timeout=30).stdout)
        for i in range(self.HOSTS):
            own['verdict'], own['findings'] = odd.get(i, ('usable', []))
            files.append(os.path.join(folder, f'host{i}.json'))
            with open(files[-1], 'w') as file:
                json.dump(own, file, indent=2)
        return files

    def test_merge(self):
        with tempfile.TemporaryDirectory() as folder:
            files = self.make(folder)
            start = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
            done = explain(*files)
            took = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - start
            page = done.stdout.decode()
            report = self.report(None, *files)
            peak = peak_memory(files)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(page, rf'{self.HOSTS} machines\n')
        self.assertRegex(page, r'usable +9997\n')
        self.assertRegex(page, r'1 machine: FSGSBASE: broken, the host')
        for host in ('host17', 'host4711', 'host9999'):
            self.assertRegex(page, rf'\b{host}\b')
        self.assertNotRegex(page, r'\bhost18\b')
        self.assertEqual(report['explain']['verdicts']['usable'], 9997)
        self.assertEqual([o['host'] for o in report['explain']['odd']], ['host17', 'host4711', 'host9999'])
        print(f'{self.HOSTS} files in {took:.2f} s, peak {peak} KiB')
        self.assertLess(took, 2)
        self.assertLess(peak, 8 * 1024)

    def test_stream(self):
        text = '\n'.join(report_text('broken' if i == 3 else 'usable', host=f'web{i}')
                         for i in range(self.HOSTS))
        report = self.report(text)
        self.assertEqual(report['explain']['odd'], [{'host': 'web3', 'verdict': 'broken'}])


class Programs(Case):
    """What gdb, Go, the JVM and others print about a program that died at one of the instructions."""

    def source(self, name):
        return self.report(read(os.path.join(OWN, f'program-{name}.txt')))

    def test_logs(self):
        for name, verdict in (('gdb', 'unknown'), ('go', 'unknown'), ('jvm', 'unknown'), ('valgrind', 'unsupported')):
            report = self.source(name)
            source = report['explain']['sources'][0]
            self.assertEqual((report['verdict'], source['kind'], source['instruction']), (verdict, 'program', 'wrgsbase'),
                             name)
            if verdict == 'unknown':
                self.assertIn('machine', source['missing'], name)
        self.assertEqual(self.source('gdb')['explain']['sources'][0]['symbol'], 'execute+130')
        self.assertIn('instrumented', self.source('valgrind')['findings'])

    def test_the_same_advice(self):
        """The advice in the JSON, that of the report and that of its first source, equals the advice on the page."""
        for text in (*(read(os.path.join(OWN, f'program-{name}.txt')) for name in ('gdb', 'go', 'valgrind')), STORY):
            report = self.report(text)
            page = explain('-', text=text).stdout.decode().split('\nWhat to do, cheapest first\n')[1:]
            steps = ' '.join(re.sub(r'^  \d+\. ', '', line, flags=re.M) for line in page)
            self.assertEqual(steps.split(), report['advice'].split())
            self.assertEqual(report['explain']['sources'][0]['advice'], report['advice'])

    def test_steps_of_the_guest(self):
        """The advice has two steps for the guest: boot once with nofsgsbase; when that works, make the option permanent."""
        guest = [step for step in self.report(STORY)['advice'].split('\n') if step.startswith('Guest: ')]
        self.assertEqual([step.split()[1:4] for step in guest], [['for', 'one', 'boot,'], ['when', 'the', 'kernel']])

    def test_the_machine_in_the_same_text(self):
        go = read(os.path.join(OWN, 'program-go.txt')).decode()
        for text, verdict, finding in (
                ('Linux vm 5.4.0-139-generic #156-Ubuntu SMP x86_64 GNU/Linux\n' + go, 'disabled', 'kernel-too-old'),
                (go + '$ uname -r\n5.4.0\n', 'disabled', 'kernel-too-old'),
                (json.dumps({'schema': 1, 'verdict': 'disabled', 'cpuid': {'fsgsbase': True, 'max_leaf': 13},
                             'hwcap2': {'present': True, 'fsgsbase': False}}) + '\n' + go, 'disabled', None)):
            report = self.report(text)
            program = next(s for s in report['explain']['sources'] if s['kind'] == 'program')
            self.assertEqual(program['verdict'], verdict, text[:200])
            if finding:
                self.assertIn(finding, program['findings'])

    def test_never_accuses(self):
        """The death of a program, and the flag in /proc/cpuinfo, are not enough for the verdict `broken`."""
        go = read(os.path.join(OWN, 'program-go.txt')).decode()
        cpuinfo = 'processor : 0\nflags : fpu fsgsbase\npower management:\n'
        self.assertNotEqual(self.report('Linux vm 6.1.0-9-amd64 #1 SMP\n' + cpuinfo + go)['verdict'], 'broken')

    def test_tools(self):
        self.expect('Invalid instruction (UC_ERR_INSN_INVALID)\n>>> 0x401000: wrfsbase rax\n', 'unsupported',
                    ['instrumented'], 'wrfsbase')
        self.expect('Code Type:       X86-64 (Translated)\nException Type:  EXC_BAD_INSTRUCTION (SIGILL)\n'
                    'Thread 0 instruction stream:\n  55 48 89 e5 90 90 [f3] 48 0f ae d0 5d c3 90\t<==\n',
                    'unsupported', ['instrumented'], 'wrfsbase')

    def test_hints(self):
        """If a text has no evidence, but names a program that died, the output has the command that collects the
        evidence."""
        systemd = ('           PID: 4711 (iwasm)\n        Signal: 4 (ILL)\n    Executable: /usr/bin/iwasm\n'
                   '                #0  0x000055d0c5a1b3c4 os_writegsbase (iwasm + 0x1b3c)\n')
        for text, command in ((systemd, 'coredumpctl'),
                              ('[   13.257633] traps: iwasm[41] trap invalid opcode ip:47ed19 sp:7ffc error:0 in '
                               'iwasm[400000+d0000]\n', 'gdb')):
            report = self.expect_nothing(text)
            self.assertIn(command, report['explain']['hint']['command'])
            self.assertIn(command, explain('-', text=text).stdout.decode())

    def test_other_deaths(self):
        for text in ('Program received signal SIGILL, Illegal instruction.\n=> 0x401000 <main+4>:\tud2\n',
                     'SIGILL: illegal instruction\ninstruction bytes: 0xf 0xb 0x90 0x90\n',
                     'vex amd64->IR: unhandled instruction bytes: 0x62 0xF1 0x7C 0x48 0x28\n'):
            self.assertNotIn('hint', self.expect_nothing(text)['explain'])

    @unittest.skipUnless(shutil.which('qemu-x86_64'), 'qemu-user is not installed')
    def test_core(self):
        """`explain` reads the core file that an emulator without the instruction writes."""
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(['qemu-x86_64', '-cpu', 'qemu64', VICTIM, 'wrgsbase', '5'], cwd=folder, timeout=60,
                           stderr=subprocess.DEVNULL, check=False,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30)))
            cores = glob.glob(os.path.join(folder, 'qemu_*.core'))
            if not cores:
                self.skipTest('the emulator wrote no core file')
            core = read(cores[0])
            source = self.report(None, cores[0])['explain']['sources'][0]
            self.assertEqual((source['kind'], source['instruction'], source['code'][:14]),
                             ('program', 'wrgsbase', 'f3 48 0f ae df'))
            # `explain` must also end if the file is cut off, or if a byte of its tables is changed.
            for length in (*range(0, 8192, 397), 65536):
                self.assertIn(explain('-', text=core[:length]).returncode, (3,))
            for at in range(16, 4096, 197):
                explain('-', text=core[:at] + b'\xff' + core[at + 1:65536])


class Usage(Case):
    def test_bad(self):
        for arguments in ((), ('--json',), ('--tap', 'x'), ('--no-such', 'x')):
            done = explain(*arguments)
            self.assertEqual(done.returncode, 64, arguments)
            self.assertEqual(done.stdout, b'')
            self.assertRegex(done.stderr, rb'^fsgscheck: ')

    def test_help(self):
        self.assertEqual(explain('--help').returncode, 0)

    def test_unreadable(self):
        done = explain('/no/such/file')
        self.assertEqual(done.returncode, 3)
        self.assertIn(b'/no/such/file: No such file', done.stderr)
        self.assertEqual(explain('/no/such/file', '-', text=STORY).returncode, 2)
        self.assertEqual(explain('/no/such/file', '-', text=report_text()).returncode, 3)
        self.assertEqual(explain('/').returncode, 3)

    def test_output_lost(self):
        for what in ('-', '--help'):
            with open('/dev/full', 'w') as full:
                done = subprocess.run([COMMAND, 'explain', what], input=STORY.encode(), stdout=full,
                                      stderr=subprocess.PIPE, timeout=30)
            self.assertEqual(done.returncode, 3, what)
            self.assertIn(b'cannot write', done.stderr)

    def test_several_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (('a', STORY[:len(HEAD) + 50]), ('b', STORY[len(HEAD) + 50:])):
                with open(os.path.join(folder, name), 'w') as file:
                    file.write(text)
            report = self.report(None, os.path.join(folder, 'a'), os.path.join(folder, 'b'))
            # Each file counts as a log of its own, so the second log lacks the first line of the crash.
            self.assertIn('header', report['explain']['sources'][-1]['missing'])


if __name__ == '__main__':
    parts.run()
