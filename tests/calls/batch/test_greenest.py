"""When calls run that can wait: in the greenest window, and never too late."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.batch import greenest
from lichen.calls.batch.greenest import Greenest, Room
from lichen.calls.batch.queue import Unplanned
from lichen.ledger.errors import MissingExtra, SignalUnavailable
from lichen.ledger.estimate import Basis
from lichen.ledger.signal import GridSignal, SignalKind

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1e6)
HOUR_US = 3600 * 1_000_000
ROOM = Room(margin_s=600, flush_s=60)


class Hours:
    """A forecast of so many g/kWh in each hour from now."""

    def __init__(self, *values: float, zone: str = "DE", issued: datetime = NOW) -> None:
        self._values, self._zone, self._issued = values, zone, issued
        self.asked = 0

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        self.asked += 1
        if horizon > timedelta(hours=len(self._values)):
            raise SignalUnavailable(f"a forecast of {zone}", "not that far", "ask for less")
        return GridSignal(
            zone=self._zone,
            kind=SignalKind.AVERAGE,
            basis=Basis.MODELLED,
            source="hours",
            issued_at=self._issued,
            start=issued_at or NOW,
            step=timedelta(hours=1),
            values=self._values,
            lows=self._values,
            highs=self._values,
        )


def item(hours: float, name: str = "a") -> Unplanned:
    return Unplanned(name, NOW_US, NOW_US + int(hours * HOUR_US))


async def test_a_call_runs_in_the_greenest_hour_before_its_deadline() -> None:
    planner = Greenest(lambda: Hours(400, 300, 100, 200, 50, 400), "DE")

    [near, far] = await planner.plan([item(4, "near"), item(6, "far")], NOW_US, ROOM)

    assert (near.run_us - NOW_US) / HOUR_US == pytest.approx(2)
    assert (far.run_us - NOW_US) / HOUR_US == pytest.approx(4)
    assert near.why == "greenest at 2026-11-25 14:00 UTC, forecast 75 % below running now"


async def test_where_now_is_greenest_a_call_runs_now() -> None:
    planner = Greenest(lambda: Hours(100, 300, 300, 300, 300, 300), "DE")

    [planned] = await planner.plan([item(6)], NOW_US, ROOM)

    assert planned.run_us == NOW_US


async def test_the_latest_safe_start_is_never_passed() -> None:
    planner = Greenest(lambda: Hours(400, 300, 200, 100, 50, 10), "DE")

    planned = await planner.plan([item(1), item(0.1)], NOW_US, ROOM)

    assert planned[0].run_us <= NOW_US + HOUR_US - 600_000_000
    assert planned[1].run_us <= NOW_US + 0.05 * HOUR_US


async def test_a_long_queue_starts_earlier() -> None:
    planner = Greenest(lambda: Hours(400, 300, 200, 100, 50, 10), "DE")

    [planned] = await planner.plan([item(6)], NOW_US, Room(margin_s=600, flush_s=3600))

    assert planned.run_us <= NOW_US + 4 * HOUR_US


def missing() -> Hours:
    raise MissingExtra("a forecast", "numpy", "grid")


class Raises(Hours):
    def forecast(self, *_: object, **__: object) -> GridSignal:
        raise ValueError("rubbish")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "no source is configured"),
        (missing, "numpy"),
        (lambda: Hours(1.0), "not that far"),
        (lambda: Raises(1.0), "ValueError: rubbish"),
        (lambda: Hours(*[0.4] * 6), "another unit"),
        (lambda: Hours(*[9000.0] * 6), "another unit"),
        (lambda: Hours(1, 2, 3, 4, 5, 6, issued=NOW - timedelta(days=9)), "more than"),
    ],
)
async def test_a_forecast_that_is_missing_or_not_believed_means_now(
    source: object, words: str
) -> None:
    planner = Greenest(source, "DE")  # type: ignore[arg-type]

    [planned] = await planner.plan([item(6)], NOW_US, ROOM)

    assert planned.run_us == NOW_US
    assert words in planned.why


async def test_a_source_that_hangs_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hangs(Hours):
        def forecast(self, *_: object, **__: object) -> GridSignal:
            time.sleep(1)
            raise SignalUnavailable("a forecast", "too late", "wait")

    monkeypatch.setattr(greenest, "LIMIT_S", 0.05)
    planner = Greenest(lambda: Hangs(1.0), "DE")

    [planned] = await planner.plan([item(6)], NOW_US, ROOM)

    assert planned.run_us == NOW_US
    assert "did not answer in time" in planned.why


async def test_one_forecast_serves_for_a_while() -> None:
    source = Hours(400, 300, 200, 100, 50, 10)
    planner = Greenest(lambda: source, "DE")

    for minute in (0, 5, 10, 20):
        await planner.plan([item(6)], NOW_US + minute * 60_000_000, ROOM)

    assert source.asked == 2


@given(
    st.lists(st.floats(0.2, 6), min_size=1, max_size=20),
    st.lists(st.integers(10, 900), min_size=6, max_size=6),
    st.floats(0, 5000),
)
async def test_no_call_is_planned_before_now_or_after_its_latest_safe_start(
    spans: list[float], hours: list[int], flush_s: float
) -> None:
    items = [item(span, str(n)) for n, span in enumerate(spans)]
    room = Room(margin_s=600, flush_s=flush_s)

    planned = await Greenest(lambda: Hours(*map(float, hours)), "DE").plan(items, NOW_US, room)

    assert [one.id for one in planned] == [one.id for one in items]
    for one, of in zip(planned, items, strict=True):
        assert NOW_US <= one.run_us <= max(room.latest_us(of), NOW_US)
