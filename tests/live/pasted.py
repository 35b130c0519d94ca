# SPDX-License-Identifier: MIT
"""pasted.py CLASS: tests `fsgscheck explain` on text that people paste (Pasted), and on text that a user without privileges
can make a kernel print (Chosen). The expected answers were written before the command was run on these texts."""

import base64
import html
import json
import os
import unittest

from live.captures import (BOTH, DECODED, LOG, OLD, QEMU, RISK, VBOX, Crash, Log, Processors, clocked, cut, prefixed,
                           uname)
from live.explain import HEAD, OWN, Case, crash, dump, read
from support import parts

K = '[   12.345678] '


def transports(log, form):
    """Calls form() with each form of a log that was transferred, embedded in an object such as JSON, or edited by hand."""
    lines, bare, text, plain = log.lines, log.bare, log.text, log.plain
    core, bcore = lines[log.header:log.panic + 1], bare[log.header:log.panic + 1]
    # -- transports
    form('netconsole release', prefixed('6.12.1-amd64,4,1234,567890,-;', plain))
    form('netconsole by rsyslog', prefixed('Jul 23 10:11:12 10.0.0.5 4,1234,567890,-;', plain))
    form('netconsole by rsyslog plain', prefixed('Jul 23 10:11:12 10.0.0.5 ', text))
    form('kmsg with dictionary', ''.join(f'4,{n},{n*100},-;{l}\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:01.0\n' for n, l in enumerate(bare)))
    form('kmsg caller', ''.join(f'4,{n},{n*100},-,caller=C0;{l}\n' for n, l in enumerate(bare)))
    form('SOL', '[SOL Session operational.  Use ~? for help]\r\n\x1b[2J\x1b[H' + ''.join(f'\x1b[0m{l}\r\n' for l in lines))
    form('SOL cursor', '\x1b[2J' + ''.join(f'\x1b[{n%24+1};1H{l}\x1b[K' for n, l in enumerate(lines)))
    form('IPMI xterm', ''.join(f'\x1b[37m\x1b[40m{l}\r\n\x1b[0m' for l in lines))
    form('padded 80', ''.join(f'{p:<80}\n' for l in lines for p in cut(l, 80)))
    form('PuTTY', '=~=~=~=~=~=~=~=~=~=~=~= PuTTY log 2025.07.23 10:11:12 =~=~=~=~=~=~=~=~=~=~=~=\r\n' + text.replace('\n', '\r\n'))
    form('conserver mark', '\n'.join(l + ('\n[-- MARK -- Wed Jul 23 10:15:00 2025]' if n % 7 == 3 else '') for n, l in enumerate(lines)))
    form('conserver stamps', ''.join(f'[Wed Jul 23 10:11:12 2025]{l}\n' for l in lines))
    form('virsh console', "Connected to domain 'vm7'\nEscape character is ^] (Ctrl + ])\n" + text)
    form('ramoops', '====1753265472.123456-D\n' + text + '\nECC: No errors detected\n')
    form('systemd-pstore', 'Panic#1 Part3\n' + '\n'.join(lines[:log.header]) + '\nPanic#1 Part2\n' + '\n'.join(lines[log.header:log.header+20]) + '\nPanic#1 Part1\n' + '\n'.join(lines[log.header+20:]) + '\n')
    form('XEN clock', prefixed('(XEN) [ 1234.567890] (d1) ', plain))
    form('XEN clock and guest clock', prefixed('(XEN) [ 1234.567890] (d1) ', text))
    form('hypervisor.log', prefixed('[2025-07-23 10:11:12.123456] (d12) ', text))
    form('no-hostname', prefixed('Jul 23 10:11:12 kernel: ', plain))
    form('monotonic no-hostname', prefixed('[    0.486493] kernel: ', plain))
    form('syslog-ng', prefixed('Jul 23 10:11:12 src@vm7 kernel: ', text))
    form('syslog level', prefixed('Jul 23 10:11:12 vm7 kern.crit kernel: ', text))
    form('klogd', prefixed('Jul 23 10:11:12 vm7 user.warn kernel: ', text))
    form('ChromeOS', prefixed('2025-07-23T10:11:12.123456Z WARNING kernel: ', text))
    form('ChromeOS bare', prefixed('2025-07-23T10:11:12.123456Z WARNING kernel: ', plain))
    form('Jenkins', prefixed('[2025-07-23T10:11:12.123Z] ', text))
    form('Jenkins bare', prefixed('[2025-07-23T10:11:12.123Z] ', plain))
    form('Jenkins hms', prefixed('10:11:12  ', text))
    form('Zuul', prefixed('2025-07-23 10:11:12.123456 | node-7 | ', text))
    form('Zuul bare', prefixed('2025-07-23 10:11:12.123456 | node-7 | ', plain))
    form('GitLab', prefixed('2025-07-23T10:11:12.123456Z 00O ', text))
    form('GitLab bare', prefixed('2025-07-23T10:11:12.123456Z 00O ', plain))
    form('BuildKit', prefixed('#12 3.456 ', text))
    form('BuildKit bare', prefixed('#12 3.456 ', plain))
    form('Fly', prefixed('2025-07-23T10:11:12Z app[148e21] ams [info]', text))
    form('Fly blank', prefixed('2025-07-23T10:11:12Z app[148e21] ams [info] ', plain))
    form('pytest', prefixed('E   ', plain))
    form('gtest', prefixed('[  console ] ', plain))
    form('Azure pipeline', prefixed('2025-07-23T10:11:12.1234567Z ##[debug]', plain))
    form('cloud-hypervisor', prefixed('cloud-hypervisor: 12.345s: <vcpu0> INFO:serial: ', plain))
    form('Firecracker', prefixed('2025-07-23T10:11:12.123456789 [anonymous-instance:main] ', plain))
    form('crosvm', prefixed('[2025-07-23T10:11:12.123456+02:00 INFO  devices::serial] ', plain))
    form('Kubevirt', '\n'.join(json.dumps({'component': 'virt-launcher', 'level': 'info', 'msg': l, 'pos': 'x.go:1'}) for l in bare))
    form('OpenQA', prefixed('[2025-07-23T10:11:12.123456Z] [debug] <<< ', plain))
    form('vmkernel', prefixed('2025-07-23T10:11:12.123Z cpu0:2097152)', plain))
    # -- objects
    form('GCP textPayload newest first', json.dumps([{'insertId': str(n), 'textPayload': l, 'timestamp': '2025'} for n, l in enumerate(lines)][::-1]))
    form('GCP logging', json.dumps([{'insertId': str(n), 'jsonPayload': {'message': l}, 'resource': {'labels': {'instance_id': '1'}, 'type': 'gce_instance'}} for n, l in enumerate(lines)], indent=2))
    form('gcloud yaml', 'contents: |-\n' + prefixed('  ', text) + "kind: compute#serialPortOutput\nnext: '1234'\nstart: '0'\n")
    form('AWS XML', '<GetConsoleOutputResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">\n <instanceId>i-0</instanceId>\n <output>' + base64.b64encode(text.encode()).decode() + '</output>\n</GetConsoleOutputResponse>\n')
    form('AWS XML wrapped', '<GetConsoleOutputResponse>\n <output>' + base64.encodebytes(text.encode()).decode() + '</output>\n</GetConsoleOutputResponse>\n')
    form('CloudWatch', json.dumps({'events': [{'logStreamName': 'i-0', 'timestamp': 1753265472000, 'message': l, 'eventId': '3'} for l in lines]}, indent=4))
    form('Splunk', '\n'.join(json.dumps({'preview': False, 'result': {'_raw': l, '_time': '2025', 'host': 'vm7'}}) for l in lines))
    form('Splunk csv', '"_raw","_time"\n' + ''.join('"' + l.replace('"', '""') + '","2025-07-23T10:11:12"\n' for l in lines))
    form('JSON in CSV', ''.join('"vm7","' + json.dumps({'message': l}).replace('"', '""') + '"\n' for l in lines))
    form('Datadog', json.dumps({'data': [{'attributes': {'message': l, 'host': 'vm7'}} for l in lines]}))
    form('Slack', json.dumps({'messages': [{'type': 'message', 'user': 'U1', 'text': '```' + html.escape(text) + '```'}]}))
    form('GELF', '\n'.join(json.dumps({'version': '1.1', 'host': 'vm7', 'short_message': l, 'level': 4, '_facility': 'kern'}) for l in bare))
    form('syslog json', '\n'.join(json.dumps({'host': 'vm7', 'ident': 'kernel', 'message': l, 'pri': 'kern.warn'}) for l in bare))
    form('CDATA', '<testcase><system-out><![CDATA[' + text + ']]></system-out></testcase>')
    form('XML lines', '<log>' + ''.join(f'<line no="{n}">{html.escape(l)}</line>\n' for n, l in enumerate(lines)) + '</log>')
    form('Ansible raw', 'vm7 | CHANGED | rc=0 >>\n' + text)
    form('Ansible -o', 'vm7 | CHANGED | rc=0 | (stdout) ' + text.replace('\n', '\\n'))
    form('Azure string', json.dumps(text.replace('\n', '\r\n')))
    form('JSON lines string', '\n'.join(map(json.dumps, lines)))
    form('PowerShell Select-String', '\r\n'.join(f'vm7.log:{n}:{l}' for n, l in enumerate(lines)))
    form('PowerShell ConvertTo-Json', json.dumps([{'value': l, 'PSPath': 'C:\\vm7.log', 'ReadCount': n} for n, l in enumerate(lines)], indent=4))
    # -- pastes
    form('less pages', '\n'.join(l + (f'\nlines {n-22}-{n}/99 46%' if n % 23 == 22 else '') for n, l in enumerate(lines)) + '\n(END)\n')
    form('more', '\n'.join(l + ('\n--More--(46%)' if n % 23 == 22 else '') for n, l in enumerate(lines)))
    form('snip', lines[log.header] + '\n[...]\n' + '\n'.join(lines[log.header+1:log.header+6]) + '\n<snip>\n' + '\n'.join(lines[log.header+6:]))
    form('blank lines between', '\n\n'.join(lines))
    form('two blank lines', '\n\n\n'.join(bare))
    form('flowed', ''.join(' ' + l + ' \n' for l in lines))
    form('Jira', '{noformat}\n' + text + '{noformat}\n')
    form('Jira code', '{code:java|title=dmesg}\n' + text + '{code}\n')
    form('details', '<details><summary>dmesg</summary>\n\n```console\n' + text + '```\n</details>\n')
    form('rst', 'Log::\n\n' + prefixed('        ', text))
    form('bugzilla', '(In reply to Joe from comment #1)\n' + prefixed('> > ', text))
    form('pastebin numbers', ''.join(f'{n}.\n{l}\n' for n, l in enumerate(lines)))
    form('org', prefixed(': ', text))
    form('tabs', prefixed('\t', text))
    form('latex', '\\begin{verbatim}\n' + text + '\\end{verbatim}')
    form('Discord', 'joe — Today at 10:11\n```\n' + text + '```\n(edited)')
    form('Teams', prefixed('[10:11] Joe\n', '') + '<br/>'.join(html.escape(l) for l in lines))
    form('HTML table with numbers', ''.join(f'<tr><td class="n" data-line="{n}"></td><td><span class="c">{html.escape(l)}</span></td></tr>\n' for n, l in enumerate(lines)))
    form('pre with links', '<pre>' + '\n'.join(html.escape(l).replace('current_save_fsgs', '<a href="/x">current_save_fsgs</a>') for l in lines) + '</pre>')
    form('highlight', '<pre>' + '\n'.join(f'<span class="hl">{html.escape(l).replace("&lt;f3&gt;", "<b>&lt;f3&gt;</b>")}</span>' for l in lines) + '</pre>')
    form('RTF-like hex', text.replace('<', '&#x3c;').replace('>', '&#x3e;'))
    form('dropped', '\n'.join(l + ('\n** 12 printk messages dropped **' if n % 5 == 0 else '') for n, l in enumerate(lines)))
    form('console message dropped', '\n'.join(l + ('\n[    0.486493] printk: console [ttyS0]: 12 messages dropped' if n % 5 == 0 else '') for n, l in enumerate(lines)))
    form('Kernel Offset', text.replace('Kernel panic', 'Kernel Offset: 0x16000000 from 0xffffffff81000000 (relocation range: 0xffffffff80000000-0xffffffffbfffffff)\nKernel panic'))
    form('vt wrap 80x25', '\n'.join([p for l in core for p in cut(l, 80)][-25:]))
    form('vt wrap 80x25 bare', '\n'.join([p for l in bcore for p in cut(l, 80)][-25:]))
    form('vt wrap 100x37', '\n'.join([p for l in core for p in cut(l, 100)][-37:]))
    form('vt 80x25 crlf', '\r\n'.join([p for l in core for p in cut(l, 80)][-25:]))


