"""Exact JSON: reading a document so that it can be written again with nothing lost.

    write(read(text)) = text without the white space between its marks

Numbers keep the digits they were written with (1.50, 1e5, -0 and whole numbers of any length are
no floats here), keys keep their order, and a document in which a name stands twice in one object
is refused: an object could hold one of the two only.

Source: RFC 8259 (JSON); §4 says that what becomes of a name that stands twice cannot be known.
"""

from __future__ import annotations

import json
import re
from json.encoder import encode_basestring as quoted
from typing import Any

__all__ = [
    "Digits",
    "Inexact",
    "end_of",
    "minified",
    "quoted",
    "read",
    "read_at",
    "scalar",
    "write",
]

# The pieces of a document that are no white space: strings whole, and all else up to a string.
_PIECES = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"]+')
# What may be the one whole number that an int cannot hold, if it does not stand within text.
_MINUS_ZERO = re.compile(r"-0(?![\d.eE])")


class Inexact(ValueError):  # noqa: N818 (a finding, no error of the user's)
    """The document cannot be held without losing something of it."""


class Digits(str):
    """A number as it was written, where that is more than its value."""

    __slots__ = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Inexact("a name stands twice in an object")
    return made


def _never(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _whole(text: str) -> Any:
    return Digits(text) if text == "-0" else int(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Digits, parse_constant=_never)
_CAREFUL = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Digits, parse_int=_whole, parse_constant=_never
)
_PLAIN = json.JSONDecoder(parse_float=Digits, parse_int=Digits, parse_constant=_never)


def read(text: str) -> Any:
    """The value of a document, its fractions as `Digits`.

    Raises:
        Inexact: something of it would be lost.
        ValueError: it is no JSON.
        RecursionError: it is nested too deep.
    """
    return (_CAREFUL if _MINUS_ZERO.search(text) else _DECODER).decode(text)


def read_at(text: str, at: int) -> tuple[Any, int]:
    """The value that begins at a place in a text, and where it ends.

    Raises:
        Inexact: something of it would be lost.
        ValueError: no JSON begins there.
        RecursionError: it is nested too deep.
    """
    value, end = _DECODER.raw_decode(text, at)
    if _MINUS_ZERO.search(text, at, end):
        value, end = _CAREFUL.raw_decode(text, at)
    return value, end


def end_of(text: str, at: int) -> int:
    """Where the JSON that begins there ends, even where names stand twice in it.

    Raises:
        ValueError: no JSON begins there.
        RecursionError: it is nested too deep.
    """
    return _PLAIN.raw_decode(text, at)[1]


def minified(text: str) -> str:
    """A valid document without the white space between its marks, all else as it was written."""
    return "".join(_PIECES.findall(text))


def write(value: Any) -> str:
    """A value as JSON without white space; numbers as they were written.

    Raises:
        RecursionError: it is nested too deep.
    """
    kind = type(value)
    if kind is str:
        return quoted(value)
    if kind is dict:
        pairs = (f"{quoted(name)}:{write(item)}" for name, item in value.items())
        return f"{{{','.join(pairs)}}}"
    if kind is list:
        return f"[{','.join(map(write, value))}]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A value that is neither text nor a container, as JSON."""
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    return str(value)
