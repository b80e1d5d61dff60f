"""Cache-Control: what a client, or the upstream, may ask of the answer store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.directives import NO_WISHES, Directives, parse
from lichen.testing.upstreams import ScriptedUpstream, chat_answer, failed, streamed, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.testing.callers import HeardRequest, House

    Build = Callable[..., House]

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
}
FIRST, SECOND = whole(chat_answer("first")), whole(chat_answer("second"))


def cache(heard: HeardRequest) -> str:
    return heard.answer_headers["x-lichen-cache"]


def said(heard: HeardRequest) -> str:
    return str(heard.json["choices"][0]["message"]["content"])


def count(house: House) -> int:
    assert isinstance(house.upstream, ScriptedUpstream)
    return house.upstream.count


@pytest.mark.parametrize(
    ("header", "wishes"),
    [
        (b"no-store", Directives(no_store=True)),
        (b"No-Cache", Directives(no_cache=True)),
        (b"only-if-cached", Directives(only_if_cached=True)),
        (b"max-age=60", Directives(max_age=60)),
        (b'max-age="60"', Directives(max_age=60)),
        (b"stale-if-error=600 , max-age = 5", Directives(stale_if_error=600, max_age=5)),
        (b"no-store,no-cache", Directives(no_store=True, no_cache=True)),
        (b"", NO_WISHES),
        (b"max-age", NO_WISHES),
        (b"max-age=-5", NO_WISHES),
        (b"max-age=soon", NO_WISHES),
        (b"max-age=\xb2", NO_WISHES),
        (b"unheard-of=1, no-storey", NO_WISHES),
        (b",,=,;", NO_WISHES),
    ],
)
def test_a_header_is_read_and_what_makes_no_sense_is_left_out(
    header: bytes, wishes: Directives
) -> None:
    assert parse(header) == wishes


async def test_no_store_neither_takes_nor_keeps(build: Build) -> None:
    house = build(FIRST, SECOND)

    await house.ask(ASK, cache_control="no-store")
    after = await house.ask(ASK)
    again = await house.ask(ASK, cache_control="no-store")

    assert cache(after) == "miss"
    assert cache(again) == "bypass"
    assert count(house) == 3


async def test_no_cache_asks_anew_and_keeps_the_new_answer(build: Build) -> None:
    house = build(FIRST, SECOND)
    await house.ask(ASK)

    anew = await house.ask(ASK, cache_control="no-cache")
    then = await house.ask(ASK)

    assert (cache(anew), said(anew)) == ("miss", "second")
    assert (cache(then), said(then)) == ("hit", "second")


async def test_max_age_takes_what_is_young_enough(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(FIRST, SECOND)
    await house.ask(ASK)
    later = time.time_ns() + 30 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)

    assert cache(await house.ask(ASK, cache_control="max-age=60")) == "hit"
    assert cache(await house.ask(ASK, cache_control="max-age=10")) == "miss"


async def test_only_if_cached_takes_a_stored_answer(build: Build) -> None:
    house = build(FIRST)
    await house.ask(ASK)

    assert cache(await house.ask(ASK, cache_control="only-if-cached")) == "hit"


@pytest.mark.parametrize("asked", [ASK, ASK | {"temperature": 1}])
async def test_only_if_cached_never_asks_the_upstream(build: Build, asked: dict[str, Any]) -> None:
    house = build(FIRST)

    heard = await house.ask(asked, cache_control="only-if-cached")

    assert heard.status == 504
    assert heard.json["error"]["code"] == "only_if_cached"
    assert count(house) == 0


async def test_only_if_cached_holds_for_calls_that_pass_through(build: Build) -> None:
    house = build(FIRST)

    heard = await house.ask(
        b"", target=b"/v1/models", method=b"GET", cache_control="only-if-cached"
    )

    assert heard.status == 504
    assert count(house) == 0


async def test_two_headers_are_one_list(build: Build) -> None:
    house = build(FIRST, SECOND)
    await house.ask(ASK)
    made = {"cache_control": "max-age=60", "cache-control": "no-cache"}

    assert cache(await house.ask(ASK, **made)) == "miss"


@pytest.fixture
async def aged(build: Build, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A house with an answer that is 10 s past its time of 60 s, and then the given script."""

    async def make(*script: Any) -> House:
        house = build(FIRST, *script, ttl=60)
        await house.ask(ASK)
        later = time.time_ns() + 70 * 10**9
        monkeypatch.setattr(time, "time_ns", lambda: later)
        return house

    return make


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_stale_if_error_serves_when_the_upstream_answers_with_an_error(
    aged: Callable[..., Any], status: int
) -> None:
    house = await aged(whole(b'{"error": {}}', status=status))

    heard = await house.ask(ASK, cache_control="stale-if-error=60")

    assert (heard.status, cache(heard), said(heard)) == (200, "stale", "first")
    assert heard.answer_headers["age"] == "70"