def oops(header, cpu, rip='RIP: 0010:current_save_fsgs+0x38/0xa0', cr4='00000000001506f0', code='f3 48 0f ae c0 48 89 83'):
    rest = dump(cr4=cr4, code=code).split('\n', 1)[1]
    return prefixed('[    0.486493] ', f'{header}\n{cpu}\nHardware name: Microsoft Corporation Virtual Machine\n{rip}\n{rest}'
                    'Call Trace:\n <TASK>\n copy_thread+0x9b/0x280\n </TASK>\nModules linked in:\n'
                    '---[ end trace 0000000000000000 ]---\n'
                    'Kernel panic - not syncing: Attempted to kill the idle task!\n')


def kernels(form, row):
    """Crashes as kernels from 4.4 to 6.18 print them. Kernels before 5.9 use the instructions only if a distribution has
    ported the feature to them."""
    form('4.4 brackets', oops('invalid opcode: 0000 [#1] SMP ', 'CPU: 0 PID: 0 Comm: swapper/0 Not tainted 4.4.0-backport #1\ntask: ffffffff81e11500 task.stack: ffffffff81e00000', 'RIP: 0010:[<ffffffff8102c1a8>]  [<ffffffff8102c1a8>] current_save_fsgs+0x38/0xa0'))
    form('4.19', oops('invalid opcode: 0000 [#1] SMP PTI', 'CPU: 0 PID: 0 Comm: swapper/0 Not tainted 4.19.91-tencent #1'))
    form('RHEL 4.18', oops('invalid opcode: 0000 [#1] SMP NOPTI', 'CPU: 0 PID: 0 Comm: swapper/0 Not tainted 4.18.0-513.el8.x86_64 #1'))
    row('RHEL 4.18 dropped', oops('invalid opcode: 0000 [#1] SMP NOPTI', 'CPU: 0 PID: 0 Comm: swapper/0 Not tainted 4.18.0-513.el8.x86_64 #1', cr4='00000000001406f0'), ('broken', ['cr4-dropped']))
    form('5.15', oops('invalid opcode: 0000 [#1] SMP NOPTI', 'CPU: 0 PID: 0 Comm: swapper/0 Not tainted 5.15.0-91-generic #101-Ubuntu'))
    form('6.8 Ubuntu', oops('invalid opcode: 0000 [#1] PREEMPT SMP NOPTI', 'CPU: 0 PID: 0 Comm: swapper/0 Not tainted 6.8.0-31-generic #31-Ubuntu'))
    form('6.12 UID', oops('Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI', 'CPU: 0 UID: 0 PID: 0 Comm: swapper/0 Not tainted 6.12.1-amd64 #1  Debian 6.12.1-1'))
    form('6.18 lazy', oops('Oops: invalid opcode: 0000 [#1] SMP NOPTI', 'CPU: 0 UID: 0 PID: 0 Comm: swapper/0 Not tainted 6.18.0 #1 PREEMPT(lazy) '))
    form('6.18 taint words', oops('Oops: invalid opcode: 0000 [#1] SMP NOPTI', 'CPU: 3 UID: 0 PID: 812 Comm: kworker/3:1 Tainted: G            E       6.18.0 #1 PREEMPT(lazy) \nTainted: [E]=UNSIGNED_MODULE'))
    form('no kallsyms', oops('invalid opcode: 0000 [#1] SMP NOPTI', 'CPU: 0 PID: 0 Comm: swapper/0 Not tainted 6.1.0 #1', 'RIP: 0010:0xffffffff8102c1a8'))
    form('RT', oops('invalid opcode: 0000 [#1] PREEMPT_RT SMP NOPTI', 'CPU: 0 PID: 0 Comm: swapper/0 Not tainted 6.1.0-rt5-amd64 #1'))
    form('early', oops('PANIC: early exception 0x06 IP 10:ffffffff8102c1a8 error 0 cr2 0xffff8a9fdfdff000', 'CPU: 0 PID: 0 Comm: swapper Not tainted 6.1.0 #1'))
    form('syzbot', oops('Oops: invalid opcode: 0000 [#1] PREEMPT SMP KASAN NOPTI', 'CPU: 0 UID: 0 PID: 0 Comm: swapper/0 Not tainted 6.12.0-syzkaller #0') + '----------------\nCode disassembly (best guess):\n   0:\t89 c5                \tmov    %eax,%ebp\n* 2a:\tf3 48 0f ae c0       \trdfsbase %rax <-- trapping instruction\n')
    row('AP idle, dropped', oops('invalid opcode: 0000 [#1] SMP', 'CPU: 3 PID: 0 Comm: swapper/3 Not tainted 6.1.0 #1', 'RIP: 0010:__switch_to+0x1a4/0x4a0', cr4='00000000001406f0').replace('copy_thread+', 'schedule_idle+0x1/0x2\n[    0.486493]  do_idle+0x1/0x2\n[    0.486493]  cpu_startup_entry+'), ('broken', ['cr4-dropped']))
    row('AP starts, no bit', oops('invalid opcode: 0000 [#1] SMP', 'CPU: 3 PID: 0 Comm: swapper/3 Not tainted 6.1.0 #1', 'RIP: 0010:paranoid_entry+0x8a/0x180', cr4='00000000000006f0').replace('copy_thread+', 'asm_exc_page_fault+'), ('unknown', []), 'just being started')
    row('RDPID in paranoid_entry', oops('invalid opcode: 0000 [#1] SMP', 'CPU: 0 PID: 1 Comm: init Not tainted 6.1.0 #1', 'RIP: 0010:paranoid_entry+0x60/0x180', code='f3 0f c7 f8 90 90'), None)


