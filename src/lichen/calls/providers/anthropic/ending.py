"""Anthropic ending: whether an answer is one that may be given again.

A whole answer is sound if it is a message that came to its end. A stream is sound if its last event
is `message_stop` and none on the way is an `error`. A turn that the provider paused or refused is
not one to give again; one that its own `max_tokens` cut short is: the same call is cut there again.

Source: Anthropic API reference, "Handling stop reasons", "Streaming messages".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import frames, json_object, mapped

if TYPE_CHECKING:
    from collections.abc import Mapping

# Reasons to stop that are no answer: to be gone on with, or withheld.
_NO_ANSWER = frozenset(("pause_turn", "refusal"))
# An error's event stands at the begin of a line: within JSON line ends are escaped.
_ERROR = (b"event: error", b"event:error")


def is_sound(_kind: str, answer: Mapping[str, Any]) -> bool:
    """Whether a whole answer is one, and complete."""
    if answer.get("type") != "message" or answer.get("error"):
        return False
    return _may_serve(answer.get("stop_reason"))


def _may_serve(reason: object) -> bool:
    return type(reason) is str and reason not in _NO_ANSWER


def ended_well(_kind: str, stream: bytes) -> bool:
    """Whether a stream came to its own end and reports no error on the way."""
    if any(stream.startswith(mark) or b"\n" + mark in stream for mark in _ERROR):
        return False
    # The last two events say why it stopped, and that it did.
    start = stream.rfind(b'"message_delta"')
    begin = max(0, stream.rfind(b"\n\n", 0, start)) if start > 0 else 0
    said = [json_object(data) or {} for _, data in frames(stream[begin:]) if data]
    if not said or said[-1].get("type") != "message_stop":
        return False
    told = [one for one in said if one.get("type") == "message_delta"]
    return bool(told) and _may_serve(mapped(told[-1].get("delta")).get("stop_reason"))
