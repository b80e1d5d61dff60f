"""Embeddings of many callers in one call: each gets its own, and nobody pays for another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.batch.portions import shares
from lichen.calls.batch.proof import PROVERS
from lichen.calls.exchange import Answer, Exchange
from lichen.calls.resilience.resilient import Bounds, Resilient
from lichen.calls.resilience.standby import Standby
from lichen.calls.upstreams import Upstreams
from lichen.ledger.errors import NotAsked
from lichen.testing.upstreams import ScriptedUpstream, failed, whole

if TYPE_CHECKING:
    from tests.calls.conftest import Build

PATH = b"/v1/embeddings"
TOGETHER = ({"route": "embeddings", "batch": "embeddings"},)


async def embed(exchange: Exchange) -> Answer:
    """What a provider says: each text's length as its vector; "bad" is refused."""
    assert exchange.call is not None
    texts = exchange.call.fields["input"]
    texts = [texts] if isinstance(texts, str) else texts
    if "bad" in texts:
        return Answer(400, [], b'{"error": {"message": "bad input"}}')
    rows = [
        {"object": "embedding", "index": n, "embedding": [float(len(text)), 0.1]}
        for n, text in enumerate(texts)
    ]
    used = sum(len(text) if isinstance(text, list) else len(text.split()) for text in texts)
    usage = {"prompt_tokens": used, "total_tokens": used}
    # Providers may give them in any order.
    whole = {"object": "list", "data": rows[::-1], "model": "embed-1", "usage": usage}
    return Answer(200, [(b"content-type", b"application/json")], orjson.dumps(whole))


def asked(text: Any, **more: Any) -> dict[str, Any]:
    return {"model": "embed-1", "input": text, **more}


async def test_many_callers_become_one_call(build: Build) -> None:
    upstream = ScriptedUpstream(embed)
    house = build(upstream=upstream, route=TOGETHER)
    texts = ["x" * n for n in range(1, 11)]

    heard = await asyncio.gather(*(house.ask(asked(text), target=PATH) for text in texts))
    vectors = [one.json["data"] for one in heard]

    assert upstream.count == 1
    assert [data[0]["embedding"][0] for data in vectors] == [float(n) for n in range(1, 11)]
    assert {data[0]["index"] for data in vectors} == {0}
    assert sum(one.json["usage"]["prompt_tokens"] for one in heard) == 10
    assert {one.answer_headers["x-lichen-cache"] for one in heard} == {"miss"}


async def test_each_is_booked_with_its_own_share_and_claims_nothing(build: Build) -> None:
    house = build(upstream=ScriptedUpstream(embed), route=TOGETHER)
    house.book._provers = {**house.book._provers, **PROVERS}

    await asyncio.gather(*(house.ask(asked(f"text {n}"), target=PATH) for n in range(4)))
    calls = [e for e in house.entries if e.figures.strategy == "none"]
    lines = [e for e in house.entries if e.figures.strategy == "calls.batch"]

    assert sum(e.figures.tokens.input for e in calls) == 8
    assert all("tokens-shared-by-estimate" in e.figures.gaps for e in calls)
    assert [e.figures.raw["gathered"] for e in lines] == [4] * 4
    assert all(e.saving is not None and e.saving.footprint.energy.value.amount == 0 for e in lines)
    assert house.book.prove(lines[0].id).holds


async def test_token_arrays_are_shared_exactly(build: Build) -> None:
    house = build(upstream=ScriptedUpstream(embed), route=TOGETHER)

    heard = await asyncio.gather(
        house.ask(asked([1, 2, 3]), target=PATH), house.ask(asked([[4], [5, 6]]), target=PATH)
    )
    gaps = [gap for e in house.entries for gap in e.figures.gaps]

    assert [one.json["usage"]["prompt_tokens"] for one in heard] == [3, 3]
    assert [len(one.json["data"]) for one in heard] == [1, 2]
    assert "tokens-shared-by-estimate" not in gaps


async def test_one_bad_input_spoils_nobody_elses(build: Build) -> None:
    upstream = ScriptedUpstream(embed)
    house = build(upstream=upstream, route=TOGETHER)

    heard = await asyncio.gather(
        *(house.ask(asked(text), target=PATH) for text in ("a", "bad", "ccc"))
    )

    assert [one.status for one in heard] == [200, 400, 200]
    assert heard[2].json["data"][0]["embedding"][0] == 3.0
    assert heard[1].json == {"error": {"message": "bad input"}}
    assert upstream.count == 4


