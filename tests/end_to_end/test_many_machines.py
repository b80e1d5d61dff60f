"""Several services on one ledger in PostgreSQL and one Redis, as behind a balancer."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest
from openai import APIStatusError, AsyncOpenAI, OpenAI

from lichen.assemble import open_store
from lichen.calls.booking import COALESCE
from lichen.testing.desks import FIRST, RULES, SECOND, SECONDS, VERBS, chat, clerk
from lichen.testing.provider import usual
from lichen.testing.questions import question
from lichen.testing.service import RunningService
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lichen.ledger.entry import Entry
    from lichen.testing.postgres import PostgresServer
    from lichen.testing.provider import ScriptedProvider
    from lichen.testing.redis import RedisServer

    ServeTwo = Callable[..., list[RunningService]]

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

# How long those who wait get to come so far; who is late is answered by the store. [s]
BOARDING_S = 0.5


@pytest.fixture
def serve_two(
    tmp_path: Path,
    upstream: ScriptedProvider,
    postgres: PostgresServer,
    redis_server: RedisServer,
) -> Iterator[ServeTwo]:
    """Starts two services, each in a folder of its own, before one upstream."""
    with ExitStack() as started:

        def serve_two(**environ: str) -> list[RunningService]:
            made = []
            for name in ("one", "other"):
                folder = tmp_path / name
                folder.mkdir(exist_ok=True)
                service = RunningService(
                    folder,
                    # A machine that runs all the tests at once may be slow; Redis is not.
                    environ={
                        "LICHEN_CACHE": redis_server.url,
                        "LICHEN_SHARED_TIMEOUT": "2s",
                        **environ,
                    },
                    upstream=upstream.url,
                    ledger=postgres.dsn,
                )
                made.append(started.enter_context(service))
            return made

        yield serve_two


def client_of(service: RunningService) -> OpenAI:
    """The official client, which tries nothing twice by itself."""
    return OpenAI(base_url=service.base_url, api_key="sk-test", max_retries=0, timeout=30)


def ask(service: RunningService, asked: dict[str, Any]) -> Any:
    """The raw answer of a chat call."""
    with client_of(service) as client:
        raw = client.chat.completions.with_raw_response.create(**asked)
        return raw.headers["x-lichen-cache"], raw.http_response.read()


def booked(postgres: PostgresServer, model: str) -> list[Entry]:
    """The entries of calls to a model, by whichever service."""
    with closing(open_store(postgres.dsn)) as store:
        return [entry for entry in store.entries() if entry.figures.model == model]


def is_up(service: RunningService) -> bool:
    """Whether a service says that its shared cache is up."""
    return "lichen_shared_cache_up 1" in service.get("/metrics")[1]


async def test_a_hundred_identical_calls_to_two_services_are_one_upstream_call(
    serve_two: ServeTwo, upstream: ScriptedProvider, postgres: PostgresServer
) -> None:
    services = await asyncio.to_thread(serve_two)
    go = threading.Event()
    upstream.script = lambda call: usual(call, before=go)
    asked = question(model="hundred")
    clients = [
        AsyncOpenAI(base_url=service.base_url, api_key="sk-test", max_retries=0)
        for service in services
    ]

    async def ask_one(client: AsyncOpenAI) -> Any:
        return await client.chat.completions.with_raw_response.create(**asked)

    asking = [asyncio.create_task(ask_one(client)) for _ in range(50) for client in clients]
    await asyncio.to_thread(until, lambda: upstream.calls)
    await asyncio.sleep(BOARDING_S)

    go.set()
    heard = await asyncio.gather(*asking)

    assert len(upstream.calls) == 1
    assert len({raw.content for raw in heard}) == 1
    assert [raw.headers["x-lichen-cache"] for raw in heard].count("miss") == 1
    entries = await asyncio.to_thread(
        until, lambda: (e := booked(postgres, "hundred")) and len(e) == 100 and e
    )
    assert isinstance(entries, list)
    assert sorted({e.figures.strategy for e in entries}) == [COALESCE, "none"]
    assert len({e.figures.baseline.evidence for e in entries if e.figures.baseline}) == 1
    for client in clients:
        await client.close()


def test_a_service_that_is_killed_while_others_wait_for_its_call_is_replaced(
    serve_two: ServeTwo, upstream: ScriptedProvider
) -> None:
    one, other = serve_two(LICHEN_SHARED_LEASE="1s")
    never = threading.Event()
    upstream.script = lambda call: usual(call, before=never if len(upstream.calls) == 1 else None)
    asked = question(model="orphaned")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask, one, asked)
        until(lambda: upstream.calls)
        second = pool.submit(ask, other, asked)
        time.sleep(BOARDING_S)

        begun = time.monotonic()
        one.kill()
        source, _ = second.result(20)
        took = time.monotonic() - begun

        assert source == "miss"
        assert took < 5
        assert len(upstream.calls) == 2
        assert first.exception(20) is not None
    never.set()


def test_a_stream_of_one_service_answers_another_byte_for_byte(
    serve_two: ServeTwo, upstream: ScriptedProvider
) -> None:
    one, other = serve_two()
    rest = threading.Event()
    upstream.script = lambda call: usual(call, between=rest)
    asked = question(stream=True)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask, one, asked)
        until(lambda: upstream.calls)
        second = pool.submit(ask, other, asked)
        time.sleep(BOARDING_S)

        rest.set()
        led, followed = first.result(20), second.result(20)

    assert (led[0], followed[0]) == ("miss", "coalesced")
    assert led[1] == followed[1]
    assert len(upstream.calls) == 1


def test_databases_that_crash_and_come_back_under_load_fail_no_call_and_lose_no_line(
    serve_two: ServeTwo, postgres: PostgresServer, redis_server: RedisServer
) -> None:
    services = serve_two()
    stop = threading.Event()
    heard: list[str] = []
    failed: list[Exception] = []

    def load(service: RunningService) -> None:
        with client_of(service) as client:
            raw = client.chat.completions.with_raw_response
            while not stop.is_set():
                asked = question(model="under-load")
                try:
                    heard.extend(raw.create(**asked).headers["x-lichen-cache"] for _ in range(2))
                except Exception as error:  # noqa: BLE001 (what a test is told of, it shows)
                    failed.append(error)
                time.sleep(0.01)

    with ThreadPoolExecutor() as pool:
        loads = [pool.submit(load, service) for service in services for _ in range(2)]
        time.sleep(0.5)
        redis_server.kill()
        time.sleep(0.5)
        postgres.crash()
        time.sleep(1)
        ready = [service.get("/readyz")[0] for service in services]
        redis_server.start()
        postgres.start()
        until(lambda: all(is_up(service) for service in services))
        time.sleep(0.5)
        stop.set()
        for each in loads:
            each.result(20)
    until(lambda: len(booked(postgres, "under-load")) >= len(heard), within=20)
    asked = question()
    first = ask(services[0], asked)

    assert failed == []
    assert ready == [200, 200]
    assert set(heard) == {"miss", "hit"}
    assert len(heard) > 100
    assert len(booked(postgres, "under-load")) == len(heard)
    until(lambda: ask(services[1], asked) == ("hit", first[1]))
    for service in services:
        assert service.said.count("is lost") == 1
        assert service.said.count("is back") == 1
        assert redis_server.password not in service.said
        assert postgres.password not in service.said


def test_a_service_starts_without_its_redis_and_takes_it_up_when_it_is_there(
    serve_two: ServeTwo, redis_server: RedisServer
) -> None:
    redis_server.kill()

    one, other = serve_two()
    asked = question()
    alone = [ask(one, asked)[0], ask(one, asked)[0], ask(other, asked)[0]]
    ready = [service.get("/readyz")[0] for service in (one, other)]
    redis_server.start()
    until(lambda: is_up(one) and is_up(other))
    asked = question()
    together = [ask(one, asked)[0], ask(other, asked)[0]]

    assert alone == ["miss", "hit", "miss"]
    assert ready == [200, 200]
    assert together[0] == "miss"
    # Still on its way to Redis, or there.
    assert together[1] in {"coalesced", "hit"}


def test_a_like_question_asked_of_one_service_is_answered_by_the_other_that_never_heard_it(
    serve_two: ServeTwo, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lichen.toml").write_text(RULES)
    one, other = serve_two()
    upstream.script = clerk

    def shown(name: str) -> float:
        lines = other.get("/metrics")[1].splitlines()
        return next((float(each.split()[1]) for each in lines if each.startswith(f"{name} ")), 0.0)

    def teach(text: str) -> None:
        before, count = shown("lichen_similar_questions"), len(upstream.calls)
        ask(other, chat(text))
        if len(upstream.calls) > count:
            until(lambda: shown("lichen_similar_questions") > before, within=30)

    until(lambda: shown("lichen_similar_looks_total") or not ask(other, question()))
    for verb, second in zip(VERBS[:-1], SECONDS, strict=False):
        teach(FIRST.format(verb))
        teach(second.format(verb))
    until(lambda: shown("lichen_similar_certified") == 1)
    paid = ask(one, chat(FIRST.format("row")))
    until(lambda: shown("lichen_similar_heard_total") >= 1)
    asked = len(upstream.calls)

    source, body = ask(other, chat(SECOND.format("row")))

    assert (source, body) == ("similar", paid[1])
    assert len(upstream.calls) == asked


def test_over_budget_an_answer_that_another_service_kept_is_given(
    serve_two: ServeTwo, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    budget = '[[gate.budget]]\nname = "none"\ntokens = 1\n'
    (tmp_path / "other" / "lichen.toml").write_text(budget)
    one, other = serve_two()
    until(lambda: is_up(one) and is_up(other))
    asked = question(model="kept-elsewhere")

    first = ask(one, asked)
    until(lambda: ask_anyway(other, asked)[0] == 200)
    again = ask_anyway(other, asked)
    fresh = ask_anyway(other, question(model="kept-elsewhere"))

    assert again[1] == first[1]
    assert fresh[0] == 429
    assert len(upstream.calls) == 1


def ask_anyway(service: RunningService, asked: dict[str, Any]) -> tuple[int, bytes]:
    """Status and body, also of a refusal."""
    with client_of(service) as client:
        try:
            raw = client.chat.completions.with_raw_response.create(**asked)
        except APIStatusError as error:
            return error.status_code, error.response.content
        return raw.http_response.status_code, raw.http_response.read()
