"""OpenAI usage: how many tokens an answer says it took.

    input  = prefill + cache read + cache write     the classes of `Tokens` do not overlap,
    output = decode + reasoning                     those on the wire do

OpenAI counts tokens read from its cache and written to it within the input, and reasoning tokens
within the output. Some services that speak its API count reasoning beside the output; their total
then exceeds input and output, and what is left over was thought.

Source: OpenAI API reference (the usage objects of chat completions, responses, completions and
embeddings), 2026-11; Google Cloud, "Reasoning for Grok models" (reasoning beside the output);
DeepSeek API reference, "Create chat completion" (`prompt_cache_hit_tokens`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import last_under
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

# Answers to one call that its bytes may ask for.
_MOST_ANSWERS = 128
# What counts more tokens than it has bytes, or is read from elsewhere. Where a text only speaks of
# it, the bound is wider than it need be.
_ELSEWHERE = re.compile(
    rb'"(?:[a-z_]*(?:image|audio|video|file|document)[a-z_]*|conversation|data_sources|documents|'
    rb'plugins|previous_response_id|prompt_id|retrieval|search_[a-z_]+|tools|url|web_search[a-z_]*)"'
)


def usage_of(answer: Mapping[str, Any]) -> Tokens | None:
    """Token counts of a whole answer, None where it has none that make sense."""
    return _tokens(answer.get("usage"))


def usage_at_end(stream: bytes) -> Tokens | None:
    """Token counts of the last `usage` object in the end of a stream, None where there is none."""
    found = map(_tokens, last_under(stream, b'"usage"'))
    return next((tokens for tokens in found if tokens is not None), None)


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
    kept = _count(details, "cache_write_tokens") or 0
    details = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    thought = min(_count(details, "reasoning_tokens") or 0, written)
    beside = max(0, (total or 0) - read - written)
    if beside:
        written, thought = written + beside, beside
    cached = min(cached, read)
    kept = min(kept, read - cached)
    return Tokens(read - cached - kept, cached, kept, written - thought, thought)


def _count(usage: object, name: str, other: str = "") -> int | None:
    """A count that is one: a whole number, not negative."""
    if type(usage) is not dict:
        return None
    value = usage.get(name)
    if value is None and other:
        value = usage.get(other)
    return value if type(value) is int and value >= 0 else None


def answers(fields: Mapping[str, Any]) -> int:
    """How many answers a call asks for: `n`, or `best_of` of which the best n come back."""
    asked = [_count(fields, name) or 1 for name in ("n", "best_of")]
    prompts = fields.get("prompt")
    several = len(prompts) if type(prompts) is list else 1
    return min(max(asked) * max(several, 1), _MOST_ANSWERS)


def reads_elsewhere(fields: Mapping[str, Any], request: bytes) -> bool:
    """Whether input may come from where the request's bytes do not show it."""
    stored_prompt = type(fields.get("prompt")) is dict
    return stored_prompt or _ELSEWHERE.search(request) is not None