@pytest.mark.parametrize(
    "act", [whole(b'{"error": {}}', status=429), whole(b'{"error": {}}', status=500)]
)
async def test_a_refusal_of_all_is_not_asked_again(build: Build, act: Any) -> None:
    upstream = ScriptedUpstream(act)
    house = build(upstream=upstream, route=TOGETHER)

    heard = await asyncio.gather(*(house.ask(asked(text), target=PATH) for text in "abc"))

    assert len({one.status for one in heard}) == 1
    assert heard[0].status in (429, 500)
    assert upstream.count == 1


async def test_an_upstream_that_fails_fails_for_each(build: Build) -> None:
    house = build(failed(), route=TOGETHER)

    heard = await asyncio.gather(*(house.ask(asked(text), target=PATH) for text in "abc"))

    assert [one.status for one in heard] == [502] * 3


async def test_an_answer_that_does_not_fit_is_asked_for_one_by_one(build: Build) -> None:
    async def short(exchange: Exchange) -> Answer:
        answer = await embed(exchange)
        said = orjson.loads(answer.body)
        return Answer(200, answer.headers, orjson.dumps({**said, "data": said["data"][:1]}))

    upstream = ScriptedUpstream(short, embed)
    house = build(upstream=upstream, route=TOGETHER)

    heard = await asyncio.gather(*(house.ask(asked(text), target=PATH) for text in ("a", "bb")))

    assert [one.json["data"][0]["embedding"][0] for one in heard] == [1.0, 2.0]
    assert upstream.count == 3


async def test_tenants_models_and_parameters_do_not_mix(build: Build) -> None:
    upstream = ScriptedUpstream(embed)
    house = build(upstream=upstream, route=TOGETHER)

    await asyncio.gather(
        house.ask(asked("a"), target=PATH, key="sk-one"),
        house.ask(asked("b"), target=PATH, key="sk-two"),
        house.ask(asked("c", dimensions=2), target=PATH, key="sk-one"),
        house.ask({"model": "embed-2", "input": "d"}, target=PATH, key="sk-one"),
        house.ask(asked("e"), target=PATH, key="sk-one", openai_project="p"),
        house.ask(asked([1, 2]), target=PATH, key="sk-one"),
    )
    keys = [dict(call.headers)[b"authorization"] for call in upstream.calls]

    assert upstream.count == 6
    assert keys.count(b"Bearer sk-two") == 1


async def test_a_lone_call_passes_byte_for_byte(build: Build) -> None:
    upstream = ScriptedUpstream(embed)
    house = build(upstream=upstream, route=TOGETHER)
    raw = b'{ "input" : "a",   "model": "embed-1", "new": 1.50 }'

    await house.ask(raw, target=PATH)

    assert upstream.calls[0].body == raw
    assert [e.figures.strategy for e in house.entries] == ["none"]


async def test_what_was_gathered_is_kept_for_each(build: Build) -> None:
    upstream = ScriptedUpstream(embed)
    house = build(upstream=upstream, route=TOGETHER)
    texts = ["a", "bb", "ccc"]
    await asyncio.gather(*(house.ask(asked(text), target=PATH) for text in texts))

    again = await house.ask(asked("bb"), target=PATH)

    assert again.answer_headers["x-lichen-cache"] == "hit"
    assert again.json["data"][0]["embedding"][0] == 2.0
    assert upstream.count == 1


async def test_what_a_fallback_answered_together_is_booked_and_kept_as_its_own(
    build: Build,
) -> None:
    async def elsewhere(exchange: Exchange) -> Answer:
        answer = await embed(exchange)
        answer.body = answer.body.replace(b"0.1]", b"0.9]")
        return answer

    primary = ScriptedUpstream(whole(b'{"error": {}}', status=500), embed)
    other = ScriptedUpstream(elsewhere)
    other.url, other.zone = "http://standby.example", "SE-SE3"
    house = build(
        upstream=Resilient(primary, Bounds(0), None, standby=Standby(other)), route=TOGETHER
    )

    heard = await asyncio.gather(*(house.ask(asked(text), target=PATH) for text in "abc"))
    again = await house.ask(asked("b"), target=PATH)
    calls = [e.figures for e in house.entries if e.figures.strategy == "none"]

    assert (primary.count, other.count) == (2, 1)
    assert [one.json["data"][0]["embedding"][1] for one in heard] == [0.9] * 3
    assert {one.answer_headers["x-lichen-upstream"] for one in heard} == {"fallback"}
    assert [each.zone for each in calls] == ["SE-SE3"] * 3 + ["WORLD"]
    assert again.answer_headers["x-lichen-cache"] == "miss"
    assert again.json["data"][0]["embedding"][1] == 0.1


