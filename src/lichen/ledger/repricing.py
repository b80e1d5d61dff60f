"""Repricing: history priced again inside a SQL store, a page of figures at a time.

Old figures stay as they were; `repriced` maps them to the new ones, and the roll-ups are built
again from what then holds. It all happens in the one transaction the cursor stands in.
"""

# Statements are put together from our own table and column names; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lichen.ledger import schema
from lichen.ledger.recompute import Balancing, Pricing, Revision
from lichen.ledger.rollup import roll_up_counted
from lichen.ledger.rows import from_row
from lichen.ledger.writing import FigureRows

if TYPE_CHECKING:
    from lichen.ledger.writing import Cursor, Insert

# Figures held in memory at once, about 3 kB each.
_PAGE = 2000
# All figures that entries have: how many entries, and the first of them for its time.
_COLLECT = (
    "DROP TABLE IF EXISTS priced",
    """CREATE TEMPORARY TABLE priced AS
        SELECT figures AS old, figures AS now, count(*) AS entries, min(id) AS sample
        FROM entries GROUP BY figures""",
    "CREATE UNIQUE INDEX priced_old ON priced (old)",
)
_NEXT_FIGURES = f"""SELECT p.old, p.entries, f.id, {schema.ENTRY_COLUMNS}
 FROM priced p JOIN entries e ON e.id = p.sample {schema.NEWEST}
 WHERE p.old > ? ORDER BY p.old LIMIT {_PAGE}"""
_COLLECT_MINUTES = (
    "DROP TABLE IF EXISTS by_minute",
    """CREATE TEMPORARY TABLE by_minute AS
        SELECT row_number() OVER () AS place, minute, now, entries FROM (
            SELECT e.start_us / 60000000 AS minute, p.now AS now, count(*) AS entries
            FROM entries e JOIN priced p ON p.old = e.figures GROUP BY 1, 2) grouped""",
    "CREATE UNIQUE INDEX by_minute_place ON by_minute (place)",
)
_NEXT_MINUTES = f"""SELECT m.minute, m.entries, {schema.FIGURES}
 FROM by_minute m JOIN figures f ON f.id = m.now {schema.BASELINES}
 WHERE m.place > ? AND m.place <= ?"""


class Repricing:
    """One pricing again of the whole book, inside a transaction."""

    def __init__(self, cursor: Cursor, insert: Insert, pricing: Pricing) -> None:
        self._cursor = cursor
        self._insert = insert
        self._pricing = pricing
        self._before, self._after = Balancing(), Balancing()
        self._entries = self._changed = 0
        self._number = self._rows(schema.LAST_REVISION)[0][0] + 1

    def run(self, reason: str) -> Revision:
        """Price all figures again, rebuild the roll-ups and note the revision."""
        self._each(_COLLECT)
        last = -1
        while rows := self._rows(_NEXT_FIGURES, (last,)):
            self._price(rows)
            last = rows[-1][0]
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

    def _price(self, rows: list[Any]) -> None:
        new = FigureRows()
        replaced: list[int] = []
        moves: list[tuple[int, int]] = []
        for old, count, now, *entry_row in rows:
            sample = schema.entry_of(entry_row)
            figures = self._pricing(sample.figures, sample)
            self._before.add(sample.figures, count)
            self._after.add(figures, count)
            self._entries += count
            newest = now  # from an earlier revision, perhaps, and still right
            if figures is not sample.figures:
                self._changed += count
                newest = new.add(figures)
                replaced += (old, self._number, newest)
            moves.append((newest, old))
        new.insert(self._insert, self._cursor)
        self._insert(self._cursor, "repriced", 3, replaced)
        self._cursor.executemany("UPDATE priced SET now = ? WHERE old = ?", moves)

    def _rebuild(self) -> None:
        self._each(_COLLECT_MINUTES)
        self._cursor.execute("DELETE FROM rollups")
        [(count,)] = self._rows("SELECT count(*) FROM by_minute")
        for at in range(0, count, _PAGE):
            rows = self._rows(_NEXT_MINUTES, (at, at + _PAGE))
            sums = roll_up_counted((minute, from_row(row), count) for minute, count, *row in rows)
            self._cursor.executemany(
                schema.ADD_TO_ROLLUPS, [(*key, *row) for key, row in sums.items()]
            )
        self._each(("DROP TABLE by_minute", "DROP TABLE priced"))

    def _each(self, statements: tuple[str, ...]) -> None:
        for statement in statements:
            self._cursor.execute(statement)

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        self._cursor.execute(query, values)
        return self._cursor.fetchall()
