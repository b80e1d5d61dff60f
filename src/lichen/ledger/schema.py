"""The tables of the book in SQL, and the statements every SQL store has in common.

    figures    what entries say, one row for all entries that say the same; never changed
    baselines  what those figures would have been without the strategy, where they claim a saving
    entries    id, time, tenant, figures; never changed
    repriced   old figures → new figures from a minute on; the newest revision wins
    rollups    sums by minute, hour and day, kept in the same transaction as the entries
    gaps       what should be in the book and is not, counted
    revisions  each time history was priced again, with the balance before and after
    forgotten  each time something was forgotten on request (forgetting.py), the one change of rows

Each step of `MIGRATIONS` takes the tables one version further, in order. They are written in
SQLite's words; a store of another kind translates the types. A value's place is a `?`.
"""

# Statements are put together from our own table and column names; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lichen.ledger.entry import Entry
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.ids import first_of, from_int
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.recompute import Balance, Revision
from lichen.ledger.rollup import BASES, SUMS, RollupKey
from lichen.ledger.rows import BASELINE_COLUMNS, FIGURE_COLUMNS, from_row
from lichen.ledger.window import from_microseconds, microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_FIGURES = ", ".join(f"{name} {kind}" for name, kind in FIGURE_COLUMNS)
_BASELINES = ", ".join(f"{name} {kind}" for name, kind in BASELINE_COLUMNS)
_SUM_COLUMNS = ", ".join(f"{name} REAL NOT NULL" for name in (*SUMS, *BASES))
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"CREATE TABLE figures (id INTEGER PRIMARY KEY, {_FIGURES})",
        f"CREATE TABLE baselines (figures INTEGER PRIMARY KEY, {_BASELINES})",
        """CREATE TABLE entries (id INTEGER PRIMARY KEY, start_us INTEGER NOT NULL,
            end_us INTEGER NOT NULL, tenant TEXT NOT NULL, figures INTEGER NOT NULL)""",
        f"""CREATE TABLE rollups (period INTEGER, start INTEGER, strategy TEXT, model TEXT,
            unit TEXT, {_SUM_COLUMNS},
            PRIMARY KEY (period, start, strategy, model, unit)) WITHOUT ROWID""",
        """CREATE TABLE gaps (what TEXT PRIMARY KEY, count INTEGER NOT NULL,
            first_us INTEGER NOT NULL, last_us INTEGER NOT NULL) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE repriced (old INTEGER, revision INTEGER, new INTEGER NOT NULL,
            PRIMARY KEY (old, revision)) WITHOUT ROWID""",
        """CREATE TABLE revisions (number INTEGER PRIMARY KEY, at_us INTEGER NOT NULL,
            reason TEXT NOT NULL, entries INTEGER NOT NULL, changed INTEGER NOT NULL,
            before TEXT NOT NULL, after TEXT NOT NULL)""",
    ),
    # Entries that share figures may have new ones of their own: a grid that was flat has hours now.
    (
        "ALTER TABLE repriced RENAME TO repriced_whole",
        """CREATE TABLE repriced (old INTEGER, revision INTEGER, since INTEGER,
            new INTEGER NOT NULL, PRIMARY KEY (old, revision, since)) WITHOUT ROWID""",
        "INSERT INTO repriced SELECT old, revision, 0, new FROM repriced_whole",
        "DROP TABLE repriced_whole",
    ),
    # What was forgotten on request: an audit without what it was, and how services hear of it.
    (
        """CREATE TABLE forgotten (number INTEGER PRIMARY KEY, at_us INTEGER NOT NULL,
            tenant TEXT NOT NULL, contained INTEGER NOT NULL, before_us INTEGER,
            entries INTEGER NOT NULL, sealed INTEGER NOT NULL)""",
    ),
)

FIGURES_WIDTH = 1 + len(FIGURE_COLUMNS)
BASELINES_WIDTH = 1 + len(BASELINE_COLUMNS)
ENTRIES_WIDTH = 5
# What `from_row` reads, once figures `f` are joined with their baselines `b`.
FIGURES = ", ".join(
    [f"f.{name}" for name, _ in FIGURE_COLUMNS] + [f"b.{name}" for name, _ in BASELINE_COLUMNS]
)
BASELINES = "LEFT JOIN baselines b ON b.figures = f.id"
# An entry's figures are the newest that replaced them at its minute, or its own. A revision that
# replaces figures at all says so for every minute, from minute 0 on.
NEWEST = f"""JOIN figures f ON f.id = coalesce(
  (SELECT r.new FROM repriced r WHERE r.old = e.figures AND r.since <= e.start_us / 60000000
   ORDER BY r.revision DESC, r.since DESC LIMIT 1), e.figures) {BASELINES}"""
