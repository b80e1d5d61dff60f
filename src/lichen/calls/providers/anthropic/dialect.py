"""ANTHROPIC: the Anthropic dialect, put together from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.providers.anthropic import call, ending, said, told, usage, view
from lichen.calls.providers.anthropic.marks import AnthropicMarks
from lichen.calls.providers.view import put

if TYPE_CHECKING:
    from lichen.calls.exchange import Call
    from lichen.calls.providers.dialect import Dialect


class Anthropic:
    """Keeps the `Dialect` port."""

    name = "anthropic"
    embeds: frozenset[str] = frozenset()
    marks = AnthropicMarks()
    canonical = staticmethod(call.canonical)
    limit = staticmethod(view.limit)
    view = staticmethod(view.view)
    with_texts = staticmethod(put)
    answer_text = staticmethod(said.answer_text)
    calls_tools = staticmethod(said.calls_tools)
    answer_with = staticmethod(told.answer_with)
    stream_usage = staticmethod(usage.stream_usage)
    is_sound = staticmethod(ending.is_sound)
    ended_well = staticmethod(ending.ended_well)
    answers = staticmethod(usage.answers)
    reads_elsewhere = staticmethod(usage.reads_elsewhere)
    usage = staticmethod(usage.usage_of)
    error_body = staticmethod(told.error_body)
    error_frame = staticmethod(told.error_frame)

    def read_call(self, kind: str, target: bytes, body: bytes) -> Call:  # noqa: ARG002 (the body says all)
        """What a body asks: see `call.read_call`."""
        return call.read_call(self, kind, body)


ANTHROPIC: Dialect = Anthropic()
