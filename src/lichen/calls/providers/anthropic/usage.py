"""Anthropic usage: how many tokens an answer says it took.

    prefill     = input_tokens                    counts no cached token
    cache_read  = cache_read_input_tokens
    cache_write = cache_creation_input_tokens     for 5 minutes and for an hour together
    reasoning   = output_tokens_details.thinking_tokens, where it is told
    decode      = output_tokens − reasoning

A stream tells its input in `message_start`, and again, with the output so far, in `message_delta`:
the last word counts.

Source: Anthropic API reference, "Messages", `usage`; "Streaming messages"; "Prompt caching",
tracking cache performance, 2026-11.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import last_under, mapped, objects
from lichen.calls.providers.view import whole
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

# What is read from where the request's bytes do not show it: files, addresses, tools that the
# provider runs. Where a text only speaks of it, the bound is wider than it need be.
_ELSEWHERE = re.compile(
    rb'"(?:image|document|file_id|url|container|mcp_servers|tools|context_management)"'
)


def usage_of(_kind: str, answer: Mapping[str, Any]) -> Tokens | None:
    """Token counts of a whole answer, None where it has none that make sense."""
    return _tokens(mapped(answer.get("usage")))


def stream_usage(_kind: str, head: bytes, tail: bytes) -> Tokens | None:
    """Token counts of a stream by its first and last bytes; None where either is missing."""
    end = tail.rfind(b'"message_delta"')
    if end < 0:
        return None
    said = next(last_under(tail[end:], b'"usage"'), {})
    begun = mapped(_begun(head).get("usage"))
    return _tokens({**begun, **{name: value for name, value in said.items() if value is not None}})


def _begun(head: bytes) -> dict[str, Any]:
    """The message as its stream begins."""
    starts = (said for said in objects(head) if said.get("type") == "message_start")
    return mapped(next(starts, {}).get("message"))


def _tokens(usage: Mapping[str, Any]) -> Tokens | None:
    read, written = whole(usage.get("input_tokens")), whole(usage.get("output_tokens"))
    if read is None or written is None:
        return None
    thought = whole(mapped(usage.get("output_tokens_details")).get("thinking_tokens")) or 0
    thought = min(thought, written)
    return Tokens(
        read,
        whole(usage.get("cache_read_input_tokens")) or 0,
        whole(usage.get("cache_creation_input_tokens")) or 0,
        written - thought,
        thought,
    )


def answers(_fields: Mapping[str, Any]) -> int:
    """How many answers a call asks for: always one."""
    return 1


def reads_elsewhere(_fields: Mapping[str, Any], request: bytes) -> bool:
    """Whether input may come from where the request's bytes do not show it."""
    return _ELSEWHERE.search(request) is not None
