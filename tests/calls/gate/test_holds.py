"""What calls that wait were charged: settled later, by text alone, and in the budget's own unit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls import directives
from lichen.calls.exchange import Exchange, Record
from lichen.calls.gate.holds import KEPT, Holds, NoRoom
from lichen.calls.gate.step import Gate
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.providers.prices import price_of
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from tests.calls.gate.conftest import Gated

TARGET = "/v1/chat/completions"
BODY = b'{"model":"gpt-4o-mini","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}'
TOOK = Tokens(prefill=1000, decode=500)


def holds_of(gated: Gated, *budgets: dict[str, Any]) -> tuple[Holds, Gate]:
    house = gated(gate={"budget": list(budgets)})
    gate = next(step for step in house.gateway.layers.steps if isinstance(step, Gate))
    return gate.holds, gate


def exchange() -> Exchange:
    made = Exchange("POST", TARGET, [], BODY, "tenant", 1, directives.NO_WISHES, payer="payer")
    made.call = OPENAI.read_call("chat.completions", TARGET.encode(), BODY)
    return made


def record() -> Record:
    return Record("entry", "gpt-4o-mini", 1, "SE-SE3", tokens=TOOK)


def charged(gate: Gate) -> float:
    return sum(gate.budgets.counts.slots().values())


def test_a_charge_is_settled_by_what_the_call_took(gated: Gated) -> None:
    holds, gate = holds_of(gated, {"name": "team", "tokens": 10_000})

    held = holds.charged(exchange())
    before = charged(gate)
    holds.settle(held, holds.took(held, record(), 1.0))

    assert 100 < before < 200
    assert charged(gate) == 1500


@pytest.mark.parametrize(("took", "left"), [("", 0), (KEPT, 1)])
def test_a_charge_is_given_back_or_stands_where_nobody_knows(
    gated: Gated, took: str, left: int
) -> None:
    holds, gate = holds_of(gated, {"name": "team", "tokens": 10_000})

    held = holds.charged(exchange())
    before = charged(gate)
    holds.settle(held, took)

    assert charged(gate) == before * left


def test_money_is_settled_at_the_price_of_a_providers_batch(gated: Gated) -> None:
    holds, gate = holds_of(gated, {"name": "team", "money": 10.0})
    price = price_of("openai", "gpt-4o-mini", TOOK.input)
    assert price is not None

    held = holds.charged(exchange())
    holds.settle(held, holds.took(held, record(), 0.5))

    assert charged(gate) == pytest.approx(price.cost(TOOK).amount / 2)


def test_tokens_and_energy_are_not_halved_by_a_price(gated: Gated) -> None:
    holds, gate = holds_of(gated, {"name": "t", "tokens": 10_000}, {"name": "e", "energy": "1kWh"})

    held = holds.charged(exchange())
    tokens, energy = json.loads(holds.took(held, record(), 0.5))
    [_, alone] = json.loads(holds.took(held, record(), 1.0))

    assert (tokens, energy) == (1500, alone)
    assert len(gate.budgets.purses) == 2


def test_no_room_charges_nothing_and_says_until_when(gated: Gated) -> None:
    holds, gate = holds_of(gated, {"name": "team", "tokens": 50})

    with pytest.raises(NoRoom, match=r"over budget 'team'.*begins anew at"):
        holds.charged(exchange())

    assert charged(gate) == 0


def test_a_budget_that_is_gone_or_in_another_unit_is_passed_over(gated: Gated) -> None:
    holds, _ = holds_of(gated, {"name": "gone", "tokens": 10_000}, {"name": "b", "tokens": 9_000})
    held = holds.charged(exchange())

    later, gate = holds_of(gated, {"name": "b", "energy": "1kWh"})
    took = later.took(held, record(), 1.0)
    later.settle(held, took)
    later.settle(held)

    assert json.loads(took) == [None, None]
    assert charged(gate) == 0