def innocents(row):
    """Dumps, panics and warnings with other causes: none of them is evidence."""
    for name, header in {
      'machine check': 'mce: [Hardware Error]: CPU 2: Machine Check Exception: 5 Bank 4: b200000000070f0f\nmce: [Hardware Error]: RIP !INEXACT! 10:<ffffffff8102c1a8> {current_save_fsgs+0x38/0xa0}\nKernel panic - not syncing: Fatal machine check',
      'NMI': 'Uhhuh. NMI received for unknown reason 3d on CPU 0.\nKernel panic - not syncing: NMI: Not continuing\nCPU: 0 PID: 9 Comm: a Not tainted 6.1.0 #1\n' + dump(),
      'hard LOCKUP': 'watchdog: Watchdog detected hard LOCKUP on cpu 2\nCPU: 2 PID: 9 Comm: a Not tainted 6.1.0 #1\n' + dump() + 'Kernel panic - not syncing: Hard LOCKUP\n',
      'soft lockup, panic': 'watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [a:1]\nCPU: 3 PID: 1 Comm: a Not tainted 6.1.0 #1\n' + dump() + 'Kernel panic - not syncing: softlockup: hung tasks\n',
      'soft lockup, cut head, panic': 'CPU: 3 PID: 1 Comm: a Not tainted 6.1.0 #1\n' + dump() + 'Call Trace:\n <IRQ>\n  dump_stack\n </IRQ>\nKernel panic - not syncing: softlockup: hung tasks\n',
      'rcu stall': 'rcu: INFO: rcu_preempt self-detected stall on CPU\nrcu: \t2-....: (5249 ticks this GP)\nCPU: 2 PID: 9 Comm: a Not tainted 6.1.0 #1\n' + dump(),
      'hung task': 'INFO: task a:1 blocked for more than 120 seconds.\n copy_thread+0x9b/0x280\nKernel panic - not syncing: hung_task: blocked tasks\n',
      'KASAN gpf': crash('general protection fault, probably for non-canonical address 0xdffffc0000000000: 0000 [#1] PREEMPT SMP KASAN NOPTI', code='42 80 3c 20 00', symbol='copy_thread+0x9b/0x280'),
      'KASAN report': 'BUG: KASAN: use-after-free in copy_thread+0x9b/0x280\nRead of size 8 at addr ffff888100000000 by task a/1\n',
      'IBT': 'traps: Missing ENDBR: current_save_fsgs+0x0/0xa0\nkernel BUG at arch/x86/kernel/traps.c:255!\n' + crash(code='0f 0b 66', symbol='exc_control_protection+0xc2/0xd0'),
      'CFI': 'CFI failure at __switch_to+0x1a4/0x4a0 (target: x+0x0/0x10; expected type: 0x1)\n' + crash(code='0f 0b 4c', symbol='__switch_to+0x1a4/0x4a0'),
      'list debug': 'list_add corruption. next->prev should be prev (ffff), but was 0000.\n------------[ cut here ]------------\nkernel BUG at lib/list_debug.c:29!\n' + crash(code='0f 0b 48', symbol='__list_add_valid+0x64/0xa0'),
      'stack guard': 'BUG: TASK stack guard page was hit at ffffc90000000000 (stack is x..y)\n' + crash('Oops: stack guard page: 0000 [#1] SMP', code='41 57', symbol='__switch_to+0x1/0x2'),
      'bad pagetable': crash('a: Corrupted page table at address 7f\nBad pagetable: 000d [#1] SMP', code='48 8b', symbol='copy_thread+0x9b/0x280'),
      'MSR': 'unchecked MSR access error: WRMSR to 0xc0000101 (tried to write 0xffff8a60df200000) at rIP: 0xffffffff8102c1a8 (native_write_msr+0x4/0x20)\nCall Trace:\n save_fsgs+0x1/0x2\n',
      'MSR gs': 'unchecked MSR access error: RDMSR from 0xc0000102 at rIP: 0xffffffff8102c1a8 (x86_gsbase_read_cpu_inactive+0x4/0x20)\nCall Trace:\n <TASK>\n current_save_fsgs+0x1/0x2\n',
      'XRSTORS': crash(code='48 0f c7 1f', symbol='restore_fpregs_from_fpstate+0x3d/0xa0'),
      'ENDBR-like f3': crash(code='f3 0f 1e fa 55', symbol='copy_thread+0x0/0x280'),
      'INCSSP': crash(code='f3 48 0f ae e8', symbol='switch_fpu_return+0x1/0x2'),
      'OOM': 'Out of memory: Killed process 9 (fsgsbase) total-vm:1kB\nKernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled\n',
      'VFS': 'Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\nCPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.1.0 #1\nCall Trace:\n <TASK>\n mount_root+0x1/0x2\n',
      'stack protector': 'Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: __switch_to+0x1a4/0x4a0\nCPU: 0 PID: 1 Comm: a Not tainted 6.1.0 #1\n',
      'IOMMU timer': 'Kernel panic - not syncing: IO-APIC + timer doesn\'t work!  Boot with apic=debug\nCPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.1.0 #1\n',
      'kexec healthy': 'sysrq: Trigger a crash\nKernel panic - not syncing: sysrq triggered crash\nCPU: 0 PID: 1 Comm: bash Not tainted 6.1.0 #1\nRIP: 0033:0x7f4c1d3b1a57\nCode: 64 <48> 8b\n',
      'EFI': '[Firmware Bug]: Page fault caused by firmware at PA: 0xfffffe00\nWARNING: CPU: 0 PID: 9 at arch/x86/platform/efi/quirks.c:735 x+0x1/0x2\n' + dump(code='0f 0b 66'),
      'warning at our symbol': '------------[ cut here ]------------\nWARNING: CPU: 0 PID: 9 at arch/x86/kernel/process_64.c:300 __switch_to+0x1a4/0x4a0\n' + dump(code='0f 0b 66', symbol='__switch_to+0x1a4/0x4a0') + '---[ end trace 0 ]---\n',
      'UD1 UBSAN': 'Internal error: UBSAN: array index out of bounds: 00000000f2005512 [#1]\n' + crash('Oops: invalid opcode: 0000 [#1] PREEMPT SMP', code='67 0f b9 40 12', symbol='copy_thread+0x9b/0x280'),
      'split lock': 'x86/split lock detection: #AC: a/1 took a split_lock trap at address: 0x401000\n',
      'KVM host': 'kvm [1234]: vcpu0, guest rIP: 0xffffffff8102c1a8 unhandled rdmsr: 0xc0000102\nkvm: vmx: instruction emulation: f3 48 0f ae c0\n',
      'selftest': '# TAP version 13\n# ok 1 selftests: x86: fsgsbase_64\n[RUN]\tset GS = 0x0, then set GSBASE to 0x0\n\tFSGSBASE instructions are enabled\n[OK]\tGSBASE remained 0x0\n',
    }.items():
        row(name, HEAD + prefixed(K, header), None)


