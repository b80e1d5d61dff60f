"""Expand: what a shortened prompt stands for; the inverse of `table` and of `blocks`.

    read(expand(shorten(text))) = read(text)       a table is the JSON it was made of, to the digit
    resolved(texts that were sent) = texts         a reference is the text it names, to the letter

Both together give a call's texts back: first `resolved`, of all texts in their order, then `expand`
of each. White space that carries nothing, and what was selected away, is not in what was sent.

Source: the notation is this package's own; `table` and `blocks` say how it is written.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from lichen.calls.compress.blocks import first_words
from lichen.calls.compress.exact_json import quoted, read_at, write
from lichen.calls.compress.table import ABSENT, CLOSING, OPENING
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BEGIN = re.compile(rf"{OPENING}(\d+)( lines)?: ")
_REFERENCE = re.compile(
    r'<same as text (\d{1,9})(?:, characters (\d{1,9}) to (\d{1,9}))?, ("[^"\\<>]*")>'
)
_NAME = re.compile(r"[\w$@./ -]+")
_NUMBER_OR_WORD = re.compile(r"-?\d[\d.eE+-]*|true|false|null|[\"\[{].*", re.DOTALL)


def resolved(texts: Sequence[str]) -> list[str]:
    """The texts of a call, in their order, with each reference replaced by what it names.

    What only looks like one stays: it names a later text, or a part that does not begin with the
    words it says.
    """
    made: list[str] = []
    for number, text in enumerate(texts):
        made.append(_REFERENCE.sub(partial(_named, texts[:number]), text))
    return made


def _named(earlier: Sequence[str], reference: re.Match[str]) -> str:
    number, start, end, words = reference.groups()
    if not 1 <= int(number) <= len(earlier):
        return reference[0]
    text = earlier[int(number) - 1]
    part = text if start is None else text[int(start) : int(end)]
    return part if first_words(part) == words else reference[0]


def expand(text: str) -> str:
    """A text with each table in it written out as JSON again.

    Raises:
        InputError: a table in it is not one that `encode` wrote.
    """
    parts: list[str] = []
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        parts.append(text[at : begin.start()])
        try:
            rows, at = _Reader(text, begin.end()).rows(int(begin[1]))
        except (ValueError, IndexError) as error:
            raise InputError(
                f"the table at character {begin.start()} cannot be read: {error}"
            ) from error
        written = [write(row) for row in rows]
        parts.append("\n".join(written) if begin[2] else f"[{','.join(written)}]")
    parts.append(text[at:])
    return "".join(parts)


class _Column:
    """One key of a table: how many cells it takes, and the value that they make."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.optional = False

    def value(self, cells: Iterator[str]) -> Any:
        cell = _next(cells)
        if self.optional and not cell:
            return ABSENT
        if cell and _NUMBER_OR_WORD.fullmatch(cell):
            value, end = read_at(cell, 0)
            if end != len(cell):
                raise ValueError(f"the cell {cell!r} is no value")
            return value
        return cell

    def is_wide(self) -> bool:
        """Whether it has cells at all."""
        return True


class _Constant(_Column):
    def __init__(self, name: str, constant: Any) -> None:
        super().__init__(name)
        self._constant = constant

    def value(self, cells: Iterator[str]) -> Any:  # noqa: ARG002 (it has none)
        return self._constant

    def is_wide(self) -> bool:
        return False


class _Text(_Column):
    def __init__(self, name: str, before: str, after: str) -> None:
        super().__init__(name)
        self._before, self._after = before, after

    def value(self, cells: Iterator[str]) -> Any:
        return f"{self._before}{_next(cells)}{self._after}"


class _Object(_Column):
    def __init__(self, name: str, columns: list[_Column]) -> None:
        super().__init__(name)
        self._columns = columns

    def value(self, cells: Iterator[str]) -> Any:
        made = ((column.name, column.value(cells)) for column in self._columns)
        return {name: value for name, value in made if value is not ABSENT}

    def is_wide(self) -> bool:
        return any(column.is_wide() for column in self._columns)


class _List(_Column):
    def __init__(self, name: str, keys: list[str]) -> None:
        super().__init__(name)
        self._keys = keys

    def value(self, cells: Iterator[str]) -> Any:
        value, _ = read_at(_next(cells), 0)
        return [dict(zip(self._keys, item, strict=True)) for item in value]


def _next(cells: Iterator[str]) -> str:
    try:
        return next(cells)
    except StopIteration:
        raise ValueError("a row has fewer cells than the header has columns") from None


class _Reader:
    """Reads one table from the place in a text where its header begins."""

    def __init__(self, text: str, at: int) -> None:
        self._text, self._at = text, at

    def rows(self, count: int) -> tuple[list[Any], int]:
        """The rows, and where the table ends."""
        row = _Object("", self._columns(">"))
        self._take("\n")
        lines = self._lines(count) if row.is_wide() else [""] * count
        made = []
        for line in lines:
            cells = iter(line.split("\t"))
            made.append(row.value(cells))
            if row.is_wide() and next(cells, None) is not None:
                raise ValueError(f"a row has more cells than the header: {line!r}")
        self._take(CLOSING)
        return made, self._at

    def _lines(self, count: int) -> list[str]:
        lines = []
        for _ in range(count):
            end = self._text.index("\n", self._at)
            lines.append(self._text[self._at : end])
            self._at = end + 1
        return lines

    def _columns(self, closing: str) -> list[_Column]:
        columns = []
        while True:
            columns.append(self._column())
            if self._is_next(closing):
                return columns
            self._take(",")

    def _column(self) -> _Column:
        name = self._name()
        if self._is_next("="):
            constant, self._at = read_at(self._text, self._at)
            return _Constant(name, constant)
        if self._is_next("{"):
            return _Object(name, self._columns("}"))
        if self._is_next("["):
            return _List(name, self._names())
        if self._is_next(":text"):
            return _Text(name, "", "")
        if self._is_next(":"):
            before = self._string()
            self._take("*")
            return _Text(name, before, self._string())
        column = _Column(name)
        column.optional = self._is_next("?")
        return column

    def _names(self) -> list[str]:
        names = [self._name()]
        while not self._is_next("]"):
            self._take(",")
            names.append(self._name())
        return names

    def _name(self) -> str:
        if self._text[self._at] == '"':
            return self._string()
        plain = _NAME.match(self._text, self._at)
        if plain is None:
            raise ValueError("a key has no name")
        self._at = plain.end()
        return plain[0]

    def _string(self) -> str:
        """A quoted string, empty where none stands here."""
        if self._text[self._at] != '"':
            return ""
        value, self._at = read_at(self._text, self._at)
        return str(value)

    def _is_next(self, mark: str) -> bool:
        there = self._text.startswith(mark, self._at)
        self._at += len(mark) * there
        return there

    def _take(self, mark: str) -> None:
        if not self._is_next(mark):
            raise ValueError(f"{quoted(mark)} is missing at character {self._at}")
