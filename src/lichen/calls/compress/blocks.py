"""Blocks: what a conversation says twice is said once, and referred to.

    <same as text 3, "first words of it">                    the whole of text 3
    <same as text 3, characters 120 to 980, "first words">   a part of it

Text 3 is the third text of the call. A text refers only to texts before it, so that what was
sent once is sent in the same bytes whatever follows it, and a provider's prompt cache goes on
serving it. Fenced code is left alone but as part of a whole text.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

from lichen.calls.compress.space import FENCE, fenced, is_within

if TYPE_CHECKING:
    from collections.abc import Iterator

# A reference takes some 25 tokens: what is shorter than this is said again. [character]
_SHORTEST = 240
_SHOWN = 40
_PARAGRAPH = re.compile(r"[^\n](?:[^\n]|\n(?!\n))*")


class Said:
    """What the texts of one call have said so far, in their order."""

    def __init__(self) -> None:
        self._count = 0
        self._wholes: dict[bytes, int] = {}
        self._blocks: dict[bytes, tuple[int, int]] = {}
        self._texts: dict[int, str] = {}

    def heard(self, text: str) -> None:
        """A text goes on as it is: later ones may refer to it."""
        self._count += 1
        if len(text) < _SHORTEST:
            return
        self._wholes.setdefault(_mark(text), self._count)
        self._texts[self._count] = text
        for start, end in _paragraphs(text):
            self._blocks.setdefault(_mark(text[start:end]), (self._count, start))

    def referring(self, text: str) -> str:
        """A text with what was said before referred to; it counts as the next text."""
        whole = self._wholes.get(_mark(text)) if len(text) >= _SHORTEST else None
        if whole is not None:
            self._count += 1
            return f"<same as text {whole}, {first_words(text)}>"
        made = self._with_references(text)
        if made == text:
            self.heard(text)
        else:
            self._count += 1
        return made

    def _with_references(self, text: str) -> str:
        if len(text) < _SHORTEST or not self._blocks:
            return text
        parts: list[str] = []
        at = 0
        for start, end in _paragraphs(text):
            if start < at:
                continue
            found = self._blocks.get(_mark(text[start:end]))
            if found is None:
                continue
            number, begin = found
            length = self._same_from(text, start, end, found)
            parts.append(text[at:start])
            parts.append(
                f"<same as text {number}, characters {begin} to {begin + length}, "
                f"{first_words(text[start:end])}>"
            )
            at = start + length
        return "".join((*parts, text[at:]))

    def _same_from(self, text: str, start: int, end: int, found: tuple[int, int]) -> int:
        """How many characters are the same, by whole paragraphs that follow one another."""
        number, begin = found
        earlier = self._texts[number]
        length = end - start
        for following in _PARAGRAPH.finditer(text, end):
            longer = following.end() - start
            more = text[start + length : start + longer]
            if FENCE.search(more) or not earlier.startswith(more, begin + length):
                break
            length = longer
        return length


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """The spans of paragraphs that are long enough, none of them in fenced code."""
    spans = fenced(text)
    for paragraph in _PARAGRAPH.finditer(text):
        start, end = paragraph.span()
        if end - start >= _SHORTEST and not is_within(start, spans):
            yield start, end


def _mark(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def first_words(text: str) -> str:
    """The first words of a text, in quotes, for whoever reads the reference."""
    words = " ".join(text[: 2 * _SHOWN].split())[:_SHOWN]
    plain = "".join(letter for letter in words if letter.isprintable() and letter not in '"\\<>')
    return f'"{plain}"'