def machines(row):
    """Descriptions of machines, logs of hypervisors, deaths of programs, and text from pictures."""
    B, C = BOTH, Processors.AMD
    row('two hosts ansible cpuinfo', 'vm7 | CHANGED | rc=0 >>\n' + C + '\nvm8 | CHANGED | rc=0 >>\n' + C.replace(' fsgsbase', ''), ('unknown', RISK))
    row('pdsh interleaved', ''.join(f'node7: {a}\nnode8: {b}\n' for a, b in zip(C.splitlines(), C.replace(' fsgsbase', '').splitlines())), ('unknown', RISK))
    row('crash and other machine', HEAD + crash() + '\n$ ssh other cat /proc/cpuinfo\n' + read(os.path.join(OWN, 'cpuinfo-xeon-e5-2620.txt')).decode(), B)
    row('cpuid grep', '      FSGSBASE instructions                    = true\n' * 2, ('unknown', ['unproven']))
    row('inet uname 6.1 flags', uname('6.1.0-18-amd64') + 'flags\t\t: fpu vme fsgsbase bmi1\n', ('usable', []))
    row('hostnamectl', ' Static hostname: vm7\n          Kernel: Linux 5.4.0-42-generic\n    Architecture: x86-64\n' + C, ('disabled', OLD + ['upgrade-risk']))
    row('required features', 'error: unsupported configuration: guest and host CPU are not compatible: Host CPU does not provide required features: pcid, fsgsbase, bmi1\n', ('unsupported', []), 'this host cannot provide')
    row('nova required', "2025-07-23 10:11:12.123 1234 ERROR nova.virt.libvirt.driver [req-1 - - - -] CPU doesn't have compatibility.\nlibvirt.libvirtError: the CPU is incompatible with host CPU: Host CPU does not provide required features: fsgsbase, bmi1\n", ('unsupported', []), 'this host cannot provide')
    row('libvirt journal', "Jul 23 10:11:12 host libvirtd[812]: operation failed: guest CPU doesn't match specification: missing features: fsgsbase,bmi1\n", ('unsupported', []), 'this host cannot provide')
    row('QEMU extra data', QEMU.format(1, 0, '001506f0', '<f3> 48 0f ae c0').replace('emulation', 'extra data[0]: 0x0000000000000000\nextra data[1]: 0x0000000000000400\nextra data[2]: 0x0000000100000014\nemulation', 1), B, 'emulator')
    row('QEMU libvirt log', '2025-07-23T08:11:12.123456Z qemu-system-x86_64: ' + QEMU.format(1, 0, '001506f0', '<f3> 48 0f ae c0'), B, 'emulator')
    row('VBox none', VBOX.format(0, 0), ('unsupported', []), 'CPUID')
    row('two boots', HEAD + crash() + HEAD.replace('ttyS0', 'ttyS0 nofsgsbase') + 'x86/cpu: FSGSBASE disabled via kernel command line\n', B)
    row('kdump kernel', HEAD + crash() + 'Linux version 6.1.0-56-amd64 (builder@forge) (gcc 12.2.0) #1 SMP PREEMPT_DYNAMIC\nCommand line: console=ttyS0 irqpoll nr_cpus=1 reset_devices elfcorehdr=867700K\n', B)
    row('after resume', clocked('86400.123456', crash(who='3 PID: 812 Comm: kworker/3:1')), B, 'migration')
    row('lldb', "* thread #1, name = 'iwasm', stop reason = signal SIGILL: illegal operand\n    frame #0: 0x0000555555559b3c iwasm`os_writegsbase + 4\niwasm`os_writegsbase:\n->  0x555555559b3c <+4>: wrgsbase rdi\n    0x555555559b41 <+9>: ret\n", ('unknown', []))
    row('gdb core', "Core was generated by `iwasm a.wasm'.\nProgram terminated with signal SIGILL, Illegal instruction.\n#0  0x0000555555559b3c in os_writegsbase ()\n(gdb) x/i $rip\n=> 0x555555559b3c <os_writegsbase+4>:\twrgsbase rdi\n", ('unknown', []))
    row('gdb /r', "Program received signal SIGILL, Illegal instruction.\n(gdb) disassemble /r\n   0x0000555555559b38 <+0>:\tf3 0f 1e fa\tendbr64\n=> 0x0000555555559b3c <+4>:\tf3 48 0f ae df\twrgsbase %rdi\n", ('unknown', []))
    row('gdb SIGSEGV', "Program received signal SIGSEGV, Segmentation fault.\n(gdb) x/i $pc\n=> 0x555555559b3c <w+4>:\twrgsbase %rdi\n", None)
    row('Go', 'SIGILL: illegal instruction\nPC=0x47ed19 m=0 sigcode=2\ninstruction bytes: 0xf3 0x48 0xf 0xae 0xd0 0xc3\n\ngoroutine 1 [running]:\n', ('unknown', []))
    row('Python', 'Fatal Python error: Illegal instruction\n\nCurrent thread 0x00007f (most recent call first):\n  File "a.py", line 1\n', None)
    row('two words', 'Illegal instruction (core dumped)\n', None)
    row('Rosetta page', "Process: iwasm [41]\nCode Type:       X86-64 (Translated)\nException Type:  EXC_BAD_INSTRUCTION (SIGILL)\nException Codes: 0x0000000000000001, 0x0000000000000000\n\nThread 0 instruction stream:\n  55 48 89 e5 90 90 [f3] 48 0f ae df 5d c3 90\t<==\n", ('unsupported', ['instrumented']))
    row('ocr lower', (HEAD + crash(cr4='00000000001506f0')).replace('RIP:', 'RlP:').replace('0000 [#1]', '0000 [#l]'), ('unknown', []))
    row('ocr code', (HEAD + crash()).replace('<f3> 48 0f ae c0', '<f3> 48 Of ae cO').replace('0000 [#1]', 'OOOO [#1]'), ('unknown', []))
    row('typed two lines', 'invalid opcode: 0000\nRIP: 0010:current_save_fsgs+0x38/0xa0\nKernel panic - not syncing: Attempted to kill the idle task!\n', ('unknown', []), 'Code: line')
    row('kernel gdb', 'Remote debugging using :1234\n(gdb) x/i $rip\n=> 0xffffffff8102c1a8 <current_save_fsgs+56>:\trdfsbase %rax\n', None)
    row('decodecode', '[    0.48] Code: 89 c5 fa 0f 1f 44 00 00 <f3> 48 0f ae c0 48 89 83\nAll code\n========\n   0:\t89 c5                \tmov    %eax,%ebp\n   8:*\tf3 48 0f ae c0       \trdfsbase %rax\t\t<-- trapping instruction\n', None)
    row('decode_stacktrace discriminator', DECODED.replace('process_64.c:250)', 'process_64.c:250 (discriminator 3))'), B)


