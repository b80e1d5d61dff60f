"""Theirs: the provider's own page of a list, to be shown after ours."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson

from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from lichen.calls.exchange import Exchange, Onward


async def theirs_of(exchange: Exchange, onward: Onward) -> dict[str, Any]:
    """The provider's page; an empty one where it has none."""
    empty: dict[str, Any] = {"data": []}
    try:
        answer = await onward(exchange)
        body = answer.body
        if answer.stream is not None:
            async with aclosing(answer.stream) as chunks:
                body = b"".join([chunk async for chunk in chunks])
        made = orjson.loads(body) if answer.ok else empty
    except (UpstreamError, orjson.JSONDecodeError):
        return empty
    return made if isinstance(made, dict) and isinstance(made.get("data"), list) else empty
