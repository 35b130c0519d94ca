# SPDX-License-Identifier: MIT
"""captures.py CLASS: tests `fsgscheck explain` on kernel logs in the forms that other tools give them.

The classes Captured and Tools change a log of the defective host; the other classes write their own lines. To add a form,
add it to PREFIXES, texts(), characters() or wrapped(). To add a kind of evidence, add a row to FACTS."""

import base64
import html
import json
import os
import quopri
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

from live.explain import COMMAND, HEAD, OWN, Case, crash, dump, explain, machine_logs, read
from support import parts

LOG = [log for log in machine_logs('lie-6.1-generic.log')]


def through(*command, text):
    if not shutil.which(command[0]):
        raise unittest.SkipTest(f'{command[0]} is not installed')
    data = text if isinstance(text, bytes) else text.encode()
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=30).stdout


def prefixed(prefix, text):
    return ''.join(f'{prefix}{line}\n' for line in text.splitlines())


class Log:
    """A log of the defective host: `text` and `lines` with the kernel's time stamps, `plain` and `bare` without them."""

    def __init__(self, path):
        self.text = read(path).replace(b'\r', b'').decode('latin-1')
        self.lines = self.text.splitlines()
        self.bare = [re.sub(r'^\[ *[\d.]+\] ', '', line) for line in self.lines]
        self.plain = '\n'.join(self.bare) + '\n'
        self.header = next(i for i, line in enumerate(self.lines) if 'invalid opcode' in line)
        self.panic = max(i for i, line in enumerate(self.lines) if 'Kernel panic' in line)

    def journal(self, line, **more):
        return {'__CURSOR': 's=1', '_TRANSPORT': 'kernel', 'PRIORITY': '4', 'SYSLOG_FACILITY': '0',
                'SYSLOG_IDENTIFIER': 'kernel', 'MESSAGE': line, **more}

    def parts(self, size):
        """The parts into which pstore cuts a log, the newest part first."""
        text, found = self.text, []
        while text:
            found.append(text[-size:])
            text = text[:-size]
        return [f'Panic#1 Part{n}\n{part}\n' for n, part in enumerate(found, 1)]


def container(line):
    return json.dumps({'log': line + '\n', 'stream': 'stdout', 'time': '2025-07-23T10:11:12.1Z'})


def partial_records(line, size=50):
    """A long line as a container runtime splits it: each piece has the mark P, except the last, which has F."""
    pieces = [line[i:i + size] for i in range(0, max(1, len(line)), size)]
    return ''.join(f'2025-07-23T10:11:12.123456789Z stdout {"F" if piece is pieces[-1] else "P"} {piece}\n'
                   for piece in pieces)


PREFIXES = {
    'rfc3164': 'Jul 23 10:11:12 vm7 kernel: ', 'rfc3164 clock': 'Jul  3 10:11:12 vm7 kernel: [    0.5] ',
    'rfc5424': '<4>1 2025-07-23T10:11:12.123Z vm7 kernel - - - ',
    'rfc5424 data': '<4>1 2025-07-23T10:11:12.123Z vm7.example.com kernel - - [timeQuality tzKnown="1"] ',
    'iso': '2025-07-23T10:11:12.123456+02:00 vm7 kernel: ', 'kmsg': '<4>[    0.504566] ', 'level': '<4>',
    'record': '4,1234,567890,-;', 'netconsole': '4,1234,567890,-,caller=T0;', 'xen': '(XEN) (d1) ',
    'xen date': '(XEN) [2025-07-23 10:11:12] (d1) ', 'xl': '(d1) ', 'dmesg -T': '[Wed Jul 23 10:11:12 2025] ',
    'dmesg -x': 'kern  :warn  : [    0.504566] ', 'dmesg iso': '2025-07-23T10:11:12,504566+02:00 ',
    'esxi': '2025-07-23T10:11:12.123Z In(05) vcpu-0 - Guest: ',
    'vmware.log': '2025-07-23T10:11:12.123Z| vcpu-0| I125: Guest: ',
    'libvirt': '2025-07-23 10:11:12.123+0000: ', 'pdsh': 'node7: ', 'pdsh clock': 'web: [    0.504566] ',
    'ansible': 'vm7 | ', 'compose': 'console-1  | [    0.5] ', 'kubectl': '[pod/kata/console] ',
    'logcat': '07-23 10:11:12.123     0     0 W kernel  : ', 'actions': '2025-07-23T10:11:12.1234567Z ',
    'ts': 'Jul 23 10:11:12 ', 'minicom': '[2025-07-23 10:11:12.123] ', 'markdown code': '    ', 'list': '- ',
    'busybox': 'Jul 23 10:11:12 vm7 kern.warn kernel: ', 'caller': '[    0.504566][    T0] ',
    'short-monotonic': '[    0.486493] vm7 kernel: ', 'short-iso': '2025-07-23T10:11:12+0200 vm7 kernel: ',
    'short-precise': 'Jul 23 10:11:12.123456 vm7 kernel: ', 'short-unix': '1753265472.123456 vm7 kernel: ',
    'short-full': 'Wed 2025-07-23 10:11:12.123456 UTC vm7 kernel: ',
    'short-delta': '[    0.486493 <    0.000012>] vm7 kernel: ',
    'with-unit': 'Wed 2025-07-23 10:11:12 CEST vm7 kernel[0]: ', 'logcat brief': 'W/kernel  (    0): ',
    'logcat brief, no tag': 'W/        (    0): ', 'bracketed host': 'node[7]: ',
    'stern': 'default kata-vm-7d9f console ', 'grep -H': '/var/log/serial/vm-7.log:', 'parallel-ssh': '[1] vm7: ',
    'gh run view': 'build\tBoot the kernel\t2025-07-23T10:11:12.1234567Z ',
    'heroku': '2025-07-23T10:11:12.123456+00:00 app[web.1]: ', 'awslogs': '/aws/ec2/console i-0abc123 ',
    'aws logs tail': '2025-07-23T10:11:12.123000+00:00 i-0abc123 ', 'gcloud': 'vm7 serial ',
    'logcli': '2025-07-23T10:11:12Z {job="console", host="vm7"} ',
    'diff': '+', 'diff of old': '< ', 'comment': '# ', 'comment without a blank': '#', 'C comment': '// ',
    'initials': 'JD> ', 'irc': '10:11:12 <@joe> ', 'chat': '[10:11] <joe> ', 'terraform': 'null_resource.vm7 (remote-exec): ',
    'Python': '2025-07-23 10:11:12,123 - serial - INFO - ', 'Python basicConfig': 'INFO:serial:',
    'Python level first': '2025-07-23 10:11:12,123 INFO serial: ', 'avocado': '10:11:12 DEBUG| ',
    'log4j': '2025-07-23 10:11:12,123 INFO  [main] c.e.Console: ',
    'logback': '10:11:12.123 [main] INFO  com.example.Console - ',
    'Spring': '2025-07-23 10:11:12.123  INFO 1234 --- [main] com.example.Console : ',
    'zap': '2025-07-23T10:11:12.123Z\tINFO\tserial\tconsole/serial.go:42\t',
    'tracing': '2025-07-23T10:11:12.123456Z  INFO serial: ', 'winston': '[2025-07-23T10:11:12.123Z] info: ',
    'Ruby': 'I, [2025-07-23T10:11:12.123456 #1234]  INFO -- : ', 'TeamCity': '[10:11:12]W:\t [Step 1/2] ',
    'OpenStack': '2025-07-23 10:11:12.123 1234 DEBUG nova.virt [req-abc123 - - - - -] ', 'abrt': ':',
    'openwrt': 'Wed Jul 23 10:11:12 2025 kern.warn kernel: ', 'epoch': '1753265472.123456 ',
}


