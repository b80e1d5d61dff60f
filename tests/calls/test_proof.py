"""Proof: the evidence of hits and shared calls, run again on the ledger that the gateway wrote."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.proof import PROVERS
from lichen.ledger.book import Book
from lichen.ledger.errors import UnprovenSaving
from lichen.ledger.footprint import Footprint
from lichen.ledger.memory import MemoryStore
from lichen.ledger.tokens import Tokens
from lichen.testing.upstreams import chat_answer, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.entry import Baseline, Entry, Figures
    from lichen.ledger.pricing import Pricer
    from lichen.ledger.proof import Proof
    from lichen.testing.callers import House

    Build = Callable[..., House]
    Change = Callable[[Entry], Entry]

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
}


@pytest.fixture
async def written(build: Build) -> tuple[Entry, Entry]:
    """A call and a hit on it, as the gateway books them."""
    house = build()
    await house.ask(ASK)
    await house.ask(ASK)
    paid, hit = house.entries
    return paid, hit


@pytest.fixture
def prove(pricer: Pricer) -> Callable[..., Proof]:
    """Proves the last of some entries."""

    def prove(*entries: Entry) -> Proof:
        store = MemoryStore()
        store.append(entries)
        return Book(store, pricer, provers=PROVERS).prove(entries[-1].id)

    return prove


def with_figures(entry: Entry, **changes: Any) -> Entry:
    return replace(entry, figures=replace(entry.figures, **changes))


def claimed(figures: Figures) -> Baseline:
    assert figures.baseline is not None
    return figures.baseline


def times(footprint: Footprint, factor: float) -> Footprint:
    return Footprint(
        footprint.energy * factor, footprint.operational * factor, footprint.embodied * factor
    )


async def test_a_hit_holds_and_every_step_is_told(
    written: tuple[Entry, Entry], prove: Callable[..., Proof]
) -> None:
    paid, hit = written

    proof = prove(paid, hit)

    assert proof.holds
    assert paid.id in proof.steps[0]
    assert not any("NOT" in step for step in proof.steps)
    assert proof.claimed.footprint.energy.value == paid.figures.footprint.energy.value


async def test_a_shared_call_holds(build: Build) -> None:
    go = asyncio.Event()
    house = build(whole(chat_answer(), after=go))
    calls = [asyncio.create_task(house.ask(ASK)) for _ in range(2)]
    await asyncio.sleep(0.01)
    go.set()
    _, other = await asyncio.gather(*calls)

    proof = house.book.prove(other.answer_headers["x-lichen-id"])

    assert proof.holds


async def test_a_hit_on_a_stored_answer_of_an_earlier_start_holds(
    build: Build, tmp_path: Any
) -> None:
    store = MemoryStore()
    first = build(store=store, cache=str(tmp_path / "answers"))
    await first.ask(ASK)
    first.answers.close()
    second = build(store=store, cache=str(tmp_path / "answers"))

    hit = (await second.ask(ASK)).answer_headers

    assert hit["x-lichen-cache"] == "hit"
    assert second.book.prove(hit["x-lichen-id"]).holds


async def test_a_saving_whose_call_is_not_in_this_ledger_is_an_error(
    written: tuple[Entry, Entry], prove: Callable[..., Proof]
) -> None:
    paid, hit = written

    with pytest.raises(UnprovenSaving, match=f"points to call {paid.id}.*not in this ledger"):
        prove(hit)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: with_figures(e, strategy="calls.exact"), "answered by the upstream"),
        (lambda e: with_figures(e, work=replace(e.figures.work, amount=0)), "answered by the upst"),
        (lambda e: replace(e, start_us=e.start_us + 10**9, end_us=e.end_us + 10**9), "before"),
        (lambda e: with_figures(e, model="another"), "both are chat.completions by gpt-4o-mini"),
        (lambda e: with_figures(e, zone="SE"), "both are chat.completions"),
        (lambda e: with_figures(e, raw={**e.figures.raw, "call": "c" * 32}), "canonical hash"),
        (lambda e: with_figures(e, raw={**e.figures.raw, "answer": "a" * 32}), "answer given"),
        (lambda e: with_figures(e, tokens=Tokens(prefill=1)), "tokens are those claimed"),
        (
            lambda e: with_figures(e, footprint=times(e.figures.footprint, 2)),
            "its energy is the baseline's",
        ),
    ],
)
async def test_evidence_that_does_not_fit_is_told_and_the_saving_does_not_hold(
    written: tuple[Entry, Entry], prove: Callable[..., Proof], change: Change, said: str
) -> None:
    paid, hit = written

    proof = prove(change(paid), hit)

    assert not proof.holds
    assert any(step.startswith("NOT so") and said in step for step in proof.steps)


async def test_a_saving_that_claims_too_much_does_not_hold(
    written: tuple[Entry, Entry], prove: Callable[..., Proof]
) -> None:
    paid, hit = written
    baseline = claimed(hit.figures)
    more = replace(baseline, footprint=times(baseline.footprint, 1.01))

    proof = prove(paid, with_figures(hit, baseline=more))

    assert not proof.holds


async def test_hashes_that_are_missing_prove_nothing(
    written: tuple[Entry, Entry], prove: Callable[..., Proof]
) -> None:
    bare = [with_figures(entry, raw={}) for entry in written]

    proof = prove(*bare)

    assert not proof.holds
    assert sum(step.startswith("NOT so") for step in proof.steps) == 2
