"""Usage: how many tokens an answer says it took, whatever the dialect.

    input  = prefill + cache read         the classes of `Tokens` do not overlap,
    output = decode + reasoning           those on the wire do

OpenAI counts cached tokens within the input and reasoning tokens within the output. Some services
that speak its API count reasoning beside the output; their total then exceeds input and output, and
what is left over was thought. What makes no sense is no usage: unknown is not zero.

Source: OpenAI API reference (the usage objects of chat completions, responses, completions and
embeddings), 2026-11; Google Cloud, "Reasoning for Grok models" (reasoning beside the output);
DeepSeek API reference, "Create chat completion" (`prompt_cache_hit_tokens`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

# A usage object is short: 300 bytes, with all its details.
_LONGEST = 4096
# One token of English text is about four bytes.
# Source: OpenAI Help Center, "What are tokens and how to count them?"
_BYTES_PER_TOKEN = 4
# Of an answer's JSON about half is not text the model wrote (envelope, escapes, usage).
_ENVELOPE = 2
_read = json.JSONDecoder().raw_decode


def usage_of(answer: Mapping[str, Any]) -> Tokens | None:
    """Token counts of a whole answer, None where it has none that make sense."""
    return _tokens(answer.get("usage"))


def usage_at_end(stream: bytes) -> Tokens | None:
    """Token counts of the last `usage` object in the end of a stream, None where there is none.

    Inside text that the model wrote the quotes are escaped, so that it cannot be mistaken.
    """
    at = stream.rfind(b'"usage"')
    while at >= 0:
        rest = stream[at + 7 : at + 7 + _LONGEST].lstrip()
        if rest[:1] == b":" and (found := _parsed(rest[1:].lstrip())) is not None:
            return found
        at = stream.rfind(b'"usage"', 0, at)
    return None


def _parsed(text: bytes) -> Tokens | None:
    if text[:1] != b"{":
        return None
    try:
        return _tokens(_read(text.decode("utf-8", "replace"))[0])
    except (ValueError, RecursionError):
        return None


def _tokens(usage: object) -> Tokens | None:
    if type(usage) is not dict:
        return None
    read = _count(usage, "prompt_tokens", "input_tokens")
    written = _count(usage, "completion_tokens", "output_tokens")
    total = _count(usage, "total_tokens")
    if read is None or (written is None and total is None):
        return None
    if written is None:  # embeddings have no output
        written = max(0, (total or 0) - read)
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    cached = _count(details, "cached_tokens") or _count(usage, "prompt_cache_hit_tokens") or 0
    details = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    thought = min(_count(details, "reasoning_tokens") or 0, written)
    beside = max(0, (total or 0) - read - written)
    if beside:
        written, thought = written + beside, beside
    cached = min(cached, read)
    return Tokens(read - cached, cached, 0, written - thought, thought)


def _count(usage: object, name: str, other: str = "") -> int | None:
    """A count that is one: a whole number, not negative."""
    if type(usage) is not dict:
        return None
    value = usage.get(name)
    if value is None and other:
        value = usage.get(other)
    return value if type(value) is int and value >= 0 else None


def estimated_usage(kind: str, request: bytes, answer: bytes, frames: int) -> Tokens:
    """Token counts where the upstream gave none: a rough guess, to be flagged as one.

    Input by its bytes; output by the number of stream frames (one token each, as providers send
    them), or by the answer's bytes. An embedding writes none.
    """
    read = max(1, len(request) // _BYTES_PER_TOKEN)
    if kind == "embeddings":
        return Tokens(prefill=read)
    return Tokens(
        prefill=read, decode=frames or max(1, len(answer) // (_ENVELOPE * _BYTES_PER_TOKEN))
    )
