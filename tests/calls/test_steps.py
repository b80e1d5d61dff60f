"""Steps in order: what each may offer beside its call is found, and an unknown one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.steps import Place
from lichen.ledger.errors import InputError
from lichen.ledger.panel import Panel

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