def quoted_printable(text):
    """Encodes with perl's module, or with Python if perl has no such module, as in a minimal Debian."""
    perl = ('perl', '-MMIME::QuotedPrint', '-0777', '-ne')
    if subprocess.run((*perl, ''), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0:
        return through(*perl, 'print encode_qp($_)', text=text)
    return quopri.encodestring(text.encode())


def texts(log):
    """Yields the names of common forms, and the log in each form."""
    text, lines, bare = log.text, log.lines, log.bare
    for width in (40, 64, 72, 80, 100, 120, 132):
        yield f'fold {width}', through('fold', '-w', str(width), text=text)
    for width in (60, 72, 80):
        yield f'fold -s {width}', through('fold', '-s', '-w', str(width), text=text)
        yield f'no clock, fold -s {width}', through('fold', '-s', '-w', str(width), text=log.plain)
        yield f'no clock, fold {width}', through('fold', '-w', str(width), text=log.plain)
    quoted = prefixed('> ', text)
    yield 'quoted', quoted
    yield 'quoted twice', prefixed('> ', quoted)
    yield 'folded, quoted', prefixed('> ', through('fold', '-s', '-w', '72', text=text).decode())
    encoded = quoted_printable(text)
    yield 'quoted-printable', encoded
    yield 'quoted-printable of <>', re.sub(rb'[<>]', lambda m: b'=%02X' % m[0][0], encoded)
    yield 'base64', through('base64', text=text)
    yield 'base64 in a line', through('base64', '-w0', text=text)
    for width in (20, 32, 40, 57):
        yield f'base64 {width}', through('base64', '-w', str(width), text=text)
    yield 'mail', b'Content-Transfer-Encoding: base64\n\n' + through('base64', text=text)
    for name in ('UTF-16LE', 'UTF-16BE', 'UTF-16'):
        wide = through('iconv', '-f', 'latin1', '-t', name, text=text.replace('\n', '\r\n'))
        yield name, wide
        yield f'{name} with a mark', {'UTF-16LE': b'\xff\xfe', 'UTF-16BE': b'\xfe\xff'}.get(name, b'') + wide
        yield f'{name} appended', b'# my notes\n' + wide
    yield 'UTF-8 mark', b'\xef\xbb\xbf' + text.encode()
    yield 'zeros', prefixed('\0\0\0', text)
    escaped = html.escape(text)
    yield 'entities', escaped
    yield 'entities twice', html.escape(escaped)
    yield 'pre', f'<html><pre>{escaped}</pre></html>'
    yield 'br', '<br>'.join(html.escape(line) for line in lines)
    yield 'p and br', '<p>' + '<br />\n'.join(html.escape(line) for line in lines) + '</p>'
    yield 'span', ''.join(f'<span class="line">{html.escape(line)}</span>\n' for line in lines)
    for name in ('div', 'li', 'p'):
        yield name, ''.join(f'<{name}>{html.escape(line)}</{name}>' for line in lines)
    yield 'tr', ''.join(f'<tr><td>{html.escape(line)}</td></tr>' for line in lines)
    yield 'grep -n', through('grep', '-n', '', text=log.plain)
    yield 'journal json', '\n'.join(json.dumps(log.journal(line)) for line in bare)
    yield 'journal json-pretty', '\n'.join(json.dumps(log.journal(line), indent='\t') for line in bare)
    yield 'journal bytes', '\n'.join(json.dumps(log.journal(list(line.encode('latin-1')))) for line in bare)
    yield 'journal reversed keys', '\n'.join(
        json.dumps(dict(reversed(log.journal(line).items()))) for line in bare)
    yield 'journal json-seq', ''.join(f'\x1e{json.dumps(log.journal(line))}\n' for line in bare)
    yield 'journal json-sse', ''.join(f'data: {json.dumps(log.journal(line))}\n\n' for line in bare)
    yield 'journal array', json.dumps([log.journal(line) for line in bare])
    yield 'journal export', ''.join(f'__CURSOR=1\n_TRANSPORT=kernel\nPRIORITY=4\nMESSAGE={line}\n\n'
                                    for line in bare)
    yield 'journal verbose', ''.join(f'Wed 2025-07-23 10:11:12.{n:06} CEST [s=1;i={n}]\n    PRIORITY=4\n'
                                     f'    _TRANSPORT=kernel\n    MESSAGE={line}\n'
                                     for n, line in enumerate(bare))
    yield 'container', '\n'.join(map(container, lines))
    yield 'console output', json.dumps({'InstanceId': 'i-0', 'Output': text.replace('\n', '\r\n')}, indent=4)
    yield 'console output in base64', json.dumps({'Output': base64.b64encode(text.encode()).decode()})
    yield 'any object', json.dumps({'a': {'b': {'console_dump': text}}})
    yield 'message', '\n'.join(json.dumps({'@timestamp': '2025', 'message': line}) for line in lines)
    yield 'hits', json.dumps({'hits': {'hits': [{'_source': {'message': line}} for line in lines]}})
    yield 'streams', json.dumps({'streams': [{'values': [[str(n), line] for n, line in enumerate(lines)]}]})
    yield 'array of lines', json.dumps(lines, indent=2)
    yield 'stdout_lines', json.dumps({'stdout_lines': lines}, indent=4)
    yield 'JSON in JSON', '\n'.join(container(json.dumps(log.journal(line))) for line in bare)
    yield 'JSON string', json.dumps(text)
    yield 'YAML string', 'console: ' + json.dumps(text)
    yield 'Python bytes', repr(text.encode())
    yield 'CRI', prefixed('2025-07-23T10:11:12.123456789Z stdout F ', text)
    yield 'CRI partial', ''.join(map(partial_records, lines))
    yield 'CSV', ''.join(f'"2025-07-23 10:11:12","vm7","kernel","warning","{line}"\n' for line in bare)
    yield 'TSV', ''.join(f'2025-07-23 10:11:12\tvm7\tkernel\t{line}\n' for line in bare)
    for name, prefix in PREFIXES.items():
        yield name, prefixed(prefix, log.plain)
    yield 'markdown', f'This is it:\n\n```\n{text}```\n'
    yield 'markdown escapes', re.sub(r'([<>_\[\]])', r'\\\1', text)
    yield 'table', ''.join(f'| {n} | {line} |\n' for n, line in enumerate(lines))
    for name, end in (('CR LF', '\r\n'), ('CR', '\r'), ('LF CR', '\n\r')):
        yield name, text.replace('\n', end)
    yield 'colours', ''.join(f'\x1b[32m{line[:15]}\x1b[0m\x1b[33m{line[15:]}\x1b[0m\n' for line in lines)
    yield 'SOH', prefixed('\x014', text)
    yield 'reversed', through('tac', text=text)
    yield 'journal reversed', prefixed('Jul 23 10:11:12 vm7 kernel: ', through('tac', text=log.plain).decode())
    yield 'the last 24 lines', '\n'.join(lines[log.panic - 23:log.panic + 1])
    yield 'the last 24 lines, no clock', '\n'.join(bare[log.panic - 23:log.panic + 1])
    yield 'the last 24 lines, folded', through('fold', '-w', '80',
                                               text='\n'.join(lines[log.panic - 23:log.panic + 1]) + '\n')
    yield 'no end', '\n'.join(lines[log.header:log.header + 16])
    yield 'no boot', '\n'.join(lines[log.header:])
    yield 'the middle', '\n'.join(lines[log.header + 1:log.header + 25])
    yield 'twice', text * 2
    for size in (1000, 1700, 2500):
        yield f'pstore {size}', ''.join(log.parts(size))
    yield 'pstore in order', ''.join(reversed(log.parts(1700)))


def spelt(escape, lines):
    return ''.join(f'{escape}[32m{line[:15]}{escape}[0m{escape}[33m{line[15:]}{escape}[0m\n' for line in lines)


def cut(line, width):
    return [line[i:i + width] for i in range(0, max(1, len(line)), width)]


def docker(lines, size):
    """Docker's json-file log of these lines. Docker splits long lines: only the last piece of a line has its line end."""
    return ''.join(json.dumps({'log': piece, 'stream': 'stdout', 'time': '2025-07-23T10:11:12.1Z'}) + '\n'
                   for line in lines for piece in cut(line + '\n', size))


def characters(log):
    """Yields the names of forms in which tools change or add characters, and the log in each form."""
    text, lines = log.text, log.lines
    for name, blank in (('no-break', '\u00a0'), ('narrow', '\u202f'), ('em', '\u2003'), ('wide', '\u3000'),
                        ('tab', '\t')):
        yield f'{name} blanks', text.replace(' ', blank)
    yield 'no-break blanks in Latin 1', text.replace(' ', '\u00a0').encode('latin-1')
    yield 'zero width', '\n'.join('\u200b'.join(cut(line, 10)) for line in lines)
    yield 'byte order marks', prefixed('\ufeff', text)
    yield 'direction marks', prefixed('\u200e', text)
    for pair in ('\u2039\u203a', '\u00ab\u00bb', '\u27e8\u27e9', '\u3008\u3009', '\uff1c\uff1e', '[]', '()', '**'):
        yield f'marks {pair}', text.replace('<f3>', f'{pair[0]}f3{pair[1]}')
    yield 'full width', ''.join(chr(ord(c) + 0xfee0) if '!' <= c <= '~' else c for c in text)
    yield 'typographic', text.replace('---', '\u2014').replace("'", '\u2019')
    for name, escape in (('caret', '^['), ('\\e', '\\e'), ('\\033', '\\033'), ('\\x1b', '\\x1b'), ('\\u001b', '\\u001b'),
                         ('rsyslog', '#033'), ('less', 'ESC'), ('picture', '\u241b'), ('lost', '')):
        yield f'colours, {name}', spelt(escape, lines)
    yield 'character sets', ''.join(f'\x1b(B{line}\x1b[m\n' for line in lines)
    yield 'links', ''.join(f'\x1b]8;;http://x\x1b\\{line}\x1b]8;;\x1b\\\n' for line in lines)
    yield 'overstrike', ''.join(c if c == '\n' else f'{c}\b{c}' for c in text)
    yield 'rsyslog, one line', 'Jul 23 10:11:12 vm7 kernel: ' + '#012'.join(lines)
    yield 'rsyslog, CR', prefixed('Jul 23 10:11:12 vm7 kernel: ', '\n'.join(f'{line}#015' for line in lines))
    for separator in ('\u0085', '\u2028', '\v', '\\n', '\\r\\n'):
        yield f'separator {separator!r}', separator.join(lines)
    yield 'URL', urllib.parse.quote(text)
    yield 'URL, lines', '\n'.join(map(urllib.parse.quote, lines))
    yield 'form', urllib.parse.urlencode({'text': text})
    for left, right in (('%3C', '%3E'), ('%3c', '%3e'), ('&LT;', '&GT;'), ('&#60;', '&#62;'), ('&#X3C;', '&#X3E;'),
                        ('=3c', '=3e')):
        yield f'brackets as {left}', text.replace('<', left).replace('>', right)
    yield 'upper-case tags', '<PRE>' + '<BR>\n'.join(html.escape(line) for line in lines) + '</PRE>'
    yield '&nbsp;', '<br>\n'.join(html.escape(line).replace(' ', '&nbsp;') for line in lines)
    yield '&#160;', '<br>\n'.join(html.escape(line).replace(' ', '&#160;') for line in lines)
    yield 'numbered table', ''.join(f'<tr><td>{n}</td><td>{html.escape(line)}</td></tr>' for n, line in enumerate(lines))
    yield 'anchors', ''.join(f'<a id="l{n}"></a><b>{html.escape(line)}</b>\n' for n, line in enumerate(lines))
    yield 'quoted-printable, each blank', text.replace(' ', '=20')
    yield 'quoted-printable, each mark', re.sub(r'[^\w\n ]', lambda m: f'={ord(m[0]):02X}', text)
    encoded = quoted_printable(text).decode()
    yield 'quoted-printable, lower case', re.sub('=[0-9A-F]{2}', lambda m: m[0].lower(), encoded)
    yield 'quoted-printable, quoted', prefixed('> ', encoded)


def wrapped(log):
    """Yields the names of forms in which tools wrap, number or embed the lines, and the log in each form."""
    for clock, lines in (('', log.lines), ('no clock, ', log.bare)):
        text = '\n'.join(lines) + '\n'
        for width in (60, 80):
            folded = [cut(line, width) for line in lines]
            for mark in ('\\\n', '\u21b5\n', '\n\u21aa', '\n\u21b3 ', '\n> ', '\n    '):
                yield f'{clock}{mark!r} at {width}', '\n'.join(map(mark.join, folded))
            yield f'{clock}host, {width}', prefixed('vm7: ', '\n'.join(map('\n'.join, folded)))
            for bar in '|\u2502':
                yield f'{clock}{bar}, {width}', ''.join(f'{bar}{piece:<{width}}{bar}\n' for f in folded for piece in f)
        for name, form in {'cat -n': '{:6}\t{}', 'grep -Hn': 'serial.log:{}:{}', 'list': '{}. {}', 'less -N': '{:7} {}',
                           'lines': 'line {}: {}', 'bat': '{:4} \u2502 {}', 'ini': 'line{}={}'}.items():
            yield clock + name, '\n'.join(form.format(n, line) for n, line in enumerate(lines))
        for name, match, other in (('grep -A', '{n}:', '{n}-'), ('grep -HA', 'a.log:', 'a.log-'),
                                   ('grep -HnA', 'a.log:{n}:', 'a.log-{n}-')):
            yield clock + name, '\n'.join((match if 'opcode' in line else other).format(n=n) + line
                                          for n, line in enumerate(lines))
        yield clock + 'diff -u', '--- a\n+++ b\n@@ -0,0 +1 @@\n' + prefixed('+', text)
        for name, form in {
                'logfmt': 'time="2025-07-23T10:11:12Z" level=info msg={}',
                'slog': 'time=2025-07-23T10:11:12.123+02:00 level=INFO msg={} vm=7',
                'slog without keys': '2025/07/23 10:11:12 INFO console line={}',
                'Kata': 'Jul 23 10:11:12 node7 kata[12]: time="2025-07-23" level=debug name=shim pid=12 vmconsole={}',
                'JSON in a list': '- {{"message": {}}}', 'JSON behind a date': '2025-07-23T10:11:12Z {{"message": {}}}',
                'JSON behind a host': 'vm7: {{"message": {}}}',
                'LAVA': '- {{"dt": "2025-07-23T10:11:12.12", "lvl": "target", "msg": {}}}'}.items():
            yield clock + name, '\n'.join(form.format(json.dumps(line)) for line in lines)
        whole = {'changed': False, 'stdout': text}
        yield clock + 'Ansible', 'ok: [vm7] => ' + json.dumps(whole, indent=4)
        yield clock + 'Ansible, one line', 'fatal: [vm7]: FAILED! => ' + json.dumps(whole)
        yield clock + 'JSON, quoted', prefixed('> ', json.dumps(whole, indent=2))
        yield clock + 'abrt', 'kernel:         6.1.0-1\n\nbacktrace:\n' + prefixed(':', text)
        encoded = through('base64', text=text).decode()
        for prefix in ('> ', '    ', 'vm7: '):
            yield f'{clock}base64 behind {prefix!r}', prefixed(prefix, encoded)
        encoded = encoded.replace('\n', '')
        for form in ('data:text/plain;base64,{}', '<a href="data:text/plain;charset=utf-8;base64,{}">', 'dmesg: {}',
                     'DMESG={}', 'log: "{}"', '"{}"'):
            yield f'{clock}base64, {form}', form.format(encoded)
        yield clock + 'base64 of URLs', encoded.replace('+', '-').replace('/', '_')
        for size in (30, 50, 16384):
            yield f'{clock}Docker, {size}', docker(lines, size)
    yield 'Docker, JSON in it', docker([json.dumps({'Output': log.text, 'pad': 'x' * 20000})], 16384)


def dmesg_json(text):
    """The output of `dmesg -J` for this log. It is empty if this dmesg has no option -J."""
    with tempfile.NamedTemporaryFile('w') as file:
        file.write(prefixed('<4>', text))
        file.flush()
        done = subprocess.run(['dmesg', '-J', '-F', file.name], capture_output=True, timeout=30)
    return done.stdout


class Crash(Case):
    """For tests of one crash in many forms. `explain` must find its cause in each form, and may report only the crash's
    first line (`header`) as missing."""

    def setUp(self):
        self.log = Log(LOG[0])

    def check(self, name, text):
        with self.subTest(name):
            seen = self.report(text)
            source = seen['explain']['sources'][0]
            self.assertEqual((seen['verdict'], seen['findings']), ('broken', ['insn-ud']))
            self.assertEqual(source['instruction'], 'rdfsbase')
            self.assertLessEqual(set(source['missing']), {'header'})


@unittest.skipUnless(LOG, 'no log of the defective host in tests/machines/logs')
class Captured(Crash):
    """The crash in each form that this file makes, and in compressed files."""

    def test_forms(self):
        count = 0
        for form in (texts, characters, wrapped):
            for name, text in form(self.log):
                self.check(name, text)
                count += 1
        print(f'{count} forms')
        self.assertGreater(count, 330)

    def test_crash_alone(self):
        """`explain` recognises a prefix of all lines even if the text has only the lines of the crash."""
        log = Log(LOG[0])
        plain = '\n'.join(log.bare[log.header:log.panic]) + '\n'
        for prefix in ('node[7]: ', 'INFO:serial:', 'JD> ', 'serial.log:', '2025-07-23 10:11:12,123 - serial - INFO - '):
            self.check(prefix, prefixed(prefix, plain))

    def test_dmesg_json(self):
        text = dmesg_json(self.log.text)
        if not text:
            self.skipTest('this dmesg has no -J')
        self.check('dmesg -J', text)

    def test_packed(self):
        for tool, command in (('gzip', 'zcat'), ('xz', 'xzcat'), ('zstd', 'zstdcat'), ('bzip2', 'bzcat')):
            if not shutil.which(tool):
                continue
            done = explain('-', text=through(tool, '-c', text=self.log.text))
            self.assertEqual(done.returncode, 3)
            self.assertIn(f'    {command} FILE | fsgscheck explain -'.encode(), done.stdout)

    def test_packed_names(self):
        """The command that `explain` prints for a compressed file works in a shell, whatever the name of the file is."""
        with tempfile.TemporaryDirectory() as folder:
            def run(*command):
                return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

            for name in ('plain.gz', "it's a ; touch hit #.gz", '$(touch hit).gz', '-c.gz'):
                with open(os.path.join(folder, name), 'wb') as file:
                    file.write(through('gzip', '-c', text=self.log.text))
                told = run(COMMAND, 'explain', '--json', '--', name)
                command = json.loads(told.stdout)['explain']['packed'][0]['command']
                self.assertIn(f'    {command}\n', run(COMMAND, 'explain', '--', name).stdout)
                done = run('sh', '-c', command.replace('fsgscheck', COMMAND))
                self.assertEqual((done.returncode, done.stderr), (2, ''), command)
                self.assertIn('FSGSBASE: broken', done.stdout)
                self.assertNotIn('hit', os.listdir(folder))


JOURNAL_REMOTE = '/lib/systemd/systemd-journal-remote'
JOURNAL_OUTPUTS = ['short', 'short-full', 'short-iso', 'short-iso-precise', 'short-precise', 'short-monotonic',
                   'short-unix', 'with-unit', 'verbose', 'export', 'json', 'json-pretty', 'json-sse', 'json-seq', 'cat']
DMESG_OPTIONS = ['', '-T', '-x', '-T -x', '-r', '-d', '-e', '-t', '-H -P --color=never', '--color=always', '-J',
                 '--time-format delta', '--time-format iso', '-k', '-x --color=always']


@unittest.skipUnless(LOG, 'no log of the defective host in tests/machines/logs')
class Tools(Crash):
    """The crash as installed tools print it, for example journalctl, dmesg and tmux."""

    def run_tool(self, *command, **other):
        done = subprocess.run(command, capture_output=True, timeout=60, check=False, **other)
        self.assertTrue(done.stdout, (command, done.stderr))
        return done.stdout

    @unittest.skipUnless(os.path.exists(JOURNAL_REMOTE) and shutil.which('journalctl'), 'no systemd-journal-remote')
    def test_journalctl(self):
        with tempfile.TemporaryDirectory() as folder:
            journal = os.path.join(folder, 'vm7.journal')
            entries = ''.join(
                f'__CURSOR=s=1;i={n:x}\n__REALTIME_TIMESTAMP={1753265472000000 + n}\n__MONOTONIC_TIMESTAMP={n}\n'
                f'_BOOT_ID={"1" * 32}\n_HOSTNAME=vm7\n_TRANSPORT=kernel\nPRIORITY=4\nSYSLOG_FACILITY=0\n'
                f'SYSLOG_IDENTIFIER=kernel\nMESSAGE={line}\n\n' for n, line in enumerate(self.log.bare, 1))
            subprocess.run([JOURNAL_REMOTE, '-o', journal, '-'], input=entries.encode('latin-1'), check=True,
                           capture_output=True, timeout=60)
            for output in JOURNAL_OUTPUTS:
                for order in ([], ['-r']):
                    self.check(f'{output} {order}', self.run_tool('journalctl', '--file', journal, '--no-pager', '-a',
                                                                  '-o', output, *order))
            self.assertEqual(explain(journal).returncode, 3)

    def test_dmesg(self):
        with tempfile.NamedTemporaryFile('w') as file:
            file.write(prefixed('<4>', self.log.text))
            file.flush()
            for options in DMESG_OPTIONS:
                self.check(f'dmesg {options}', self.run_tool('dmesg', '-F', file.name, *options.split()))

    def test_filters(self):
        """The log after it has passed through a filter, for example cat -n, jq or openssl base64."""
        text = self.log.text
        for command in (('nl', '-ba'), ('cat', '-n'), ('cat', '-A'), ('cat', '-v'), ('expand',), ('unexpand', '-a'),
                        ('pr', '-t', '-o', '4'), ('grep', '-n', ''), ('grep', '--color=always', '-E', 'e|$'), ('tac',),
                        ('jq', '-Rs', '.'), ('jq', '-Rs', '{log: .}'), ('jq', '-R', '.'), ('jq', '-R', '{message: .}'),
                        ('jq', '-Rsc', 'split("\n")'), ('jq', '-Rsr', '@html'), ('jq', '-Rsr', '@uri'),
                        ('jq', '-Rsr', '@base64'), ('jq', '-Rsr', '@json'), ('openssl', 'base64'),
                        ('openssl', 'base64', '-A'), ('sed', 's/^/> /'), ('sed', 's/$/\\r/'), ('fold', '-w', '90'),
                        ('sed', '-n', 'l 1'), ('col', '-bx')):
            self.check(' '.join(command), through(*command, text=text))
        for name in ('UTF-16', 'UTF-16LE', 'UTF-16BE'):
            self.check(f'iconv {name}', through('iconv', '-f', 'latin1', '-t', name, text=text))

    def test_unpacked(self):
        for tool, back in (('gzip', 'zcat'), ('xz', 'xzcat'), ('zstd', 'zstdcat'), ('bzip2', 'bzcat'), ('lz4', 'lz4cat')):
            if shutil.which(tool) and shutil.which(back):
                self.check(tool, through(back, text=through(tool, '-c', text=self.log.text)))

    @unittest.skipUnless(shutil.which('script'), 'no script')
    def test_script(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (('log', self.log.text), ('lines', self.log.plain)):
                with open(os.path.join(folder, name), 'w', encoding='latin-1') as file:
                    file.write(text)
                subprocess.run(['script', '-q', '-c', f'cat {name}', 'typescript'], cwd=folder, check=True, timeout=60,
                               stdin=subprocess.DEVNULL, capture_output=True)
                self.check(f'script, {name}', read(os.path.join(folder, 'typescript')))

    @unittest.skipUnless(shutil.which('tmux'), 'no tmux')
    def test_tmux(self):
        """Text that is copied from a terminal has a line end wherever the terminal wrapped a line."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, 'log'), 'w', encoding='latin-1') as file:
                file.write(self.log.text)
            for width in (80, 100, 132):
                tmux = ['tmux', '-f', '/dev/null', '-S', os.path.join(folder, f'socket{width}')]
                subprocess.run([*tmux, 'new-session', '-d', '-x', str(width), '-y', '50',
                                f'cat {folder}/log; tmux -S {folder}/socket{width} wait-for -S read; sleep 60'],
                               check=True, timeout=60)
                try:
                    subprocess.run([*tmux, 'wait-for', 'read'], check=True, timeout=60)
                    for joined in ([], ['-J'], ['-e']):
                        self.check(f'tmux {width} {joined}',
                                   self.run_tool(*tmux, 'capture-pane', '-p', '-S', '-', *joined))
                finally:
                    subprocess.run([*tmux, 'kill-server'], check=False, timeout=60)


SYMBOLS = ['copy_thread+0x9b/0x280', '__switch_to+0x1a4/0x4a0', 'save_fsgs+0x10/0x60',
           'current_save_fsgs+0x38/0xa0', 'paranoid_entry+0x8a/0x180', 'native_write_cr4+0x4/0x60',
           'x86_fsgsbase_load+0x3/0x10', 'ext4_find+0x1/0x2', 'do_one_initcall+0x5/0x100',
           'init_module+0x8/0x20 [foo]']
OTHER_CRASHES = [
    'BUG: unable to handle page fault for address: ffff8a1518800000\n#PF: supervisor write access\n'
    'Oops: 0002 [#1] PREEMPT SMP NOPTI',
    'BUG: kernel NULL pointer dereference, address: 0000000000000008\nOops: 0000 [#1] SMP',
    'divide error: 0000 [#1] SMP', 'int3: 0000 [#1] SMP', 'stack segment: 0000 [#1] SMP',
    'general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP',
    'traps: PANIC: double fault, error_code: 0x0\ndouble fault: 0000 [#1] SMP',
    'kernel BUG at arch/x86/kernel/process.c:161!\ninvalid opcode: 0000 [#1] SMP',
    'invalid opcode: 0000 [#1] SMP', 'Oops: general protection fault, 0x0: 0000 [#1] SMP']
SAMPLES = ['watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [a:1]', 'NMI backtrace for cpu 0',
           'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:', 'sysrq: Show Regs',
           'WARNING: CPU: 0 PID: 0 at kernel/x.c:1 x+0x1/0x2', 'INFO: task a:1 blocked for more than 120 seconds.']
FORMS = [lambda t: t, lambda t: prefixed('[    1.5] ', t), lambda t: json.dumps({'Output': t}),
         lambda t: html.escape(t), lambda t: t.encode('utf-16'), lambda t: prefixed('> ', t)]


class Innocent(Case):
    """Crashes with other causes, and backtraces without a crash, are not evidence."""

    def test_others(self):
        for header in OTHER_CRASHES:
            for n, symbol in enumerate(SYMBOLS):
                for code in ('8b 00 48 8b 15', '0f 0b 66 90'):
                    text = FORMS[n % len(FORMS)](HEAD + crash(header, symbol=symbol, code=code))
                    seen = self.expect_nothing(text)['explain']
                    self.assertEqual((seen['crashes'], seen['other_crashes']), (1, 1), (header, symbol))

    def test_samples(self):
        """The dump of a CPU that continues is not a crash, even if its Code: line shows one of the four instructions."""
        for header in SAMPLES:
            for symbol in SYMBOLS:
                text = HEAD + crash(header, symbol=symbol).replace('---[ end trace 0000000000000000 ]---\n', '')
                if header.startswith('WARNING'):
                    text = text.replace('<f3> 48 0f ae c0', '<0f> 0b 66')
                self.assertEqual(self.expect_nothing(text)['explain']['crashes'], 0)

    def test_unread(self):
        """A crash without instruction bytes, in a function that `explain` does not know, is counted in `unread_crashes`."""
        text = HEAD + crash(symbol='ext4_find+0x1/0x2').replace('<f3> 48 0f ae c0 48 89 83', '')
        seen = self.expect_nothing(text)['explain']
        self.assertEqual((seen['other_crashes'], seen['unread_crashes']), (0, 1))
        page = explain('-', text=text).stdout
        self.assertIn(b'1 crash that could not be read', page)
        self.assertIn(b'boot once with nofsgsbase', re.sub(rb'\s+', b' ', page))


CHOSEN = ['invalid opcode: 0000 [#1] PREEMPT SMP NOPTI', 'CPU: 0 PID: 0 Comm: swapper/0 Not tainted 6.1.0 #1',
          'RIP: 0010:current_save_fsgs+0x38/0xa0', 'Code: <f3> 48 0f ae c0 48 89 83',
          'CR2: ffff8a60dfdff000 CR3: 000000001c010000 CR4: 00000000001506f0', '---[ end trace 0 ]---']
CLOCKS = ['', '[   12.345678] ', 'Jul 23 10:11:12 vm7 kernel: ', '<6>[   12.5] ', 'vm7: ', '[   12.5][  T99] ']


class Forged(Case):
    """Text that a user can choose does not count as text of the kernel: names of programs, files and devices, and log
    lines that programs wrote."""

    def nothing(self, lines):
        self.expect_nothing(HEAD + ''.join(lines))

    def test_quoted_names(self):
        for clock in CLOCKS:
            for line in ('traps: a[1] trap invalid opcode ip:47ed19 sp:7ffc error:0 in {}[400000+d0000]\n',
                         'a[1]: segfault at 0 ip 00 sp 00 error 4 in {}[400000+d0000]\n',
                         'audit: type=1701 audit(1.1:1): auid=1000 comm="a" exe="{}" sig=4\n',
                         'usb 1-1: Product: {}\n', 'input: {} as /devices/virtual\n', 'systemd[1]: {}\n',
                         'Memory cgroup out of memory: Killed process 1 ({})\n'):
                self.nothing(clock + line.format(name) for name in CHOSEN)

    def test_names_of_several_lines(self):
        for clock in CLOCKS:
            start = f'{clock}a[1]: segfault at 0 ip 00 sp 00 error 4 in x\n'
            self.nothing([start] + [f'{clock}{name}\n' for name in CHOSEN[:5]] + ['y[400000+d0000]\n'])
            self.nothing(f'{start}{clock}{name}\n{clock}y[400000+d0000]\n' for name in CHOSEN)

    def test_other_writers(self):
        for prefix in ('Jul 23 10:11:12 vm7 logger: ', 'Jul 23 10:11:12 vm7 bash[12]: ',
                       '2025-07-23T10:11:12+02:00 vm7 app: ', '<12>[    0.5] ', '<12>', '12,1,5000,-;',
                       'user  :warn  : [    0.5] ', 'Jul 23 10:11:12 vm7 user.notice root: ',
                       '<14>1 2025-07-23T10:11:12Z vm7 app 12 - - '):
            self.nothing(f'{prefix}{name}\n' for name in CHOSEN)
        indent = ' ' * len('Jul 23 10:11:12 vm7 bash[123]: ')
        self.nothing(['Jul 23 10:11:12 vm7 bash[123]: first\n'] + [f'{indent}{name}\n' for name in CHOSEN])

    def test_common_prefix(self):
        """Text with which all lines begin does not count as a logger's prefix if a name follows it, or if the lines are
        those of a program."""
        for line in ('traps: a[1] trap invalid opcode ip:47ed19 sp:7ffc error:0 in {}[400000+d0000]',
                     'audit: type=1701 audit(1.1:1): auid=1000 comm="a" exe="{}" sig=4', 'usb 1-1: Product: {}',
                     'input: {} as /devices/virtual', 'systemd[1]: {}', 'Memory cgroup out of memory: Killed process 1 ({})',
                     'Jul 23 10:11:12 vm7 bash[12]: {}', '2025-07-23T10:11:12+02:00 vm7 app: {}', 'Jul 23 10:11:12 bash[12]: {}',
                     '[   12.345678] vm7 bash[12]: {}', 'CRON[12]: (joe) CMD ({})'):
            lines = [line.format(name) + '\n' for name in CHOSEN] * 8
            self.expect_nothing(''.join(lines))
            self.nothing(lines)
        for line in ('Bluetooth: hci0: {}', 'mce: {}', 'INFO:app:{}', 'app - {}'):
            self.nothing([line.format(name) + '\n' for name in CHOSEN] * 8)

    def test_line_ends_in_names(self):
        """An escaped line end inside a name, for example #012 or <br>, does not start a new line of the kernel."""
        for joint in ('#012', '\\n', '%0A', '<br>', '\u2028', '\u0085', '\v', '\\x0a', '&#10;', '=0A', '</p>'):
            for clock in ('[   12.5] ', 'Jul 23 10:11:12 vm7 kernel: ', ''):
                for line in ('audit: type=1701 comm="a" exe="{}" sig=4', 'usb 1-1: Product: {}'):
                    self.nothing([clock + line.format(joint + joint.join(CHOSEN) + joint) + '\n'])
        self.nothing(['Jul 23 10:11:12 vm7 app: ' + 'x' * 3000 + '#012' + '#012'.join(CHOSEN) + '\n'])

    def test_journal(self):
        program = {'_TRANSPORT': 'syslog', '_UID': '1000'}
        self.nothing(json.dumps({'MESSAGE': name, **program}) + '\n' for name in CHOSEN)
        self.nothing(json.dumps({**program, 'MESSAGE': name}) + '\n' for name in CHOSEN)
        self.nothing([json.dumps({'MESSAGE': HEAD + crash(), **program})])
        self.nothing(json.dumps({'_TRANSPORT': 'kernel', 'SYSLOG_FACILITY': '1', 'MESSAGE': name}) + '\n'
                     for name in CHOSEN)
        self.nothing([json.dumps({'_TRANSPORT': 'kernel', '_CMDLINE': HEAD + crash(), 'MESSAGE': 'x'})])
        entries = [{'MESSAGE': name, **program} for name in CHOSEN] + [{'_TRANSPORT': 'kernel', 'MESSAGE': 'x'}]
        self.nothing([json.dumps(entries)])
        self.nothing([json.dumps({'entries': entries})])
        self.nothing([json.dumps({'dmesg': [{'pri': 12, 'time': 0.5, 'msg': name} for name in CHOSEN]})])
        self.nothing(f'MESSAGE={name}\n_TRANSPORT=syslog\n\n' for name in CHOSEN)


GDB = ('Program received signal SIGILL, Illegal instruction.\n(gdb) x/3i $pc\n'
       '=> 0x5555555a1b3c <os_writegsbase+4>:\twrgsbase %rdi\n')
TOOL = ('crash> bt\nPID: 0  TASK: ffffffffb7c1aa40  CPU: 0  COMMAND: "swapper/0"\n'
        ' #4 [ffffffffb7c03c50] asm_exc_invalid_op at ffffffff81c00af6\n'
        '    [exception RIP: current_save_fsgs+56]\n'
        '    RIP: ffffffff8102c1a8  RSP: ffffffffb7c03d00  RFLAGS: 00000046\n')
DIS = ('crash> dis current_save_fsgs+56 1\n'
       '0xffffffff8102c1a8 <current_save_fsgs+56>:      rdfsbase %rax\n')
QEMU = ('KVM internal error. Suberror: {}\nemulation failure\nRAX=0000000000000000 RBX=ffffffffb7c1aa40\n'
        'RIP=ffffffff8102c1a8 RFL=00000046 [---Z-P-] CPL={} II=0 A20=1 SMM=0 HLT=0\n'
        'CR0=80050033 CR2=ffff8f3d5fdff000 CR3=0000000019610000 CR4={}\nCode=e0 65 {} 48 89 83\n')
LSCPU = ('Architecture:             x86_64\nVendor ID:                AuthenticAMD\n'
         'Model name:               AMD EPYC 7281\nHypervisor vendor:        Microsoft\n'
         'Flags:                    fpu vme {} bmi1 avx2\n')
VBOX = '00:00:04.809519   FSGSBASE - RDFSBASE/RDGSBASE/WRFSBASE/WRGSBASE instr.   = {} ({})\n'
DECODED = ('[    0.48] invalid opcode: 0000 [#1] PREEMPT SMP NOPTI\n'
           '[    0.48] RIP: 0010:current_save_fsgs (arch/x86/kernel/process_64.c:250)\n'
           '[    0.48] Code: 89 c5 fa\nAll code\n========\n   0:\t89 c5                \tmov    %eax,%ebp\n'
           '  2a:*\tf3 48 0f ae c0       \trdfsbase %rax\t\t<-- trapping instruction\n\n'
           'Code starting with the faulting instruction\n===========================================\n'
           '[    0.48] CR2: ffff8f3d5fdff000 CR3: 0000000019610000 CR4: 00000000001506f0\n')
PINNED = ('------------[ cut here ]------------\npinned CR4 bits changed: {bits}!?\n'
          'WARNING: CPU: 1 PID: 0 at arch/x86/kernel/cpu/common.c:449 native_write_cr4+0x53/0x60\n'
          'Modules linked in:{modules}\nCPU: 1 PID: 0 Comm: swapper/1 {taint} 6.1.0-56-amd64 #1\n'
          + dump(code='0f 0b 66', symbol='native_write_cr4+0x53/0x60', cr4='00000000000406b0')
          + 'Call Trace:\n{trace}---[ end trace 0 ]---\n')
STARTING = {'who': '1 PID: 0 Comm: swapper/1', 'symbol': 'paranoid_entry+0x8a/0x180', 'code': 'f3 48 0f ae cb'}
RISK = ['unproven', 'upgrade-risk']
OLD = ['kernel-too-old', 'unproven']


def uname(release):
    return f'Linux vm7 {release} #1 SMP PREEMPT_DYNAMIC Debian x86_64 GNU/Linux\n'


def clocked(clock, text):
    return HEAD + prefixed(f'[{clock}] ', text)


BOTH = ('broken', ['insn-ud'])
UNKNOWN = ('unknown', [])
# Each row: a name, the text, the expected verdict and findings (None: no evidence), and words of a note (None: any notes).
FACTS = [
    # Texts that look like another verdict at first sight.
    ('AP before CR4', HEAD + crash(cr4='00000000000000f0', **STARTING), UNKNOWN, 'just being started'),
    ('AP, later', HEAD + crash(cr4='00000000000006b0', **STARTING), UNKNOWN, 'just being started'),
    ('AP with the bit', HEAD + crash(cr4='00000000001506f0', **STARTING), BOTH, None),
    ('worker without the bit', HEAD + crash(who='3 PID: 812 Comm: kworker/3:1', cr4='00000000001406f0'),
     ('broken', ['cr4-dropped']), None),
    ('backport', HEAD.replace('6.1.0-56', '5.4.119-19') + crash(release='5.4.119', cr4='00000000001406b0'),
     ('broken', ['cr4-dropped']), None),
    ('after days', clocked('812345.678901', crash()), BOTH, 'live migration'),
    ('pinned while starting', HEAD + PINNED.format(bits='0x10000', modules='', taint='Not tainted',
                                                   trace=' identify_cpu+0x1/0x2\n start_secondary+0x1/0x2\n'),
     ('inconsistent', ['cpus-differ']), None),
    ('pinned by a module', HEAD + PINNED.format(
        bits='0x10000', modules=' gsgx(OE)', taint='Tainted: G           OE     ',
        trace=' <IRQ>\n set_cr4+0x1/0x2 [gsgx]\n </IRQ>\n do_idle+0x1/0x2\n'), UNKNOWN, 'module'),
    ('pinned by an interrupt', HEAD + PINNED.format(
        bits='0x10000', modules='', taint='Not tainted', trace=' __flush_smp_call_function_queue+0x1/0x2\n'),
     UNKNOWN, 'module'),
    ('pinned, SMEP', HEAD + PINNED.format(bits='0x100000', modules='', taint='Not tainted', trace=''), None, None),
    ('init of an old user space', HEAD + 'traps: bash[1] trap invalid opcode ip:47ed19 sp:7ffc error:0 in bash[1+2]\n'
     'Kernel panic - not syncing: Attempted to kill init!\nCPU: 0 PID: 1 Comm: bash Not tainted 5.0.0 #1\n'
     'RIP: 0033:0x47ed19\nCode: 41 57 <f3> 48 0f ae d7 c3\n'
     'CR2: 0000000000000000 CR3: 0000000001a10000 CR4: 00000000000006f0\n', None, None),
    ('alternatives', 'SMP alternatives: feat: 9*32+0, old: (current_save_fsgs+0x32/0xa0 (ffffffff81017762) len: 5)\n',
     None, None),
    ('Xen PV', HEAD + crash('BUG: unable to handle page fault for address: 0\nOops: 0000 [#1] SMP', selector='e030',
                            code='8b 00', symbol='pmc_core_probe+0x138/0x190'), None, None),
    ('CET', HEAD + crash('general protection fault: 0000 [#1] SMP', code='0f 22 e7 c3', rdi='0000000000b50ef0',
                         cr4='0000000000350ef0', symbol='native_write_cr4+0x4/0x60'), None, None),
    # Crash dumps that were typed, cut off, or read from a picture.
    ('typed with a symbol', 'invalid opcode: 0000 [#1]\nRIP: 0010:copy_thread+0xd2/0x280\n'
     'Kernel panic - not syncing: Attempted to kill the idle task!\n', UNKNOWN, 'Code: line'),
    ('typed without a selector', 'RIP: current_save_fsgs+0x38/0xa0\n'
     'Kernel panic - not syncing: Attempted to kill the idle task!\n', UNKNOWN, 'Code: line'),
    ('from a picture', (HEAD + crash('invalid opcode: OOOO [#l] SMP')).replace('<f3>', '\u2039f3\u203a'), UNKNOWN,
     'read from a picture'),
    ('from a picture, registers', (HEAD + crash(cr4='OOOOOOOO001506f0')), UNKNOWN, 'read from a picture'),
    ('cut at 80', ''.join(f'[    0.486493] {line}'[:80] + '\n' for line in (HEAD + crash()).splitlines()), UNKNOWN,
     'Code: line'),
    # Output of debuggers, hypervisors and lscpu, and options of the kernel.
    ('decode_stacktrace.sh', DECODED, BOTH, None),
    ('crash bt', TOOL, UNKNOWN, 'Code: line'), ('crash bt and dis', TOOL + DIS, ('broken', []), 'CR4 is missing'),
    ('crash dis and bt', DIS + TOOL, ('broken', []), 'CR4 is missing'),
    ('crash with CR4', TOOL + DIS + 'crash> help -r | grep CR4\n  CR4: 00000000001506f0\n', BOTH, 'by its name'),
    ('QEMU', QEMU.format(1, 0, '001506f0', '<f3> 48 0f ae c0'), BOTH, 'emulator'),
    ('QEMU, other bytes', QEMU.format(1, 0, '001506f0', '<0f> 01 d0'), None, None),
    ('QEMU, another error', QEMU.format(3, 0, '001506f0', '<f3> 48 0f ae c0'), None, None),
    ('QEMU, no bit', QEMU.format(1, 0, '001406f0', '<f3> 48 0f ae c0'), UNKNOWN, 'emulator'),
    ('gdb', GDB, UNKNOWN, 'uname -r'),
    ('gdb, old', GDB + '(gdb) shell uname -r\n5.4.0-139-generic\n', ('disabled', OLD), None),
    ('gdb, NetBSD', 'NetBSD vm 10.1 NetBSD 10.1 (GENERIC) #0 amd64\n' + GDB, ('disabled', ['unproven']), None),
    ('gdb, ud2', GDB.replace('wrgsbase %rdi', 'ud2'), None, None),
    ('VirtualBox both', VBOX.format(1, 1), ('unknown', ['unproven']), 'CPUID'),
    ('VirtualBox host only', VBOX.format(0, 1), ('unsupported', []), 'CPUID'),
    ('libvirt', "error: operation failed: guest CPU doesn't match specification: missing features: ss,fsgsbase,bmi1\n",
     ('unsupported', []), 'this host cannot provide'),
    ('libvirt, others', 'missing features: avx,bmi1\n', None, None),
    ('QEMU warning', "qemu-system-x86_64: warning: host doesn't support requested feature: CPUID.07H:EBX.fsgsbase "
     '[bit 0]\n', ('unsupported', []), 'this host cannot provide'),
    ('lscpu', LSCPU.format('fsgsbase'), ('unknown', RISK), None),
    ('lscpu without', LSCPU.format('smep'), UNKNOWN, None),
    ('lscpu and uname', uname('6.1.0-18-amd64') + LSCPU.format('fsgsbase'), ('usable', []), 'No program tried'),
    ('lscpu, then uname', LSCPU.format('fsgsbase') + uname('5.4.0'), ('disabled', OLD + ['upgrade-risk']), None),
    ('misspelt', HEAD.replace('ttyS0', 'ttyS0 nofsgbase') + crash(), BOTH, 'spelt nofsgsbase'),
    ('misspelt, no crash', HEAD.replace('ttyS0', 'ttyS0 nofsgsbse'), UNKNOWN, 'spelt nofsgsbase'),
    ('spelt right', HEAD.replace('ttyS0', 'ttyS0 nofsgsbase'), None, None),
    ('clearcpuid', HEAD + 'Clearing CPUID bits: fsgsbase rdtscp\n', UNKNOWN, 'cleared the feature'),
]


class Facts(Case):
    """Each row of FACTS is a kind of report as people publish it, with the conclusion that an expert draws from it."""

    def test_facts(self):
        for name, text, wanted, note in FACTS:
            with self.subTest(name):
                seen = self.report(text)
                found = (seen['verdict'], sorted(seen['findings'])) if seen['explain']['evidence'] else None
                self.assertEqual(found, wanted and (wanted[0], sorted(wanted[1])))
                notes = ' '.join(n for source in seen['explain']['sources'] for n in source['notes'])
                self.assertIn(note or '', notes)

    def test_words(self):
        """The line "FSGSBASE: ..." gives the verdict, and then the side at fault or what the verdict rests on."""
        for text, words in ((HEAD + crash(), 'broken, the host\'s fault'),
                            (HEAD + crash(cr4='00000000000000f0', **STARTING), 'unknown, the fault of the guest'),
                            (uname('6.1.0') + LSCPU.format('fsgsbase'), 'usable, used by the running kernel'),
                            ('fsgscheck: verdict=usable findings= cpus=1\n', 'usable, tried')):
            self.assertIn(f'\nFSGSBASE: {words}'.encode(), explain('-', text=text).stdout)

    def test_command(self):
        """The advice gives its command complete, on a line of its own."""
        page = explain('-', text=HEAD + crash()).stdout
        self.assertIn(b'\n       Set-VMProcessor -VMName NAME -CompatibilityForMigrationEnabled $true\n', page)

    def test_bare_metal(self):
        text = crash() + 'smpboot: CPU0: ZHAOXIN KaiXian C4600 (family: 0x7, model: 0x1b, stepping: 0x0)\n'
        advice = self.expect(text, *BOTH)['advice']
        self.assertIn('microcode', advice)
        self.assertNotIn('move the VM', advice)


class Processors(Case):
    """Pasted lists of a processor's flags. If a list is cut off, `explain` must not conclude that the flag is missing."""

    AMD = read(os.path.join(OWN, 'cpuinfo-epyc-7281.txt')).decode()

    def setUp(self):
        self.second = self.AMD.replace('processor : 0', 'processor : 1')
        self.without = self.second.replace(' fsgsbase', '')

    def test_cut(self):
        for end in range(40, len(self.AMD), 40):
            self.expect(self.AMD + '\n' + self.second[:end], 'unknown', RISK)
            self.expect(self.AMD + '\n' + self.without[:end].rstrip(), 'unknown', RISK)

    def test_not_one_list(self):
        for between in ('$ ssh b cat /proc/cpuinfo\n', '\n\n\n', 'processor : 1\n\n'):
            self.assertNotEqual(self.report(self.AMD + '\n' + between + self.without)['verdict'], 'inconsistent')
        tails = self.AMD.replace('processor : 0', 'processor : 3') + '\n' + self.without.replace(': 1\n', ': 4\n', 1)
        self.expect(tails, 'unknown', RISK)
        other = self.without.replace('stepping : 2', 'stepping : 1')
        self.assertNotEqual(self.report(self.AMD + '\n' + other)['verdict'], 'inconsistent')
        self.expect(self.AMD + '\n' + self.without, 'inconsistent', ['cpus-differ'])

    def test_forms(self):
        both = self.AMD + '\n' + self.second
        for width in (40, 72, 80, 132):
            for how in ([], ['-s']):
                self.expect(through('fold', *how, '-w', str(width), text=both), 'unknown', RISK)
        for prefix in ('node7: ', '> ', 'vm7 | ', '    ', '[node7] ', 'host7.example.com: '):
            self.expect(prefixed(prefix, both), 'unknown', RISK)
        for text in (both.encode('utf-16'), html.escape(both), json.dumps({'stdout': both}),
                     json.dumps({'stdout_lines': both.splitlines()}, indent=2), both.replace('\n', '\r\n')):
            self.expect(text, 'unknown', RISK)
        self.expect('flags\t\t: fpu vme fsgsbase bmi1\n', 'unknown', ['unproven'])

    def test_kernel(self):
        for above in (uname('6.1.0-18-amd64'), '$ uname -r\n6.1.0-18-amd64\n$ cat /proc/cpuinfo\n',
                      '          Kernel: Linux 6.1.0-18-amd64\n', HEAD):
            self.expect(above + self.AMD, 'usable')
        self.expect(self.AMD + '\n' + uname('6.1.0'), 'usable')
        self.expect(uname('5.4.0') + self.AMD, 'disabled', OLD + ['upgrade-risk'])
        self.expect(uname('6.1.0') + self.AMD.replace(' fsgsbase', ''), 'unknown')
        seen = self.report(self.AMD + '\n\n' + uname('5.4.0') + self.AMD)
        self.assertEqual([s['verdict'] for s in seen['explain']['sources']], ['unknown', 'disabled'])

    def test_tools(self):
        """`explain` reads the flag from this machine's lscpu, and the CPUID bit from its cpuid."""
        listed = ' fsgsbase' in read('/proc/cpuinfo').decode()
        for option in ([], ['-J']):
            seen = self.report(through('lscpu', *option, text=''))
            self.assertEqual(seen['cpuinfo_flag'], listed, option)
        own = json.loads(subprocess.run([COMMAND, '--json'], capture_output=True, timeout=30).stdout)
        for option in ([], ['-r']):
            seen = self.report(through('cpuid', '-1', *option, text=''))
            self.assertEqual(seen['cpuid']['fsgsbase'], own['cpuid']['fsgsbase'], option)


class Linear(Case):
    """Input of twice the size takes less than three times as long (plus 0.1 s), even if it is of the slowest kinds
    (WORST)."""

    WORST = {
        'quotes': lambda n: b'> ' * (n // 2),
        'a string without end': lambda n: b'{"log": "' + b'x' * n,
        'a line without end': lambda n: b'x' * n,
        'brackets': lambda n: b'{"a":[' * (n // 6),
        'entities': lambda n: b'&amp;' * (n // 5),
        'soft breaks': lambda n: b'abc=3D=\n' * (n // 8),
        'held lines': lambda n: b'[    0.1] Code: 00\n' + b'00 11 22\n' * (n // 9),
        'line ends written out': lambda n: b'"' + b'\\n[ 0.1] x' * (n // 10),
        'findings': lambda n: (b'fsgscheck: verdict=usable findings=' + b'a,' * 4000 + b'\n') * (n // 8036),
        'base64 in base64': lambda n: base64.b64encode(base64.b64encode(b'RIP: 0010:x\n' * (n // 24))),
        'prefixes': lambda n: b'2025-07-23 10:11:12,123 - serial - INFO - x\n' * (n // 44),
        'other prefixes': lambda n: b''.join(b'%c%d - serial - INFO - x\n' % (97 + i % 7, i) for i in range(n // 30)),
        'braces': lambda n: b'a {"b {"c {' * (n // 11),
        'lines of braces': lambda n: (b'x {"' * 1000 + b'\n') * (n // 4001),
        'URLs': lambda n: b'%41%20' * (n // 6),
        'marks': lambda n: b'abc \\\n' * (n // 6),
        'wide': lambda n: '\u3000\u200b'.encode() * (n // 6),
        'pieces of a container': lambda n: b'{"log":"RIP: 0010:x","stream":"a"}\n' * (n // 35),
        'tags': lambda n: b'<br' * (n // 3),
    }

    def seconds(self, data):
        best = 1e9
        for _ in range(3):
            with tempfile.NamedTemporaryFile() as file:
                file.write(data)
                file.flush()
                before = os.times()
                explain('--json', file.name)
                after = os.times()
            best = min(best, after.children_user + after.children_system
                       - before.children_user - before.children_system)
        return best

    def test_doubling(self):
        size = 2 << 20
        for name, make in self.WORST.items():
            with self.subTest(name):
                once, twice = self.seconds(make(size)), self.seconds(make(2 * size))
                print(f'{name}: {once:.2f} s for {size >> 20} MiB, {twice:.2f} s for twice')
                self.assertLess(twice, 3 * once + 0.1)
                self.assertLess(twice, 4)


if __name__ == '__main__':
    parts.run()
