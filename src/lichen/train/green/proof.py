"""Proof of a settlement: the job's record and the actual signal, looked up and settled again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lichen.ledger.entry import ACROSS_ZONES
from lichen.ledger.errors import InputError, LichenError, UnprovenSaving
from lichen.ledger.proof import Proof
from lichen.ledger.show import percent
from lichen.train.green.account import ESTIMATED, Account
from lichen.train.green.settle import account
from lichen.train.green.worth import worth_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry
    from lichen.ledger.estimate import Estimate
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.ports import IntensitySource
    from lichen.ledger.quantities import Carbon
    from lichen.train.green.account import CpuReading
    from lichen.train.green.issued import Planning
    from lichen.train.green.queue import Queue
    from lichen.train.green.record import Record
    from lichen.train.green.worth import Worth

# Two figures made by one method from the same raw quantities differ by rounding alone.
_TOLERANCE = 1e-9
# What cannot be proved is told beside what can.
_GAPS = {
    ESTIMATED: f"{ESTIMATED}: no actual values of a part are published, so its estimates stand",
    ACROSS_ZONES: f"{ACROSS_ZONES}: it ran in another zone, and errors of two grids are not shared",
}


class ProveSettlement:
    """Settles a job anew from its record and from what the grid is now known to have emitted.

    `queue` opens the queue in which the job is, `actual` the sources of what the grid emitted.
    """

    def __init__(
        self,
        queue: Callable[[], Queue],
        actual: Callable[[], IntensitySource],
        reading: CpuReading,
        factors: Callable[[], str],
    ) -> None:
        self._queue, self._actual = queue, actual
        self._reading, self._factors = reading, factors

    def __call__(self, entry: Entry, book: Book) -> Proof:
        """Prove one job's saving.

        Raises:
            UnprovenSaving: the job's record is gone, or nobody says any more what the grid emitted.
        """
        assert entry.figures.baseline is not None
        record, plannings = self._record(entry.figures.baseline.evidence)
        now = datetime.now(UTC)
        try:
            actual = self._actual()
            again = account(record, actual, now)
        except LichenError as error:
            raise UnprovenSaving(
                f"job {record.id} cannot be settled again: {error} (set --trace or --grid as when "
                "it was settled)"
            ) from error
        kept = Account.from_figures(entry.figures)
        again = _like(kept, again)
        found = again.figures(self._reading, self._factors()).saving
        claimed = book.pricer(entry.figures, entry).saving
        if claimed is None or found is None:
            raise UnprovenSaving(f"job {record.id} ended as {record.state.value}: it saved nothing")
        checks = (
            (True, _told(record)),
            _check(
                _times(kept) == _times(again),
                "it ran, and would have run, at the times the entry says",
            ),
            _check(
                (kept.how, kept.cpu_s, kept.energy) == (again.how, again.cpu_s, again.energy),
                f"its energy is from {again.how}: {entry.figures.footprint.energy}",
            ),
            *_intensities(kept, again),
            _check(
                _close(claimed.footprint, found.footprint),
                f"the saving, settled again: claimed {claimed.footprint.carbon}, found "
                f"{found.footprint.carbon}",
            ),
        )
        worth = worth_of(record, entry, plannings, actual, now)
        told = [line for _, line in checks] + (_shares(worth) if worth else [])
        told += [_GAPS[gap] for gap in entry.figures.gaps if gap in _GAPS]
        return Proof(entry, claimed, found, tuple(told), all(good for good, _ in checks))

    def _record(self, job: str) -> tuple[Record, list[Planning]]:
        try:
            with self._queue() as queue:
                record = queue.get(job)
                return record, queue.plannings(record.id)
        except InputError as error:
            raise UnprovenSaving(
                f"the evidence is job {job}, which is not here: {error}"
            ) from error


def _like(kept: Account, again: Account) -> Account:
    """A job's account made again, with what of the one that was kept is history."""
    # What the job's windows hold is no part of the saving.
    again = replace(again, booked=kept.booked)
    if any(one.pue for one in kept.pieces):
        return again
    # Settled at the machines: before PUE was counted, or while one was not known.
    return replace(again, pieces=tuple(replace(one, pue=None) for one in again.pieces))


def _told(record: Record) -> str:
    ran = len(record.stretches)
    return (
        f"the evidence is job {record.id}: {' '.join(record.order.argv)[:60]}, submitted "
        f"{record.submitted_at:%F %R} UTC, {record.state.value}, ran in {ran} "
        f"{'stretch' if ran == 1 else 'stretches'}"
    )


def _times(made: Account) -> list[tuple[object, ...]]:
    return [(one.what, one.start, one.end, one.zone, one.share, one.own) for one in made.pieces]


def _intensities(kept: Account, again: Account) -> list[tuple[bool, str]]:
    """Each time's intensity and PUE, as they were known then and as they are now."""
    made = []
    for one, other in zip(kept.pieces, again.pieces, strict=False):
        line = (
            f"{one.what}, {one.start:%F %T} to {one.end:%F %T} UTC in {one.zone}: the grid emitted "
            f"{other.intensity}{f', the PUE is {other.pue.value:g}' if other.pue else ''}"
        )
        emitted = _same(one.intensity.value.amount, other.intensity.value.amount)
        made.append(_check(emitted and one.pue == other.pue, line))
    return made


def _shares(worth: Worth) -> list[str]:
    made = [f"of running now it avoided {worth.said()}"]
    if worth.of_promise is not None:
        came = f"{percent(worth.of_promise)} of it came"
        made.append(f"the forecast promised {percent(worth.promised or 0.0, 1)}: {came}")
    if worth.of_oracle is not None:
        had = f"{percent(worth.of_oracle)} of it"
        made.append(f"perfect foresight avoids {percent(worth.oracle or 0.0, 1)}: {had}")
    elif worth.why:
        made.append(f"what perfect foresight would have avoided is not known: {worth.why}")
    return made


def _check(good: object, line: str) -> tuple[bool, str]:
    return bool(good), line if good else f"NOT so: {line}"


def _close(one: Footprint, other: Footprint) -> bool:
    return _near(one.carbon, other.carbon)


def _near(one: Estimate[Carbon], other: Estimate[Carbon]) -> bool:
    pairs = ((one.value, other.value), (one.low, other.low), (one.high, other.high))
    return all(_same(a.amount, b.amount) for a, b in pairs)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE * max(abs(one), abs(other), 1.0)
