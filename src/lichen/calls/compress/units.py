"""Units: the pieces of a text that stay or go as a whole.

rows        of the longest array of objects in a document of JSON, or of lines of JSON
lines       of a log, or of any text whose lines stand for themselves
sentences   of prose; a fence of code is one piece, however long
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lichen.calls.compress.exact_json import read, read_at, write
from lichen.calls.compress.space import fenced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The fewest pieces among which choosing makes sense.
FEWEST = 4
# Lines of so many characters on average are paragraphs, not lines of a log. [character]
_LONGEST_LINE = 400
# A sentence ends at one of these marks before a space and what may begin another one.
_SENTENCE = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[\w])|\n+")
# Full stops that end no sentence. Source: The Chicago Manual of Style, 17th ed., 10.4.
_ABBREVIATED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|No|vs|etc|e\.g|i\.e|cf|Inc|Ltd|[A-Z])\.$"
)
GAP = "[…]"


@dataclass(frozen=True, slots=True)
class Units:
    """The pieces of a text in their order; `joined` makes a text of those that stay, by place."""

    kind: str
    texts: Sequence[str]
    joined: Callable[[Sequence[int]], str]


def units_of(text: str) -> Units | None:
    """The pieces of a text; None where there are too few to choose among."""
    bare = text.strip()
    made = None
    if bare[:1] in ("[", "{"):
        made = _rows(bare)
    if made is None:
        made = _lines(text) or _sentences(text)
    return made if len(made.texts) >= FEWEST else None


def _rows(text: str) -> Units | None:
    """The rows of a document, or of lines, of JSON; None where it has none."""
    try:
        if "\n" in text and text[0] == "{" and (rows := _json_lines(text)) is not None:
            return Units("lines", list(map(write, rows)), _of_lines(rows))
        document = read(text)
    except (ValueError, RecursionError):
        return None
    path, rows = _longest(document, (), 0)
    if len(rows) < FEWEST:
        return None
    return Units("rows", [_as_words(row) for row in rows], _of_document(document, path, rows))


def _json_lines(text: str) -> list[Any] | None:
    rows = []
    for line in text.split("\n"):
        value, end = read_at(line, 0)
        if end != len(line):
            return None
        rows.append(value)
    return rows


def _longest(value: Any, path: tuple[Any, ...], depth: int) -> tuple[tuple[Any, ...], list[Any]]:
    """The longest array of objects in a document, and where it stands."""
    best: tuple[tuple[Any, ...], list[Any]] = (path, [])
    if type(value) is list:
        if all(type(item) is dict for item in value):
            best = (path, value)
        inner: Any = enumerate(value)
    elif type(value) is dict:
        inner = value.items()
    else:
        return best
    if depth < 16:  # noqa: PLR2004 (deeper lie no tables that anybody reads)
        for name, item in inner:
            found = _longest(item, (*path, name), depth + 1)
            if len(found[1]) > len(best[1]):
                best = found
    return best


def _as_words(row: Any) -> str:
    """A row as an embedder reads it best: names and values, no marks."""
    return ", ".join(f"{name} {write(value)}" for name, value in row.items()).replace('"', "")


def _of_lines(rows: Sequence[Any]) -> Callable[[Sequence[int]], str]:
    def joined(stay: Sequence[int]) -> str:
        return "\n".join(write(rows[at]) for at in stay)

    return joined


def _of_document(
    document: Any, path: tuple[Any, ...], rows: Sequence[Any]
) -> Callable[[Sequence[int]], str]:
    def joined(stay: Sequence[int]) -> str:
        return write(_with(document, path, [rows[at] for at in stay]))

    return joined


def _with(value: Any, path: tuple[Any, ...], instead: Any) -> Any:
    if not path:
        return instead
    copied = value.copy()
    copied[path[0]] = _with(value[path[0]], path[1:], instead)
    return copied


def _lines(text: str) -> Units | None:
    """The lines of a log; None where the text is no list of lines."""
    if fenced(text):
        return None
    lines = text.split("\n")
    told = [line for line in lines if line.strip()]
    if len(told) < 2 * FEWEST or len(told) < 0.8 * len(lines):
        return None
    if sum(map(len, told)) > _LONGEST_LINE * len(told):
        return None
    return Units("lines", lines, lambda stay: _with_gaps(lines, stay, "\n"))


def _sentences(text: str) -> Units:
    """The sentences of a text, each with the white space that follows it."""
    pieces: list[str] = []
    at = 0
    for start, end in [*fenced(text), (len(text), len(text))]:
        pieces += _split(text[at:start])
        if start < end:
            pieces.append(text[start:end])
        at = end
    return Units("sentences", pieces, lambda stay: _with_gaps(pieces, stay, ""))


def _split(text: str) -> list[str]:
    pieces: list[str] = []
    begin = 0
    for mark in _SENTENCE.finditer(text):
        piece = text[begin : mark.end()]
        if not piece.strip() or (_ABBREVIATED.search(piece.rstrip()) and "\n" not in mark[0]):
            continue
        pieces.append(piece)
        begin = mark.end()
    if begin < len(text):
        pieces.append(text[begin:])
    return pieces


def _with_gaps(pieces: Sequence[str], stay: Sequence[int], between: str) -> str:
    """The pieces that stay, with a mark wherever some went."""
    made: list[str] = []
    expected = 0
    for at in stay:
        if at != expected:
            made.append(GAP if between else f"{GAP} ")
        made.append(pieces[at])
        expected = at + 1
    if expected < len(pieces):
        made.append(GAP)
    return between.join(made)
