r"""Space: what of a text may not be touched, and the white space that carries nothing.

Protected, to the character: fenced code, indented lines, quotations, tables, list items, and any
line of which we cannot tell. What goes, outside of these:

    spaces at the end of a line    but two, which break a line in Markdown
    empty lines beyond the second in a row

So prose, verse and code come out as they went in, unless somebody left such space in them.

Source: CommonMark 0.31 (fences §4.5, indented code §4.4, block quotes §5.1, hard breaks §6.7);
GitHub Flavored Markdown §4.10 (tables).
"""

from __future__ import annotations

import re

FENCE = re.compile(r"^ {0,3}(```+|~~~+)[^\n]*$", re.MULTILINE)
# Where one of these is, something may go: looked for first, since most texts have none.
_ANY = (" \n", "\t\n", "\n\n\n\n")
_PROTECTED_LINE = re.compile(r"[ \t]|>|\||[-*+] |\d+[.)] |.*\|.*\|")
_HARD_BREAK = "  "


def fenced(text: str) -> list[tuple[int, int]]:
    """The spans of fenced code, from the first mark to the last; an open fence runs to the end."""
    spans: list[tuple[int, int]] = []
    opened: tuple[int, str] | None = None
    for fence in FENCE.finditer(text):
        mark = fence[1]
        if opened is None:
            opened = fence.start(), mark
        elif mark[0] == opened[1][0] and len(mark) >= len(opened[1]):
            spans.append((opened[0], fence.end()))
            opened = None
    if opened is not None:
        spans.append((opened[0], len(text)))
    return spans


def is_within(at: int, spans: list[tuple[int, int]]) -> bool:
    """Whether a place in a text lies in one of the spans."""
    return any(start <= at < end for start, end in spans)


def trimmed(text: str) -> str:
    """A text without the white space that carries nothing."""
    if "\r" in text or not any(mark in text for mark in _ANY):
        return text
    parts: list[str] = []
    at = 0
    for start, end in [*fenced(text), (len(text), len(text))]:
        parts += (_trimmed(text[at:start]), text[start:end])
        at = end
    return "".join(parts)


def _trimmed(text: str) -> str:
    """The same for a text without fences."""
    lines = text.split("\n")
    made: list[str] = []
    empty = 0
    for number, line in enumerate(lines):
        bare = line.rstrip(" \t")
        if bare:
            empty = 0
            is_last = number == len(lines) - 1
            made.append(line if is_last or _keeps_its_end(line, bare) else bare)
            continue
        empty += 1
        if empty <= 2 or number == len(lines) - 1:  # noqa: PLR2004 (one empty line parts, two part more)
            made.append("" if number < len(lines) - 1 else line)
    return "\n".join(made)


def _keeps_its_end(line: str, bare: str) -> bool:
    return line[len(bare) :] == _HARD_BREAK or _PROTECTED_LINE.match(line) is not None
