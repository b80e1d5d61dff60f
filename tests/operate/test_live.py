"""Live changes: what is sent, when, and when nothing is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lichen.operate.watch.live import KEEP_ALIVE, Viewer, stream
from lichen.operate.watch.sight import Sight
from lichen.operate.watch.span import BY_NAME, SPANS

if TYPE_CHECKING:
    from lichen.ledger.book import Book
    from lichen.operate.watch import Watch
    from tests.operate.conftest import Calls, Clock, FailingStore

HOUR = SPANS[0]


@pytest.fixture
def sight(book: Book, clock: Clock) -> Sight:
    return Sight(book, clock)


def test_one_who_holds_the_newest_page_gets_nothing(calls: Calls, sight: Sight) -> None:
    calls.asked()
    viewer = Viewer(sight, HOUR, sight.version())

    assert viewer.changes() == {}
    assert viewer.changes() == {}


def test_one_who_holds_an_older_page_gets_it_all(calls: Calls, sight: Sight) -> None:
    seen = sight.version()
    calls.asked()
    viewer = Viewer(sight, HOUR, seen)

    assert {"head", "new", "chart", "twin", "strategies", "models"} <= viewer.changes().keys()


def test_a_new_call_changes_the_headline(calls: Calls, sight: Sight, clock: Clock) -> None:
    calls.asked()
    viewer = Viewer(sight, HOUR)
    viewer.changes()
    calls.asked()
    clock.advance(seconds=1)

    assert "2 calls" in viewer.changes()["head"]


def test_the_first_change_after_a_page_was_loaded_comes_whole(
    calls: Calls, sight: Sight, clock: Clock
) -> None:
    calls.asked()
    viewer = Viewer(sight, HOUR, sight.version())
    viewer.changes()
    calls.asked()
    clock.advance(seconds=1)

    assert {"head", "new", "chart", "twin"} <= viewer.changes().keys()


def test_what_is_large_travels_less_often(calls: Calls, sight: Sight, clock: Clock) -> None:
    calls.asked()
    viewer = Viewer(sight, HOUR)
    viewer.changes()
    calls.asked()

    clock.advance(seconds=1)
    first = viewer.changes()
    clock.advance(seconds=5)
    later = viewer.changes()

    assert "chart" not in first
    assert "chart" in later
    assert "head" not in later


def test_a_region_that_reads_the_same_is_not_sent(calls: Calls, sight: Sight, clock: Clock) -> None:
    calls.asked(wh=500)
    calls.overhead(wh=500)
    viewer = Viewer(sight, HOUR)
    viewer.changes()
    calls.overhead(wh=1e-6)
    clock.advance(seconds=30)

    assert viewer.changes() == {}


def test_before_the_first_call_nothing_is_sent(calls: Calls, sight: Sight, clock: Clock) -> None:
    viewer = Viewer(sight, HOUR)
    calls.overhead()
    clock.advance(seconds=5)

    assert viewer.changes() == {}


def test_the_first_call_is_sent_to_one_who_holds_the_empty_page(
    calls: Calls, sight: Sight, clock: Clock
) -> None:
    viewer = Viewer(sight, HOUR)
    viewer.changes()
    calls.asked()
    clock.advance(seconds=1)

    assert "head" in viewer.changes()


def test_time_moves_the_chart_where_nothing_else_happens(
    calls: Calls, sight: Sight, clock: Clock
) -> None:
    calls.asked()
    viewer = Viewer(sight, HOUR)
    viewer.changes()
    clock.advance(minutes=1)

    assert "chart" in viewer.changes()


def test_a_ledger_that_is_lost_for_a_moment_ends_nothing(
    calls: Calls, sight: Sight, store: FailingStore
) -> None:
    calls.asked()
    viewer = Viewer(sight, HOUR)
    store.why = "database is locked"
    during = viewer.changes()
    store.why = ""

    assert during == {}
    assert "head" in viewer.changes()


class Pauses:
    """Pauses that take no time and move the clock instead; `then` happens in the pauses' order."""

    def __init__(self, clock: Clock, *then: Any) -> None:
        self.clock = clock
        self.then = list(then)
        self.count = 0

    async def __call__(self, seconds: float) -> None:
        self.count += 1
        self.clock.advance(seconds=seconds)
        if self.then:
            self.then.pop(0)()


async def test_a_change_is_one_line_of_json(calls: Calls, sight: Sight, clock: Clock) -> None:
    calls.asked()
    seen = sight.version()
    events = stream(lambda: Viewer(sight, HOUR, seen), Pauses(clock, calls.asked))

    opening, change = await anext(events), await anext(events)
    await events.aclose()

    assert opening == b"retry: 3000\n\n"
    assert change.startswith(b"data: {")
    assert change.endswith(b"}\n\n")
    assert b"\n" not in change[:-2]
    assert "2 calls" in json.loads(change.removeprefix(b"data: "))["head"]


async def test_a_quiet_connection_is_kept_by_a_comment(
    calls: Calls, sight: Sight, clock: Clock
) -> None:
    calls.asked()
    clock.advance(seconds=-clock.now.second)
    seen = sight.version()
    pauses = Pauses(clock)
    events = stream(lambda: Viewer(sight, HOUR, seen), pauses)

    await anext(events)
    comment = await anext(events)
    await events.aclose()

    assert comment == b": still here\n\n"
    assert pauses.count * HOUR.every == KEEP_ALIVE


async def test_a_longer_span_is_looked_at_less_often(
    calls: Calls, sight: Sight, clock: Clock
) -> None:
    calls.asked()
    began = clock.now
    events = stream(lambda: Viewer(sight, BY_NAME["day"]), Pauses(clock, calls.asked))

    for _ in range(3):
        await anext(events)
    await events.aclose()

    assert (clock.now - began).total_seconds() == BY_NAME["day"].every


async def test_the_longest_span_keeps_its_connection_too(
    calls: Calls, sight: Sight, clock: Clock
) -> None:
    calls.asked()
    clock.advance(seconds=-clock.now.second)
    began, seen = clock.now, sight.version()
    events = stream(lambda: Viewer(sight, BY_NAME["year"], seen), Pauses(clock))

    await anext(events)
    await anext(events)
    await events.aclose()

    assert (clock.now - began).total_seconds() == KEEP_ALIVE


async def test_events_end_when_they_are_closed(calls: Calls, watch: Watch) -> None:
    calls.asked()
    events: Any = watch.events("span=hour")

    await anext(events)
    await events.aclose()

    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_events_know_the_page_they_are_for(calls: Calls, watch: Watch) -> None:
    calls.asked(ago=120)
    day: Any = watch.events("span=day")
    hour: Any = watch.events()

    await anext(day)
    change = await anext(day)
    await day.aclose()
    await hour.aclose()

    assert "1 call" in json.loads(change.removeprefix(b"data: "))["head"]
