"""Usage: how many tokens an answer says it took, whatever the dialect.

    input  = prefill + cache read         the classes of `Tokens` do not overlap,
    output = decode + reasoning           those on the wire do

OpenAI counts cached tokens within the input and reasoning tokens within the output. Some services
that speak its API count reasoning beside the output; their total then exceeds input and output, and
what is left over was thought. What makes no sense is no usage: unknown is not zero. Nor is what the
bytes of a call do not bear out, since a book that has once added it up is spoilt:

    input  ≤ 2 × bytes of the request + 262,144    a token is a byte or more; services add a prompt
    output ≤ bytes of the answer + 262,144 × n     n answers, each thought about out of sight
    both   ≤ 10,000,000                            ten times the longest context on offer

Where the provider adds input that the request does not show (images, files, tools that it runs, a
conversation it keeps), only the last holds for the input.

Source: OpenAI API reference (the usage objects of chat completions, responses, completions and
embeddings), 2026-11; Google Cloud, "Reasoning for Grok models" (reasoning beside the output);
DeepSeek API reference, "Create chat completion" (`prompt_cache_hit_tokens`); Google AI for
Developers, "Gemini models" (contexts of 1,048,576 tokens); OpenAI, "Models" (answers of 128,000).
"""

from __future__ import annotations

import json
import re
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
_MOST = 10_000_000
_MOST_HIDDEN = _MOST_THOUGHT = 262_144
_BYTES_READ_TWICE = 2
# Answers to one call that its bytes may ask for.
_MOST_ANSWERS = 128
# What counts more tokens than it has bytes, or is read from elsewhere. Where a text only speaks of
# it, the bound is wider than it need be.
_ELSEWHERE = re.compile(
    rb'"(?:[a-z_]*(?:image|audio|video|file|document)[a-z_]*|conversation|data_sources|documents|'
    rb'plugins|previous_response_id|prompt_id|retrieval|search_[a-z_]+|tools|url|web_search[a-z_]*)"'
)
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


def is_plausible(tokens: Tokens, fields: Mapping[str, Any], request: bytes, size: int) -> bool:
    """Whether a call of these bytes, and an answer of `size` bytes, can have taken these tokens."""
    read, written = tokens.input, tokens.output
    if read <= len(request) and written <= size:
        return True  # nearly every call: a token is some four bytes
    if max(read, written) > _MOST:
        return False
    if written > size + _MOST_THOUGHT * _answers(fields):
        return False
    shown = _BYTES_READ_TWICE * len(request) + _MOST_HIDDEN
    return read <= shown or _reads_elsewhere(fields, request)


def _answers(fields: Mapping[str, Any]) -> int:
    """How many answers a call asks for: `n`, or `best_of` of which the best n come back."""
    asked = [_count(fields, name) or 1 for name in ("n", "best_of")]
    prompts = fields.get("prompt")
    several = len(prompts) if type(prompts) is list else 1
    return min(max(asked) * max(several, 1), _MOST_ANSWERS)


def _reads_elsewhere(fields: Mapping[str, Any], request: bytes) -> bool:
    """Whether input may come from where the request's bytes do not show it."""
    stored_prompt = type(fields.get("prompt")) is dict
    return stored_prompt or _ELSEWHERE.search(request) is not None


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
