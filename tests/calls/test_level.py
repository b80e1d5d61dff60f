"""Level: an answer made of a shortened prompt is given to nobody who asks for more of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.directives import NO_WISHES
from lichen.calls.exchange import Exchange
from lichen.calls.level import level_of
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.rules import RouteRule
from lichen.calls.similar.scope import asked as compared
from lichen.testing.callers import CHAT, HeardRequest
from lichen.testing.upstreams import ScriptedUpstream, chat_answer, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.testing.callers import House

    Build = Callable[..., House]

LOSSY = {"route": ({"compress": "lossy"},), "holdout": {"share": 0}}
DOCUMENT = "\n".join(f"Line {n}: event {n} happened at node n{n % 7}." for n in range(300))
TEXTS = [{"type": "text", "text": text} for text in (DOCUMENT, "What happened in line 18?")]
ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": TEXTS}],
    "temperature": 0,
}
WISHES = ("off", "lossless")


def cache(heard: HeardRequest) -> str:
    return heard.answer_headers["x-lichen-cache"]


def count(house: House) -> int:
    assert isinstance(house.upstream, ScriptedUpstream)
    return house.upstream.count


@pytest.mark.parametrize("wish", WISHES)
async def test_who_asks_for_more_of_a_prompt_gets_no_stored_answer_to_a_selection(
    build: Build, wish: str
) -> None:
    house = build(whole(chat_answer("short")), whole(chat_answer("long")), **LOSSY)
    await house.ask(ASK)

    more = await house.ask(ASK, x_lichen_compress=wish)
    again = await house.ask(ASK, x_lichen_compress=wish)
    usual = await house.ask(ASK)

    assert [cache(heard) for heard in (more, again, usual)] == ["miss", "hit", "hit"]
    assert b"long" in more.answer
    assert again.answer == more.answer
    assert b"short" in usual.answer


async def test_calls_under_way_that_ask_for_more_of_a_prompt_are_calls_of_their_own(
    build: Build,
) -> None:
    house = build(*(whole(chat_answer(f"No. {n}"), after=0.05) for n in range(6)), **LOSSY)

    heard = await asyncio.gather(
        *(house.ask(ASK, x_lichen_compress=wish) for wish in ("lossy", "lossless", "off") * 2)
    )

    # Prompts are shortened in threads: which of two alike comes first is open.
    assert Counter(map(cache, heard)) == {"miss": 3, "coalesced": 3}
    assert [each.answer for each in heard[:3]] == [each.answer for each in heard[3:]]
    assert len({each.answer for each in heard}) == count(house) == 3


@pytest.mark.parametrize("wish", WISHES)
async def test_a_sampled_call_repeated_for_more_of_its_prompt_is_another_call(
    build: Build, wish: str
) -> None:
    gate = {"rule": [{"name": "double-click", "repeat": "5s"}]}
    house = build(whole(chat_answer("short")), whole(chat_answer("long")), gate=gate, **LOSSY)
    sampled = {**ASK, "temperature": 1}
    await house.ask(sampled)

    more = await house.ask(sampled, x_lichen_compress=wish)
    again = await house.ask(sampled, x_lichen_compress=wish)

    assert b"long" in more.answer
    assert again.answer == more.answer
    assert count(house) == 2


def exchange(rule: RouteRule, wish: str = "", target: str = CHAT.decode()) -> Exchange:
    """A call by a route, as its key is made."""
    headers = [(b"x-lichen-compress", wish.encode())] if wish else []
    made = Exchange("POST", target, headers, b"", "t", 0, NO_WISHES, rule=rule, key=b"k")
    made.call = OPENAI.read_call(
        "chat.completions",
        target.encode(),
        b'{"model":"m","messages":[{"role":"user","content":"How does one row?"}]}',
    )
    return made


def test_like_questions_are_compared_within_a_level_only() -> None:
    route = RouteRule(compress="lossy", similar="on")

    scopes = [compared(exchange(route, wish), "u") for wish in ("", "lossy", "lossless", "off")]

    assert all(scope is not None for scope in scopes)
    usual, same, *less = [scope.scope for scope in scopes if scope is not None]
    assert usual == same
    assert len({usual, *less}) == 3


@pytest.mark.parametrize(
    ("route", "wish", "level"),
    [
        ("lossy", "", "lossy"),
        ("lossy", "lossless", "lossless"),
        ("lossy", " OFF ", "off"),
        ("lossy", "none", "lossy"),
        ("lossless", "lossy", "lossless"),
        ("lossless", "off", "off"),
        ("off", "lossy", "off"),
    ],
)
def test_a_client_may_ask_for_less_than_its_route_and_never_for_more(
    route: str, wish: str, level: str
) -> None:
    made = exchange(RouteRule(compress=route), wish)

    assert made.call is not None
    assert level_of(made.call, made.rule, made.headers) == level


async def test_where_nothing_is_shortened_the_wish_divides_nothing(build: Build) -> None:
    house = build()
    vectors = {"model": "text-embedding-3-small", "input": "Hello"}
    shortening = build(**LOSSY)

    heard = [await house.ask(ASK), await house.ask(ASK, x_lichen_compress="lossless")]
    embedded = [
        await shortening.ask(vectors, target=b"/v1/embeddings", x_lichen_compress=wish)
        for wish in ("lossy", "off")
    ]

    assert [cache(each) for each in heard] == ["miss", "hit"]
    assert [cache(each) for each in embedded] == ["miss", "hit"]
