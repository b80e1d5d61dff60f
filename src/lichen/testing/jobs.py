"""Jobs: a queue in a ledger of its own, forecasts by the second, and runners on this machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from lichen.ledger.estimate import Basis
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.testing.waiting import until
from lichen.train.green.local import Local
from lichen.train.green.order import Order, Pausing
from lichen.train.green.planning import Planner
from lichen.train.green.queue import Queue, Wish
from lichen.train.green.runner import Runner, submit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lichen.train.green.record import Record

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class BySecond:
    """A forecast of one value a second from when it is made; the last value goes on."""

    values: Sequence[float]
    start: datetime

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        """The values from their start on. [gCO₂e/kWh]"""
        many = int(horizon / SECOND) + 60
        values = tuple([*self.values, *[self.values[-1]] * many][:many])
        start = self.start.replace(microsecond=0)
        return GridSignal(
            zone=zone,
            kind=SignalKind.AVERAGE,
            basis=Basis.MODELLED,
            source="by the second",
            issued_at=min(issued_at or start, start),
            start=start,
            step=SECOND,
            values=values,
            lows=values,
            highs=values,
        )


class Yard:
    """Everything a job needs, made short."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.queue = Queue(folder / "book.db")
        self.local = Local()

    def order(self, *argv: str, lasts: float = 1.0, within: float = 30.0, **changes: Any) -> Order:
        """An order of a command that lasts some seconds, to be done within some. [s]"""
        now = datetime.now(UTC)
        given: dict[str, Any] = {
            "argv": argv,
            "cwd": str(self.folder),
            "release": now,
            "deadline": now + within * SECOND,
            "p50": lasts * SECOND,
            "zone": "DE",
        }
        return Order(**{**given, **changes})

    def python(self, code: str, **changes: Any) -> Order:
        """An order of a piece of Python."""
        return self.order(sys.executable, "-c", code, **changes)

    def planner(self, *values: float) -> Planner:
        """A planner over a forecast of these values, one a second; of none, if there are none."""
        source = BySecond(values, datetime.now(UTC)) if values else None
        return Planner(source=source, limit=5 * SECOND)

    def submit(self, order: Order, *values: float) -> Record:
        """Queue an order under such a forecast."""
        return submit(self.queue, self.planner(*values), self.local, order)[0]

    def runner(self, **changes: Any) -> Runner:
        """A runner on this machine."""
        return Runner(self.queue, self.planner(), lambda _: self.local, **changes)

    def run(self, order: Order, *values: float) -> Record:
        """Submit it and drive it to its end."""
        return self.runner().run([self.submit(order, *values).id])[0]

    def text(self, name: str) -> str:
        """What a file in the folder holds; nothing where it is not there."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def _ended(self, job: str) -> bool:
        return self.queue.get(job).state.ended

    def end_all(self) -> None:
        """Cancel every job that has not ended."""
        for record in self.queue.living():
            self.queue.wish(record.id, Wish.CANCEL)
            if self.queue.driven(record.id):
                until(partial(self._ended, record.id))
            else:
                self.runner().run([record.id])


def pausing(**changes: Any) -> Pausing:
    """How a job may be paused, with a short grace."""
    return Pausing(**{"grace": 3 * SECOND, **changes})
