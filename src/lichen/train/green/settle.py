"""Settle: what a job's waiting was worth, once it is known what the grid really emitted.

    avoided = baseline − used                     of `lichen.train.green.account`

What the grid emitted is asked of recordings and live sources alone: a yearly average
has no hours, and would settle every job at nothing. Until it is known, and final, the job is not
settled, and says why; never zero. Where a grid's source publishes no actual values at all, the gap
`actuals-estimated` says so. A job is settled once: its entry's id follows from the job.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.entry import Entry
from lichen.ledger.errors import EntryConflict, LichenError
from lichen.ledger.ids import id_at
from lichen.ledger.signal import Standing
from lichen.ledger.window import Window, microseconds
from lichen.train.green.account import (
    BY_CPU,
    BY_GUESS,
    BY_METER,
    BY_POWER,
    IDLE,
    MOVED,
    NOW,
    RAN,
    Account,
    Piece,
    exactly,
    watts_for,
)
from lichen.train.green.actual import as_it_was
from lichen.train.green.order import POWER
from lichen.train.green.pue import counted
from lichen.train.green.record import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.estimate import Estimate
    from lichen.ledger.ports import IntensitySource, Store
    from lichen.ledger.quantities import Energy
    from lichen.train.green.account import CpuReading
    from lichen.train.green.record import Record, Stretch

_NONE = timedelta(0)
# Until a process is up, and a runner has looked: running now would have waited as long.
_LAG = timedelta(minutes=10)


class Span(NamedTuple):
    """A time in a zone, before it is known what the grid emitted; as `Piece`."""

    what: str
    start: datetime
    end: datetime
    zone: str
    share: float = 0.0
    own: Estimate[Energy] | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a job: its entry, or why there is none yet; `new` if it was written now."""

    record: Record
    entry: Entry | None
    why: str = ""
    new: bool = False