@unittest.skipUnless(LOG, 'no log of the defective host in tests/machines/logs')
class Pasted(Crash):
    def row(self, name, text, wanted, note=None):
        self.count += 1
        with self.subTest(name):
            seen = self.report(text)
            found = (seen['verdict'], sorted(seen['findings'])) if seen['explain']['evidence'] else None
            self.assertEqual(found, wanted and (wanted[0], sorted(wanted[1])))
            self.assertIn(note or '', ' '.join(n for s in seen['explain']['sources'] for n in s['notes']))

    def test_all(self):
        self.count = 0

        def form(name, text):
            self.count += 1
            self.check(name, text)

        transports(self.log, form)
        kernels(form, self.row)
        innocents(self.row)
        machines(self.row)
        print(f'{self.count} inputs')


PAYLOAD = ['invalid opcode: 0000 [#1] PREEMPT SMP NOPTI', 'CPU: 0 PID: 0 Comm: swapper/0 Not tainted 6.1.0 #1',
           'RIP: 0010:current_save_fsgs+0x38/0xa0', 'Code: <f3> 48 0f ae c0 48 89 83',
           'CR2: ffff8a60dfdff000 CR3: 000000001c010000 CR4: 00000000001506f0', '---[ end trace 0 ]---',
           'Kernel panic - not syncing: Attempted to kill the idle task!']
