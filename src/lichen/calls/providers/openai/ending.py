"""OpenAI ending: whether an answer is one that may be given again.

A whole answer is sound if it is a JSON object that reports no error. A stream is sound if it came
to the end its kind of call has, and reports no error on the way:

    chat completions, completions    data: [DONE]
    responses                        event: response.completed

Source: OpenAI API reference, "Streaming".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import frames, json_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_DONE = b"[DONE]"
# Where these bytes are not in a stream, no frame reports an error: within the text that a model
# wrote, quotes are escaped.
_MAY_BE_ERROR = re.compile(rb'"error"\s*[:,}](?!\s*null)')
# How a response may say that it did not come to its end.
_UNFINISHED = frozenset(("cancelled", "failed", "in_progress", "incomplete", "queued"))


def is_sound(kind: str, answer: Mapping[str, Any]) -> bool:
    """Whether a whole answer is one, and complete."""
    return not _reports_error(answer) and not (
        kind == "responses" and answer.get("status") in _UNFINISHED
    )


def ended_well(kind: str, stream: bytes) -> bool:
    """Whether a stream came to its own end and reports no error on the way."""
    if not _has_end(kind, stream):
        return False
    if _MAY_BE_ERROR.search(stream) is None:
        return True
    return not any(_is_error(data) for _, data in frames(stream))


def _has_end(kind: str, stream: bytes) -> bool:
    # Only the last frames matter, and a response's last one holds all of it again.
    start = stream.rfind(b"\nevent:") if kind == "responses" else len(stream) - 256
    said = [frame for frame in frames(stream[max(0, start) :]) if any(frame)]
    done = bool(said) and said[-1][1] == _DONE
    if kind != "responses":
        return done
    # Some services close a response's stream as one of chat completions is closed.
    last = said[-2:-1] if done else said[-1:]
    return bool(last) and last[0][0] == b"response.completed"


def _is_error(data: bytes) -> bool:
    said = json_object(data)
    return said is not None and _reports_error(said)


def _reports_error(said: Mapping[str, Any]) -> bool:
    """Whether a JSON object reports an error, itself or in a choice or response it carries."""
    if said.get("error") or said.get("type") in ("error", "response.failed"):
        return True
    inner = said.get("choices")
    carried = [*(inner if type(inner) is list else ()), said.get("response")]
    return any(type(part) is dict and part.get("error") for part in carried)