async def test_stale_if_error_serves_when_the_upstream_cannot_be_reached(
    aged: Callable[..., Any],
) -> None:
    house = await aged(failed())

    heard = await house.ask(ASK, cache_control="stale-if-error=60")

    assert (heard.status, cache(heard), said(heard)) == (200, "stale", "first")
    assert [e.figures.strategy for e in house.entries] == ["none", "none", "calls.exact"]
    assert house.entries[1].figures.gaps == ("upstream-failed:upstream_unreachable",)


async def test_an_answer_too_stale_does_not_serve(aged: Callable[..., Any]) -> None:
    house = await aged(failed())

    heard = await house.ask(ASK, cache_control="stale-if-error=5")

    assert heard.status == 502


@pytest.mark.parametrize("wish", ["", "stale-if-error", "stale-if-error=60, no-store"])
async def test_without_the_wish_the_error_is_told(aged: Callable[..., Any], wish: str) -> None:
    house = await aged(whole(b'{"error": {"message": "down"}}', status=503))

    heard = await house.ask(ASK, cache_control=wish)

    assert heard.status == 503
    assert heard.json["error"]["message"] == "down"


async def test_too_many_calls_is_no_failure_of_the_upstream(aged: Callable[..., Any]) -> None:
    house = await aged(whole(b"{}", status=429))

    assert (await house.ask(ASK, cache_control="stale-if-error=60")).status == 429


async def test_stale_if_error_prefers_a_new_answer(aged: Callable[..., Any]) -> None:
    house = await aged(SECOND)

    heard = await house.ask(ASK, cache_control="stale-if-error=60")

    assert (cache(heard), said(heard)) == ("miss", "second")


@pytest.mark.parametrize("wish", [b"no-store", b"private, No-Store"])
async def test_an_upstream_may_forbid_keeping(build: Build, wish: bytes) -> None:
    house = build(whole(chat_answer(), headers=[(b"cache-control", wish)]))
    await house.ask(ASK)

    assert cache(await house.ask(ASK)) == "miss"


async def test_an_upstream_may_forbid_keeping_a_stream(build: Build) -> None:
    frames = [b'data: {"id":"1"}\n\n', b"data: [DONE]\n\n"]
    house = build(streamed(*frames, headers=[(b"cache-control", b"no-store")]))
    await house.ask(ASK | {"stream": True})

    assert cache(await house.ask(ASK | {"stream": True})) == "miss"


async def test_no_cache_on_a_stream_is_only_said_to_proxies_and_does_not_forbid_keeping(
    build: Build,
) -> None:
    frames = [b'data: {"id":"1"}\n\n', b"data: [DONE]\n\n"]
    house = build(streamed(*frames, headers=[(b"cache-control", b"no-cache")]))
    await house.ask(ASK | {"stream": True})

    assert cache(await house.ask(ASK | {"stream": True})) == "hit"


@pytest.mark.parametrize(("scope", "expected"), [("tenant", "hit"), ("shared", "miss")])
async def test_a_private_answer_is_kept_for_its_tenant_alone(
    build: Build, scope: str, expected: str
) -> None:
    house = build(whole(chat_answer(), headers=[(b"cache-control", b"private")]), scope=scope)
    await house.ask(ASK)

    assert cache(await house.ask(ASK)) == expected
