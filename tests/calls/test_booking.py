"""Booking: what a call used and spared, as entries and as headers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from lichen.calls.booking import EXACT, Booker
from lichen.calls.directives import NO_WISHES
from lichen.calls.exchange import Exchange, Record
from lichen.ledger.book import Book
from lichen.ledger.estimate import Estimate
from lichen.ledger.ids import new_id
from lichen.ledger.memory import MemoryStore
from lichen.ledger.pricing import Pricer
from lichen.ledger.quantities import Energy
from lichen.testing.prices import FlatGrid, WattHourPerToken
from lichen.testing.upstreams import chat_answer, chat_usage, whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from lichen.testing.callers import House

    Build = Callable[..., House]

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
}
TEN = whole(chat_answer(usage=chat_usage(8, 2)))


def priced(wh: float = 1.0, g_per_kwh: float = 500.0) -> Pricer:
    """Prices to check in the head."""
    return Pricer(WattHourPerToken(wh), FlatGrid(g_per_kwh))


async def test_a_call_of_ten_tokens_is_told_to_the_watt_hour(build: Build) -> None:
    house = build(TEN, pricer=priced())

    heard = (await house.ask(ASK)).answer_headers

    assert heard["x-lichen-energy-wh"] == "10; low=5; high=20"
    # 10 Wh at 500 g/kWh, and 0.1 g of hardware a token.
    assert heard["x-lichen-carbon-g"].startswith("6;")
    assert "x-lichen-avoided-energy-wh" not in heard


async def test_a_hit_used_nothing_and_avoided_the_stored_call(build: Build) -> None:
    house = build(TEN, pricer=priced())
    await house.ask(ASK)

    heard = (await house.ask(ASK)).answer_headers

    assert heard["x-lichen-energy-wh"] == "0; low=0; high=0"
    assert heard["x-lichen-avoided-energy-wh"].startswith("10;")
    paid, hit = house.entries
    assert hit.figures.strategy == EXACT
    assert hit.figures.footprint.energy == Estimate.exact(Energy(0))
    assert hit.saving is not None
    assert hit.saving.evidence == paid.id


async def test_thousand_hits_share_one_set_of_figures(build: Build) -> None:
    house = build(TEN, pricer=priced())
    await house.ask(ASK)

    for _ in range(5):
        await house.ask(ASK)

    hits = house.entries[1:]
    assert len({entry.id for entry in hits}) == 5
    assert len({id(entry.figures) for entry in hits}) == 1


async def test_a_hit_is_priced_on_the_grid_of_its_own_time(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = FlatGrid(500.0)
    house = build(TEN, pricer=Pricer(WattHourPerToken(), grid))
    await house.ask(ASK)
    before = (await house.ask(ASK)).answer_headers["x-lichen-avoided-carbon-g"]

    grid._everywhere = 50.0
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 61 * 10**9)
    after = (await house.ask(ASK)).answer_headers["x-lichen-avoided-carbon-g"]

    assert before.startswith("6;")
    assert after.startswith("1.5;")


async def test_a_hit_on_an_answer_of_older_factors_is_priced_by_today_s(
    build: Build, tmp_path: Path
) -> None:
    answers = str(tmp_path / "answers")
    old = build(TEN, pricer=priced(1.0), cache=answers)
    await old.ask(ASK)
    old.answers.close()
    new = build(TEN, pricer=priced(3.0), cache=answers)

    hit = (await new.ask(ASK)).answer_headers

    assert hit["x-lichen-cache"] == "hit"
    assert hit["x-lichen-avoided-energy-wh"].startswith("30;")
    assert new.last.figures.factors == "3 Wh"


class Fragile(WattHourPerToken):
    """A price list that can break."""

    broken = False

    def read(self, model: str, tokens: Any) -> Any:
        if self.broken:
            raise RuntimeError("no prices today")
        return super().read(model, tokens)


async def test_a_call_that_cannot_be_priced_is_answered_and_a_gap(build: Build) -> None:
    calls = Fragile()
    calls.broken = True
    house = build(TEN, pricer=Pricer(calls, FlatGrid(500)))

    heard = await house.ask(ASK)

    assert heard.status == 200
    assert "x-lichen-energy-wh" not in heard.answer_headers
    assert house.last.figures.gaps == ("not-priced",)
    assert house.last.figures.work.amount == 0
    assert "no prices today" in str(house.troubles[0])


async def test_a_hit_that_cannot_be_priced_is_answered_and_a_gap(build: Build) -> None:
    calls = Fragile()
    house = build(TEN, pricer=Pricer(calls, FlatGrid(500)))
    first = await house.ask(ASK)
    calls.broken = True

    hit = await house.ask(ASK)

    assert hit.answer == first.answer
    assert hit.answer_headers["x-lichen-cache"] == "hit"
    assert "x-lichen-avoided-energy-wh" not in hit.answer_headers
    assert house.last.figures.gaps == ("not-priced",)
    assert house.last.figures.baseline is None


class Unwritable(MemoryStore):
    """A ledger that cannot be written."""

    def append(self, entries: object) -> None:
        raise OSError(28, f"no space left for {entries}")


def test_a_listener_that_fails_breaks_no_call() -> None:
    told: list[object] = []

    def fail(error: object) -> None:
        told.append(error)
        raise RuntimeError("no time for this")

    booker = Booker(Book(Unwritable(), priced()), on_error=fail)
    exchange = Exchange("POST", "/v1/embeddings", [], b"{}", "tenant", 0, NO_WISHES)

    booker.unknown(exchange, Record(new_id(), "m", 0, "SE"), "call-abandoned")

    assert "no space left" in str(told[0])
