"""Answers shared in a real Redis: found, bounded, expiring, and never in a call's way."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import redis

from lichen.calls.forget import Forget
from lichen.calls.framing import framed
from lichen.calls.shared.index import START
from lichen.calls.shared.link import Away, Link
from lichen.calls.shared.names import answer_name
from lichen.calls.shared.redis_answers import RedisAnswers
from lichen.ledger.errors import InputError, StoreUnavailable
from lichen.testing.redis import RedisServer, find_redis
from lichen.testing.stored_answers import answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from lichen.calls.stored import Stored

pytestmark = pytest.mark.redis


@pytest.fixture
def warned() -> list[str]:
    return []


@asynccontextmanager
async def sharing(
    server: RedisServer, warned: list[str], *, url: str = "", patience: float = 2.0, **how: Any
) -> AsyncIterator[RedisAnswers]:
    """The answers as one service sees them."""
    link = Link(url or server.url, timeout=patience, warn=warned.append)
    answers = RedisAnswers(link, warn=warned.append, **how)
    yield answers
    await answers.close()


async def until(look: Callable[[], Any], within: float = 10.0) -> None:
    end = time.monotonic() + within
    while not look():
        assert time.monotonic() < end, "not so in time"
        await asyncio.sleep(0.01)


async def kept(answers: RedisAnswers, stored: Stored) -> None:
    answers.put(stored)
    await answers.landed(stored.key)


async def test_what_one_service_kept_another_finds_whole(
    redis_server: RedisServer, warned: list[str]
) -> None:
    stored = answer(1, b"\x00\xff" * 5000)
    async with sharing(redis_server, warned) as one, sharing(redis_server, warned) as other:
        await kept(one, stored)

        found = await other.fetch(stored.key)
        missed = await other.fetch(answer(2).key)

    assert found == stored
    assert missed is None
    assert warned == []


async def test_an_answer_ends_when_its_time_does(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned) as answers:
        await kept(answers, answer(1, lasts_s=0.3))
        await kept(answers, answer(2, lasts_s=-1))

        there = await answers.fetch(answer(1).key)
        never = await answers.fetch(answer(2).key)
        await asyncio.sleep(0.4)
        gone = await answers.fetch(answer(1).key)

    assert there is not None
    assert never is None
    assert gone is None


async def test_an_answer_that_is_too_long_is_not_shared(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned, entry_limit=100) as answers:
        await kept(answers, answer(1, b"x" * 101))

        assert await answers.fetch(answer(1).key) is None
        assert answers.gauges()["lichen_shared_cache_unshared_total"] == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda frame: frame.replace(b"lichenA1", b"lichenA9"), "another version"),
        (lambda frame: frame[:20], "too short"),
        (lambda frame: frame[:-1] + b"?", "not the one that was written"),
        (lambda frame: frame[:60], "cannot be used"),
        (lambda _frame: framed(answer(7)), "the answer to another call"),
        (lambda frame: frame[:44] + b"[1]" + frame[47:], "cannot be used"),
        (lambda _frame: b"\x80\x04\x95" + b"pickle" * 20, "another program"),
    ],
)
async def test_what_is_no_answer_of_ours_is_never_given(
    redis_server: RedisServer,
    warned: list[str],
    change: Callable[[bytes], bytes],
    why: str,
) -> None:
    stored = answer(1, b'{"a": 1}')
    with redis.Redis.from_url(redis_server.url) as raw:
        raw.set(answer_name(stored.key), change(framed(stored)))

    async with sharing(redis_server, warned) as answers:
        found = await answers.fetch(stored.key)

    assert found is None
    assert why in warned[0]


async def test_calls_that_leave_while_they_wait_never_mix_answers_up(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned, patience=5.0) as answers:
        for n in range(50):
            await kept(answers, answer(n, b"body %d" % n))

        async def ask(n: int) -> None:
            found = await answers.fetch(answer(n).key)
            assert found is not None
            assert found.body == b"body %d" % n

        for turn in range(40):
            tasks = [asyncio.create_task(ask(n)) for n in range(50)]
            await asyncio.sleep(turn * 0.0002)
            for task in tasks[turn % 7 :: 2]:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(one is None or isinstance(one, asyncio.CancelledError) for one in done)

    assert warned == []


async def test_a_server_that_ends_is_told_of_once_and_comes_back_by_itself(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned) as answers:
        await kept(answers, answer(1))
        redis_server.kill()

        begun = time.monotonic()
        lost = [await answers.fetch(answer(n).key) for n in range(200)]
        took = time.monotonic() - begun
        await kept(answers, answer(2))
        while_away = answers.gauges()["lichen_shared_cache_up"]
        redis_server.start()
        await until(lambda: answers.gauges()["lichen_shared_cache_up"])
        await kept(answers, answer(3))
        found = await answers.fetch(answer(3).key)

    assert lost == [None] * 200
    assert took < 1
    assert while_away == 0
    assert found is not None
    assert [("is lost" in said, "is back" in said) for said in warned] == [
        (True, False),
        (False, True),
    ]


async def test_a_server_that_stalls_costs_a_few_short_waits_and_then_none(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned, patience=0.05) as answers:
        await kept(answers, answer(1))
        redis_server.stall()

        begun = time.monotonic()
        lost = [await answers.fetch(answer(1).key) for _ in range(100)]
        took = time.monotonic() - begun
        redis_server.resume()
        await until(lambda: answers.gauges()["lichen_shared_cache_up"])
        found = await answers.fetch(answer(1).key)

    assert lost == [None] * 100
    assert took < 1
    assert found is not None
    assert "3 times in a row" in warned[0]


async def test_a_wrong_password_is_told_of_and_no_password_is(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned, url=redis_server.url_with("wr0ng")) as answers:
        found = await answers.fetch(answer(1).key)

    assert found is None
    assert "lost" in warned[0]
    assert "wr0ng" not in "".join(warned)
    assert redis_server.password not in "".join(warned)


@pytest.mark.parametrize(
    "address", ["redis://:secret@host:port", "ftp://:secret@host", "redis", "redis://h?no=1"]
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(InputError, match="write it as") as caught:
        Link(address, timeout=1)

    assert "cret@" not in str(caught.value)


async def test_a_server_that_is_full_takes_no_more_and_is_not_lost(warned: list[str]) -> None:
    program = find_redis()
    if program is None:
        pytest.skip("Redis is not installed: apt-get install redis-server")
    full = ["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]
    with RedisServer(program, options=full) as server:
        async with sharing(server, warned, patience=5.0) as answers:
            for n in range(40):
                await kept(answers, answer(n, b"x" * 100_000))

            first = await answers.fetch(answer(0).key)
            gauges = answers.gauges()

    assert first is not None
    assert gauges["lichen_shared_cache_up"] == 1
    assert gauges["lichen_shared_cache_unshared_total"] > 0
    assert "refuses" in warned[0]


async def test_answers_go_over_tls_to_a_server_that_is_who_it_says(
    tmp_path: Path, warned: list[str]
) -> None:
    import trustme

    program = find_redis()
    if program is None:
        pytest.skip("Redis is not installed: apt-get install redis-server")
    authority = trustme.CA()
    theirs = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    theirs.private_key_pem.write_to_path(tmp_path / "server.key")
    theirs.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    with RedisServer(program, tls=tmp_path) as server:
        async with sharing(server, warned) as answers:
            await kept(answers, answer(1))
            found = await answers.fetch(answer(1).key)
        untrusted = server.url.partition("?")[0]
        async with sharing(server, warned, url=untrusted) as strangers:
            refused = await strangers.fetch(answer(1).key)

    assert found is not None
    assert refused is None
    assert "CERTIFICATE_VERIFY_FAILED" in warned[0]


async def test_what_is_to_be_forgotten_is_erased_and_the_rest_stays(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned) as answers:
        for n in range(300):
            body = b'{"said": "Jane Doe"}' if n % 3 == 0 else b"{}"
            await kept(answers, answer(n, body, tenant=f"t{n % 2}"))

        erased = await answers.forget(Forget(contains="jane doe"))
        of_one = await answers.forget(Forget(tenant="t1"))
        left = [n for n in range(300) if await answers.fetch(answer(n).key) is not None]

    assert erased == 100
    assert of_one == 100
    assert left == [n for n in range(300) if n % 3 and n % 2 == 0]


@pytest.mark.parametrize(
    ("which", "left"), [(Forget(tenant="t1"), ["t2"]), (Forget(contains="x"), [])]
)
async def test_logs_of_indexes_are_forgotten_with_their_tenant_or_all(
    redis_server: RedisServer, warned: list[str], which: Forget, left: list[str]
) -> None:
    async with sharing(redis_server, warned) as answers:
        index = answers.index("similar", ttl=60)
        for tenant in ("t1", "t2"):
            await index.append(tenant, b"k", b"v")

        await answers.forget(which)

        assert [tenant for tenant in ("t1", "t2") if (await index.follow(tenant))[1]] == left


def test_a_link_begins_anew_in_another_event_loop(
    redis_server: RedisServer, warned: list[str]
) -> None:
    answers = RedisAnswers(Link(redis_server.url, timeout=2, warn=warned.append))
    stored = answer(1)

    async def keep() -> None:
        await kept(answers, stored)
        await answers.close()

    async def find() -> Stored | None:
        found = await answers.fetch(stored.key)
        await answers.close()
        return found

    answers.put(stored)  # outside of any loop: not shared, and no error
    asyncio.run(keep())
    found = [asyncio.run(find()) for _ in range(2)]

    assert found == [stored, stored]
    assert answers.gauges()["lichen_shared_cache_unshared_total"] == 1
    assert warned == []


async def test_forgetting_says_so_where_the_server_is_away(
    redis_server: RedisServer, warned: list[str]
) -> None:
    redis_server.kill()
    async with sharing(redis_server, warned) as answers:
        with pytest.raises(StoreUnavailable, match="forget again when it can"):
            await answers.forget(Forget(tenant="t1"))


async def test_a_log_of_an_index_tells_others_what_was_added_and_buried(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned) as one, sharing(redis_server, warned) as other:
        mine, theirs = (each.index("similar", ttl=60) for each in (one, other))
        assert await mine.append("t1", b"k1", b"vector")
        assert await mine.append("t1", b"k2", b"vector 2")
        place, first = await theirs.follow("t1")
        assert await mine.bury("t1", b"k1")

        _, then = await theirs.follow("t1", place)
        _, of_another = await theirs.follow("t2")

    assert [(line.key, line.payload, line.buried) for line in first + then] == [
        (b"k1", b"vector", False),
        (b"k2", b"vector 2", False),
        (b"k1", b"", True),
    ]
    assert of_another == []


async def test_several_logs_are_followed_at_once_and_what_is_forgotten_is_heard(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned) as one, sharing(redis_server, warned) as other:
        mine, theirs = (each.index("similar", ttl=60) for each in (one, other))
        await mine.append("t1", b"k1", b"v1")
        await mine.append("t3", b"k3", b"v3")
        first = await theirs.listen({"t1": START, "t2": START}, START, wait=1.0)
        assert first is not None
        listening = asyncio.create_task(theirs.listen(first.places, START, wait=5.0))
        await asyncio.sleep(0.1)
        before_us = time.time_ns() // 1000
        await one.forget(Forget(tenant="t1"))

        then = await listening
        left = await theirs.listen({"t1": START, "t2": START}, START, wait=0.01)

    assert {scope: [line.key for line in lines] for scope, lines in first.lines.items()} == {
        "t1": [b"k1"]
    }
    assert then is not None
    assert [each.tenant for each in then.forgotten] == ["t1"]
    assert then.forgotten[0].before_us >= before_us
    assert left is not None
    assert not left.lines


async def test_a_line_of_a_log_goes_when_its_time_is_over(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned) as answers:
        log = answers.index("similar", ttl=1.0)
        # Redis lets lines go by the hundred.
        for n in range(300):
            await log.append("t1", b"old %d" % n, b"v")
        for key in (b"later", b"new"):
            await asyncio.sleep(0.7)  # the log itself does not end meanwhile
            await log.append("t1", key, b"v")

        _, lines = await log.follow("t1")

    assert [line.key for line in lines[-2:]] == [b"later", b"new"]
    assert len(lines) < 150


async def test_a_log_of_an_index_is_let_go_with_its_time_or_when_forgotten(
    redis_server: RedisServer, warned: list[str]
) -> None:
    async with sharing(redis_server, warned) as answers:
        short, long = (answers.index(kind, ttl=ttl) for kind, ttl in (("a", 0.2), ("b", 60.0)))
        await short.append("t1", b"k", b"v")
        await long.append("t1", b"k", b"v")
        assert await long.forget("t1")
        await asyncio.sleep(0.3)

        left = [(await each.follow("t1"))[1] for each in (short, long)]

    assert left == [[], []]


async def test_a_log_that_cannot_be_told_says_so_and_raises_nothing(
    redis_server: RedisServer, warned: list[str]
) -> None:
    redis_server.kill()
    async with sharing(redis_server, warned) as answers:
        index = answers.index("similar", ttl=60)

        told = await index.append("t1", b"k", b"v")
        place, lines = await index.follow("t1", "5-0")

    assert not told
    assert (place, lines) == ("5-0", [])


async def test_nothing_is_asked_of_a_link_that_is_lost(redis_server: RedisServer) -> None:
    redis_server.kill()
    link = Link(redis_server.url, timeout=1)
    with pytest.raises(Away):
        await link.ask(lambda client: client.ping())
    asked: list[object] = []

    async def ask(client: object) -> None:
        asked.append(client)

    with pytest.raises(Away):
        await link.ask(ask)
    await link.close()

    assert asked == []
