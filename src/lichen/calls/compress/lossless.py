"""Lossless: a text with fewer tokens that says the same, to the digit.

    documents of JSON   arrays of like objects become tables (table.py), the rest loses its spaces
    lines of JSON       become one table
    any other text      loses the white space that carries nothing (space.py), and no more

The result depends on the text alone. It never has more tokens than the text, by count: what would
grow is given back as it came. `expand` gives the JSON back; white space stays away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.calls.compress import table
from lichen.calls.compress.exact_json import Inexact, end_of, minified, read, read_at, write
from lichen.calls.compress.space import fenced, is_within, trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lichen.text.tokens import Tokenizer

# Marks of our own notation: a text that has one already is left alone, so that no one takes what
# somebody wrote for what lichen wrote.
MARKS = (table.OPENING, table.CLOSING, "<same as ")
# Plain characters written as escapes, as some write "<" in JSON.
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")
# A document shorter than this saves less than looking for it costs. [character]
_SHORTEST = 120
# Where a document of JSON may begin within a text: at the beginning of a line. A pattern that
# begins with a plain character is looked for ten times faster than one with "^".
_BEGINS = re.compile(r"\n[ \t]*([\[{])")
_LINES = re.compile(r"\s*\{[^\n]*\}[ \t]*\n\s*\{")
# How deep a document may be for tables to be looked for in it.
_DEEPEST = 64


class Made(NamedTuple):
    """A text as it was made, and the tokens before and after. [token]"""

    text: str
    before: int
    after: int


def shorten(text: str, tokenizer: Tokenizer) -> str:
    """The shortest of the ways to write a text that lose nothing; the text itself where none is.

    Never raises for what the text says.
    """
    made = shortened(text, tokenizer)
    return text if made is None else made.text


def shortened(text: str, tokenizer: Tokenizer) -> Made | None:
    """The same with its counts; None where the text stays as it is."""
    if len(text) < _SHORTEST or has_marks(text):
        return None
    return first_shorter(text, _candidates(text), tokenizer)


def with_short_documents(text: str, tokenizer: Tokenizer) -> Made | None:
    """A text in which words stand, with the documents of JSON beside the words shortened.

    A text that is nothing but a document is left alone: then the document is what is asked about.
    """
    if len(text) < _SHORTEST or has_marks(text) or is_document(text):
        return None
    return first_shorter(text, (_embedded(text),), tokenizer)


def short_document(text: str, tokenizer: Tokenizer) -> Made | None:
    """A text that is nothing but a document or lines of JSON, shortened; None for any other."""
    if len(text) < _SHORTEST or has_marks(text):
        return None
    bare = text.strip()
    return first_shorter(text, (*_lines(text, bare), *_documents(bare)), tokenizer)


def first_shorter(text: str, candidates: Iterable[str], tokenizer: Tokenizer) -> Made | None:
    """The first candidate with fewer tokens than the text, which can go over the wire."""
    before = -1
    for candidate in candidates:
        if candidate == text:
            continue
        if before < 0:
            before = tokenizer.count(text)
        after = tokenizer.count(candidate)
        if after < before and _is_writable(candidate):
            return Made(candidate, before, after)
    return None


def is_document(text: str) -> bool:
    """Whether a text begins and ends as a document of JSON does, or lines of it do."""
    bare = text.strip()
    return bare[:1] in ("[", "{") and bare[-1:] in ("]", "}")


def has_marks(text: str) -> bool:
    """Whether a text shows our own notation, as it stands or behind the escapes of JSON."""
    if "\\u00" in text:
        text = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
    return any(mark in text for mark in MARKS)


def _is_writable(text: str) -> bool:
    """Whether it can go over the wire: half of a pair of surrogates cannot, but escaped."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _candidates(text: str) -> Iterator[str]:
    """Ways to write a text, the shortest first."""
    bare = text.strip()
    if bare[:1] in ("[", "{"):
        yield from _lines(text, bare)
        ways = list(_documents(bare))
        if ways:
            yield from ways
            return
    yield _embedded(text)
    yield trimmed(text)


def _lines(text: str, bare: str) -> Iterator[str]:
    if _LINES.match(text):
        yield from _try(_as_lines, bare)


def _documents(bare: str) -> Iterator[str]:
    """Ways to write a document of JSON, the shortest first; none where it is none."""
    for way in _try(_document, bare):
        yield way
        yield minified(bare)


def _try(way: Callable[[str], str], text: str) -> Iterator[str]:
    """What a way makes of a text, or nothing where it is not for such a text."""
    try:
        yield way(text)
    except (ValueError, RecursionError):
        return


def _as_lines(text: str) -> str:
    """Lines of JSON as one table.

    Raises:
        ValueError: they are not.
    """
    rows = []
    for line in text.split("\n"):
        row, end = read_at(line, 0)
        if end != len(line):
            raise ValueError("a line says more than one thing")
        rows.append(row)
    return table.encode(rows, lines=True)


def _document(text: str) -> str:
    """A document of JSON, its arrays of like objects as tables.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deep.
    """
    try:
        value = read(text)
    except Inexact:
        if end_of(text, 0) != len(text):
            raise
        return minified(text)
    made = _rendered(value, _DEEPEST)
    # What holds no table is shorter to trim than to write anew, and keeps its escapes.
    return made if table.OPENING in made else minified(text)


def _rendered(value: Any, depth: int) -> str:
    """A value as JSON without white space, but for its tables."""
    if not depth:
        return write(value)
    kind = type(value)
    if kind is list:
        try:
            return table.encode(value)
        except table.NotTabularError:
            return f"[{','.join([_rendered(item, depth - 1) for item in value])}]"
    if kind is dict:
        pairs = (f"{write(name)}:{_rendered(item, depth - 1)}" for name, item in value.items())
        return f"{{{','.join(pairs)}}}"
    return write(value)


def _embedded(text: str) -> str:
    """A text in which documents of JSON stand on lines of their own, each of them shortened."""
    spans: list[tuple[int, int]] | None = None
    parts: list[str] = []
    at = 0
    for begins in _BEGINS.finditer(f"\n{text}"):
        start = begins.start(1) - 1
        if start < at:
            continue
        spans = fenced(text) if spans is None else spans
        if is_within(start, spans):
            continue
        for made, end in _document_at(text, start):
            parts += (text[at:start], made)
            at = end
    return "".join((*parts, text[at:]))


def _document_at(text: str, start: int) -> Iterator[tuple[str, int]]:
    """The document that begins there, shortened, and its end; nothing where there is none.

    It must end with its line, or it is part of something else.
    """
    try:
        try:
            value, end = read_at(text, start)
        except Inexact:
            value, end = None, end_of(text, start)
        line_end = text.find("\n", end)
        rest = text[end:] if line_end < 0 else text[end:line_end]
        if end - start >= _SHORTEST and not rest.strip():
            made = "" if value is None else _rendered(value, _DEEPEST)
            yield (made if table.OPENING in made else minified(text[start:end])), end
    except (ValueError, RecursionError):
        return