async def test_tries_of_the_joined_call_stand_in_each_entry(build: Build) -> None:
    primary = ScriptedUpstream(whole(b'{"error": {}}', status=503), embed)
    bounds = Bounds(1, first=0.001, longest=0.01)
    house = build(upstream=Resilient(primary, bounds, None), route=TOGETHER)

    await asyncio.gather(*(house.ask(asked(text), target=PATH) for text in "abc"))
    calls = [e.figures for e in house.entries if e.figures.strategy == "none"]

    assert [each.raw["attempts"] for each in calls] == [2] * 3
    assert all("earlier-tries-not-metered" in each.gaps for each in calls)


async def test_a_joined_call_that_is_held_back_is_so_for_each_and_used_nothing(
    build: Build,
) -> None:
    async def held(_exchange: Exchange) -> Answer:
        raise NotAsked("left alone", status=503, code="upstream_failing", wait_s=7.0)

    house = build(held, route=TOGETHER)

    heard = await asyncio.gather(*(house.ask(asked(text), target=PATH) for text in "abc"))

    assert [one.status for one in heard] == [503] * 3
    assert [one.answer_headers["retry-after"] for one in heard] == ["7"] * 3
    assert house.entries == []


async def test_a_window_holds_only_so_many(build: Build) -> None:
    upstream = ScriptedUpstream(embed)
    house = build(upstream=upstream, route=TOGETHER, batch={"most_items": 4})

    await asyncio.gather(*(house.ask(asked(f"text {n}"), target=PATH) for n in range(10)))
    sizes = [len(call.call.fields["input"]) for call in upstream.calls if call.call]

    assert sorted(sizes) == [2, 4, 4]


async def test_a_caller_that_leaves_takes_nothing_from_the_others(build: Build) -> None:
    upstream = ScriptedUpstream(embed)
    house = build(upstream=upstream, route=TOGETHER, batch={"window": "50ms"})
    leaving = asyncio.create_task(house.ask(asked("a"), target=PATH))
    staying = asyncio.create_task(house.ask(asked("bb"), target=PATH))
    await asyncio.sleep(0.01)

    leaving.cancel()
    heard = await staying

    assert heard.json["data"][0]["embedding"][0] == 2.0


async def test_nothing_is_gathered_unless_a_rule_says_so(build: Build) -> None:
    upstream = ScriptedUpstream(embed)
    house = build(upstream=upstream)

    await asyncio.gather(*(house.ask(asked(text), target=PATH) for text in "abc"))

    assert upstream.count == 3


@given(st.integers(0, 10**9), st.lists(st.integers(1, 10**6), min_size=1, max_size=50))
def test_shares_add_up_and_follow_the_weights(total: int, weights: list[int]) -> None:
    made = shares(total, weights)

    assert sum(made) == total
    assert all(
        abs(share - total * weight / sum(weights)) <= 1
        for share, weight in zip(made, weights, strict=True)
    )


async def test_two_providers_calls_do_not_mix(build: Build) -> None:
    first, other = ScriptedUpstream(embed), ScriptedUpstream(embed)
    first.zone, other.zone = "DE", "FR"
    house = build(upstream=Upstreams(first, {"gemini": lambda: other}), route=TOGETHER)

    await asyncio.gather(
        *(house.ask(asked(f"one {n}"), target=PATH) for n in range(3)),
        *(house.ask(asked(f"two {n}"), target=b"/gemini" + PATH) for n in range(2)),
    )

    assert (first.count, other.count) == (1, 1)
    zones = [e.figures.zone for e in house.entries if e.figures.strategy == "none"]
    assert sorted(zones) == ["DE"] * 3 + ["FR"] * 2


async def test_a_call_that_may_be_sent_again_by_its_key_goes_alone(build: Build) -> None:
    upstream = ScriptedUpstream(embed)
    house = build(upstream=upstream, route=TOGETHER)

    heard = await asyncio.gather(
        *(house.ask(asked("x" * n), target=PATH) for n in (1, 2)),
        house.ask(asked("xxx"), target=PATH, idempotency_key="k0"),
    )

    assert upstream.count == 2
    assert [one.json["data"][0]["embedding"][0] for one in heard] == [1.0, 2.0, 3.0]
