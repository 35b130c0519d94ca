# SPDX-License-Identifier: MIT
"""Makes the manual pages: one page for each group of functions, from the comments in the headers; and the hand-written
pages.

    man3.py --names GROUP HEADER                prints the names of the functions of a group
    man3.py OUTPUT VERSION GROUP HEADER NAME... writes the page of a group, and for each NAME a page that includes it
    man3.py OUTPUT VERSION PAGE [EXAMPLE]       writes a hand-written page: fills in @EXAMPLE@, the date and the version

GROUP is the name of a group, or several names joined by commas.
"""

import re
import sys
import textwrap
from pathlib import Path

# Switches hyphenation and stretched lines off, so that a reader can search for words. At each heading, groff 1.23 sets the
# adjustment of lines to the value of the string AD.
LAYOUT = '.nr HY 0\n.nh\n.ds AD l\n.ad l'
NEWS = Path(__file__).parents[2] / 'NEWS.md'

# The text of the NAME section, for pages that do not use the @brief of their group.
BRIEFS = {'fsgs_decide': 'decide from the evidence in a report, and put it into words'}

COMMENT = re.compile(r'/\*\*(?!<)((?:(?!\*/).)*)\*/\s*([^/]*?[;{])', re.S)


def troff(text):
    text = text.replace('\\#', '#').replace('\\', '\\e').replace('-', '\\-')
    text = re.sub(r'@p (\S*\w)', r'\\fI\1\\fP', text)
    text = re.sub(r'`([^`]*)`', r'\\fB\1\\fP', text)
    text = re.sub(r'(?<![\w*/])\*(\w+)\*(?!\w)', r'\\fI\1\\fP', text)
    # A function's comment uses @ref only for its own group, whose description is in the page's section DESCRIPTION.
    text = re.sub(r'@ref \w+', r'\\fBDESCRIPTION\\fP', text)
    text = re.sub(r'(?<!\w)::(?=FSGS_)', '', text)
    text = re.sub(r'^([.\'])', r'\\&\1', text, flags=re.M)
    return text


def plain(comment):
    """The text of a comment, without its stars."""
    return '\n'.join(re.sub(r'^\s*\* ?', '', line).rstrip() for line in comment.strip().splitlines())


def paragraphs(text):
    """Pairs of Doxygen command and text, one for each paragraph of a comment. The command is empty if there is none."""
    for part in re.split(r'\n(?=@)|(?= @since)|\n\s*\n', text.strip()):
        words = re.match(r' ?@(\w+)(?:\[[\w,]+\])?\s*', part)
        yield (words[1], part[words.end():]) if words else ('', part)


def name_of(prototype):
    return re.search(r'(\w+) ?\(', prototype)[1]


def groups(header, group):
    """The part of the header that belongs to each named group, without the comment about the group itself."""
    text = header.read_text(encoding='utf-8')
    for name in group.split(','):
        yield re.search(rf'@defgroup {name} .*?@\{{(.*?)/\*\* @\}} \*/', text, re.S)[1]


def functions(header, group):
    """Comment and prototype of each function of the groups."""
    for text in groups(header, group):
        for comment, code in COMMENT.findall(text):
            code = re.sub(r'\s+', ' ', re.sub(r'#\w[^\n]*\n', '', code)).strip()
            if re.match(r'(FSGS_API|FSGS_MUST_CHECK|void|struct|int)\b', code) and re.search(r'fsgs_\w*[a-z0-9]\(', code):
                yield plain(comment), re.sub(r'FSGS_(API|NOTHROW|PURE|CONST|MUST_CHECK|INLINE_NOTHROW|INLINE) ?|extern ', '',
                                             code).rstrip(' ;{') + ';'


def types(header, group, kind):
    """Name, comment and members of each enumeration or structure, except those with a trailing underscore in the name,
    which only the headers use."""
    for text in groups(header, group):
        for comment, name, inside in re.findall(rf'/\*\*((?:(?!\*/).)*)\*/\n{kind} (\w+) \{{\n(.*?)\n\}};', text, re.S):
            if not name.endswith('_'):
                yield name, plain(comment), members(inside, ',' if kind == 'enum' else ';')


def members(inside, end):
    """Code and comment of each member. A comment is before its member, or after it and begins with `<`."""
    found, before = [], ''
    for where, comment, code in re.findall(rf'/\*(\*<|\*|)(.*?)\*/|((?:(?!/\*)[^{end}])+){end}?', inside, re.S):
        if code.strip():
            found.append([re.sub(r'\s+', ' ', code.strip()).replace(' [', '['), before])
            before = ''
        elif where == '*':
            before = plain(comment)
        elif where:
            found[-1][1] = plain(comment)
    return found


def constants(header, group):
    """Name, value and comment of each macro that has a value."""
    for text in groups(header, group):
        for comment, name, value in re.findall(
                r'/\*\*((?:(?!\*/).)*)\*/\n#define (FSGS_\w+(?:\(\w+\))?) +([^\n]+)', text, re.S):
            if not value.startswith('__attribute__'):
                yield name, value, plain(comment)


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


