# SPDX-License-Identifier: MIT
"""Edits C source by tokens. An edit still applies after a reformat, after variables were renamed, and after changes around
it.

A pattern is C code in which $name stands for any expression or name. The replacement can use $name, too. White space and
comments are ignored. The pattern must match exactly once, in the named function or in the file.
"""

import re

TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\$?\w+|[^\w\s]', re.S)
OPEN, CLOSE = '([{', ')]}'


class NoFunction(ValueError):
    """The text does not define the function."""


def tokens(text):
    """Each token that is not a comment, with its start and its end in the text."""
    return [(found[0], found.start(), found.end()) for found in TOKEN.finditer(text)
            if not found[0].startswith(('/*', '//'))]


def closing(source, at):
    """The index of the bracket that closes the bracket at the index `at`."""
    depth = 0
    for index in range(at, len(source)):
        depth += (source[index][0] in OPEN) - (source[index][0] in CLOSE)
        if depth == 0:
            return index
    raise ValueError('a bracket is not closed')


def body(source, function):
    """The index of a function's name in its definition, and the index after the definition's closing brace."""
    index = 0
    while index < len(source):
        if source[index][0] == function and source[index + 1][0] == '(':
            end = closing(source, index + 1)
            if source[end + 1][0] == '{':
                return index, closing(source, end + 1) + 1
        index = closing(source, index) + 1 if source[index][0] == '{' else index + 1
    raise NoFunction(f'there is no function {function}()')


def matches(pattern, source, at, end, found):
    """The end of a match of the pattern at the index `at`, or None. Stores in `found` where the text of each $name is."""
    if not pattern:
        return at
    word, rest = pattern[0], pattern[1:]
    if not word.startswith('$'):
        return matches(rest, source, at + 1, end, found) if at < end and source[at][0] == word else None
    index = at
    while index < end and source[index][0] not in (*CLOSE, ',', ';', '{'):
        index = closing(source, index) + 1 if source[index][0] in OPEN else index + 1
        inner = dict(found)
        last = matches(rest, source, index, end, inner)
        if last is not None:
            found.update(inner | {word: (source[at][1], source[index - 1][2])})
            return last
    return None


def replaced(text, function, pattern, replacement):
    """The text, in which the only match of the pattern is replaced."""
    source, wanted = tokens(text), [word for word, _, _ in tokens(pattern)]
    begin, end = body(source, function) if function else (0, len(source))
    places = []
    for at in range(begin, end):
        found = {}
        last = matches(wanted, source, at, end, found)
        if last is not None:
            places.append((source[at][1], source[last - 1][2], found))
    if len(places) != 1:
        raise ValueError(f'{function or "the file"} has {len(places)} places like: {pattern}')
    start, stop, found = places[0]
    for name, (first, last) in found.items():
        replacement = re.sub(re.escape(name) + r'\b', lambda _, piece=text[first:last]: piece, replacement)
    return text[:start] + replacement + text[stop:]
