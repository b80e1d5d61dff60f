"""Repricing: history priced again inside a SQL store, a page of groups at a time.

    group   the entries of one minute that share figures: they have one price
    run     the groups after each other of the same figures that get the same new ones

A price depends on when, as the grid's carbon does, so entries that share figures may not share new
ones. Old figures stay as they were; `repriced` maps them to the new ones, a row a run, and the
roll-ups are built again from what then holds. It all happens in the one transaction the cursor
stands in.
"""

# Statements are put together from our own table and column names; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lichen.ledger import schema
from lichen.ledger.entry import Entry
from lichen.ledger.ids import from_int
from lichen.ledger.recompute import Balancing, Pricing, Revision
from lichen.ledger.rollup import Sums
from lichen.ledger.rows import from_row
from lichen.ledger.writing import FigureRows, add_to_rollups

if TYPE_CHECKING:
    from lichen.ledger.entry import Figures
    from lichen.ledger.writing import Cursor, Insert

# Groups held in memory at once, with figures of about 3 kB each.
_PAGE = 2000
# All groups: how many entries each has, and the first of them for its time.
_COLLECT = (
    "DROP TABLE IF EXISTS priced",
    """CREATE TEMPORARY TABLE priced AS
        SELECT e.figures AS old, e.start_us / 60000000 AS minute, e.figures AS now,
            count(*) AS entries, min(e.id) AS sample
        FROM entries e GROUP BY 1, 2""",
    "CREATE UNIQUE INDEX priced_old ON priced (old, minute)",
)
_NEXT_GROUPS = f"""SELECT p.old, p.minute, p.entries, f.id, {schema.ENTRY_COLUMNS}
 FROM priced p JOIN entries e ON e.id = p.sample {schema.NEWEST}
 WHERE (p.old, p.minute) > (?, ?) ORDER BY p.old, p.minute LIMIT {_PAGE}"""
_MOVE = "UPDATE priced SET now = ? WHERE old = ? AND minute >= ? AND minute <= ?"
_COLLECT_MINUTES = (
    "DROP TABLE IF EXISTS by_minute",
    """CREATE TEMPORARY TABLE by_minute AS
        SELECT row_number() OVER (ORDER BY minute, now) AS place, minute, now, entries
        FROM priced""",
    "CREATE UNIQUE INDEX by_minute_place ON by_minute (place)",
)
_NEXT_MINUTES = f"""SELECT m.minute, m.entries, m.now, {schema.FIGURES}
 FROM by_minute m JOIN figures f ON f.id = m.now {schema.BASELINES}
 WHERE m.place > ? AND m.place <= ? ORDER BY m.place"""


@dataclass(slots=True)
class _Run:
    """Minutes after each other in which the figures `had` become the figures `new`."""

    first: int
    last: int
    number: int
    had: Figures
    number_new: int
    new: Figures
    entries: int

    @property
    def changed(self) -> bool:
        return self.new is not self.had


class Repricing:
    """One pricing again of the whole book, inside a transaction."""

    def __init__(self, cursor: Cursor, insert: Insert, pricing: Pricing) -> None:
        self._cursor = cursor
        self._insert = insert
        self._pricing = pricing
        self._before, self._after = Balancing(), Balancing()
        self._entries = self._changed = 0
        self._number = self._rows(schema.LAST_CHANGES)[0][0] + 1
        self._old = -1
        self._runs: list[_Run] = []
        self._new = FigureRows()

    def run(self, reason: str) -> Revision:
        """Price all groups again, rebuild the roll-ups and note the revision."""
        self._each(_COLLECT)
        last = (-1, -1)
        while rows := self._rows(_NEXT_GROUPS, last):
            for row in rows:
                self._price(row)
            self._new.insert(self._insert, self._cursor)
            self._new = FigureRows()
            last = (rows[-1][0], rows[-1][1])
        self._end_of_figures()
        self._rebuild()
        revision = Revision(
            self._number,
            datetime.now(UTC),
            reason,
            self._entries,
            self._changed,
            self._before.balance,
            self._after.balance,
        )
        self._cursor.execute(schema.ADD_REVISION, schema.revision_row(revision))
        return revision

    def _price(self, row: Any) -> None:
        """Price one group, and let it join the run before it where it can."""
        old, minute, count, number, entry_id, start_us, end_us, tenant, *columns = row
        if old != self._old:
            self._end_of_figures()
            self._old = old
        run = self._runs[-1] if self._runs else None
        # The same object for the same figures: a price list can see that nothing changed.
        had = run.had if run is not None and run.number == number else from_row(columns)
        new = self._pricing(had, Entry(from_int(entry_id), start_us, end_us, tenant, had))
        if run is not None and run.had is had and _same(run, new):
            run.last, run.entries = minute, run.entries + count
            return
        # Not replaced: perhaps from an earlier revision, and still right.
        number_new = number if new is had else self._new.add(new)
        self._runs.append(_Run(minute, minute, number, had, number_new, new, count))

    def _end_of_figures(self) -> None:
        """All minutes of one figures have been priced: say what replaces them, and count it."""
        runs, self._runs = self._runs, []
        for run in runs:
            self._before.add(run.had, run.entries)
            self._after.add(run.new, run.entries)
            self._entries += run.entries
            self._changed += run.entries if run.changed else 0
        if any(run.changed for run in runs):
            rows: list[int] = []
            for place, run in enumerate(runs):
                rows += (self._old, self._number, run.first if place else 0, run.number_new)
            self._insert(self._cursor, "repriced", 4, rows)
        moves = [(run.number_new, self._old, run.first, run.last) for run in runs]
        self._cursor.executemany(_MOVE, [move for move in moves if move[0] != self._old])

    def _rebuild(self) -> None:
        self._each(_COLLECT_MINUTES)
        self._cursor.execute("DELETE FROM rollups")
        [(count,)] = self._rows("SELECT count(*) FROM by_minute")
        for at in range(0, count, _PAGE):
            rows = self._rows(_NEXT_MINUTES, (at, at + _PAGE))
            said: dict[int, Figures] = {}
            for _, _, number, *columns in rows:
                if number not in said:
                    said[number] = from_row(columns)
            sums = Sums()
            for minute, entries, number, *_ in rows:
                sums.add(minute, said[number], entries)
            add_to_rollups(self._cursor, [(*key, *row) for key, row in sums.rows().items()])
        self._each(("DROP TABLE by_minute", "DROP TABLE priced"))

    def _each(self, statements: tuple[str, ...]) -> None:
        for statement in statements:
            self._cursor.execute(statement)

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        self._cursor.execute(query, values)
        return self._cursor.fetchall()


def _same(run: _Run, new: Figures) -> bool:
    """Whether figures that the run's become are those that it became before."""
    if new is run.had or not run.changed:
        return new is run.new
    return new is run.new or new == run.new
