"""Writing: rows on their way into the tables of a SQL store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from lichen.ledger import schema
from lichen.ledger.ids import new_number
from lichen.ledger.rows import baseline_row, figures_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lichen.ledger.entry import Figures


# Roll-ups in one statement, below what SQLite takes as values.
_MOST_ROLLUPS = 64


class Cursor(Protocol):
    """Runs statements inside a transaction."""

    def execute(self, query: str, values: Sequence[Any] = ()) -> object:
        """Run one statement."""
        ...

    def executemany(self, query: str, values: Iterable[Sequence[Any]]) -> object:
        """Run one statement with each of these values."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows of the last statement."""
        ...


class Insert(Protocol):
    """Inserts rows of `width` columns laid end to end."""

    def __call__(self, cursor: Cursor, table: str, width: int, values: list[Any]) -> None:
        """Insert them."""
        ...


class FigureRows:
    """Rows of figures and of their baselines, to be inserted together."""

    def __init__(self) -> None:
        self._figures: list[Any] = []
        self._baselines: list[Any] = []

    def add(self, figures: Figures) -> int:
        """Add figures under a new number."""
        number = new_number()
        self._figures.append(number)
        self._figures += figures_row(figures)
        if figures.baseline is not None:
            self._baselines.append(number)
            self._baselines += baseline_row(figures.baseline)
        return number

    def insert(self, insert: Insert, cursor: Cursor) -> None:
        """Insert them all."""
        insert(cursor, "figures", schema.FIGURES_WIDTH, self._figures)
        insert(cursor, "baselines", schema.BASELINES_WIDTH, self._baselines)


def add_to_rollups(cursor: Cursor, rows: Sequence[Sequence[Any]]) -> None:
    """Add rows to the roll-ups: a key and its sums each, no two of one key.

    Many by one statement, since the thread that writes waits for the interpreter after each.
    """
    for at in range(0, len(rows), _MOST_ROLLUPS):
        some = rows[at : at + _MOST_ROLLUPS]
        values = [value for row in some for value in row]
        cursor.execute(schema.add_to_rollups(len(some)), values)
