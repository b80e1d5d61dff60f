"""Results of batches that clients made at the provider: passed on as they are, booked once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest

from lichen.calls.batch.fetched.booking import LINE
from lichen.calls.batch.fetched.step import FetchedStep
from lichen.calls.batch.late import WHICH
from lichen.calls.batch.offers import Holder
from lichen.calls.batch.queue import Queue
from lichen.calls.batch.results import IN_BATCH, TIME_UNKNOWN
from lichen.calls.batch.sqlite import SqliteDatabase
from lichen.calls.batch.step import BatchStep
from lichen.ledger.memory import MemoryStore
from lichen.testing.batch_results import (
    anthropic_failed,
    anthropic_line,
    gemini_batch,
    gemini_inline,
    lines,
    openai_line,
)
from lichen.testing.queue_samples import sample_item
from lichen.testing.upstreams import chat_answer
from tests.calls.batch.fetching import BOTH, FILE, RESULTS, as_is, booked, fetched, parts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.calls.conftest import Build


async def test_each_answered_line_is_an_entry_and_the_bytes_pass_as_they_came(
    build: Build,
) -> None:
    house = build(as_is(*parts()))

    heard = await fetched(house)
    lines_booked = await booked(house)

    assert heard.answer == RESULTS
    assert heard.chunks == parts()
    assert lines_booked == BOTH
    entry = house.last
    figures = entry.figures
    assert (figures.name, figures.model, figures.strategy) == (
        "chat.completions",
        "gpt-4o",
        "none",
    )
    assert (figures.work.amount, figures.raw[IN_BATCH]) == (1, "file-1")
    assert TIME_UNKNOWN in figures.gaps
    assert figures.footprint.energy.value.amount > 0
    assert figures.raw["price_share"] == 0.5
    assert 0 < float(figures.raw["cost_usd"]) < float(figures.raw["cost_alone_usd"])


async def test_an_entry_is_its_callers(build: Build) -> None:
    house = build(as_is(RESULTS))

    await fetched(house)
    await house.ask({"model": "gpt-4o", "messages": []})
    await booked(house)

    assert len({entry.tenant for entry in house.entries}) == 1
    assert len(house.entries) == 3


async def test_a_model_without_a_known_price_has_no_share(build: Build) -> None:
    house = build(as_is(lines(openai_line("a", chat_answer(model="nobodys")))))

    await fetched(house)
    await booked(house)

    assert "price_share" not in house.last.figures.raw


@pytest.mark.parametrize("ledger", ["memory:", "book.db"])
async def test_results_fetched_twice_are_booked_once(
    build: Build, tmp_path: Path, ledger: str
) -> None:
    where = ledger if ledger == "memory:" else str(tmp_path / ledger)
    house = build(as_is(*parts()), as_is(RESULTS), ledger=where)

    heard = [await fetched(house) for _ in range(3)]
    at_once = await asyncio.gather(*(fetched(house, target=FILE + b"?x=1") for _ in range(3)))

    assert {one.answer for one in [*heard, *at_once]} == {RESULTS}
    assert await booked(house) == BOTH


async def test_results_fetched_by_two_processes_and_after_a_restart_are_booked_once(
    build: Build, tmp_path: Path
) -> None:
    where, store = str(tmp_path / "book.db"), MemoryStore()
    first, second = (build(as_is(*parts()), ledger=where, store=store) for _ in range(2))

    await asyncio.gather(fetched(first), fetched(second))
    await first.gateway.layers.close()
    await second.gateway.layers.close()
    third = build(as_is(*parts()), ledger=where, store=store)
    await fetched(third)

    assert sorted(await booked(third), key=lambda one: one[0]) == BOTH


async def test_who_takes_over_from_the_dead_books_what_they_had_not(
    build: Build, tmp_path: Path
) -> None:
    where, store = str(tmp_path / "book.db"), MemoryStore()
    first = build(as_is(*parts()), ledger=where, store=store)
    await fetched(first)
    await first.gateway.layers.close()
    kept = [entry for entry in store.entries() if entry.figures.raw[LINE] == 1]
    half = MemoryStore()
    half.append(kept)
    queue = Queue(SqliteDatabase(where))
    with queue.claims._db.transaction() as cursor:  # as a kill between the two would leave it
        cursor.execute("UPDATE deferred_fetched SET ended_us = 0, lease_us = 1")
    queue.close()

    second = build(as_is(*parts()), ledger=where, store=half)
    await fetched(second)

    assert await booked(second) == BOTH


async def test_who_waits_for_another_process_books_when_that_has_died(
    build: Build, tmp_path: Path
) -> None:
    where = str(tmp_path / "book.db")
    first = build(as_is(*parts()), ledger=where)
    await fetched(first)
    await first.gateway.layers.close()
    queue = Queue(SqliteDatabase(where))
    runs_out_us = queue.now_us() + 500_000
    with queue.claims._db.transaction() as cursor:
        cursor.execute("UPDATE deferred_fetched SET ended_us = 0, lease_us = ?", (runs_out_us,))
    second = build(as_is(*parts()), ledger=where)
    [step] = [one for one in second.gateway.layers.steps if isinstance(one, BatchStep)]
    assert step._watch is not None

    await fetched(second)
    await asyncio.gather(*step._watch._once._tasks.values())

    assert queue.now_us() > runs_out_us
    assert await booked(second) == BOTH
    queue.close()


async def test_a_service_that_stops_waits_for_no_other(build: Build, tmp_path: Path) -> None:
    where = str(tmp_path / "book.db")
    house = build(as_is(*parts()), ledger=where)
    queue = Queue(SqliteDatabase(where))
    await fetched(house)
    await house.gateway.layers.close()
    with queue.claims._db.transaction() as cursor:
        cursor.execute("UPDATE deferred_fetched SET ended_us = 0, lease_us = begun_us * 2")
    queue.close()
    second = build(as_is(*parts()), ledger=where)
    await fetched(second)
    await asyncio.sleep(0.1)

    async with asyncio.timeout(5):
        assert await booked(second) == []


async def test_results_of_anthropics_are_booked(build: Build) -> None:
    content = lines(anthropic_line("a", model="claude-opus-5"), anthropic_failed("b", "expired"))
    house = build(as_is(*parts(content)))

    await fetched(house, b"/v1/messages/batches/msgbatch_1/results")

    assert [place for place, _ in await booked(house)] == [1]
    figures = house.last.figures
    assert (figures.name, figures.raw[IN_BATCH]) == ("messages", "msgbatch_1")
    assert figures.raw["price_share"] == 0.5


async def test_a_batch_of_geminis_is_booked_at_the_first_look_at_its_end(build: Build) -> None:
    done = gemini_batch([gemini_inline(), gemini_inline()])
    house = build(as_is(gemini_batch(done=False)), as_is(*parts(done, 100)), as_is(done))

    heard = [await fetched(house, b"/v1beta/batches/b1") for _ in range(3)]

    assert [orjson.loads(one.answer).get("done") for one in heard] == [None, True, True]
    assert [place for place, _ in await booked(house)] == [1, 2]
    assert house.last.figures.raw["price_share"] == 0.5


async def test_a_batch_with_results_of_which_only_some_fields_come_waits_for_all(
    build: Build,
) -> None:
    house = build(as_is(gemini_batch([{"response": {"candidates": []}}])))

    await fetched(house, b"/v1beta/batches/b1?fields=response.candidates")

    assert await booked(house) == []


async def test_lichens_own_calls_in_a_batch_are_not_booked_by_who_fetches_them(
    build: Build, tmp_path: Path
) -> None:
    where, own = str(tmp_path / "book.db"), "dfr_" + "0a" * 16
    queue = Queue(SqliteDatabase(where))
    queue.add([sample_item(queue, "x", id=own, way="offer")])
    house = build(as_is(lines(openai_line(own, chat_answer()))), ledger=where)

    await fetched(house)

    assert await booked(house) == []
    assert queue.claims.claim("other", Holder("x", 1)).mine
    queue.close()


async def test_results_are_seen_where_nothing_else_of_batches_is_on(build: Build) -> None:
    off = {"enabled": "off", "defer": "off"}
    house = build(as_is(RESULTS), batch=off)
    blind = build(as_is(RESULTS), batch={**off, "fetched": "off"})

    await fetched(house)
    await fetched(blind)

    assert await booked(house) == BOTH
    assert await booked(blind) == []
    assert any(isinstance(one, FetchedStep) for one in house.gateway.layers.steps)
    kinds = (FetchedStep, BatchStep)
    assert not any(isinstance(one, kinds) for one in blind.gateway.layers.steps)


async def test_what_the_queue_fetches_itself_is_claimed_before_it_is_booked(
    build: Build, tmp_path: Path
) -> None:
    where = str(tmp_path / "book.db")
    house = build(as_is(RESULTS), ledger=where, batch={"provider": "always"})
    [step] = [one for one in house.gateway.layers.steps if isinstance(one, BatchStep)]
    queue = Queue(SqliteDatabase(where))
    assert step._offering is not None
    ask = step._offering._asker(sample_item(queue, "a"))

    status, body = await ask("GET", FILE.decode(), [], b"")
    await fetched(house)

    assert (status, body) == (200, RESULTS)
    assert await booked(house) == []
    assert not [entry for entry in house.entries if WHICH in entry.figures.raw]
    queue.close()