class Settler:
    """Settles jobs into a store.

    `actual` says what the grid emitted and has no stand-ins; `reading` prices a CPU time by tables
    named `factors`.
    """

    def __init__(
        self,
        store: Store,
        actual: IntensitySource,
        reading: CpuReading,
        *,
        factors: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._actual, self._reading = store, actual, reading
        self._factors, self._clock = factors, clock

    def settle(self, record: Record) -> Settlement:
        """Settle a job, where it has ended and its hours are known; twice is as once.

        Raises:
            StoreUnavailable: the ledger cannot be read or written.
        """
        if not record.state.ended:
            return Settlement(record, None, f"it is {record.state.value}")
        if not any(_wall(one) for one in record.stretches):
            return Settlement(record, None, "it never ran: nothing was used")
        had = self._store.entry(entry_id(record))
        if had is not None:
            return Settlement(record, had)
        try:
            made = self.account(record).without(self._store, self._reading)
            entry = entry_of(record, made, self._reading, self._factors)
        except LichenError as error:
            return Settlement(record, None, str(error))
        try:
            self._store.append([entry])
        except EntryConflict:
            # Another process was quicker, and saw another answer of the grid's source.
            return Settlement(record, self._store.entry(entry_id(record)))
        return Settlement(record, entry, new=True)

    def account(self, record: Record) -> Account:
        """The account of a job that ran.

        Raises:
            SignalUnavailable: it is not known yet what the grid emitted.
            UnknownZone: the source of that knows no such zone.
        """
        return account(record, self._actual, self._clock())


def account(record: Record, actual: IntensitySource, now: datetime) -> Account:
    """The account of a job that ran.

    Raises:
        SignalUnavailable: it is not known yet what the grid emitted.
        UnknownZone: the source of that knows no such zone.
    """
    how, energy, cpu_s, shares = _energy(record)
    pues = counted(record.order, actual)
    sources: dict[str, None] = {}
    pieces, estimated = [], False
    for span in (*_ran(record, shares), *_run_now(record)):
        window = Window(span.start, span.end, span.zone)
        signal = as_it_was(actual, window, now)
        sources[signal.source] = None
        estimated = estimated or signal.standing is Standing.ESTIMATED
        # What the network takes has no building of its own.
        pue = None if span.what == MOVED else pues.get(span.zone)
        pieces.append(Piece(*span[:4], signal.over(window), *span[4:], pue=pue))
    return Account(
        job=record.id,
        how=how,
        pieces=tuple(pieces),
        source=", ".join(sources),
        energy=energy,
        cpu_s=cpu_s,
        work=float(record.state is State.DONE),
        estimated=estimated,
        pue_left_out=bool(record.order.places) and not pues,
    )


def entry_id(record: Record) -> str:
    """The id of a job's entry: of when it first ran and of the job, so that there is one alone."""
    return id_at(microseconds(record.stretches[0].start), record.id)


def entry_of(record: Record, made: Account, reading: CpuReading, factors: str) -> Entry:
    """The line of the ledger of a job that ran, from its first start to its last end."""
    start = microseconds(record.stretches[0].start)
    end = max(microseconds(one.end) for one in record.stretches if one.end)
    return Entry(entry_id(record), start, end, "", made.figures(reading, factors))


def _wall(stretch: Stretch) -> timedelta:
    return max(stretch.end - stretch.start, _NONE) if stretch.end else _NONE


def _energy(
    record: Record,
) -> tuple[str, Estimate[Energy] | None, float | None, tuple[float, ...]]:
    """How the energy is known, the energy [J] or CPU time [s], and each stretch's share. [1]"""
    stretches = record.stretches
    walls = [_wall(one).total_seconds() for one in stretches]
    measured = [one.energy for one in stretches if one.energy is not None]
    if len(measured) == len(stretches):
        total = sum(measured[1:], measured[0])
        return BY_METER, total, None, _shares([each.value.in_joules for each in measured], walls)
    named = record.order.power != POWER
    lasts = sum(one.lasted(one.end or one.start).total_seconds() for one in stretches)
    if named:
        return BY_POWER, watts_for(record.order.power, lasts), None, _shares(walls, walls)
    cpu = _cpu(stretches)
    if cpu is not None:
        return BY_CPU, None, sum(cpu), _shares(cpu, walls)
    return BY_GUESS, watts_for(POWER, lasts), None, _shares(walls, walls)


def _cpu(stretches: tuple[Stretch, ...]) -> list[float] | None:
    """CPU time of each stretch [s]; None where it is not known of every attempt.

    The kernel counts it for a whole attempt: stretches between which it was stopped in memory
    share it by their length.
    """
    made: list[float] = []
    for attempt in dict.fromkeys(one.attempt for one in stretches):
        some = [one for one in stretches if one.attempt == attempt]
        counted = [one.cpu_s for one in some if one.cpu_s is not None]
        if not counted:
            return None
        walls = [_wall(one).total_seconds() for one in some]
        made += [counted[-1] * share for share in _shares(walls, walls)]
    return made


def _shares(parts: list[float], walls: list[float]) -> tuple[float, ...]:
    """Parts of their sum; by time where the sum is nothing. [1]"""
    if not sum(parts):
        parts = walls
    if len(parts) == 1:
        return (1.0,)
    total = sum(parts)
    return tuple(part / total for part in parts)


def _ran(record: Record, shares: tuple[float, ...]) -> list[Span]:
    """Stretches, the pauses in memory between them, and data that was moved."""
    made: list[Span] = []
    pausing, before = record.order.pausing, None
    for one, share in zip(record.stretches, shares, strict=True):
        if before and before.end and before.how == "frozen" and pausing:
            seconds = max((one.start - before.end).total_seconds(), 0.0)
            own = exactly(pausing.idle.in_watts, seconds)
            end = max(one.start, before.end)
            made.append(Span(IDLE, before.end, end, before.zone, own=own))
        made.append(Span(RAN, one.start, max(one.end or one.start, one.start), one.zone, share))
        before = one
    return made + _moved(record)


def _moved(record: Record) -> list[Span]:
    """Half of what moving the data takes in either zone, when the job starts."""
    from lichen.plan.where import TRANSFER_PER_GB  # noqa: PLC0415 (numpy, when it is needed)

    first, order = record.stretches[0], record.order
    if first.zone == order.zone or not order.data_gb:
        return []
    half = TRANSFER_PER_GB * (order.data_gb / 2)
    return [
        Span(MOVED, first.start, first.start, zone, own=half) for zone in (order.zone, first.zone)
    ]


def run_now_span(record: Record) -> tuple[datetime, timedelta]:
    """When the job would have started, had nobody planned, and how long it would have run."""
    first, order = record.stretches[0], record.order
    release = max(order.release, record.submitted_at)
    due = record.segments[0][0] if record.segments else release
    lag = max(first.start - max(due, release), _NONE)
    if due > release + _LAG:
        # A machine that was down when it was due is no part of running now.
        lag = min(lag, _LAG)
    ran = sum((_wall(one) for one in record.stretches), _NONE)
    kept = sum((_wall(one) for one in record.stretches if one.kept), _NONE)
    lost = (order.pausing.restart if order.pausing else _NONE) * record.restarts
    return release + lag, min(max(kept - lost, _NONE), ran)


def _run_now(record: Record) -> list[Span]:
    """What would have run; nothing where the job did not end well, and nobody knows."""
    if record.state is not State.DONE:
        return []
    start, lasts = run_now_span(record)
    if len(record.stretches) == 1 and start == record.stretches[0].start:
        lasts = _wall(record.stretches[0])
    ran = sum((_wall(one) for one in record.stretches), _NONE)
    return [Span(NOW, start, start + lasts, record.order.zone, lasts / ran)]
