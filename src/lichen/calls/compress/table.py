r"""Table: an array of objects with its keys written once.

    <rows 2: id,name,at:"2026-11-"*"Z",user{first,last},currency="EUR",note?>
    1⇥Anna⇥25T10:00⇥Ada⇥Lovelace⇥
    2⇥Bob⇥25T11:30⇥Alan⇥Turing⇥late
    </rows>

One line a row, cells parted by a tab. A column is written as

    name           a cell is a JSON value; text stands without quotes where nothing else could be
                   meant
    name:text      a cell is text, as it stands
    name:"a"*"b"   a cell is text between the beginning "a" and the ending "b" that all rows share
    name="EUR"     every row has this value; there is no cell
    name{a,b}      an object with these keys, each a column
    name[a,b]      a list of objects with these keys, as JSON lists of their values
    name?          an empty cell means that the row has no such key

Nothing is reordered, rounded or left out: `lichen.calls.compress.expand` gives the same JSON back,
down to the digits of its numbers. `<rows 2 lines: …>` stands for as many lines of JSON.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

from lichen.calls.compress.exact_json import Digits, quoted, scalar, write

ABSENT: Any = type("Absent", (), {"__slots__": ()})()
OPENING, CLOSING = "<rows ", "</rows>"
# Fewer rows than this save less than the header costs.
_FEWEST = 3
# Of the cells of a table with optional keys at least so many must be filled.
_FILLED = 0.5
# A shared beginning or ending shorter than this is not worth its place in the header. [character]
_SHORTEST = 3
# Key names that need no quotes.
_PLAIN_NAME = re.compile(r"[\w$@./ -]+")
# What cannot stand in a cell as it is: it would end the cell or line, or be lost on the way.
_CONTROL = re.compile(r"[\x00-\x1f]")
# Text that would be read as another value, or as no value.
_AMBIGUOUS = re.compile(r'["\[{<].*|-?\d[\d.eE+-]*|true|false|null|', re.DOTALL)
# The last place in a text before which nothing belongs to what comes after.
_LAST_EDGE = re.compile(r".*(?:\W|_|[A-Za-z](?=\d))", re.DOTALL)


class NotTabularError(ValueError):
    """These rows have no common shape, or one that does not pay."""


def encode(rows: list[Any], *, lines: bool = False) -> str:
    """Rows as a table.

    Raises:
        NotTabularError: they are no objects of one shape.
    """
    if len(rows) < _FEWEST or {*map(type, rows)} != {dict}:
        raise NotTabularError
    header, columns = _columns(rows)
    body = "".join(map("{}\n".format, map("\t".join, zip(*columns, strict=True))))
    return f"{OPENING}{len(rows)}{' lines' if lines else ''}: {header}>\n{body}{CLOSING}"


def _columns(rows: list[dict[str, Any]]) -> tuple[str, list[list[str]]]:
    """The header and the columns of cells of some objects."""
    shapes = {*map(tuple, rows)}
    if len(shapes) == 1:
        keys = shapes.pop()
        values = list(zip(*(row.values() for row in rows), strict=True))
    else:
        keys = _merged(shapes)
        if sum(map(len, rows)) < _FILLED * len(keys) * len(rows):
            raise NotTabularError
        values = [tuple(row.get(key, ABSENT) for row in rows) for key in keys]
    if not keys:
        raise NotTabularError
    headers: list[str] = []
    columns: list[list[str]] = []
    for key, column in zip(keys, values, strict=True):
        header, cells = _column(_name(key), list(column))
        headers.append(header)
        columns += cells
    return ",".join(headers), columns


def _merged(shapes: set[tuple[str, ...]]) -> tuple[str, ...]:
    """One order of keys that every row keeps; rows may lack some.

    Raises:
        NotTabularError: no order fits all.
    """
    order: list[str] = []
    # Longest first, then by name: a set has no order of its own, and the result must have one.
    ranked = sorted(shapes, key=lambda shape: (-len(shape), shape))
    for shape in ranked:
        at = 0
        for key in shape:
            if key in order:
                at = order.index(key) + 1
            else:
                order.insert(at, key)
                at += 1
    place = {key: at for at, key in enumerate(order)}
    for shape in ranked:
        places = [place[key] for key in shape]
        if places != sorted(places):
            raise NotTabularError
    return tuple(order)


def _name(key: str) -> str:
    if _PLAIN_NAME.fullmatch(key) and key.strip() == key:
        return key
    return quoted(key)


def _column(name: str, values: list[Any]) -> tuple[str, list[list[str]]]:
    """The header of one key and its cells: none, one column, or those of the objects in it."""
    kinds = {*map(type, values)}
    first = values[0]
    if len(kinds) == 1:
        kind = type(first)
        if kind not in (dict, list) and values.count(first) == len(values):
            return f"{name}={write(first)}", []
        if kind is dict and (inner := _inner(values)) is not None:
            return f"{name}{{{inner[0]}}}", inner[1]
        if kind is list and (keys := _keys_within(values)):
            cells = [write([list(item.values()) for item in value]) for value in values]
            return f"{name}[{','.join(map(_name, keys))}]", [cells]
        if kind is str:
            header, column = _text(name, values)
            return header, [column]
        if kind in (int, Digits):
            return name, [[str(value) for value in values]]
    mark = "?" if type(ABSENT) in kinds else ""
    return f"{name}{mark}", [[_cell(value) for value in values]]


def _inner(values: list[Any]) -> tuple[str, list[list[str]]] | None:
    """Objects as columns of their own, where all have the same keys."""
    if len({*map(tuple, values)}) != 1 or not values[0]:
        return None
    return _columns(values)


def _keys_within(values: list[Any]) -> tuple[str, ...]:
    """The keys that all objects of all lists have; empty where there are none or others."""
    items = list(chain.from_iterable(values))
    if len(items) < _FEWEST or {*map(type, items)} != {dict}:
        return ()
    shapes = {*map(tuple, items)}
    return shapes.pop() if len(shapes) == 1 else ()


def _text(name: str, values: list[Any]) -> tuple[str, list[str]]:
    """A column of text."""
    whole = "".join(values)
    # Printable text, by far the most, has no control characters; that is asked faster.
    if not whole.isprintable() and _CONTROL.search(whole):
        return name, [_cell(value) for value in values]
    before, after = _shared(values)
    if before or after:
        end = -len(after) or None
        cells = [value[len(before) : end] for value in values]
        told = (quoted(part) if part else "" for part in (before, after))
        return f"{name}:{'*'.join(told)}", cells
    mark = ":text" if any(map(_AMBIGUOUS.fullmatch, values)) else ""
    return f"{name}{mark}", values


def _shared(values: list[str]) -> tuple[str, str]:
    """What all texts begin with, and what all that is left of them ends with."""
    before = after = ""
    if len({value[:_SHORTEST] for value in values}) == 1:
        before = _edge(_beginning(values))
    if len({value[-_SHORTEST:] for value in values}) == 1:
        after = _edge(_beginning([value[len(before) :][::-1] for value in values]))[::-1]
    return before, after


def _beginning(values: list[str]) -> str:
    """What all texts begin with: the first and the last in order differ where any do."""
    least, most = min(values), max(values)
    return next((least[:n] for n, letter in enumerate(least) if letter != most[n]), least)


def _edge(shared: str) -> str:
    """A shared beginning up to the last place where no word or number is cut."""
    edge = _LAST_EDGE.match(shared)
    return edge[0] if edge and len(edge[0]) >= _SHORTEST else ""


def _cell(value: Any) -> str:
    """A cell whose column says nothing of it."""
    kind = type(value)
    if kind is str:
        if _CONTROL.search(value) or _AMBIGUOUS.fullmatch(value):
            return quoted(value)
        return value  # type: ignore[no-any-return] # what it is has just been asked
    if kind in (dict, list):
        return write(value)
    return "" if value is ABSENT else scalar(value)
