# SPDX-License-Identifier: MIT
"""Manual pages of the functions, from the comments in the headers: one page for each group.

    man3.py OUTPUT VERSION GROUP HEADER...      the page of a group
    man3.py OUTPUT VERSION PAGE [EXAMPLE]       a written page, with its @EXAMPLE@ and the version filled in
"""

import re
import sys
from pathlib import Path

COMMENT = re.compile(r'/\*\*(?!<)((?:(?!\*/).)*)\*/\s*([^/]*?[;{])', re.S)


def troff(text):
    text = text.replace('\\#', '#').replace('\\', '\\e').replace('-', '\\-')
    text = re.sub(r'@p (\S*\w)', r'\\fI\1\\fP', text)
    text = re.sub(r'`([^`]*)`', r'\\fB\1\\fP', text)
    text = re.sub(r'(?<!\w)::(?=FSGS_)|@ref ', '', text)
    text = re.sub(r'^([.\'])', r'\\&\1', text, flags=re.M)
    return text


def plain(comment):
    """The text of a comment, without its stars."""
    return '\n'.join(re.sub(r'^\s*\* ?', '', line).rstrip() for line in comment.strip().splitlines())


def paragraphs(text):
    """Pairs of command and text: the brief, the details, then @param, @retval, @par and so on."""
    for part in re.split(r'\n(?=@)|(?= @since)|\n\s*\n', text.strip()):
        words = re.match(r' ?@(\w+)(?:\[[\w,]+\])?\s*', part)
        yield (words[1], part[words.end():]) if words else ('', part)


def name_of(prototype):
    return re.search(r'(\w+) ?\(', prototype)[1]


def functions(headers, group):
    """Comment and prototype of each function of a group, or of several joined by a comma."""
    for name in group.split(','):
        for header in headers:
            text = Path(header).read_text(encoding='utf-8')
            found = re.search(rf'@defgroup {name} (.*?)/\*\* @\}} \*/', text, re.S)
            if not found:
                continue
            for comment, code in COMMENT.findall(found[1]):
                code = re.sub(r'\s+', ' ', re.sub(r'#\w[^\n]*\n', '', code)).strip()
                if re.match(r'(FSGS_API|static inline|void|struct|int)\b', code) and re.search(r'fsgs_\w*[a-z0-9]\(', code):
                    yield plain(comment), re.sub(r'FSGS_(API|NOTHROW|PURE|CONST) ?|static inline |extern ', '',
                                                 code).rstrip(' ;{') + ';'


def body(comment):
    lines, section = [], None
    for command, text in paragraphs(comment):
        if command in ('since', 'brief', 'par') or not command:
            if command == 'par':
                title, _, text = text.partition('\n')
                lines += [f'.PP\n\\fI{title}:\\fP']
            elif command == 'since':
                text = f'Since {text}.'
            lines += [] if command == 'par' else ['.PP']
            text = re.sub(r'(?m)^ *\\- +', '.IP \\\\(bu 2\n', troff(text))
            lines += [re.sub(r'(?m)^ +', '', text).strip()]
            section = None
        elif command in ('param', 'retval', 'return'):
            title = {'param': 'Parameters:', 'retval': 'Result:', 'return': 'Result:'}[command]
            if title != section:
                lines += [f'.PP\n{title}']
                section = title
            name, _, text = text.partition(' ') if command != 'return' else ('', '', text)
            lines += [f'.TP\n\\fI{troff(name)}\\fP' if name else '.IP', re.sub(r'\n\s*', '\n', troff(text.strip()))]
    return lines[1:] if lines[0] == '.PP' else lines


def group_page(output, version, group, headers):
    title = output.stem
    entries = list(functions(headers, group))
    names = [name_of(prototype) for _, prototype in entries]
    names.sort(key=lambda name: name != title)
    include = 'fsgscheck.h' if group == 'probe' else f'fsgscheck/{Path(headers[0]).name}'
    first = group.partition(',')[0]
    brief = re.search(rf'@defgroup {first} .*?@brief (.*?)\.?\n', Path(headers[0]).read_text(encoding='utf-8'), re.S)[1]
    lines = ['.\\" SPDX-License-Identifier: MIT', f'.TH {title.upper()} 3 "" "libfsgscheck {version}" "Library Functions"',
             '.SH NAME', f'{", ".join(names)} \\- {troff(brief[0].lower() + brief[1:])}', '.SH SYNOPSIS', '.nf',
             f'.B #include <{include}>', '']
    lines += [f'.B {troff(prototype)}' for _, prototype in entries] + ['.fi', '.SH DESCRIPTION']
    # What holds for the whole group stands first; the brief is in the name.
    about = re.search(rf'@defgroup {first} [^\n]*\n(.*?)@\{{', Path(headers[0]).read_text(encoding='utf-8'), re.S)[1]
    lines += body(plain(about).partition('\n\n')[2] or 'The functions one by one:')
    for comment, prototype in entries:
        lines += [f'.SS {name_of(prototype)}()', *body(comment)]
    lines += ['.SH SEE ALSO', '.BR libfsgscheck (3)', '']
    output.write_text('\n'.join(lines), encoding='utf-8')


def written_page(output, version, page, example=None):
    text = Path(page).read_text(encoding='utf-8').replace('"libfsgscheck"', f'"libfsgscheck {version}"')
    if example:
        code = Path(example).read_text(encoding='utf-8').partition('\n')[2].strip()
        text = text.replace(f'@{Path(example).name}@', code.replace('\\', '\\e').replace('-', '\\-'))
    output.write_text(text, encoding='utf-8')


def main(output, version, what, *more):
    if what.endswith(('.1', '.3')):
        written_page(Path(output), version, what, *more)
    else:
        group_page(Path(output), version, what, more)


if __name__ == '__main__':
    main(*sys.argv[1:])
