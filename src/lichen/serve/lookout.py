"""Lookout: what the dashboard's page of the grid shows, seen in a thread and kept.

A page gets what was seen last and never waits for a source. While somebody looks, it is seen anew
every few minutes; while nobody does, no source is asked.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from lichen.assemble import open_forecasts, open_history, open_queue
from lichen.grid.regions import grid_zone
from lichen.grid.zones import default_zone
from lichen.ledger.errors import InputError, LichenError, SignalUnavailable
from lichen.ledger.estimate import Basis
from lichen.ledger.show import quantity
from lichen.ledger.window import Window
from lichen.operate.watch.grid import AFTER, BEFORE, HOUR, Asked, Job, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.grid.chain import Chain
    from lichen.ledger.estimate import Estimate
    from lichen.ledger.ports import Store
    from lichen.ledger.quantities import Power
    from lichen.ledger.signal import GridSignal
    from lichen.settings import Settings
    from lichen.train.green.queue import Queue
    from lichen.train.green.record import Record

# After that a page has it seen anew; forecasts are issued once an hour, jobs move sooner.
FRESH = timedelta(minutes=1)
# How long the first page waits: a source on this machine has answered by then. [s]
FIRST_S = 0.5
# Jobs shown, the newest first.
_JOBS = 20
# A live source has the last hours late: so much less of the past is asked for, in turn.
_LATE = (timedelta(0), HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR)
_OUTCOMES: Mapping[str, str] = MappingProxyType({"answered": "answered", "skipped": "left out"})


class GridLookout:
    """Keeps `lichen.operate.watch.grid.Lookout` for one zone and the jobs of one ledger."""

    def __init__(
        self, settings: Settings, store: Store, *, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._settings, self._store = settings, store
        self._now = clock or (lambda: datetime.now(UTC))
        self._zone, _ = default_zone(settings.zone or None)
        self._lock = threading.Lock()
        self._seen: Seen | None = None
        self._looking: threading.Thread | None = None
        self._chains: tuple[Chain, Chain] | None = None

    def seen(self) -> Seen | None:
        """What was seen last, at once; None where nothing has been seen yet."""
        with self._lock:
            seen, looking = self._seen, self._looking
            stale = seen is None or self._now() - seen.at > FRESH
            if stale and (looking is None or not looking.is_alive()):
                looking = threading.Thread(target=self._look, name="lookout", daemon=True)
                self._looking = looking
                looking.start()
        if seen is None and looking is not None:
            looking.join(FIRST_S)
        return self._seen

    def _look(self) -> None:
        now = self._now()
        try:
            seen = self._look_at(now)
        except LichenError as error:
            seen = Seen(self._zone, now, why=str(error))
        self._seen = seen

    def _look_at(self, now: datetime) -> Seen:
        # The chains are kept: they remember which source is down.
        if self._chains is None:
            self._chains = open_history(self._settings), open_forecasts(self._settings)
        history, forecasts = self._chains
        past, why = self._past(history, now)
        ahead: GridSignal | None = None
        try:
            ahead = forecasts.forecast(self._zone, HOUR * AFTER, issued_at=now)
        except LichenError as error:
            why = str(error)
        asked = [
            Asked(one.source, _OUTCOMES.get(one.outcome, one.outcome), one.why)
            for one in (*forecasts.tried, *history.tried)
        ]
        return Seen(
            self._zone,
            now,
            past=past,
            ahead=ahead,
            why=why,
            asked=tuple(dict.fromkeys(asked)),
            jobs=self._jobs(),
        )

    def _past(self, history: Chain, now: datetime) -> tuple[GridSignal | None, str]:
        """The last day as recorded, as far as it is known by now."""
        start, why = now.replace(minute=0, second=0, microsecond=0) - HOUR * BEFORE, ""
        for late in _LATE:
            try:
                return history.intensity(self._zone, Window(start, now - late, self._zone)), ""
            except SignalUnavailable as error:
                why = f"The last day is not recorded: {error}"
            except LichenError as error:
                return None, f"The last day is not recorded: {error}"
        with suppress(LichenError):
            part = history.part(self._zone, Window(start, now, self._zone))
            return part, why.replace("is not recorded", "is recorded in part", 1)
        return None, why

    def _jobs(self) -> tuple[Job, ...]:
        """The newest jobs; a ledger in which none was ever queued is left as it is."""
        where = self._settings.ledger
        if ":" in where or not Path(f"{where}.jobs").exists():
            return ()
        with suppress(InputError), open_queue(self._settings) as queue:
            return tuple(self._job(queue, record) for record in queue.newest(_JOBS))
        return ()

    def _job(self, queue: Queue, record: Record) -> Job:
        from lichen.train.green.settle import entry_id  # noqa: PLC0415 (where there are jobs)

        planning = queue.latest(record.id)
        plan = planning.plan if planning else None
        entry = self._store.entry(entry_id(record)) if record.stretches else None
        saving = entry.saving if entry else None
        return Job(
            name=record.id,
            command=_named(record.order.argv),
            state=record.state.value,
            windows=_windows(record, self._now()),
            expected=plan.avoided if plan else None,
            settled=saving.footprint.carbon if saving else None,
            note=_note(record, is_settled=entry is not None),
            power=_power(record.order.power),
            elsewhere="" if grid_zone(record.zone) == grid_zone(self._zone) else record.zone,
        )


def _named(argv: tuple[str, ...]) -> str:
    """A command by its first words; the rest may hold what is nobody's business."""
    words = [Path(word).name for word in argv[:2] if not word.startswith("-")]
    return " ".join(words)[:40]


def _power(power: Estimate[Power]) -> str:
    assumed = ", assumed" if power.basis is Basis.ASSUMED else ""
    return f"{quantity(power.value)}{assumed}"


def _windows(record: Record, now: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """What really ran, and of a job that has not ended what is planned."""
    ran = [(one.start, one.end or now) for one in record.stretches]
    if record.state.ended:
        return tuple(ran)
    if record.committed:
        # It keeps to no plan any more: it runs on.
        left = record.order.p50 - record.done(now)
        return (*ran, (now, now + left)) if left > timedelta(0) else tuple(ran)
    return (*ran, *((max(s, now), e) for s, e, _ in record.segments if e > now))


def _note(record: Record, *, is_settled: bool) -> str:
    if is_settled:
        return "none claimed"
    return "not settled" if record.state.ended and record.stretches else "–"