def stubs(header, group):
    """Name and comment of each stub of the core."""
    for text in groups(header, group):
        for before, name, behind in re.findall(
                r'(?:/\*\*((?:(?!\*/).)*)\*/\n)?fsgs_stub_fn (\w+);(?: */\*\*<(.*?)\*/)?', text, re.S):
            yield name, plain(before or behind)


def short(text):
    """A member's comment, without its @since."""
    return re.sub(r'\n\s*', '\n', troff(re.sub(r'\s*@since \S+', '', text))).strip()


def lists(header, group):
    """The sections about the constants, stubs, enumerations and structures of the groups."""
    lines, numbers = [], list(constants(header, group))
    if numbers:
        lines += ['.SH CONSTANTS']
        for name, value, comment in numbers:
            lines += [f'.TP\n\\fB{troff(name)}\\fP = {troff(value)}', short(comment)]
    functions_too = list(stubs(header, group))
    if functions_too:
        lines += ['.SH STUBS', 'Each is an fsgs_stub_fn, a function of an argument block: int stub(struct fsgs_stub *).']
        for name, comment in functions_too:
            lines += [f'.TP\n\\fB{name}\\fP', short(comment)]
    for kind, section in (('enum', 'ENUMERATIONS'), ('struct', 'STRUCTURES')):
        found = list(types(header, group, kind))
        lines += [f'.SH {section}'] if found else []
        for name, comment, inside in found:
            lines += [f'.SS {kind} {name}', *body(comment)]
            for code, about in inside:
                code = re.sub(r'^(\w+)(.*)$', r'\\fB\1\\fP\2', troff(code)) if kind == 'enum' else f'\\fB{troff(code)}\\fP'
                lines += [f'.TP\n{code}', short(about)]
    return lines


def group_page(output, version, group, header, *aliases):
    title = output.stem
    entries = list(functions(header, group))
    names = [name_of(prototype) for _, prototype in entries]
    if set(names) - {title} != set(aliases):
        raise SystemExit('the functions of the headers are others than when this folder was configured')
    for name in aliases:
        (output.parent / f'{name}.3').write_text(f'.so man3/{title}.3\n', encoding='utf-8')
    names.sort(key=lambda name: name != title)
    include = 'fsgscheck.h' if group == 'probe' else f'fsgscheck/{header.name}'
    first = group.partition(',')[0]
    text = header.read_text(encoding='utf-8')
    brief = BRIEFS.get(title) or re.search(rf'@defgroup {first} .*?@brief (.*?)\.?\n', text, re.S)[1]
    lines = ['.\\" SPDX-License-Identifier: MIT',
             f'.TH {title.upper()} 3 "{date(version)}" "libfsgscheck {version}" "Library Functions"', LAYOUT,
             '.SH NAME', f'{", ".join(names)} \\- {troff(brief[0].lower() + brief[1:])}', '.SH SYNOPSIS', '.nf',
             f'.B #include <{include}>', '']
    lines += [f'.B "{troff(line)}"' for _, prototype in entries for line in wrapped(prototype)] + ['.fi', '.SH DESCRIPTION']
    # The section begins with the group's description, without its @brief, which is in the NAME section.
    about = re.search(rf'@defgroup {first} [^\n]*\n(.*?)@\{{', text, re.S)[1]
    lines += body(plain(about).partition('\n\n')[2] or 'The functions one by one:')
    for comment, prototype in entries:
        lines += [f'.SS {name_of(prototype)}()', *body(comment)]
    lines += [*lists(header, group), '.SH SEE ALSO', '.BR libfsgscheck (3)', '']
    output.write_text('\n'.join(lines), encoding='utf-8')


def date(version):
    """The date of this version in NEWS.md; empty if NEWS.md does not have the version."""
    found = re.search(rf'^## {re.escape(version)} \(([\d-]+)\)$', NEWS.read_text(encoding='utf-8'), re.M)
    return found[1] if found else ''


def wrapped(prototype):
    """The lines of a prototype, broken only between parameters. They fit on a terminal of 60 columns, where the text of a
    page begins in column 8."""
    whole = prototype.replace(' ', '\0').replace(',\0', ', ')
    return [line.replace('\0', ' ') for line in textwrap.wrap(whole, 52, subsequent_indent=' ' * 8)]


def written_page(output, version, page, example=None):
    text = Path(page).read_text(encoding='utf-8')
    text = re.sub(r'^(\.TH \S+ \d) "" ("libfsgscheck)(".*)$', rf'\1 "{date(version)}" \2 {version}\3\n{LAYOUT}', text, flags=re.M)
    if example:
        code = Path(example).read_text(encoding='utf-8').partition('\n')[2].strip()
        text = text.replace(f'@{Path(example).name}@', code.replace('\\', '\\e').replace('-', '\\-'))
    output.write_text(text, encoding='utf-8')


def main(output, version, what, *more):
    if output == '--names':
        print(*(name_of(prototype) for _, prototype in functions(Path(what), version)), sep='\n')
    elif what.endswith(('.1', '.3')):
        written_page(Path(output), version, what, *more)
    else:
        group_page(Path(output), version, what, Path(more[0]), *more[1:])


if __name__ == '__main__':
    main(*sys.argv[1:])
