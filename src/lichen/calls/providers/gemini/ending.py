"""Gemini ending: whether an answer is one that may be given again.

There is no mark at the end of a stream: its last chunk with candidates says why each of them
stopped; a stream that is one JSON array also closes it. An answer that was held back, or that is to
be gone on with, is none to give again; one that its own `maxOutputTokens` cut short is: the same
call is cut there again.

Source: Gemini API reference, `Candidate.finishReason`, `promptFeedback`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.providers.frames import json_object, listed, mapped, objects
from lichen.calls.providers.gemini.names import object_of, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WHOLE = frozenset(("STOP", "MAX_TOKENS"))
# Chunks from the end of a stream that are looked at; after the last candidate's there may be one
# more, of usage alone.
_LAST = 4


def is_sound(kind: str, answer: Mapping[str, Any]) -> bool:
    """Whether a whole answer is one, and complete."""
    if answer.get("error"):
        return False
    if kind == "embed_content":
        return bool(answer.get("embedding"))
    if kind == "batch_embed_contents":
        return bool(answer.get("embeddings"))
    return not object_of(answer, "promptFeedback").get("blockReason") and _stopped(answer)


def _stopped(said: Mapping[str, Any]) -> bool:
    """Whether all candidates of a chunk have come to their end."""
    candidates = listed(said.get("candidates"))
    return bool(candidates) and all(
        value_of(mapped(one), "finishReason") in _WHOLE for one in candidates
    )


def ended_well(_kind: str, stream: bytes) -> bool:
    """Whether a stream came to its own end and reports no error on the way."""
    # An event ends with the brace of its object, an array with its bracket.
    if stream.rstrip().endswith(b"]"):
        return _well(list(last_of_array(stream)))
    return _well(list(objects(stream)))


def _well(said: list[dict[str, Any]]) -> bool:
    if any(one.get("error") for one in said):
        return False
    last = next((one for one in reversed(said[-_LAST:]) if one.get("candidates")), None)
    return last is not None and _stopped(last)


def last_of_array(stream: bytes) -> Iterator[dict[str, Any]]:
    """The objects in the end of a JSON array, in their order, as far as they can be told apart.

    The provider puts each on lines of its own, with a comma on one between. [bytes in, objects out]
    """
    pieces = stream.strip()
    if pieces.startswith(b"["):
        try:
            yield from map(mapped, listed(orjson.loads(pieces)))
        except orjson.JSONDecodeError:
            pass
        else:
            return
    inner = pieces.removeprefix(b"[").removesuffix(b"]").replace(b"\r\n", b"\n")
    for piece in inner.split(b"\n,\n"):
        if (said := json_object(piece.strip())) is not None:
            yield said
