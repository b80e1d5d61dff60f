"""Frames: server-sent events, cut into event name and data.

Source: WHATWG HTML, "Server-sent events", section 9.2.6 (interpreting an event stream).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# An object of counts is short: 300 bytes, with all its details. [byte]
_LONGEST = 4096
_read = json.JSONDecoder().raw_decode
_BETWEEN_FRAMES = re.compile(rb"\r?\n\r?\n")


def frames(stream: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Event name and data of each frame."""
    for frame in _BETWEEN_FRAMES.split(stream):
        name, data = b"", []
        for line in frame.splitlines():
            field, _, value = line.partition(b":")
            if field == b"event":
                name = value.strip()
            elif field == b"data":
                data.append(value.strip())
        yield name, b"\n".join(data)


def objects(stream: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects that the frames of a stream carry; what is none is left out."""
    for _, data in frames(stream):
        if data[:1] == b"{" and (said := json_object(data)) is not None:
            yield said


def json_object(data: bytes) -> dict[str, Any] | None:
    """A JSON object, None where it is none."""
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return said if type(said) is dict else None


def said_in(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of an answer: the one of a whole answer, or those of a stream's frames."""
    if body[:1] == b"{":
        said = json_object(body)
        if said is not None:
            yield said
        return
    yield from objects(body)


def frame(data: Mapping[str, Any], event: str = "") -> bytes:
    """An event as it goes over the wire."""
    named = b"event: %b\n" % event.encode() if event else b""
    return b"%bdata: %b\n\n" % (named, orjson.dumps(data))


def listed(value: object) -> list[Any]:
    """A list, empty where it is none."""
    return value if type(value) is list else []


def mapped(value: object) -> dict[str, Any]:
    """An object, empty where it is none."""
    return value if type(value) is dict else {}


def last_under(stream: bytes, name: bytes) -> Iterator[dict[str, Any]]:
    """The short objects that stand under a name (in its quotes) in a stream, the last one first.

    Inside text that the model wrote the quotes are escaped, so that it cannot be mistaken.
    """
    at = stream.rfind(name)
    while at >= 0:
        rest = stream[at + len(name) : at + len(name) + _LONGEST].lstrip()
        if rest[:1] == b":" and (found := _parsed(rest[1:].lstrip())) is not None:
            yield found
        at = stream.rfind(name, 0, at)


def _parsed(text: bytes) -> dict[str, Any] | None:
    if text[:1] != b"{":
        return None
    try:
        found = _read(text.decode("utf-8", "replace"))[0]
    except (ValueError, RecursionError):
        return None
    return found if type(found) is dict else None
