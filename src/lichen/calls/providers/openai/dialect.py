"""OPENAI: the OpenAI dialect, put together from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.calls.providers.openai import call, ending, said, told, usage, view
from lichen.calls.providers.view import put

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.exchange import Call
    from lichen.calls.providers.dialect import Dialect
    from lichen.ledger.tokens import Tokens


class OpenAi:
    """Keeps the `Dialect` port."""

    name = "openai"
    embeds = frozenset(("embeddings",))
    marks = None
    canonical = staticmethod(call.canonical)
    limit = staticmethod(view.limit)
    view = staticmethod(view.view)
    with_texts = staticmethod(put)
    answer_text = staticmethod(said.answer_text)
    calls_tools = staticmethod(said.calls_tools)
    answer_with = staticmethod(told.answer_with)
    is_sound = staticmethod(ending.is_sound)
    ended_well = staticmethod(ending.ended_well)
    answers = staticmethod(usage.answers)
    reads_elsewhere = staticmethod(usage.reads_elsewhere)
    error_body = staticmethod(told.error_body)
    error_frame = staticmethod(told.error_frame)

    def read_call(self, kind: str, target: bytes, body: bytes) -> Call:  # noqa: ARG002 (the body says all)
        """What a body asks: see `call.read_call`."""
        return call.read_call(self, kind, body)

    def usage(self, kind: str, answer: Mapping[str, Any]) -> Tokens | None:  # noqa: ARG002 (all alike)
        """Token counts of a whole answer: see `usage.usage_of`."""
        return usage.usage_of(answer)

    def stream_usage(self, kind: str, head: bytes, tail: bytes) -> Tokens | None:  # noqa: ARG002 (at its end)
        """Token counts of a stream: see `usage.usage_at_end`."""
        return usage.usage_at_end(tail)


OPENAI: Dialect = OpenAi()
