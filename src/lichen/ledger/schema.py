"""The SQLite schema: made, migrated, and the statements over whole tables.

The version stands in `PRAGMA user_version`; each step below takes a file one version further, in
order, inside one transaction. A file from a newer lichen is refused, never guessed at.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lichen.ledger.entry import Entry
from lichen.ledger.errors import StoreUnavailable
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.ids import first_of, from_int, new_id, to_int
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.recompute import Balance, Pricing, Revision
from lichen.ledger.rollup import SUMS, RollupKey, roll_up_counted
from lichen.ledger.rows import FIGURE_COLUMNS, from_row, to_row
from lichen.ledger.window import from_microseconds, microseconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from lichen.ledger.entry import Figures

# "lich" in ASCII: `file` and other tools can tell a ledger from any other database.
APPLICATION_ID = 0x6C696368
_FIGURES = ", ".join(f"{name} {kind}" for name, kind in FIGURE_COLUMNS)
_SUMS = ", ".join(f"{name} REAL NOT NULL" for name in SUMS)
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"CREATE TABLE figures (id INTEGER PRIMARY KEY, {_FIGURES})",
        """CREATE TABLE entries (id INTEGER PRIMARY KEY, start_us INTEGER NOT NULL,
            end_us INTEGER NOT NULL, tenant TEXT NOT NULL, figures INTEGER NOT NULL)""",
        f"""CREATE TABLE rollups (period INTEGER, start INTEGER, strategy TEXT, model TEXT,
            unit TEXT, {_SUMS}, basis REAL NOT NULL,
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
)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file to the newest version.

    Raises:
        StoreUnavailable: the file is of a newer lichen, or another program's database.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        _refuse_strangers(db, version)
        for step in MIGRATIONS[version:]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _refuse_strangers(db: sqlite3.Connection, version: int) -> None:
    where = db.execute("PRAGMA database_list").fetchone()[2]
    if version > len(MIGRATIONS):
        raise StoreUnavailable(
            where,
            f"it has schema version {version}, this lichen knows up to {len(MIGRATIONS)}",
            "a newer lichen wrote it: upgrade this one (pip install --upgrade lichen)",
        )
    mark = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if mark != APPLICATION_ID and tables:
        raise StoreUnavailable(
            where, "it is another program's database", "give the ledger a file of its own"
        )


def add_to_rollups(db: sqlite3.Connection, rows: Mapping[RollupKey, Sequence[float]]) -> None:
    """Add sums to the roll-up rows they belong to."""
    sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
    marks = ", ".join("?" * (5 + len(SUMS) + 1))
    query = (
        f"INSERT INTO rollups VALUES ({marks}) ON CONFLICT DO UPDATE SET {sums}, "  # noqa: S608 (our own column names)
        "basis = max(basis, excluded.basis)"
    )
    for key, row in rows.items():
        db.execute(query, (*key, *row))


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


def reprice(
    db: sqlite3.Connection, pricing: Pricing, reason: str, current: str, columns: str
) -> Revision:
    """Price all figures again, note the revision and rebuild the roll-ups."""
    number = db.execute("SELECT coalesce(max(number), 0) + 1 FROM revisions").fetchone()[0]
    db.execute("CREATE TEMP TABLE IF NOT EXISTS priced (old INTEGER PRIMARY KEY, now INTEGER)")
    db.execute("DELETE FROM temp.priced")
    entries = changed = 0
    pairs: list[tuple[Figures, Figures, int]] = []
    rows = db.execute(
        f"SELECT e.figures, count(*), min(e.id), e.start_us, e.end_us, e.tenant, f.id, {columns} "
        f"{current} GROUP BY e.figures"
    )
    for old, count, sample_id, start, end, tenant, now, *row in rows.fetchall():
        figures = from_row(row)
        sample = Entry(from_int(sample_id), start, end, tenant, figures)
        new = pricing(figures, sample)
        entries += count
        pairs.append((figures, new, count))
        if new is not figures:
            changed += count
            now = _replace(db, old, number, new)  # noqa: PLW2901 (the newest figures from here on)
        db.execute("INSERT INTO temp.priced VALUES (?, ?)", (old, now))
    _rebuild(db)
    before = Balance.over((had, count) for had, _, count in pairs)
    after = Balance.over((new, count) for _, new, count in pairs)
    revision = Revision(number, datetime.now(UTC), reason, entries, changed, before, after)
    db.execute("INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?)", revision_row(revision))
    return revision


def _replace(db: sqlite3.Connection, old: int, revision: int, new: Figures) -> int:
    key = to_int(new_id())
    marks = ", ".join("?" * (len(FIGURE_COLUMNS) + 1))
    db.execute(f"INSERT INTO figures VALUES ({marks})", (key, *to_row(new)))  # noqa: S608 (only marks)
    db.execute("INSERT INTO repriced VALUES (?, ?, ?)", (old, revision, key))
    return key


def _rebuild(db: sqlite3.Connection) -> None:
    names = ", ".join(f"f.{name}" for name, _ in FIGURE_COLUMNS)
    db.execute("DELETE FROM rollups")
    cursor = db.execute(
        f"SELECT e.start_us / 60000000, count(*), {names} FROM entries e "  # noqa: S608 (our own column names)
        "JOIN temp.priced p ON p.old = e.figures JOIN figures f ON f.id = p.now "
        "GROUP BY 1, e.figures"
    )
    while rows := cursor.fetchmany(5000):
        add_to_rollups(
            db, roll_up_counted((minute, from_row(row), count) for minute, count, *row in rows)
        )


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
