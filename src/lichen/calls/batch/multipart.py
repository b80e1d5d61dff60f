"""Multipart: the fields of an uploaded form.

Source: RFC 7578 (multipart/form-data), RFC 2046 §5.1.1 (boundaries).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lichen.calls.exchange import Headers

_BOUNDARY = re.compile(rb'boundary=(?:"([^"]{1,70})"|([^;\s]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILE = re.compile(rb'[;\s]filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_CRLF = b"\r\n"


class Part(NamedTuple):
    """One field; `filename` is empty where it is no file."""

    content: bytes
    filename: str


def form_of(headers: Headers, body: bytes) -> dict[str, Part] | None:
    """The fields of a form by name; None where the body is no whole form."""
    kind = dict(headers).get(b"content-type", b"")
    found = _BOUNDARY.search(kind)
    if found is None or not kind.lower().startswith(b"multipart/form-data"):
        return None
    mark = b"--" + (found.group(1) or found.group(2))
    # The first boundary may stand at the very start; each other one begins a line.
    pieces = (_CRLF + body).split(_CRLF + mark)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):  # noqa: PLR2004 (before, a part, after)
        return None
    made: dict[str, Part] = {}
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(_CRLF + _CRLF)
        name = _NAME.search(head)
        if not blank or name is None:
            return None
        file = _FILE.search(head)
        made[_text(name.group(1))] = Part(content, _text(file.group(1)) if file else "")
    return made


def _text(quoted: bytes) -> str:
    plain = re.sub(rb"\\(.)", rb"\1", quoted).replace(b"%22", b'"')
    return plain.decode("utf-8", "replace")
