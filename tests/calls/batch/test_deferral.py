"""Calls that wait: accepted once they are on disk, sent once, answered to their caller alone."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from lichen.calls.batch.proof import PROVERS
from lichen.calls.batch.queue import Queue
from lichen.calls.batch.sqlite import SqliteDatabase
from lichen.calls.batch.step import BatchStep
from lichen.calls.forget import Forget
from lichen.calls.tenant import tenant_of
from lichen.ledger.pricing import Pricer
from lichen.testing.prices import FlatGrid, WattHourPerToken
from lichen.testing.queue_samples import sample_item
from lichen.testing.upstreams import ScriptedUpstream, chat_answer, failed, whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from lichen.calls.exchange import Answer, Exchange
    from lichen.ledger.signal import GridSignal
    from lichen.ledger.window import Window
    from lichen.testing.callers import HeardRequest, House
    from tests.calls.conftest import Build

    Open = Callable[..., Awaitable[House]]

ASKED = {"model": "m", "messages": [{"role": "user", "content": "the prompt"}], "temperature": 0}
ROOT = b"/v1/lichen/deferred"


@pytest.fixture
async def opened(build: Build, tmp_path: Path) -> AsyncIterator[Open]:
    """Houses over one ledger file, whose queues run; closed at the end."""
    made: list[House] = []

    async def opened(*script: Any, upstream: ScriptedUpstream | None = None, **how: Any) -> House:
        house = build(*script, upstream=upstream, ledger=str(tmp_path / "book.db"), **how)
        await house.gateway.layers.start()
        made.append(house)
        return house

    yield opened
    for house in made:
        await house.gateway.layers.close()


async def left(house: House, span: str = "20s", body: Any = ASKED, **how: Any) -> HeardRequest:
    return await house.ask(body, x_lichen_defer=span, **how)


async def fetched(house: House, heard: HeardRequest, wait: int = 15, **how: Any) -> HeardRequest:
    path = heard.answer_headers["location"]
    return await house.ask(b"", method=b"GET", target=f"{path}?wait={wait}".encode(), **how)


def stored(tmp_path: Path) -> Queue:
    return Queue(SqliteDatabase(str(tmp_path / "book.db")))


def on_disk(folder: Path) -> bytes:
    """All that stands in the files of a folder."""
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize("wish", ["lossy", "lossless", "off"])
async def test_a_call_that_waits_is_shortened_once_and_as_its_client_wishes(
    opened: Open, wish: str
) -> None:
    house = await opened(route=({"compress": "lossy"},), holdout={"share": 0})
    document = "\n".join(f"Line {n}: event {n} happened at node n{n % 7}." for n in range(300))
    texts = [{"type": "text", "text": text} for text in (document, "What happened in line 18?")]
    asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": texts}]}

    waited = await fetched(house, await left(house, "3s", asked, x_lichen_compress=wish))
    await house.ask(asked, x_lichen_compress=wish)

    calls = house.upstream.calls  # type: ignore[attr-defined]
    assert waited.status == 200
    assert calls[0].body == calls[1].body


async def test_a_call_is_on_disk_before_it_is_accepted(build: Build, tmp_path: Path) -> None:
    house = build(ledger=str(tmp_path / "book.db"))

    heard = await left(house, "6h")
    queue = stored(tmp_path)
    item = queue.get(heard.json["id"], tenant_of(b"\0authorization=Bearer sk-one"))
    queue.close()
    await house.gateway.layers.close()

    assert heard.status == 202
    assert heard.answer_headers["location"] == f"/v1/lichen/deferred/{heard.json['id']}"
    assert heard.json["deadline_at"] - heard.json["created_at"] in (6 * 3600, 6 * 3600 + 1)
    assert item is not None
    assert orjson.loads(item.body) == ASKED


async def test_when_a_call_runs_is_told_soon_after_it_is_accepted(opened: Open) -> None:
    seen = asyncio.Event()

    async def held(exchange: Exchange) -> Answer:
        await seen.wait()
        return await whole(chat_answer("Later."))(exchange)

    house = await opened(held)

    heard = await left(house, "6h")
    told = heard.json
    for _ in range(100):
        if told.get("runs_at"):
            break
        await asyncio.sleep(0.05)
        told = (await fetched(house, heard, wait=0)).json
    seen.set()

    assert (heard.json["runs_at"], heard.json["why"]) == (None, "not planned yet")
    assert told["created_at"] <= told["runs_at"] <= told["deadline_at"]
    assert told["why"] != "not planned yet"


async def test_a_cookie_of_the_providers_is_written_nowhere(opened: Open, tmp_path: Path) -> None:
    sent = [(b"set-cookie", b"session=hush-hush"), (b"x-pat", b"hush-hush"), (b"x-team", b"red")]
    act = whole(chat_answer("Later."), headers=[*sent, (b"x-request-id", b"req-1")])
    house = await opened(act, batch={"headers": ("x-team",)})

    heard = await fetched(house, await left(house))

    headers = heard.answer_headers
    assert heard.status == 200
    assert (headers["x-request-id"], headers["x-team"]) == ("req-1", "red")
    assert not headers.keys() & {"set-cookie", "x-pat"}
    assert b"hush-hush" not in on_disk(tmp_path)


async def test_the_answer_comes_as_the_provider_gave_it(opened: Open) -> None:
    given = chat_answer("Later.")
    house = await opened(whole(given, headers=[(b"x-request-id", b"req-1")]))

    heard = await left(house)
    answer = await fetched(house, heard)

    assert (answer.status, answer.answer) == (200, given)
    assert answer.answer_headers["x-request-id"] == "req-1"
    assert answer.answer_headers["x-lichen-deferred"] == heard.json["id"]


async def test_what_it_used_and_spared_is_booked(opened: Open) -> None:
    house = await opened()
    house.book._provers = {**house.book._provers, **PROVERS}

    heard = await left(house)
    await fetched(house, heard)
    call, line = house.entries
    proof = house.book.prove(line.id)

    assert call.figures.raw["deferred"] == heard.json["id"]
    assert (call.figures.work.amount, line.figures.work.amount) == (1, 0)
    assert line.figures.strategy == "calls.batch"
    assert line.figures.raw["before_at_us"] == call.figures.raw["deferred_arrived_us"]
    assert line.figures.raw["after_at_us"] == call.start_us
    assert proof.holds


class CleanerNow:
    """A grid of 400 g/kWh until an hour ago, and of 100 since."""

    def intensity(self, zone: str, window: Window) -> GridSignal:
        was = window.end < datetime.now(UTC) - timedelta(hours=1)
        return FlatGrid(400.0 if was else 100.0).intensity(zone, window)


async def test_what_ran_on_a_cleaner_grid_spared_the_difference(
    opened: Open, tmp_path: Path
) -> None:
    queue = stored(tmp_path)
    arrived_us = queue.now_us() - 3 * 3600 * 1_000_000
    body = orjson.dumps(ASKED)
    queue.add([sample_item(queue, "a", arrived_us=arrived_us, body=body, headers=[])])
    queue.close()

    house = await opened(pricer=Pricer(WattHourPerToken(), CleanerNow()))
    for _ in range(200):
        if len(house.entries) == 2:
            break
        await asyncio.sleep(0.05)
    call, line = house.entries
    assert line.saving is not None
    spared = line.saving.footprint.operational.value.in_grams
    took = call.figures.footprint.operational.value.in_grams

    assert took == pytest.approx(17e-3 * 100)  # 17 tokens of 1 Wh each
    assert spared == pytest.approx(17e-3 * (400 - 100))
    assert line.saving.footprint.energy.value.amount == 0


async def test_an_answer_is_its_callers_alone(opened: Open) -> None:
    house = await opened()
    heard = await left(house, key="sk-one")
    path = heard.answer_headers["location"].encode()

    asked = await house.ask(b"", method=b"GET", target=path, key="sk-two")
    dropped = await house.ask(b"", method=b"DELETE", target=path, key="sk-two")
    listed = await house.ask(b"", method=b"GET", target=ROOT, key="sk-two")
    mine = await house.ask(b"", method=b"GET", target=ROOT, key="sk-one")

    assert (asked.status, dropped.status) == (404, 404)
    assert listed.json["data"] == []
    assert [one["id"] for one in mine.json["data"]] == [heard.json["id"]]


async def test_an_error_of_the_provider_is_that_calls_answer(opened: Open) -> None:
    house = await opened(whole(b'{"error": {"message": "no such model"}}', status=404))

    answer = await fetched(house, await left(house))

    assert answer.status == 404
    assert answer.json == {"error": {"message": "no such model"}}
    assert "x-lichen-deferred" in answer.answer_headers


async def test_a_busy_provider_is_asked_again_with_the_same_key(opened: Open) -> None:
    busy = whole(b"{}", status=429, headers=[(b"retry-after", b"1")])
    upstream = ScriptedUpstream(busy, failed(), whole(chat_answer()))
    house = await opened(upstream=upstream)

    answer = await fetched(house, await left(house))
    keys = {dict(call.headers)[b"idempotency-key"] for call in upstream.calls}

    assert answer.status == 200
    assert upstream.count == 3
    assert len(keys) == 1
    # Nobody knows whether the attempt without an answer was done.
    assert answer.answer_headers["x-lichen-maybe-sent-twice"] == "1"
    assert house.entries[-2].figures.raw["maybe_sent_twice"] == 1


async def test_a_deadline_that_cannot_be_kept_ends_with_the_last_answer(opened: Open) -> None:
    house = await opened(whole(b'{"error": {}}', status=503))

    answer = await fetched(house, await left(house, "2s"))

    assert (answer.status, answer.json) == (503, {"error": {}})


async def test_a_stored_answer_needs_no_wait(opened: Open) -> None:
    house = await opened()
    await house.ask(ASKED)

    heard = await left(house)

    assert heard.status == 200
    assert heard.answer_headers["x-lichen-cache"] == "hit"


async def test_a_call_sent_later_is_kept_and_reused(opened: Open) -> None:
    house = await opened()
    await fetched(house, await left(house))

    again = await house.ask(ASKED)

    assert again.answer_headers["x-lichen-cache"] == "hit"


async def test_the_same_idempotency_key_is_the_same_call(build: Build, tmp_path: Path) -> None:
    house = build(ledger=str(tmp_path / "book.db"))

    one = await left(house, "6h", idempotency_key="mine")
    two = await left(house, "6h", idempotency_key="mine")
    other = await left(house, "6h", idempotency_key="mine", key="sk-two")
    await house.gateway.layers.close()

    assert one.json["id"] == two.json["id"] != other.json["id"]


async def test_an_idempotency_key_with_another_call_is_refused_and_the_first_stands(
    build: Build, tmp_path: Path
) -> None:
    house = build(ledger=str(tmp_path / "book.db"))

    one = await left(house, "6h", idempotency_key="mine")
    two = await left(house, "6h", {**ASKED, "model": "another"}, idempotency_key="mine")
    await house.gateway.layers.close()

    assert (two.status, two.json["error"]["code"]) == (422, "idempotency_key_reused")
    assert one.json["id"] in two.json["error"]["message"]


@pytest.mark.parametrize(
    ("limits", "status"), [({"tenant_limit": 3}, 429), ({"queue_limit": 3}, 503)]
)
async def test_no_more_may_wait_than_the_limit_however_quickly_they_come(
    build: Build, tmp_path: Path, limits: dict[str, int], status: int
) -> None:
    house = build(ledger=str(tmp_path / "book.db"), batch=limits)

    heard = [await left(house, "6h", idempotency_key=f"{n}") for n in range(5)]
    await house.gateway.layers.close()

    assert [one.status for one in heard] == [202, 202, 202, status, status]
    assert heard[-1].json["error"]["code"] == "queue_full"


async def test_a_tenant_that_has_its_share_leaves_room_for_others(
    build: Build, tmp_path: Path
) -> None:
    house = build(ledger=str(tmp_path / "book.db"), batch={"tenant_limit": 1})

    mine = [await left(house, "6h", idempotency_key=f"{n}") for n in range(2)]
    others = await left(house, "6h", key="sk-two")
    await house.gateway.layers.close()

    assert [one.status for one in (*mine, others)] == [202, 429, 202]


async def test_a_thousand_at_once_are_all_accepted(build: Build, tmp_path: Path) -> None:
    house = build(ledger=str(tmp_path / "book.db"))

    heard = await asyncio.gather(
        *(left(house, "6h", {**ASKED, "seed": n}, key=f"sk-{n % 7}") for n in range(1000))
    )
    queue = stored(tmp_path)
    counts = queue.outlook.counts(None)
    queue.close()
    await house.gateway.layers.close()

    assert {one.status for one in heard} == {202}
    assert len({one.json["id"] for one in heard}) == 1000
    assert counts.waiting == 1000


async def test_what_waits_can_be_cancelled(build: Build, tmp_path: Path) -> None:
    house = build(ledger=str(tmp_path / "book.db"))
    heard = await left(house, "6h")
    path = heard.answer_headers["location"].encode()

    gone = await house.ask(b"", method=b"DELETE", target=path)
    after = await house.ask(b"", method=b"GET", target=path)
    await house.gateway.layers.close()

    assert (gone.status, gone.json["status"]) == (200, "cancelled")
    assert (after.status, after.json["error"]["code"]) == (410, "cancelled")


async def test_no_credential_is_ever_written(opened: Open, tmp_path: Path) -> None:
    house = await opened()

    waits = await left(house, "6h", key="sk-very-secret")
    await fetched(house, waits, wait=0, key="sk-very-secret")
    written = on_disk(tmp_path)

    assert b"very-secret" not in written
    assert b"the prompt" in written


async def test_after_a_restart_a_call_waits_until_its_key_is_shown_again(
    build: Build, opened: Open, tmp_path: Path
) -> None:
    before = build(ledger=str(tmp_path / "book.db"))
    heard = await left(before, "1h")
    await before.gateway.layers.close()

    upstream = ScriptedUpstream(whole(chat_answer()))
    after = await opened(upstream=upstream)
    await asyncio.sleep(0.3)
    await after.ask(b"", method=b"GET", target=ROOT, key="sk-two")
    await asyncio.sleep(0.3)
    unsent = upstream.count
    answer = await fetched(after, heard)
    shown = dict(upstream.calls[0].headers)[b"authorization"]

    assert unsent == 0
    assert answer.status == 200
    assert shown == b"Bearer sk-one"


async def test_a_call_without_its_key_expires_and_says_why(
    build: Build, opened: Open, tmp_path: Path
) -> None:
    before = build(ledger=str(tmp_path / "book.db"))
    heard = await left(before, "2s")
    await before.gateway.layers.close()

    after = await opened(batch={"lease": 1})
    await asyncio.sleep(2.5)
    answer = await fetched(after, heard)

    assert (answer.status, answer.json["error"]["code"]) == (504, "deadline_passed")
    assert "key was not shown again" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("soon", "is no time"),
        ("-6h", "is no time"),
        ("0s", "is not to come"),
        ("1e3h", "is no time"),
        ("6", "'6' has no unit: write it as 90s, 30m, 6h, 1d"),
        ("30d", "farther off"),
        ("2020-01-01T00:00:00Z", "is not to come"),
        ("2999-01-01T00:00:00", "no time zone"),
        ("", "is no time"),
    ],
)
async def test_a_deadline_that_makes_no_sense_is_refused(
    build: Build, tmp_path: Path, said: str, words: str
) -> None:
    house = build(ledger=str(tmp_path / "book.db"))

    heard = await left(house, said)
    await house.gateway.layers.close()

    assert (heard.status, heard.json["error"]["code"]) == (400, "bad_deadline")
    assert words in heard.json["error"]["message"]


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"body": {**ASKED, "stream": True}}, "cannot_wait"),
        ({"target": b"/v1/models", "method": b"GET", "body": b""}, "cannot_wait"),
        ({"target": b"/v1/images/generations"}, "cannot_wait"),
        ({"target": b"/v1/chat/completions?api_key=x"}, "query_would_be_stored"),
        ({"target": b"/v1/chat/completions?api-version=1&pass"}, "query_would_be_stored"),
        ({"helicone_auth": "Bearer x"}, "header_would_be_stored"),
        ({"cookie": "session=1"}, "header_would_be_stored"),
        ({"idempotency_key": "k" * 256}, "bad_idempotency_key"),
    ],
)
async def test_what_cannot_wait_is_refused(
    build: Build, tmp_path: Path, how: dict[str, Any], code: str
) -> None:
    house = build(ledger=str(tmp_path / "book.db"))

    heard = await left(house, "6h", how.pop("body", ASKED), **how)
    await house.gateway.layers.close()

    assert (heard.status, heard.json["error"]["code"]) == (400, code)


async def test_a_long_body_cannot_wait(build: Build, tmp_path: Path) -> None:
    house = build(ledger=str(tmp_path / "book.db"), batch={"item_limit": 50})

    heard = await left(house, "6h")
    await house.gateway.layers.close()

    assert (heard.status, heard.json["error"]["code"]) == (413, "too_long_to_wait")


async def test_a_ledger_in_memory_keeps_nothing_that_waits(build: Build) -> None:
    house = build()

    heard = await left(house)
    await house.gateway.layers.close()

    assert heard.status == 400
    assert "LICHEN_LEDGER" in heard.json["error"]["message"]


async def test_waiting_can_be_switched_off(build: Build, tmp_path: Path) -> None:
    house = build(ledger=str(tmp_path / "book.db"), batch={"defer": "off", "enabled": "on"})

    heard = await left(house)
    await house.gateway.layers.close()

    assert (heard.status, heard.json["error"]["code"]) == (400, "cannot_wait")


async def test_the_queue_is_shown(opened: Open) -> None:
    go = asyncio.Event()
    upstream = ScriptedUpstream(whole(chat_answer(), after=go))
    house = await opened(upstream=upstream, batch={"lease": 1})

    await left(house, "1h")
    for _ in range(100):
        gauges = house.gateway.layers.gauges()
        if gauges["lichen_deferred_sending_calls"]:
            break
        await asyncio.sleep(0.05)
    [panel] = house.gateway.layers.panels()
    go.set()

    assert gauges["lichen_deferred_sending_calls"] == 1
    assert panel.title == "Calls that wait"
    assert "being sent: 1; ended and still kept, answered, failed or cancelled: 0" in panel.note


async def test_what_waits_can_be_forgotten(build: Build, tmp_path: Path) -> None:
    house = build(ledger=str(tmp_path / "book.db"))
    heard = await left(house, "6h")
    [forget] = [s.forget for s in house.gateway.layers.steps if isinstance(s, BatchStep)]

    kept = await forget(Forget(contains="another prompt"))
    erased = await forget(Forget(contains="the prompt"))
    after = await fetched(house, heard, wait=0)
    await house.gateway.layers.close()

    assert (kept, erased) == (0, 1)
    assert after.status == 404


async def test_forgetting_much_that_waits_takes_little_memory_and_holds_nobody_up(
    build: Build, tmp_path: Path
) -> None:
    house = build(ledger=str(tmp_path / "book.db"))
    [step] = [s for s in house.gateway.layers.steps if isinstance(s, BatchStep)]
    asked = b"a long prompt " * 7000
    many = 400
    await step.desk.work(
        lambda queue: queue.add([sample_item(queue, f"{n}", body=asked) for n in range(many)])
    )
    waited = [0.0]

    async def ping() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            waited.append(time.monotonic() - before)

    pinging = asyncio.create_task(ping())
    await asyncio.sleep(0.05)
    tracemalloc.start()
    erased = await step.forget(Forget(contains="long prompt"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    pinging.cancel()
    await house.gateway.layers.close()

    assert erased == many
    assert peak < many * len(asked) / 3
    # The loop has turned all the while: it did not stand still for as long as forgetting took.
    assert len(waited) > 20


@pytest.mark.parametrize(
    ("target", "body"),
    [
        (b"/v1/messages", {"model": "claude-x", "max_tokens": 9, "messages": []}),
        (b"/v1beta/models/gemini-x:generateContent", {"contents": []}),
        (b"/v1/responses", {"model": "m", "input": "hello"}),
        (b"/v1/embeddings", {"model": "m", "input": "hello"}),
    ],
)
async def test_calls_of_every_provider_can_wait(
    opened: Open, target: bytes, body: dict[str, Any]
) -> None:
    upstream = ScriptedUpstream(whole(b'{"any": "answer"}'))
    house = await opened(upstream=upstream)

    refused = await left(house, "never", body=body, target=target)
    heard = await left(house, body=body, target=target)
    answer = await fetched(house, heard)

    assert (answer.status, answer.answer) == (200, b'{"any": "answer"}')
    assert upstream.calls[0].target.encode() == target
    assert refused.status == 400
    assert b"is no time" in refused.answer
