"""Steps in order: what each may offer beside its call is found, and an unknown one is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.steps import Place
from lichen.ledger.errors import InputError
from lichen.ledger.panel import Panel
from lichen.ledger.quantities import Energy
from lichen.ledger.trial import trials
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lichen.calls.exchange import Answer, Exchange, Onward
    from lichen.testing.callers import House

    Build = Callable[..., House]

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


class Everything:
    """A step that offers all a step may."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        self.seen.append("call")
        return await onward(exchange)

    def admit(self, exchange: Exchange) -> None:
        assert exchange.key == b""
        self.seen.append("admit")

    def at_once(self, exchange: Exchange) -> tuple[int, bytes, bytes] | None:
        if b"at once" in exchange.body:
            return 200, b"content-type: text/plain\r\n", b"here"
        return None

    async def start(self) -> None:
        self.seen.append("start")

    async def tend(self) -> None:
        self.seen.append("tend")
        raise OSError("the disk is full")

    async def close(self) -> None:
        self.seen.append("close")

    def gauges(self) -> Mapping[str, float]:
        return {"lichen_everything": 1.0}

    def panels(self) -> Sequence[Panel]:
        return [Panel("Everything", ("what",), (("all",),))]

    def wrong(self) -> Sequence[str]:
        return ["nothing is wrong but this line"]


async def test_what_a_step_offers_is_used(build: Build) -> None:
    step = Everything()
    house = build(around=[step])
    layers = house.gateway.layers

    await layers.start()
    await house.ask(ASK)
    at_once = await house.ask({**ASK, "user": "at once"})
    await layers.close()

    assert step.seen == ["start", "admit", "call", "admit", "close"]
    assert (at_once.status, at_once.answer) == (200, b"here")
    assert layers.gauges() == {"lichen_everything": 1.0}
    assert [panel.title for panel in layers.panels()] == ["Everything"]
    assert layers.wrong() == ["nothing is wrong but this line"]


async def test_a_step_is_left_out_of_calls_that_it_passes(build: Build) -> None:
    class Choosy(Everything):
        def passes(self, exchange: Exchange) -> bool:
            return b"not mine" in exchange.body

    step = Choosy()
    house = build(around=[step])

    mine = await house.ask(ASK)
    other = await house.ask({**ASK, "user": "not mine"})

    assert (mine.status, other.status) == (200, 200)
    assert step.seen == ["admit", "call", "admit"]


async def test_steps_are_tended_now_and_then_though_no_call_comes_and_one_fails(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lichen.calls.steps.TEND_S", 0.001)
    step = Everything()
    house = build(around=[step])
    layers = house.gateway.layers

    await layers.start()
    await asyncio.to_thread(until, lambda: step.seen.count("tend") > 2)
    await layers.close()
    tended = len(step.seen)
    await asyncio.sleep(0.01)

    assert len(step.seen) == tended
    assert {str(each) for each in house.troubles} == {"the disk is full"}


async def test_sums_of_a_holdout_are_in_the_book_though_no_more_calls_come(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lichen.calls.steps.TEND_S", 0.001)
    monkeypatch.setattr("lichen.calls.trials._EVERY_US", 1000)
    house = build()
    layers = house.gateway.layers
    await layers.start()

    layers.booker.steps.trials.note({"calls.similar": True}, Energy.joules(1.0))
    found = await asyncio.to_thread(until, lambda: trials(house.entries))
    await layers.close()

    assert found[0].held.n == 1


def test_a_step_that_nothing_provides_is_refused_with_those_there_are(build: Build) -> None:
    with pytest.raises(InputError, match=r"'exakt' in lichen\.step: known are .*exact"):
        build(steps=("exakt", "keeping"))


async def test_without_its_step_nothing_is_kept(build: Build) -> None:
    house = build(steps=("exact", "coalesce"))

    for _ in range(2):
        heard = await house.ask({**ASK, "temperature": 0})

    assert heard.answer_headers["x-lichen-cache"] == "miss"


def test_durable_things_lie_beside_a_ledger_that_is_a_file() -> None:
    assert Place("here/lichen.db").file("similar") == Path("here/lichen.db.similar")
    assert Place("memory:").file("similar") is None
    assert Place("postgresql://host/db").file("similar") is None


def test_a_folder_for_state_is_the_place_of_all_files_whatever_the_ledger_is() -> None:
    assert Place("postgresql://host/db", "st").file("gate") == Path("st/lichen.db.gate")
    assert Place("memory:", "st").file("gate") == Path("st/lichen.db.gate")
    assert Place("here/book.db", "st").file("gate") == Path("st/book.db.gate")
