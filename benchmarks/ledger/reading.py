"""What reading a report costs, by how many entries there are."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.ledger.rollup import Period
from lichen.ledger.sqlite import SqliteStore
from lichen.ledger.summary import Summary
from lichen.testing.samples import MOMENT, sample_entry, sample_figures

if TYPE_CHECKING:
    from collections.abc import Callable

_SPAN = timedelta(days=30)
_KINDS = 40
_CHUNK = 20_000
_REPEATS = 25


@dataclass(frozen=True, slots=True)
class Reading:
    """How long reading takes. [CPU ms]"""

    entries: int
    report_ms: float
    hour_ms: float
    newest_ms: float
    file_mb: float

    def rows(self) -> list[tuple[str, str, float]]:
        """What is kept of it."""
        what = f"{self.entries} entries"
        return [
            (what, "report, ms", self.report_ms),
            (what, "an hour by minutes, ms", self.hour_ms),
            (what, "newest 50, ms", self.newest_ms),
            (what, "file, MB", self.file_mb),
        ]


def read_reports(count: int) -> Reading:
    """Fill a ledger with entries over thirty days, and time what a page asks of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.db"
        store = SqliteStore(path)
        said = [sample_figures(place) for place in range(_KINDS)]
        every = _SPAN / count
        for first in range(0, count, _CHUNK):
            places = range(first, min(first + _CHUNK, count))
            store.append(
                [sample_entry(MOMENT + every * place, said[place % _KINDS]) for place in places]
            )
        last = MOMENT + _SPAN
        took = (
            _milliseconds(lambda: _report(Summary(store.totals(Period.DAY), store.gaps()))),
            _milliseconds(
                lambda: _report(
                    Summary(store.totals(Period.MINUTE, since=last - timedelta(hours=1)))
                )
            ),
            _milliseconds(lambda: list(store.entries(newest=50))),
        )
        store.close()
        return Reading(count, *took, path.stat().st_size / 2**20)


def _report(summary: Summary) -> None:
    """What `lichen report` works out."""
    summary.by(lambda row: row.strategy)
    summary.by(lambda row: row.model)
    str(summary.net)
    str(summary.sci("request"))


def _milliseconds(work: Callable[[], object]) -> float:
    took = []
    for _ in range(_REPEATS):
        start = time.thread_time()
        work()
        took.append(time.thread_time() - start)
    return statistics.median(took) * 1e3