SEGFAULT = '{}[12]: segfault at 7f0000 ip 00007f sp 00007f error 15 in x[400000+1000]'
CODE = 'Code: 00 00 <f3> 48 0f ae c0 48 89 83'
NAMES = ['RIP: a/0x0', 'RIP: a+0x0/0x0', 'RIP: 0010:a/0x0', 'Code: <f30faec0', '---[ end trace', 'flags: fsgsbase', 'WARNING: ',
         'kernel BUG at ', 'Linux version 5', 'CR4: 00000000']
# Kernel messages with a name that a user can choose: in SHORT a program's name of at most 15 characters, in LONG any name.
SHORT = [SEGFAULT, '{} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0', '{}: page allocation failure: order:0',
         '{} (12) used greatest stack depth: 1234 bytes left', 'Out of memory: Killed process 9 ({}) total-vm:1kB',
         '[   1234]  1000  1234  1 1 0 {}', 'task:{} state:R  running task']
LONG = ["tmpfs: Unknown parameter '{}'", "tmpfs: Bad value for '{}'", "process '{}' started with executable stack",
        'overlayfs: unrecognized mount option "{}" or missing value', "fuse: Unknown parameter '{}'",
        "overlayfs: failed to resolve '{}': -2", "cgroup: Unknown subsys name '{}'"]
