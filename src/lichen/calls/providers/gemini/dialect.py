"""GEMINI: the Gemini dialect, put together from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.providers.gemini import call, ending, said, told, usage, view
from lichen.calls.providers.view import put

if TYPE_CHECKING:
    from lichen.calls.exchange import Call
    from lichen.calls.providers.dialect import Dialect


class Gemini:
    """Keeps the `Dialect` port."""

    name = "gemini"
    embeds: frozenset[str] = frozenset(("embed_content", "batch_embed_contents"))
    marks = None
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

    def read_call(self, kind: str, target: bytes, body: bytes) -> Call:
        """What a path and a body ask: see `call.read_call`."""
        return call.read_call(self, kind, target, body)


GEMINI: Dialect = Gemini()
