"""Sight: a glance sees what a full reading sees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.ids import new_id
from lichen.ledger.writer import BulkWriter
from lichen.operate.watch.sight import Sight
from lichen.operate.watch.span import SPANS, Span

if TYPE_CHECKING:
    from lichen.ledger.book import Book
    from lichen.operate.watch.sight import View
    from tests.operate.conftest import Calls, Clock


def said(view: View) -> tuple[object, ...]:
    used, saved = view.summary.used, view.summary.work.saved
    return (
        round(view.calls),
        round(view.hits),
        pytest.approx(used.energy.value.in_wh),
        pytest.approx(saved.carbon.high.in_grams),
        [pytest.approx(bar.used.value.in_grams) for bar in view.bars],
        [bar.calls for bar in view.bars],
    )


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
def test_a_glance_sees_what_a_full_reading_sees(
    calls: Calls, book: Book, clock: Clock, span: Span
) -> None:
    glancing = Sight(book, clock)
    for minute in range(0, 200, 7):
        clock.advance(minutes=7)
        origin = calls.asked(ago=minute % 3, wh=0.1 + minute / 50)
        calls.stored(origin)
        calls.overhead()
        glancing.glance(span)

    assert said(glancing.glance(span)) == said(Sight(book, clock).view(span))


def test_a_call_booked_long_after_it_began_is_seen_within_a_minute(
    calls: Calls, book: Book, clock: Clock
) -> None:
    sight = Sight(book, clock)
    calls.asked()
    sight.glance(SPANS[0])
    calls.asked(ago=20)
    clock.advance(seconds=61)

    assert sight.glance(SPANS[0]).calls == 2


def test_a_full_reading_sees_it_at_once(calls: Calls, book: Book, clock: Clock) -> None:
    sight = Sight(book, clock)
    calls.asked()
    sight.glance(SPANS[0])
    calls.asked(ago=20)

    assert sight.view(SPANS[0]).calls == 2


def test_what_is_older_than_the_span_is_left_out(calls: Calls, book: Book, clock: Clock) -> None:
    calls.asked(ago=61)
    calls.asked(ago=59)

    assert Sight(book, clock).view(SPANS[0]).calls == 1


def test_an_entry_of_a_clock_that_was_wrong_is_counted_in_the_last_bar(
    calls: Calls, book: Book, clock: Clock
) -> None:
    calls.asked(ago=-30)

    assert Sight(book, clock).view(SPANS[0]).bars[-1].calls == 1


def test_the_version_changes_with_a_gap(calls: Calls, book: Book, clock: Clock) -> None:
    calls.asked()
    sight = Sight(book, clock)
    before = sight.version()
    book.store.note_gap("entries lost", 1, clock())

    assert sight.version() != before


def test_what_lichen_itself_used_is_no_news(calls: Calls, book: Book, clock: Clock) -> None:
    sight = Sight(book, clock)
    calls.asked()
    before = sight.version()

    calls.overhead()

    assert sight.version() == before
    calls.asked()
    assert sight.version() != before


def test_while_nothing_is_written_here_others_are_looked_for_now_and_then(
    calls: Calls, book: Book, clock: Clock
) -> None:
    book.writer = BulkWriter(book.store)
    sight = Sight(book, clock)
    before = sight.version()

    calls.asked()  # by another process: straight into the store

    assert sight.version() == before
    clock.advance(seconds=11)
    after = sight.version()
    assert after != before
    book.add(replace(calls.asked(), id=new_id()))
    book.flush()
    assert sight.version() != after
    book.writer.close()
