"""Window, Work and Tokens: what cannot be is refused."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from lichen.ledger.errors import InputError, NaiveTime
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Window, Work, aware, from_microseconds, microseconds

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_naive_datetime_is_refused_with_the_way_out() -> None:
    naive = NOON.replace(tzinfo=None)

    with pytest.raises(NaiveTime, match=r"2026-03-01T12:00:00 has no time zone: write .*\+00:00"):
        aware(naive)
    with pytest.raises(NaiveTime):
        Window(naive, NOON, "DE")
    with pytest.raises(NaiveTime):
        Window(NOON, naive, "DE")


def test_a_window_cannot_end_before_it_starts() -> None:
    with pytest.raises(InputError, match="before it starts"):
        Window(NOON, NOON - timedelta(seconds=1), "DE")


def test_a_window_lasts_from_start_to_end_whatever_the_time_zones() -> None:
    cet = timezone(timedelta(hours=1))

    window = Window(NOON, datetime(2026, 3, 1, 14, tzinfo=cet), "DE")

    assert window.duration == timedelta(hours=1)


def test_a_moment_is_kept_to_the_microsecond() -> None:
    moment = NOON + timedelta(microseconds=123_457)

    assert from_microseconds(microseconds(moment)) == moment


def test_a_moment_before_1970_is_kept_too() -> None:
    moment = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)

    assert microseconds(moment) == -1
    assert from_microseconds(-1) == moment


@pytest.mark.parametrize("amount", [-1, math.nan, math.inf])
def test_work_is_a_number_from_zero_up(amount: float) -> None:
    with pytest.raises(InputError, match="work must be a number"):
        Work(amount, "request")


def test_work_needs_a_unit() -> None:
    with pytest.raises(InputError, match="functional unit"):
        Work(1, " ")


@pytest.mark.parametrize("count", [-1, 1.5, "3", None, True])
def test_a_token_count_is_a_whole_number_from_zero_up(count: object) -> None:
    with pytest.raises(InputError, match="decode must be a whole number of tokens"):
        Tokens(decode=count)  # type: ignore[arg-type]


def test_token_classes_do_not_overlap() -> None:
    tokens = Tokens(prefill=1, cache_read=2, cache_write=4, decode=8, reasoning=16)

    assert (tokens.input, tokens.output, tokens.total) == (7, 24, 31)


def test_tokens_add_class_by_class() -> None:
    assert Tokens(1, 2, 3, 4, 5) + Tokens(10, 20, 30, 40, 50) == Tokens(11, 22, 33, 44, 55)
