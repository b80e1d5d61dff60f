"""Judge: does a stored answer say what the upstream's own answer says?

    served = the same words, or
             no guard tells them apart, and each part of either has its like in the other

A part is some sentences; its like has a cosine of at least 0.85. What this measures is agreement of
two answers, not truth: a model that is asked twice at a temperature above 0 may disagree with
itself, which counts as wrong here, and two answers may be wrong alike, which counts as right. It is
strict on purpose: numbers, names, dates, negation, code and any other language than English must
be the same, and an answer too long to compare, cut off, or one that calls a tool counts as wrong.

Source: ours; cosine by the embedder's own scale, measured with benchmarks/similar.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lichen.calls.providers.frames import said_in
from lichen.calls.similar.guards import differ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from lichen.calls.exchange import Call
    from lichen.ledger.ports import Embedder

_ALIKE = 0.85
# Characters of a part, which any embedder reads whole, and parts of an answer.
_PART = 600
_PARTS = 12
_BETWEEN = re.compile(r"(?<=[.!?:;])\s+|\n+")
_SPACE = re.compile(r"\W+")
# How providers say that an answer came to its own end, and where.
# Source: API references of OpenAI ("finish_reason"), Anthropic ("stop_reason"), Google AI
# ("finishReason").
_HOW = ("finish_reason", "stop_reason", "finishReason")
_WHOLE = frozenset(("stop", "end_turn", "stop_sequence", "STOP"))


def is_whole(call: Call, body: bytes) -> bool:
    """Whether an answer, whole or streamed, is words that ended of themselves, by no limit."""
    if call.dialect.calls_tools(call.kind, body):
        return False
    if not call.dialect.answer_text(call.kind, body).strip():
        return False
    return all(how in _WHOLE for said in said_in(body) for how in _hows(said))


def _hows(said: Any) -> Iterator[str]:
    """All that an answer says of how it ended."""
    if isinstance(said, dict):
        for name, value in said.items():
            if name in _HOW and isinstance(value, str):
                yield value
            elif isinstance(value, (dict, list)):
                yield from _hows(value)
    elif isinstance(said, list):
        for value in said:
            yield from _hows(value)


def agree(one: str, other: str, embedder: Embedder) -> bool:
    """Whether two answers say the same."""
    if _plain(one) == _plain(other):
        return True
    if differ(one, other) is not None:
        return False
    here, there = _parts(one), _parts(other)
    if not here or not there or max(len(here), len(there)) > _PARTS:
        return False
    vectors = embedder.embed([*here, *there])
    cosines = vectors[: len(here)] @ vectors[len(here) :].T
    return bool(cosines.max(axis=1).min() >= _ALIKE and cosines.max(axis=0).min() >= _ALIKE)


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text.casefold()).strip()


def _parts(text: str) -> list[str]:
    """The text in parts of some sentences."""
    parts: list[str] = []
    for sentence in _BETWEEN.split(text.strip()):
        for start in range(0, len(sentence), _PART):
            piece = sentence[start : start + _PART]
            if parts and len(parts[-1]) + len(piece) < _PART:
                parts[-1] = f"{parts[-1]} {piece}"
            else:
                parts.append(piece)
    return [part for part in parts if part.strip()]
