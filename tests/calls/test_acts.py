"""Acts: what steps changed is undone from the inside out, and each gets a line of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls import acts
from lichen.calls.acts import Act, Call, Use, lines
from lichen.ledger.entry import ACROSS_ZONES, Entry
from lichen.ledger.errors import UnprovenSaving
from lichen.ledger.ids import new_id
from lichen.ledger.tokens import Tokens
from lichen.testing.upstreams import chat_answer, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Answer, Exchange, Onward
    from lichen.ledger.pricing import Pricer
    from lichen.testing.callers import House

    Build = Callable[..., House]


def chat(text: str, **rest: Any) -> dict[str, Any]:
    """A chat of one turn."""
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **rest}


NOON_US = 1_780_000_000_000_000
USE = Use("gpt-4o-mini", Tokens(prefill=400, decode=50), NOON_US, "DE")
CALL = Call(new_id(NOON_US), "chat.completions", 1.0)


def removed(tokens: int) -> Act:
    def undo(use: Use) -> Use:
        more = replace(use.tokens, prefill=use.tokens.prefill + tokens)
        return use._replace(tokens=more)

    return Act("calls.compress", "compressed/1", undo)


def swapped(model: str) -> Act:
    return Act("calls.gate", "cascade/1", lambda use: use._replace(model=model))


def test_the_innermost_act_is_undone_first_and_the_lines_add_up_to_the_whole(
    pricer: Pricer,
) -> None:
    made = lines([swapped("gpt-4o"), removed(600)], USE, CALL, pricer)

    assert [figures.strategy for figures in made] == ["calls.compress", "calls.gate"]
    whole_way = lines(
        [
            Act(
                "calls.both",
                "both/1",
                lambda use: use._replace(
                    model="gpt-4o", tokens=replace(use.tokens, prefill=use.tokens.prefill + 600)
                ),
            )
        ],
        USE,
        CALL,
        pricer,
    )
    spared = [figures.baseline.footprint for figures in (*made, *whole_way) if figures.baseline]
    together = spared[0] + spared[1]
    assert together.energy.value.amount == pytest.approx(spared[2].energy.value.amount)
    assert together.carbon.value.amount == pytest.approx(spared[2].carbon.value.amount)


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=5))
def test_any_number_of_acts_sums_to_undoing_them_all(pricer: Pricer, cuts: list[int]) -> None:
    made = lines([removed(cut) for cut in cuts], USE, CALL, pricer)

    [all_of_it] = lines([removed(sum(cuts))], USE, CALL, pricer)
    parts = [figures.baseline.footprint for figures in made if figures.baseline]
    assert all_of_it.baseline is not None
    assert reduce(add, parts).energy.value.amount == pytest.approx(
        all_of_it.baseline.footprint.energy.value.amount, abs=1e-9
    )
    assert sum(figures.baseline.tokens.prefill for figures in made if figures.baseline) == sum(cuts)


def test_a_step_that_made_a_call_dearer_gets_a_loss(pricer: Pricer) -> None:
    grown = Act(
        "calls.compress",
        "compressed/1",
        lambda use: use._replace(tokens=replace(use.tokens, prefill=100)),
    )

    [line] = lines([grown], USE, CALL, pricer)

    assert line.saving is not None
    assert line.saving.footprint.energy.value.amount < 0
    assert line.saving.footprint.energy.low.amount <= line.saving.footprint.energy.value.amount


def test_a_call_sent_later_is_priced_on_both_grids(pricer: Pricer) -> None:
    moved = Act("calls.batch", "deferred/1", lambda use: use._replace(zone="PL"))

    [line] = lines([moved], USE, CALL, pricer)

    assert ACROSS_ZONES in line.gaps
    assert line.saving is not None
    assert line.saving.footprint.energy.value.amount == 0
    assert line.saving.footprint.operational.value.amount > 0


def test_a_line_priced_again_is_the_same_line(pricer: Pricer) -> None:
    [line] = lines([removed(600)], USE, CALL, pricer)
    entry = Entry(new_id(NOON_US), NOON_US, NOON_US, "", line)

    assert pricer(line, entry) is line


class Trimming:
    """A step that pretends to have removed tokens, for each call that passes."""

    def __init__(self, *, change: Callable[[Exchange], None]) -> None:
        self.change = change

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        self.change(exchange)
        return await onward(exchange)


async def test_an_act_of_a_step_becomes_a_line_beside_the_call(build: Build) -> None:
    def change(exchange: Exchange) -> None:
        exchange.acts.append(removed(600))
        exchange.raw["compressed"] = "lossless"

    house = build(whole(chat_answer()), around=[Trimming(change=change)])

    await house.ask(chat("hello", temperature=1))

    call, line = house.entries
    assert call.figures.raw["compressed"] == "lossless"
    assert line.figures.strategy == "calls.compress"
    assert line.figures.work.amount == 0
    assert line.figures.baseline is not None
    assert line.figures.baseline.evidence == call.id
    assert line.figures.baseline.tokens == Tokens(prefill=600)
    assert house.troubles == []


async def test_a_step_that_fails_to_undo_costs_its_line_and_not_the_call(build: Build) -> None:
    def broken(_use: Use) -> Use:
        raise ZeroDivisionError

    house = build(
        whole(chat_answer()),
        around=[Trimming(change=lambda e: e.acts.append(Act("calls.x", "x/1", broken)))],
    )

    heard = await house.ask(chat("hello", temperature=1))

    assert heard.status == 200
    assert [entry.figures.strategy for entry in house.entries] == ["none"]
    assert any(isinstance(trouble, ZeroDivisionError) for trouble in house.troubles)
    assert [gap.what for gap in house.book.store.gaps()] == [
        "what steps did to a call could not be booked"
    ]


async def test_a_line_is_proved_by_its_call(build: Build) -> None:
    house = build(
        whole(chat_answer()),
        around=[Trimming(change=lambda e: e.acts.append(removed(600)))],
    )
    await house.ask(chat("hello", temperature=1))

    proof = acts.prove(house.last, house.book)

    assert proof.holds, proof.steps


async def test_a_line_whose_call_is_gone_is_not_proved(build: Build, pricer: Pricer) -> None:
    house = build()
    [line] = lines([removed(600)], USE, CALL, pricer)
    entry = Entry(new_id(NOON_US), NOON_US, NOON_US, "", line)

    with pytest.raises(UnprovenSaving, match=CALL.entry_id):
        acts.prove(entry, house.book)


async def test_a_line_that_starts_from_other_tokens_does_not_hold(
    build: Build, pricer: Pricer
) -> None:
    house = build()
    await house.ask(chat("hello", temperature=1))
    [line] = lines([removed(600)], USE, Call(house.last.id, "chat.completions", 1.0), pricer)

    proof = acts.prove(Entry(new_id(NOON_US), NOON_US, NOON_US, "", line), house.book)

    assert not proof.holds
    assert any(step.startswith("NOT so: the call took") for step in proof.steps)
