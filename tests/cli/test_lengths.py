"""Lengths and deadlines as people write them, also on the days when clocks change."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from lichen.cli.lengths import deadline, length
from lichen.ledger.errors import InputError, NaiveTime

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("6h", 6), ("90min", 1.5), ("1h30min", 1.5), ("0.5h", 0.5), ("PT6H", 6), ("P1DT1H", 25)],
)
def test_a_length_is_read(text: str, hours: float) -> None:
    assert length(text) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "text", ["", "six hours", "6", "-6h", "P", "PT", "9" * 400 + "h", "6h foo"]
)
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no length of time"):
        length(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in 8h", datetime(2026, 11, 25, 20, tzinfo=UTC)),
        ("18:00 Europe/Berlin", datetime(2026, 11, 25, 17, tzinfo=UTC)),
        ("9:00 Europe/Berlin", datetime(2026, 11, 26, 8, tzinfo=UTC)),
        ("2026-11-26T06:00+01:00", datetime(2026, 11, 26, 5, tzinfo=UTC)),
        ("2026-11-26T06:00Z", datetime(2026, 11, 26, 6, tzinfo=UTC)),
    ],
)
def test_a_deadline_is_read(text: str, expected: datetime) -> None:
    assert deadline(text, NOW) == expected


def test_an_hour_alone_is_the_next_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()

    found = deadline("18:00", NOW)

    monkeypatch.undo()
    time.tzset()
    assert found == datetime(2026, 11, 25, 23, tzinfo=UTC)


def test_of_an_hour_that_comes_twice_the_first_is_meant() -> None:
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)

    assert deadline("02:30 Europe/Berlin", before) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_an_hour_that_is_left_out_lies_past_the_change() -> None:
    before = datetime(2027, 3, 27, 12, tzinfo=UTC)

    assert deadline("02:30 Europe/Berlin", before) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)


def test_a_date_without_its_zone_is_refused() -> None:
    with pytest.raises(NaiveTime):
        deadline("2026-11-26T06:00", NOW)


@pytest.mark.parametrize("text", ["soon", "25:00", "18:00 Europe/Atlantis", "in soon", ""])
def test_what_is_no_deadline_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"no deadline|no time zone|no length"):
        deadline(text, NOW)
