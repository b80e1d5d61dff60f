"""SqliteStore: the file, its versions, and what can be wrong with it."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger import schema
from lichen.ledger.errors import InputError, StoreUnavailable
from lichen.ledger.ids import to_int
from lichen.ledger.rollup import Period, roll_up
from lichen.ledger.rows import baseline_row, figures_row
from lichen.ledger.sqlite import APPLICATION_ID, SqliteStore
from lichen.ledger.tokens import Tokens
from lichen.testing.samples import MOMENT, sample_entries, sample_entry, sample_figures, scaled
from lichen.testing.sums import assert_rolled_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.ledger.entry import Entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def write(path: Path, entries: int = 5) -> None:
    store = SqliteStore(path)
    store.append(sample_entries(entries))
    store.close()


def test_the_file_is_in_wal_mode(store: SqliteStore) -> None:
    other = sqlite3.connect(store.path)

    mode = other.execute("PRAGMA journal_mode").fetchone()[0]
    other.close()

    assert mode == "wal"


def test_only_its_owner_may_read_the_file(store: SqliteStore) -> None:
    store.append(sample_entries(3))

    modes = {
        name.name: stat.S_IMODE(name.stat().st_mode) for name in store.path.parent.glob("book.db*")
    }

    assert set(modes) == {"book.db", "book.db-wal", "book.db-shm"}
    assert set(modes.values()) == {0o600}


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a" / "b" / "book.db")
    store.close()

    assert (tmp_path / "a" / "b" / "book.db").exists()


def test_a_ledger_tells_other_tools_what_it_is(store: SqliteStore) -> None:
    other = sqlite3.connect(store.path)

    mark = other.execute("PRAGMA application_id").fetchone()[0]
    other.close()

    assert mark == APPLICATION_ID


def make_version_1(path: Path, entries: list[Entry]) -> None:
    old = sqlite3.connect(path)
    for statement in schema.MIGRATIONS[0]:
        old.execute(statement)
    marks = ", ".join("?" * schema.FIGURES_WIDTH)
    instead = ", ".join("?" * schema.BASELINES_WIDTH)
    for number, entry in enumerate(entries):
        said = entry.figures
        old.execute(f"INSERT INTO figures VALUES ({marks})", (number, *figures_row(said)))
        if said.baseline:
            row_of_it = (number, *baseline_row(said.baseline))
            old.execute(f"INSERT INTO baselines VALUES ({instead})", row_of_it)
        row = (to_int(entry.id), entry.start_us, entry.end_us, entry.tenant, number)
        old.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", row)
    for key, sums in roll_up(entries).items():
        old.execute(schema.add_to_rollups(1), (*key, *sums))
    old.execute("INSERT INTO gaps VALUES ('lost', 7, 0, 1)")
    old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()


def test_a_file_of_version_1_is_brought_up_to_date_with_what_it_holds(path: Path) -> None:
    entries = sample_entries(4)
    make_version_1(path, entries)

    store = SqliteStore(path)

    assert list(store.entries()) == entries
    assert_rolled_up(store, entries)
    assert [gap.count for gap in store.gaps()] == [7]
    assert store.revisions() == []
    assert store._version() == len(schema.MIGRATIONS)
    store.close()


def test_a_file_of_a_newer_lichen_is_refused(path: Path) -> None:
    write(path)
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()

    with pytest.raises(StoreUnavailable, match=r"version 99.*upgrade"):
        SqliteStore(path)


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()

    with pytest.raises(StoreUnavailable, match=r"another program's database.*file of its own"):
        SqliteStore(path)

    assert path.read_bytes() == before
    assert [name.name for name in path.parent.iterdir()] == ["book.db"]


def test_what_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"dear diary, " * 500)
    before = path.read_bytes()

    with pytest.raises(StoreUnavailable, match=r"nothing was changed; this is no lichen ledger"):
        SqliteStore(path)

    assert path.read_bytes() == before


def test_a_damaged_file_is_reported_with_the_way_out_and_left_alone(path: Path) -> None:
    write(path, entries=500)
    content = bytearray(path.read_bytes())
    # All pages but the first, which holds the schema: the file still opens.
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    store = SqliteStore(path)

    with pytest.raises(StoreUnavailable, match=r"malformed.*mv .*\.recover"):
        list(store.entries())
    with pytest.raises(StoreUnavailable, match=r"malformed.*mv .*\.recover"):
        store.append([sample_entry()])

    store.close()
    assert path.read_bytes() == content


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="check that"):
        SqliteStore(tmp_path)


def test_a_locked_file_is_an_error_and_then_goes_on(path: Path) -> None:
    store = SqliteStore(path, busy_ms=20)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    entries = sample_entries(3)

    with pytest.raises(StoreUnavailable, match=r"locked.*another process holds it"):
        store.append(entries)
    other.execute("ROLLBACK")
    other.close()
    store.append(entries)

    assert list(store.entries()) == entries
    assert_rolled_up(store, entries)
    store.close()


def test_a_locked_file_can_still_be_read(path: Path) -> None:
    write(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    store = SqliteStore(path, busy_ms=0)
    found = len(list(store.entries()))

    store.close()
    other.close()
    assert found == 5


def test_reading_does_not_wait_for_a_thread_that_writes(store: SqliteStore) -> None:
    store.append(sample_entries(3))

    with store._transaction() as cursor:
        cursor.execute("DELETE FROM entries")
        found = len(list(store.entries()))
        cursor.execute("ROLLBACK")
        cursor.execute("BEGIN")

    assert found == 3


def test_a_full_disk_is_an_error_and_entries_can_be_written_once_there_is_room(
    store: SqliteStore,
) -> None:
    entries = sample_entries(2000)
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(StoreUnavailable, match=r"full.*free some space"):
        store.append(entries)
    store._db.execute("PRAGMA max_page_count = 1000000")
    store.append(entries)

    assert [entry.id for entry in store.entries()] == [entry.id for entry in entries]
    assert_rolled_up(store, entries)


def test_a_closed_store_says_so(path: Path) -> None:
    store = SqliteStore(path)
    store.close()

    with pytest.raises(StoreUnavailable, match=r"closed.*lichen\.open"):
        store.append([sample_entry()])
    with pytest.raises(StoreUnavailable, match=r"closed.*lichen\.open"):
        store.entry(sample_entry().id)


def test_text_that_no_file_can_hold_is_refused(store: SqliteStore) -> None:
    figures = sample_figures(model="half a pair \ud800")

    with pytest.raises(InputError, match="cannot keep"):
        store.append([sample_entry(figures=figures)])

    assert list(store.entries()) == []


def test_a_count_beyond_63_bits_is_refused(store: SqliteStore) -> None:
    with pytest.raises(InputError, match="cannot keep"):
        store.append([sample_entry(figures=sample_figures(tokens=Tokens(prefill=1 << 63)))])


def test_figures_that_entries_share_are_written_once(store: SqliteStore) -> None:
    figures = sample_figures()
    for n in range(5):
        store.append([sample_entry(MOMENT + timedelta(seconds=n), figures)])

    rows = store._read("SELECT count(*) FROM figures")

    assert rows == [(1,)]


def test_figures_are_still_right_after_many_others_came_between(store: SqliteStore) -> None:
    common = sample_figures(1)
    entries = []
    for n in range(6000):
        figures = common if n % 10 == 0 else sample_figures(n)
        entries.append(sample_entry(MOMENT + timedelta(seconds=n), figures))

    for place in range(0, 6000, 1000):
        store.append(entries[place : place + 1000])

    assert list(store.entries()) == entries


def test_the_old_price_stays_in_the_file(store: SqliteStore) -> None:
    store.append([sample_entry()])
    [before] = store._read("SELECT energy FROM figures")

    store.reprice(scaled(2), "new factors")

    rows = store._read("SELECT f.energy FROM repriced r JOIN figures f ON f.id = r.old")
    assert rows == [before]


def test_totals_are_read_without_touching_an_entry(store: SqliteStore) -> None:
    store.append(sample_entries(5))

    plan = store._read(
        f"EXPLAIN QUERY PLAN {schema.ROLLUPS} WHERE period = ? AND start >= ?", (60, 0)
    )

    [step] = [row[-1] for row in plan]
    assert step.startswith("SEARCH rollups USING PRIMARY KEY (period=? AND start>?)")


_APPENDER = """
import sys
from datetime import timedelta
from lichen.ledger.sqlite import SqliteStore
from lichen.testing.samples import MOMENT, sample_entries
store = SqliteStore(sys.argv[1])
entries = sample_entries(600, every=timedelta(milliseconds=int(sys.argv[2])))
for place in range(0, 600, 20):
    store.append(entries[place : place + 20])
store.close()
"""


def test_two_processes_that_write_to_one_new_file_lose_nothing(path: Path) -> None:
    command = [sys.executable, "-c", _APPENDER, str(path)]

    running = [subprocess.Popen([*command, step]) for step in ("3", "5", "7")]
    status = [process.wait(60) for process in running]

    store = SqliteStore(path)
    entries = list(store.entries())
    assert status == [0, 0, 0]
    assert len(entries) == 1800
    assert sum(totals.entries for totals in store.totals(Period.DAY)) == 1800
    assert_rolled_up(store, entries)
    store.close()
