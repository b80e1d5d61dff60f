"""Gemini usage: how many tokens an answer says it took.

    prefill    = promptTokenCount − cachedContentTokenCount + toolUsePromptTokenCount
    cache_read = cachedContentTokenCount
    decode     = candidatesTokenCount             thoughts stand beside the candidates
    reasoning  = thoughtsTokenCount

Where the total shows that a service counts thoughts within the candidates, they are taken out.

Source: Google AI for Developers, Gemini API reference, `UsageMetadata`; Google Cloud, Vertex AI
reference, `GenerateContentResponse.UsageMetadata`, 2026-11.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import last_under
from lichen.calls.providers.gemini.names import object_of, value_of
from lichen.calls.providers.view import whole
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

# Answers to one call that its bytes may ask for.
_MOST_ANSWERS = 128
# What counts more tokens than it has bytes, or is read from elsewhere.
_ELSEWHERE = re.compile(
    rb'"(?:inline_?[dD]ata|file_?[dD]ata|cached_?[cC]ontent|tools|video_?[mM]etadata)"'
)


def usage_of(_kind: str, answer: Mapping[str, Any]) -> Tokens | None:
    """Token counts of a whole answer, None where it has none that make sense."""
    return _tokens(object_of(answer, "usageMetadata"))


def stream_usage(_kind: str, _head: bytes, tail: bytes) -> Tokens | None:
    """Token counts of the last chunk that tells any; None where none does."""
    found = map(_tokens, last_under(tail, b'"usageMetadata"'))
    return next((tokens for tokens in found if tokens is not None), None)


def _tokens(usage: Mapping[str, Any]) -> Tokens | None:
    read = _count(usage, "promptTokenCount")
    if read is None:
        return None
    cached = min(_count(usage, "cachedContentTokenCount") or 0, read)
    tools = _count(usage, "toolUsePromptTokenCount") or 0
    written = _count(usage, "candidatesTokenCount") or 0
    thought = _count(usage, "thoughtsTokenCount") or 0
    total = _count(usage, "totalTokenCount")
    if thought and total in (read + written, read + written + tools):
        thought = min(thought, written)
        written -= thought
    return Tokens(read - cached + tools, cached, 0, written, thought)


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    return whole(value_of(usage, name))


def answers(fields: Mapping[str, Any]) -> int:
    """How many answers a call asks for."""
    asked = whole(value_of(object_of(fields, "generationConfig"), "candidateCount")) or 1
    return min(asked, _MOST_ANSWERS)


def reads_elsewhere(_fields: Mapping[str, Any], request: bytes) -> bool:
    """Whether input may come from where the request's bytes do not show it."""
    return _ELSEWHERE.search(request) is not None