COARSE = ['Jul 23 10:11:12 vm7 kernel: ', '[Wed Jul 23 10:11:12 2025] ', '']


class Chosen(Case):
    """The kernel prints names that a user without privileges has chosen. Such a name can be the first word of a message,
    have several lines, contain the closing quote, or appear inside a crash with another cause. It must not change the
    verdict about the machine."""

    def never(self, messages):
        """If each message has its own time stamp, the messages are no evidence. If all have the same time stamp or none,
        the verdict must be unknown."""
        self.expect_nothing(HEAD + ''.join(prefixed(f'[   12.{345000 + n}] ', m) for n, m in enumerate(messages)))
        lines = messages
        for clock in COARSE:
            self.assertEqual(self.report(HEAD + prefixed(clock, '\n'.join(lines)))['verdict'], 'unknown', lines)

    def test_first_word(self):
        for line in SHORT:
            for end in ('', '\n'):
                self.never([part for name in NAMES for part in
                            (line.format(name[:15 - len(end)] + end), *([CODE] if line is SEGFAULT else []))])

    def test_several_lines(self):
        for line in LONG:
            for name in ('x\n{}\ny', "x'\n{}\ny", 'x"\n{}', '{}'):
                self.never([line.format(name.format('\n'.join(PAYLOAD)))])

    def test_in_another_crash(self):
        other = crash(symbol='ext4_find+0x1/0x2', code='0f 0b 66 90').splitlines()
        for lines in (other, [line for line in other if not line.startswith('Code')]):
            for name in ('RIP: a+0x0/0x0\n', 'RIP: a+0x0/0x0', 'a'):
                fault = [SEGFAULT.format(name), CODE, SEGFAULT.format('---[ end trace\n')]
                for at in (3, len(lines)):
                    self.never(lines[:at] + fault + lines[at:])

    def test_other_writers(self):
        for prefix in ('Jul 23 10:11:12 vm7 kernel[1234]: ', 'Jul 23 10:11:12 kernel bash[12]: ', 'Jul 23 10:11:12 kernel app: ',
                       'Jul 23 10:11:12 vm7 systemd[1000]: Started ', 'Jul 23 10:11:12 vm7 snapd[1]: kernel: ', '[  OK  ] Started ',
                       K + '[  OK  ] Started ', K + 'app[9]: kernel: ', K + 'BTRFS: device label ', K + 'eth0: renamed from ',
                       K + 'oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/user.slice/', K + 'scsi 2:0:0:0: Direct-Access     '):
            for lines in (PAYLOAD, PAYLOAD * 8):
                self.expect_nothing(HEAD + prefixed(prefix, '\n'.join(lines)))
        self.expect_nothing(prefixed('[  OK  ] Started ', '\n'.join(PAYLOAD * 8)))
        self.expect_nothing('Jul 23 10:11:12 vm7 joe: missing features: fsgsbase\n')

    def test_acquits_none(self):
        """Chosen names before, inside and after a real crash do not hide the crash."""
        words = ['FSGSBASE disabled via kernel command line', 'Clearing CPUID bits: fsgsbase', 'kernel BUG at x.c:1!',
                 'RIP: 0010:memset+0x1/0x2', 'Code: <0f> 0b', 'Linux version 5.4.0 (x) #1']
        forged = [f"tmpfs: Unknown parameter 'x\n{word}'" for word in words] + [f'usb 1-1: Product: {word}' for word in words]
        forged += [SEGFAULT.format(name + end) for name in NAMES for end in ('', '\n')]
        lines = crash().splitlines()
        for text in forged:
            messages = [text, *lines[:3], text, *lines[3:], text]
            self.expect(HEAD + ''.join(prefixed(f'[   12.{345000 + n}] ', m) for n, m in enumerate(messages)), 'broken', ['insn-ud'])
            for clock in COARSE:
                self.assertTrue(self.report(HEAD + ''.join(prefixed(clock, m) for m in messages))['explain']['evidence'], text)


if __name__ == '__main__':
    parts.run()