ENTRY_COLUMNS = f"e.id, e.start_us, e.end_us, e.tenant, {FIGURES}"
ENTRIES = f"SELECT {ENTRY_COLUMNS} FROM entries e {NEWEST}"
ENTRIES_AS_WRITTEN = (
    f"SELECT {ENTRY_COLUMNS} FROM entries e JOIN figures f ON f.id = e.figures {BASELINES}"
)
_KEY = RollupKey._fields
ROLLUPS = f"SELECT {', '.join((*_KEY, *SUMS, *BASES))} FROM rollups"
_ADDED = [f"{name} = rollups.{name} + excluded.{name}" for name in SUMS]
_WEAKEST = [
    f"{name} = CASE WHEN rollups.{name} < excluded.{name} THEN excluded.{name} "
    f"ELSE rollups.{name} END"
    for name in BASES
]
_ROLLUP = f"({', '.join('?' * len((*_KEY, *SUMS, *BASES)))})"
_OR_ADD = f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {', '.join(_ADDED + _WEAKEST)}"
ADD_TO_GAPS = (
    "INSERT INTO gaps VALUES (?, ?, ?, ?) ON CONFLICT (what) DO UPDATE SET "
    "count = gaps.count + excluded.count, first_us = CASE WHEN gaps.first_us > excluded.first_us "
    "THEN excluded.first_us ELSE gaps.first_us END, last_us = CASE WHEN gaps.last_us < "
    "excluded.last_us THEN excluded.last_us ELSE gaps.last_us END"
)
LAST_CHANGES = (
    "SELECT (SELECT coalesce(max(number), 0) FROM revisions), "
    "(SELECT coalesce(max(number), 0) FROM forgotten)"
)
ADD_FORGOTTEN = (
    "INSERT INTO forgotten SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, 0 FROM forgotten"
)
SEAL_FORGOTTEN = "UPDATE forgotten SET tenant = '', sealed = 1 WHERE sealed = 0"
FORGOTTEN_ROWS = "SELECT number, at_us, tenant, contained, before_us FROM forgotten"
FORGOTTEN_SINCE = f"{FORGOTTEN_ROWS} WHERE number > ? ORDER BY number"
UNSEALED = f"{FORGOTTEN_ROWS} WHERE sealed = 0 AND contained = 0"
ADD_REVISION = "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?)"


def add_to_rollups(rows: int) -> str:
    """The statement that adds so many rows of different keys to the roll-ups."""
    return f"INSERT INTO rollups VALUES {', '.join([_ROLLUP] * rows)} {_OR_ADD}"


def entry_filter(
    since: datetime | None, until: datetime | None, strategy: str | None
) -> tuple[str, tuple[Any, ...]]:
    """The WHERE clause of a query over entries, and its values."""
    clauses, values = ["true"], list[Any]()
    if since is not None:
        moment = microseconds(since)
        clauses.append("e.id >= ? AND e.start_us >= ?")
        values += (first_of(moment), moment)
    if until is not None:
        moment = microseconds(until)
        clauses.append("e.id < ? AND e.start_us < ?")
        values += (first_of(moment + 1000), moment)
    if strategy is not None:
        clauses.append("f.strategy = ?")
        values.append(strategy)
    return " AND ".join(clauses), tuple(values)


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry of a row of `ENTRY_COLUMNS`."""
    return Entry(from_int(row[0]), row[1], row[2], row[3], from_row(row[4:]))


def revision_row(revision: Revision) -> tuple[Any, ...]:
    """A revision as a row."""
    return (
        revision.number,
        microseconds(revision.at),
        revision.reason,
        revision.entries,
        revision.changed,
        _balance_text(revision.before),
        _balance_text(revision.after),
    )


def revision_of(row: Sequence[Any]) -> Revision:
    """The revision of a row."""
    number, at, reason, entries, changed, before, after = row
    return Revision(
        number,
        from_microseconds(at),
        reason,
        entries,
        changed,
        _balance(json.loads(before)),
        _balance(json.loads(after)),
    )


def _balance_text(balance: Balance) -> str:
    parts = (balance.energy, balance.carbon, balance.saved)
    return json.dumps([[p.value.amount, p.low.amount, p.high.amount, int(p.basis)] for p in parts])


def _balance(rows: Sequence[Sequence[float]]) -> Balance:
    kinds = (Energy, Carbon, Carbon)
    made: list[Any] = [
        Estimate(kind(row[0]), kind(row[1]), kind(row[2]), Basis(int(row[3])))
        for kind, row in zip(kinds, rows, strict=True)
    ]
    return Balance(*made)
