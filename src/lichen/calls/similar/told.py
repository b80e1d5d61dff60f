"""Told: a question as services that share a cache tell one another of it, as bytes and back.

    "lichenQ1" ‖ length of the description [4 bytes] ‖ description (JSON) ‖ levels of the vector

Whose it is stands in no line: it is whose log it came by. What a process verified of its answer
is not told, so that nobody counts another's outcomes; the group is, which is only a feature.
"""

from __future__ import annotations

import struct
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from lichen.calls.similar.kept import Question
from lichen.calls.similar.scope import LONGEST, SCOPE_BYTES
from lichen.text.nearest import Small

if TYPE_CHECKING:
    from lichen.ledger.ports import Embedder

_MAGIC = b"lichenQ1"
_HEAD = struct.Struct(">8sI")
_KEY_BYTES = 32
# What whoever reads a line may meet in one that was damaged or made up.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, struct.error)


class Maker(NamedTuple):
    """Whose vectors one can compare with: an embedder's name, and their dimension."""

    name: str
    dimension: int


def maker(embedder: Embedder) -> Maker:
    """An embedder, by name and dimension."""
    return Maker(embedder.name, embedder.dimension)


def written(question: Question, by: Maker) -> bytes:
    """A question as bytes, without whose it is and without what was verified of it."""
    vector = question.vector
    said = {
        "scope": question.scope.hex(),
        "entry": question.entry,
        "text": question.text,
        "at": [question.stored_us, question.expires_us],
        "group": (question.group or question.key).hex(),
        "by": by.name,
        "scale": vector.scale if vector is not None else None,
    }
    described = orjson.dumps(said)
    levels = vector.levels.tobytes() if vector is not None else b""
    return b"%b%b%b" % (_HEAD.pack(_MAGIC, len(described)), described, levels)


def read(owner: str, key: bytes, line: bytes, by: Maker) -> Question:
    """The question of an owner's line. Another embedder's vector is left out: it is made anew.

    Raises:
        ValueError, LookupError, TypeError, AttributeError, struct.error: it is none.
    """
    magic, length = _HEAD.unpack_from(line)
    if magic != _MAGIC:
        raise ValueError("it was written by another version or another program")
    said = orjson.loads(line[_HEAD.size : _HEAD.size + length])
    stored_us, expires_us = (_moment(each) for each in said["at"])
    scope, group = bytes.fromhex(said["scope"]), bytes.fromhex(said["group"])
    text, entry = said["text"], said["entry"]
    if (len(key), len(scope), len(group)) != (_KEY_BYTES, SCOPE_BYTES, _KEY_BYTES):
        raise ValueError("its hashes have another length")
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST:
        raise ValueError("its question is empty or too long")
    # It stands in a header of an answer.
    if not (entry.isascii() and entry.isalnum()):
        raise ValueError("it names no entry")
    vector = None
    if said["by"] == by.name and said["scale"] is not None:
        vector = _vector(line[_HEAD.size + length :], said["scale"], by.dimension)
    return Question(key, scope, owner, entry, text, vector, stored_us, expires_us, group=group)


def _moment(said: Any) -> int:
    """A time that SQLite can hold. [µs since 1970]"""
    if type(said) is not int or not 0 <= said < 2**63:
        raise ValueError("it has no time")
    return said


def _vector(levels: bytes, scale: Any, dimension: int) -> Small:
    import numpy as np  # noqa: PLC0415 (heavy)

    if type(scale) is not float or not isfinite(scale) or scale <= 0 or len(levels) != dimension:
        raise ValueError("its vector is none")
    return Small(np.frombuffer(levels, np.int8), scale)
