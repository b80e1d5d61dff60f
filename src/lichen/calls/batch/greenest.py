"""Greenest: when each waiting call runs.

    latest = deadline − max(min(margin, window / 2), 2 · flush)
    run    = argmin over [now, latest] of the mean intensity over [run, run + flush]

window  from a call's arrival to its deadline                              [s]
flush   how long it takes to send all that waits, by the rate so far       [s]
margin  what the user wants between the latest start and the deadline      [s]

At the latest safe start a call runs whatever the grid. A forecast that is missing, hangs or cannot
be believed means: run now. All calls that wait are placed by one forecast, in one computation
(`lichen.plan.contiguous`).
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.errors import LichenError, SignalUnavailable
from lichen.ledger.show import percent
from lichen.plan.trust import believed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.calls.batch.queue import Unplanned
    from lichen.ledger.ports import ForecastSource
    from lichen.ledger.signal import GridSignal

SECOND_US = 1_000_000
# A forecast is asked for again after so long: live sources issue one an hour or half an hour.
FRESH = timedelta(minutes=15)
# How long a source may take. [s]
LIMIT_S = 20.0
# How far ahead a source is asked to see, the farthest first.
_REACHES = (timedelta(days=7), timedelta(days=3), timedelta(days=1), timedelta(hours=6))
# The shortest flush that is planned for: an hour's step is no finer. [s]
_SHORTEST_S = 60.0


class Planned(NamedTuple):
    """When an item runs [µs since 1970], and why then."""

    id: str
    run_us: int
    why: str


@dataclass(frozen=True, slots=True)
class Room:
    """What planning keeps free before a deadline: the margin, and twice the time of a flush. [s]"""

    margin_s: float
    flush_s: float

    def latest_us(self, item: Unplanned) -> int:
        """The latest safe start of an item. [µs since 1970]"""
        window_s = (item.deadline_us - item.arrived_us) / SECOND_US
        kept_s = max(min(self.margin_s, window_s / 2), min(2 * self.flush_s, window_s))
        return item.deadline_us - int(kept_s * SECOND_US)


class Greenest:
    """Plans by the forecasts of one zone; they are asked for in a thread, and kept a while."""

    def __init__(self, forecast: Callable[[], ForecastSource] | None, zone: str) -> None:
        self._forecast = forecast
        self._zone = zone
        self._signal: GridSignal | None = None
        self._why_not = "no source is configured"
        self._asked: datetime | None = None
        self._reach_us = 0

    async def plan(self, items: Sequence[Unplanned], now_us: int, room: Room) -> list[Planned]:
        """When each item runs."""
        now = datetime.fromtimestamp(now_us / SECOND_US, UTC)
        latest = [room.latest_us(item) for item in items]
        if not any(moment > now_us for moment in latest):
            return [Planned(item.id, now_us, _SAFE) for item in items]
        farthest = max(item.deadline_us for item in items)
        signal = await self._seen(now, farthest)
        if signal is None:
            return [Planned(item.id, now_us, f"run now: {self._why_not}") for item in items]
        try:
            return _placed(items, latest, now_us, room, signal)
        except (LichenError, ImportError) as error:
            return [Planned(item.id, now_us, f"run now: {error}") for item in items]

    async def _seen(self, now: datetime, farthest_us: int) -> GridSignal | None:
        """The forecast that holds now; None where there is none, and `_why_not` says why."""
        farther = farthest_us > self._reach_us
        if self._asked is not None and now - self._asked < FRESH and not farther:
            return self._signal
        self._asked, self._reach_us = now, farthest_us
        try:
            self._signal = await _asked(lambda: self._ask(now, farthest_us))
        except Exception as error:  # noqa: BLE001 (a stranger's source: whatever it is, run now)
            told = isinstance(error, (LichenError, TimeoutError))
            self._why_not = str(error) if told else f"{type(error).__name__}: {error}"
            self._signal = None
        return self._signal

    def _ask(self, now: datetime, farthest_us: int) -> GridSignal:
        if self._forecast is None:
            raise SignalUnavailable(
                f"a forecast of {self._zone}", "no source is configured", "run now"
            )
        source = self._forecast()
        wanted = datetime.fromtimestamp(farthest_us / SECOND_US, UTC) - now
        wanted = max(wanted, _REACHES[-1])
        failure: SignalUnavailable | None = None
        for horizon in dict.fromkeys(min(wanted, reach) for reach in _REACHES):
            try:
                signal = source.forecast(self._zone, horizon, issued_at=now)
            except SignalUnavailable as error:
                failure = error
            else:
                believed(signal, self._zone, now)
                return signal
        assert failure is not None
        raise failure


class Zones:
    """Plans each call by the grid on which its upstream runs."""

    def __init__(
        self, forecast: Callable[[], ForecastSource] | None, zone_of: Callable[[str], str]
    ) -> None:
        self._forecast, self._zone_of = forecast, zone_of
        self._zones: dict[str, Greenest] = {}

    async def plan(self, items: Sequence[Unplanned], now_us: int, room: Room) -> list[Planned]:
        """When each item runs."""
        by_zone: dict[str, list[Unplanned]] = {}
        for item in items:
            by_zone.setdefault(self._zone_of(item.target), []).append(item)
        made: list[Planned] = []
        for zone, some in by_zone.items():
            planner = self._zones.setdefault(zone, Greenest(self._forecast, zone))
            made += await planner.plan(some, now_us, room)
        return made


_SAFE = "the latest safe start has come"
_LEVEL = "the forecast knows no greener hour: sent at once"


def _placed(
    items: Sequence[Unplanned],
    latest: Sequence[int],
    now_us: int,
    room: Room,
    signal: GridSignal,
) -> list[Planned]:
    """The best start of each, all at once."""
    from lichen.plan.contiguous import best_starts  # noqa: PLC0415 (numpy, when it is needed)

    start_us = int(signal.start.timestamp() * SECOND_US)
    length_s = (signal.end - signal.start).total_seconds()
    release_s = max((now_us - start_us) / SECOND_US, 0.0)
    flush_s = max(room.flush_s, _SHORTEST_S)
    made = {}
    able = []
    for item, moment in zip(items, latest, strict=True):
        ends_s = min((moment - start_us) / SECOND_US + flush_s, length_s)
        if moment <= now_us or ends_s < release_s + flush_s:
            made[item.id] = Planned(item.id, now_us, _SAFE)
        else:
            able.append((item, ends_s))
    # A yearly average knows no greener hour: nothing is promised then.
    level = min(signal.values) == max(signal.values)
    if able:
        found = best_starts(signal, release_s, flush_s, [ends_s for _, ends_s in able])
        for at, (item, _) in enumerate(able):
            run_us = max(start_us + int(found.start_s[at] * SECOND_US), now_us)
            why = (
                _LEVEL
                if level
                else _why(run_us, now_us, float(found.mean[at]), float(found.run_now[at]))
            )
            made[item.id] = Planned(item.id, run_us, why)
    return [made[item.id] for item in items]


def _why(run_us: int, now_us: int, mean: float, run_now: float) -> str:
    if run_us - now_us < SECOND_US:
        return "now is the greenest time before its deadline"
    hour = datetime.fromtimestamp(run_us / SECOND_US, UTC).strftime("%F %R")
    less = (run_now - mean) / run_now if run_now else 0.0
    return f"greenest at {hour} UTC, forecast {percent(less)} below running now"


async def _asked(ask: Callable[[], GridSignal]) -> GridSignal:
    """Ask in a thread that is left behind where it hangs: it holds up neither calls nor the end.

    Raises:
        TimeoutError: it did not answer in time.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[GridSignal] = loop.create_future()

    def settle(signal: GridSignal | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if signal is not None:
            answer.set_result(signal)
        else:
            answer.set_exception(error or RuntimeError("the source gave nothing"))

    def run() -> None:
        signal, failure = None, None
        try:
            signal = ask()
        except Exception as error:  # noqa: BLE001 (told to whoever waits)
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, signal, failure)

    threading.Thread(target=run, name="forecast for calls that wait", daemon=True).start()
    try:
        return await asyncio.wait_for(answer, LIMIT_S)
    except TimeoutError:
        raise TimeoutError("the forecast's source did not answer in time") from None
