"""Questions of several services that share a real Redis: told, heard, buried, never mixed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import redis

from lichen.calls.forget import Forget
from lichen.calls.shared.names import ANSWERS, FORGOTTEN, INDEXES, index_name
from lichen.calls.shared.redis_answers import RedisAnswers
from lichen.testing.desks import FIRST, SECOND, VERBS, cache, chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from lichen.testing.desks import Desk
    from lichen.testing.redis import RedisServer

    OpenDesk = Callable[..., Awaitable[Desk]]

pytestmark = pytest.mark.redis

WITHIN_S = 10.0


@pytest_asyncio.fixture
async def open_service(open_desk: OpenDesk, redis_server: RedisServer) -> AsyncIterator[OpenDesk]:
    """Opens desks on one Redis, each with an index and evidence of its own."""
    remotes: list[RedisAnswers] = []

    async def open_(*script: Any, **more: Any) -> Desk:
        shared = {"timeout": "2s", **more.pop("shared", {})}
        desk = await open_desk(*script, cache=redis_server.url, shared=shared, **more)
        assert isinstance(desk.house.answers.remote, RedisAnswers)
        remotes.append(desk.house.answers.remote)
        return desk

    yield open_
    for remote in remotes:
        await remote.close()


async def until(look: Callable[[], Any]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + WITHIN_S
    while not look():
        assert time.monotonic() < end, "not so in time"
        await asyncio.sleep(0.02)


def questions(desk: Desk) -> float:
    """How many its index has."""
    return desk.step.gauges()["lichen_similar_questions"]


def heard(desk: Desk) -> float:
    """How many it took in from others."""
    return desk.step.gauges()["lichen_similar_heard_total"]


async def test_a_service_answers_a_question_like_one_that_another_was_asked(
    open_service: OpenDesk,
) -> None:
    one, other = await open_service(), await open_service()
    await other.convince()
    paid = await one.ask(chat(FIRST.format("row")))
    await until(lambda: heard(other))
    before = other.count

    given = await other.ask(chat(SECOND.format("row")))

    assert cache(given) == "similar"
    assert given.answer == paid.answer
    assert other.count == before
    named = given.answer_headers["x-lichen-similar"]
    assert named.startswith(paid.answer_headers["x-lichen-id"])


async def test_a_service_that_starts_later_takes_up_what_the_others_told(
    open_service: OpenDesk,
) -> None:
    one = await open_service()
    for verb in VERBS:
        await one.ask(chat(FIRST.format(verb)))

    late = await open_service()
    await late.convince()
    await until(lambda: questions(late) >= len(VERBS))
    given = [cache(await late.ask(chat(SECOND.format(verb)))) for verb in VERBS]

    # One in a thousand is explored.
    assert given.count("similar") >= len(VERBS) - 1


async def test_evidence_is_each_service_s_own(open_service: OpenDesk) -> None:
    one, other = await open_service(), await open_service()
    await one.convince()
    await other.ask(chat("Who am I, then?"))
    await one.ask(chat(FIRST.format("row")))
    await until(lambda: heard(other))

    given = await other.ask(chat(SECOND.format("row")))

    assert cache(given) == "miss"
    assert one.step.gauges()["lichen_similar_certified"] == 1
    assert other.step.gauges()["lichen_similar_certified"] == 0


async def test_no_tenant_gets_what_another_service_answered_another_tenant(
    open_service: OpenDesk, redis_server: RedisServer
) -> None:
    one, other = await open_service(), await open_service()
    await other.convince(key="sk-two")
    await one.ask(chat(FIRST.format("row")), key="sk-one")
    await one.ask(chat(FIRST.format("sail")), key="sk-two")
    await until(lambda: heard(other))

    foreign = await other.ask(chat(SECOND.format("row")), key="sk-two")
    own = await other.ask(chat(SECOND.format("sail")), key="sk-two")

    assert (cache(foreign), cache(own)) == ("miss", "similar")
    # Of two tenants' logs it follows the one whose calls come here.
    assert heard(other) == 1
    with redis.Redis.from_url(redis_server.url) as raw:
        assert len(list(raw.scan_iter(INDEXES + b"*"))) == 2


async def test_a_line_copied_into_another_tenants_log_leads_nobody_to_its_answer(
    open_service: OpenDesk, redis_server: RedisServer
) -> None:
    one, other = await open_service(), await open_service()
    await one.ask(chat(FIRST.format("row")), key="sk-one")
    await other.convince(key="sk-two")
    (tenant,) = {entry.tenant for entry in other.house.entries}
    with redis.Redis.from_url(redis_server.url) as raw:
        (log,) = (n for n in raw.scan_iter(INDEXES + b"*") if n != index_name(b"similar", tenant))
        for _, said in raw.xrange(log):
            raw.xadd(index_name(b"similar", tenant), said)
    await until(lambda: heard(other))

    given = await other.ask(chat(SECOND.format("row")), key="sk-two")

    assert cache(given) == "miss"


async def test_where_redis_is_lost_each_goes_on_alone_and_they_meet_again(
    open_service: OpenDesk, redis_server: RedisServer
) -> None:
    one, other = await open_service(), await open_service()
    for desk in (one, other):
        await desk.convince()
    redis_server.kill()
    alone = []
    for desk, verb in ((one, "row"), (other, "sail")):
        await desk.ask(chat(FIRST.format(verb)))
        alone.append(cache(await desk.ask(chat(SECOND.format(verb)))))
    not_told = cache(await other.ask(chat(SECOND.format("row"))))
    redis_server.start()
    await until(lambda: _is_up(one) and _is_up(other))

    await one.ask(chat(FIRST.format("knit")))
    await until(lambda: heard(other))
    met = cache(await other.ask(chat(SECOND.format("knit"))))

    assert alone == ["similar", "similar"]
    assert not_told == "miss"
    assert met == "similar"


def _is_up(desk: Desk) -> bool:
    assert desk.house.answers.remote is not None
    return desk.house.answers.remote.gauges()["lichen_shared_cache_up"] == 1


async def test_a_question_whose_answer_is_nowhere_is_buried_for_all(
    open_service: OpenDesk, redis_server: RedisServer
) -> None:
    one, other, third = [await open_service() for _ in range(3)]
    for desk, text in ((other, "What is a boat?"), (third, "Which knots hold?")):
        await desk.convince()
        await desk.ask(chat(text))
    await one.ask(chat(FIRST.format("row")))
    # One question of each, and "Who am I?", which one of them was asked.
    await until(lambda: {questions(one), questions(other), questions(third)} == {4.0})
    with redis.Redis.from_url(redis_server.url) as raw:
        raw.delete(*raw.scan_iter(ANSWERS + b"*"))

    missed = cache(await other.ask(chat(SECOND.format("row"))))
    # Its question went, and the new one came; who has the answer keeps the question, too.
    await until(lambda: questions(one) == 5)
    await until(lambda: questions(other) == questions(third) == 4)

    assert missed == "miss"
    assert cache(await one.ask(chat(FIRST.format("row")))) == "hit"


async def test_what_is_forgotten_leaves_the_logs_and_every_index(
    open_service: OpenDesk, redis_server: RedisServer
) -> None:
    one, other = await open_service(), await open_service()
    await one.ask(chat(FIRST.format("row")), key="sk-one")
    (tenant,) = {entry.tenant for entry in one.house.entries}
    for desk in (one, other):
        await desk.ask(chat(FIRST.format("sail")), key="sk-two")
    await other.ask(chat("Who am I?"), key="sk-one")
    await until(lambda: heard(other) >= 1)
    (eraser,) = [one.house.answers.remote]
    assert eraser is not None

    await eraser.forget(Forget(tenant=tenant))
    await until(lambda: questions(one) == 1 and questions(other) <= 2)

    with redis.Redis.from_url(redis_server.url) as raw:
        assert not raw.exists(index_name(b"similar", tenant))
        left = [value for name in raw.scan_iter(INDEXES + b"*") for value in raw.xrange(name)]
        assert left
        assert all(b"row" not in said[b"p"] for _, said in left)
        ((_, told),) = raw.xrange(FORGOTTEN)
    assert told[b"t"] == tenant.encode()


async def test_words_that_are_forgotten_are_written_nowhere(
    open_service: OpenDesk, redis_server: RedisServer
) -> None:
    one = await open_service()
    await one.ask(chat("How does Jane Doe learn to row?"))
    assert one.house.answers.remote is not None

    await one.house.answers.remote.forget(Forget(contains="Jane Doe"))
    await until(lambda: questions(one) == 0)

    with redis.Redis.from_url(redis_server.url) as raw:
        assert not list(raw.scan_iter(INDEXES + b"*"))
        assert b"Jane" not in b"".join(raw.xrange(FORGOTTEN)[0][1].values())


@pytest.mark.parametrize(
    "payload", [b"", b"\x80\x04pickle", b"lichenQ1\x00\x00\x00\x02{}", b"lichenQ1\xff\xff\xff\xff"]
)
async def test_a_line_that_is_none_of_ours_is_left_out_and_told_once(
    open_service: OpenDesk, redis_server: RedisServer, payload: bytes
) -> None:
    one, other = await open_service(), await open_service()
    await other.convince()
    (tenant,) = {entry.tenant for entry in other.house.entries}
    with redis.Redis.from_url(redis_server.url) as raw:
        for key in (b"k" * 32, b"j" * 32):
            raw.xadd(index_name(b"similar", tenant), {b"k": key, b"p": payload})
    await one.ask(chat(FIRST.format("row")))

    await until(lambda: heard(other))

    assert other.step.gauges()["lichen_similar_unreadable_total"] == 2
    assert sum("cannot be used" in str(each) for each in other.house.troubles) == 1
    assert cache(await other.ask(chat(SECOND.format("row")))) == "similar"


async def test_questions_that_stay_in_memory_leave_no_process(
    open_service: OpenDesk, redis_server: RedisServer
) -> None:
    one = await open_service(section={"keep": "memory"})

    await one.ask(chat(FIRST.format("row")))

    assert "lichen_similar_told_total" not in one.step.gauges()
    with redis.Redis.from_url(redis_server.url) as raw:
        assert not list(raw.scan_iter(INDEXES + b"*"))


async def test_where_no_cache_is_shared_nobody_follows_anything(open_desk: OpenDesk) -> None:
    desk = await open_desk()
    before = len(asyncio.all_tasks())

    await desk.ask(chat(FIRST.format("row")))

    assert "lichen_similar_heard_total" not in desk.step.gauges()
    assert len(asyncio.all_tasks()) == before
    assert desk.house.answers.remote is None


async def test_words_forgotten_elsewhere_go_from_questions_that_are_in_memory_alone(
    open_desk: OpenDesk,
) -> None:
    desk = await open_desk()
    await desk.ask(chat(FIRST.format("row")))

    await desk.step.reread()

    assert questions(desk) == 0
