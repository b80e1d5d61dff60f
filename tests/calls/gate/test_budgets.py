"""Budgets: who is let through, who is not and until when, whatever comes at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.coalesce import Coalesce
from lichen.calls.exchange import Answer
from lichen.calls.gate.step import Gate
from lichen.calls.gateway import Gateway
from lichen.calls.providers.prices import price_of
from lichen.calls.steps import Layers
from lichen.testing.callers import answered, request
from lichen.testing.upstreams import (
    ScriptedUpstream,
    chat_answer,
    chat_frames,
    chat_usage,
    failed,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.calls.exchange import Exchange, Onward
    from lichen.testing.callers import House
    from lichen.testing.upstreams import Act
    from tests.calls.gate.conftest import Gated


def chat(text: str = "Hello", **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **fields}


def gate_of(house: House) -> Gate:
    return next(step for step in house.gateway.layers.steps if isinstance(step, Gate))


def upstream(house: House) -> ScriptedUpstream:
    assert isinstance(house.upstream, ScriptedUpstream)
    return house.upstream


def charged(house: House) -> float:
    return sum(gate_of(house).budgets.counts.slots().values())


async def test_over_budget_is_a_429_with_the_time_it_begins_anew(gated: Gated) -> None:
    house = gated(gate={"budget": [{"name": "team", "tokens": 240, "per": "hour"}]})
    await house.ask(chat())

    heard = await house.ask(chat("Tell me a story."))
    headers = heard.answer_headers

    assert heard.status == 429
    assert heard.json["error"]["type"] == "rate_limit_error"
    assert "over budget 'team': 17 of 240 tokens an hour" in heard.json["error"]["message"]
    assert 0 < int(headers["retry-after"]) <= 3600
    assert headers["x-ratelimit-limit-tokens"] == "240"
    assert headers["x-ratelimit-remaining-tokens"] == "223"
    assert headers["x-ratelimit-reset-tokens"].endswith("s")
    assert headers["x-lichen-budget"].startswith("team; used=0.0708; reset=")


async def test_calls_at_once_cannot_overdraw_a_budget_together(gated: Gated) -> None:
    usage = chat_usage(read=20, written=30)
    act = whole(chat_answer(usage=usage), after=0.05)
    house = gated(act, gate={"budget": [{"tokens": 500}]})

    heard = await asyncio.gather(*(house.ask(chat(f"{n}", max_tokens=30)) for n in range(64)))
    through = sum(each.status == 200 for each in heard)

    assert sum(each.status == 429 for each in heard) == 64 - through
    assert 5 <= through <= 10
    assert charged(house) == through * 50 <= 500


@pytest.mark.parametrize(
    "act",
    [
        whole(chat_answer(), after=0.05),
        streamed(*chat_frames(usage=chat_usage()), after=0.05),
    ],
)
async def test_identical_calls_under_way_are_charged_as_the_one_call_they_are(
    gated: Gated, act: Act
) -> None:
    house = gated(act, gate={"budget": [{"tokens": 300}]})
    asked = chat(temperature=0)

    heard = await asyncio.gather(*(house.ask(asked) for _ in range(10)))
    other = await house.ask(chat("Another.", temperature=0, max_tokens=30))

    sources = sorted(each.answer_headers["x-lichen-cache"] for each in heard)
    assert [each.status for each in heard] == [200] * 10
    assert sources == ["coalesced"] * 9 + ["miss"]
    assert upstream(house).count == 2
    assert other.status == 200
    assert charged(house) == 2 * 17


async def test_a_call_that_shares_one_is_charged_once_it_goes_for_itself(gated: Gated) -> None:
    broken, fine = failed(after=0.05), whole(chat_answer(), after=0.05)
    house = gated(broken, fine, gate={"budget": [{"tokens": 300}]})

    heard = await asyncio.gather(*(house.ask(chat(temperature=0)) for _ in range(4)))

    assert sorted(each.status for each in heard) == [200, 200, 200, 502]
    assert upstream(house).count == 2
    assert charged(house) == 17


async def test_a_call_whose_shared_one_failed_is_refused_where_nothing_is_left(
    gated: Gated,
) -> None:
    broken = failed(code="upstream_timeout", status=504, after=0.05)
    house = gated(broken, whole(chat_answer()), gate={"budget": [{"tokens": 300}]})

    heard = await asyncio.gather(*(house.ask(chat(temperature=0)) for _ in range(4)))

    # The first keeps its estimate: it may have been computed. None is left for another.
    assert sorted(each.status for each in heard) == [429, 429, 429, 504]
    assert upstream(house).count == 1


@pytest.mark.parametrize("between", [(), ("coalesce",)])
@pytest.mark.parametrize("wish", ["", "no-store", "no-cache"])
async def test_no_call_that_is_made_goes_uncharged(
    gated: Gated, between: tuple[str, ...], wish: str
) -> None:
    steps = ("gate", "exact", *between, "keeping")
    house = gated(steps=steps, gate={"budget": [{"tokens": 10_000}]})
    twice = b'{"model":"gpt-4o-mini","temperature":1,"temperature":0,"messages":[]}'

    for asked in (chat(), chat(temperature=0), twice):
        await house.ask(asked, cache_control=wish)

    assert charged(house) == 3 * 17


async def test_a_step_of_others_that_makes_a_call_past_all_is_charged(gated: Gated) -> None:
    house = gated(gate={"budget": [{"tokens": 10_000}]})
    had = house.gateway.layers

    class Past:
        async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:  # noqa: ARG002
            return await had.innermost(exchange)

    steps = (gate_of(house), Past(), Coalesce(had.booker))
    await answered(Gateway(Layers(steps, had.innermost, had.booker, had.upstream)), request(chat()))

    assert charged(house) == 17


@pytest.mark.parametrize("has", [True, False])
async def test_over_budget_a_step_that_has_an_answer_at_hand_still_gives_it(
    gated: Gated, *, has: bool
) -> None:
    house = gated(whole(chat_answer()), gate={"budget": [{"tokens": 1}]})
    had = house.gateway.layers

    class Knows:
        async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
            return Answer(200, [], b"known", source="hit") if has else await onward(exchange)

    place = next(at for at, step in enumerate(had.steps) if isinstance(step, Coalesce))
    steps = (*had.steps[:place], Knows(), *had.steps[place:])
    layers = Layers(steps, had.innermost, had.booker, had.upstream)
    heard = await answered(Gateway(layers), request(chat(temperature=0)))

    assert heard.status == (200 if has else 429)
    assert charged(house) == 0
    assert upstream(house).count == 0


async def test_a_budget_is_set_right_when_a_call_is_back(gated: Gated) -> None:
    house = gated(gate={"budget": [{"tokens": 10_000}]})

    await house.ask(chat())

    assert charged(house) == 17


async def test_a_stream_is_charged_when_it_has_ended(gated: Gated) -> None:
    frames = chat_frames(usage=chat_usage(read=100, written=23))
    house = gated(streamed(*frames), gate={"budget": [{"tokens": 10_000}]})

    await house.ask(chat(stream=True))

    assert charged(house) == 123


@pytest.mark.parametrize(
    ("act", "left"),
    [
        (failed(code="upstream_unreachable"), 0),
        (whole(b'{"error": {"message": "no"}}', status=400), 0),
        (whole(b'{"error": {"message": "slow down"}}', status=429), 0),
    ],
)
async def test_what_was_never_answered_is_given_back(gated: Gated, act: Any, left: float) -> None:
    house = gated(act, gate={"budget": [{"tokens": 10_000}]})

    await house.ask(chat())

    assert charged(house) == left


async def test_a_call_that_broke_off_keeps_its_estimate(gated: Gated) -> None:
    act = failed(code="upstream_timeout", status=504)
    house = gated(act, gate={"budget": [{"tokens": 10_000}]})

    await house.ask(chat(max_tokens=40))

    assert charged(house) > 40


async def test_a_stored_answer_is_given_over_budget_too(gated: Gated) -> None:
    house = gated(gate={"budget": [{"tokens": 300}]})
    ask = chat(temperature=0)
    await house.ask(ask)
    for number in range(20):
        await house.ask(chat(f"{number}", max_tokens=5))

    over = await house.ask(chat("A new question", max_tokens=200))
    again = await house.ask(ask)

    assert (over.status, again.status) == (429, 200)
    assert again.answer_headers["x-lichen-cache"] == "hit"


async def test_tenants_and_projects_are_counted_apart_where_asked(gated: Gated) -> None:
    tenant = gated(gate={"budget": [{"tokens": 240}]})
    project = gated(gate={"budget": [{"tokens": 240, "each": "project"}]})
    together = gated(gate={"budget": [{"tokens": 240, "each": "all"}]})

    for house in (tenant, project, together):
        await house.ask(chat(), key="sk-one", x_lichen_project="a")
    other_key = [
        await h.ask(chat(), key="sk-two", x_lichen_project="a") for h in (tenant, together)
    ]
    other_project = await project.ask(chat(), key="sk-one", x_lichen_project="b")

    assert [heard.status for heard in other_key] == [200, 429]
    assert other_project.status == 200


def written_in(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.iterdir())


async def test_the_name_of_a_project_is_written_nowhere_as_it_is(
    gated: Gated, tmp_path: Path
) -> None:
    budget = {"name": "team", "tokens": 600, "each": "project"}
    house = gated(gate={"budget": [budget]}, ledger=str(tmp_path / "lichen.db"))
    await house.gateway.layers.start()
    for key in ("sk-one", "sk-two"):
        await house.ask(chat(), key=key, x_lichen_project="Nightingale")

    buckets = [slot.bucket.split("/") for slot in gate_of(house).budgets.counts.slots()]
    await house.gateway.layers.close()

    kept = written_in(tmp_path)
    assert b"team/" in kept
    assert b"Nightingale" not in kept
    # Nor can anybody see that two callers have a project of one name.
    assert len({project for _, _, project in buckets}) == 2


async def test_a_client_that_invents_projects_gets_one_count_for_them(gated: Gated) -> None:
    budget = {"tokens": 600, "each": "project", "most": 3}
    house = gated(gate={"budget": [budget]})

    heard = [await house.ask(chat(max_tokens=300), x_lichen_project=f"p{n}") for n in range(40)]

    assert len(gate_of(house).budgets.counts.slots()) == 4
    assert [h.status for h in heard[:3]] == [200] * 3
    assert 429 in [h.status for h in heard]


async def test_a_soft_limit_warns(gated: Gated) -> None:
    house = gated(gate={"budget": [{"name": "b", "tokens": 1000, "soft": "20%"}]})

    first = await house.ask(chat(max_tokens=10))
    second = await house.ask(chat(max_tokens=190))

    assert "x-lichen-budget" not in first.answer_headers
    assert second.answer_headers["x-lichen-budget"].startswith("b; used=0.2")


async def test_energy_and_carbon_are_limited_as_the_book_counts_them(gated: Gated) -> None:
    house = gated(gate={"budget": [
        {"name": "wh", "energy": "10Wh"}, {"name": "g", "carbon": "10g"},
    ]})  # fmt: skip

    await house.ask(chat())
    made = house.last.figures.footprint
    slots = {slot.bucket.partition("/")[0]: amount
             for slot, amount in gate_of(house).budgets.counts.slots().items()}  # fmt: skip

    assert slots["wh"] == pytest.approx(made.energy.value.in_wh)
    assert slots["g"] == pytest.approx(made.carbon.value.amount)


async def test_money_is_counted_by_the_providers_list(gated: Gated) -> None:
    house = gated(gate={"budget": [{"money": 5}]})

    await house.ask(chat())
    price = price_of("openai", "gpt-4o-mini", 12)

    assert price is not None
    assert charged(house) == pytest.approx((12 * price.input + 5 * price.output) / 1e6)


async def test_money_without_a_price_is_a_gap_and_no_zero(gated: Gated) -> None:
    house = gated(gate={"budget": [{"money": 5}]})

    heard = await house.ask(chat() | {"model": "a-model-nobody-sells"})

    assert heard.status == 200
    assert any("no price is known" in gap.what for gap in house.book.store.gaps())
    assert charged(house) == 0


async def test_a_dry_budget_refuses_nobody_and_counts(gated: Gated) -> None:
    house = gated(gate={"budget": [{"tokens": 50, "mode": "dry"}]})

    heard = await house.ask(chat())
    gauges = house.gateway.layers.gauges()

    assert heard.status == 200
    assert gauges["lichen_gate_dry_over_budget_calls_total"] == 1
    assert gauges["lichen_gate_over_budget_calls_total"] == 0


async def test_a_call_larger_than_the_whole_budget_is_told_so(gated: Gated) -> None:
    house = gated(gate={"budget": [{"tokens": 50}]})

    heard = await house.ask(chat())

    assert "this call alone is larger" in heard.json["error"]["message"]
    assert isinstance(house.upstream, ScriptedUpstream)
    assert house.upstream.count == 0


async def test_a_new_period_begins_at_nothing(gated: Gated) -> None:
    house = gated(gate={"budget": [{"tokens": 240, "per": "hour"}]})
    budgets = gate_of(house).budgets
    now = 1_800_000_000.0
    budgets._clock = lambda: now
    await house.ask(chat())
    over = await house.ask(chat())

    now += 3600
    anew = await house.ask(chat())

    assert (over.status, anew.status) == (429, 200)


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": "junk"},
        {"x_goog_api_key": "junk", "api_key": "more"},
        {"authorization": "bearer   sk-one"},
    ],
)
async def test_another_credential_header_makes_no_new_purse(
    gated: Gated, headers: dict[str, Any]
) -> None:
    house = gated(gate={"budget": [{"tokens": 100}]})
    await house.ask(chat(max_tokens=20), key="sk-one")
    spent = charged(house)

    asked = request(chat("again", max_tokens=20), key="sk-one", **headers)
    if "authorization" in headers:  # in place of the usual one
        asked.headers = [pair for pair in asked.headers if pair[1] != b"Bearer sk-one"]
    await answered(house.gateway, asked)

    assert len(gate_of(house).budgets.counts.slots()) == 1
    assert charged(house) == 2 * spent


async def test_keys_that_were_never_answered_shut_nobody_out(gated: Gated) -> None:
    refused = whole(b'{"error": {"message": "no such key"}}', status=401)
    house = gated(
        *[refused] * 9, whole(chat_answer()), gate={"budget": [{"tokens": 200, "most": 3}]}
    )
    for n in range(9):
        await house.ask(chat(f"{n}", max_tokens=20), key=f"junk-{n}")

    honest = [await house.ask(chat(max_tokens=20), key=f"honest-{n}") for n in range(3)]

    assert [each.status for each in honest] == [200] * 3
