"""Many tenants who ask the same things at once: nobody is ever given another's answer.

A million calls of the same kind are in benchmarks/tenants.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from lichen import assemble
from lichen.calls.exact import ExactCache
from lichen.calls.gateway import Gateway
from lichen.settings import load
from lichen.testing.crowd import Crowd, Outcome, own_answer
from lichen.testing.upstreams import ScriptedUpstream

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.calls.exchange import Exchange
    from lichen.testing.redis import RedisServer


async def asked(
    seed: int, calls: int, folder: Path, *, services: int = 1, **settings: Any
) -> Outcome:
    """What became of the calls of a crowd to so many services on one ledger."""
    ledger = folder / "book.db"
    given = load(environ={}, **{"ledger": str(ledger), "cache": "memory:", **settings})
    gateways = []
    async with AsyncExitStack() as closing:
        for _ in range(services):
            book = closing.enter_context(assemble.open_book(given, on_error=print))
            answers = assemble.open_answers(given, print)
            upstream = ScriptedUpstream(own_answer)
            layers = assemble.open_layers(given, upstream, book, answers, print)
            closing.push_async_callback(layers.close)
            gateways.append(Gateway(layers))
        return await Crowd(seed).ask(gateways, calls=calls)


@pytest.mark.parametrize("sampled", ["bypass", "reuse"])
async def test_no_answer_of_ten_thousand_is_another_tenant_s(tmp_path: Path, sampled: str) -> None:
    # So little memory that answers come and go.
    outcome = await asked(1, 10_000, tmp_path, sampled=sampled, cache_size="3MB")

    assert (outcome.foreign, outcome.wrong) == (0, 0)
    assert outcome.reused > 3000
    assert outcome.answered > 8000
    assert outcome.left > 50


@pytest.mark.redis
async def test_no_answer_that_services_share_is_another_tenant_s(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    # Each remembers a few itself, so that most come from Redis.
    shared = {"timeout": "5s", "memory": "40kB"}

    outcome = await asked(2, 3000, tmp_path, services=3, cache=redis_server.url, shared=shared)

    assert (outcome.foreign, outcome.wrong) == (0, 0)
    assert outcome.reused > 900
    assert outcome.answered > 2400


async def test_a_key_without_the_tenant_in_it_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit = ExactCache.admit

    def admit_all(self: ExactCache, exchange: Exchange) -> None:
        tenant, exchange.tenant = exchange.tenant, "anyone"
        admit(self, exchange)
        exchange.tenant = tenant

    monkeypatch.setattr(ExactCache, "admit", admit_all)
    outcome = await asked(3, 500, tmp_path)

    assert outcome.foreign > 50
    assert outcome.wrong == 0
