"""PostgresStore: connections lost and found, many processes, and secrets that stay secret."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.assemble import open_book
from lichen.ledger.errors import InputError, MissingExtra, StoreUnavailable
from lichen.ledger.postgres import PostgresStore
from lichen.ledger.rollup import Period
from lichen.ledger.tally import LOST_AT_STOP
from lichen.ledger.tokens import Tokens
from lichen.ledger.writer import LOST_BY_REFUSAL, BulkWriter
from lichen.settings import load
from lichen.testing.samples import MOMENT, sample_entries, sample_entry, sample_figures, scaled
from lichen.testing.sums import assert_rolled_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.testing.postgres import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
def schema() -> str:
    return f"book_{secrets.token_hex(4)}"


@pytest.fixture
def store(postgres: PostgresServer, schema: str) -> Iterator[PostgresStore]:
    store = PostgresStore(postgres.dsn, schema=schema)
    yield store
    store.close()


def shown(error: BaseException) -> str:
    """All that a log could print of an error: itself and what led to it."""
    texts = [repr(error), str(error)]
    texts += [
        shown(inner)
        for inner in (error.__cause__, error.__context__)
        if inner is not None and not error.__suppress_context__
    ]
    return "\n".join(texts)


def test_the_book_stays_when_the_store_is_opened_again(
    postgres: PostgresServer, schema: str
) -> None:
    entries = sample_entries(5)
    first = PostgresStore(postgres.dsn, schema=schema)
    first.append(entries)
    first.close()

    again = PostgresStore(postgres.dsn, schema=schema)

    assert list(again.entries()) == entries
    again.close()


def test_a_server_that_is_away_at_the_start_is_not_said_to_be_tried_again() -> None:
    with pytest.raises(StoreUnavailable, match="start again when it answers") as caught:
        PostgresStore("postgresql://127.0.0.1:1/none?connect_timeout=2")

    assert "tried again" not in str(caught.value)


def test_two_schemas_are_two_books(postgres: PostgresServer, store: PostgresStore) -> None:
    other = PostgresStore(postgres.dsn, schema=f"other_{secrets.token_hex(4)}")
    store.append(sample_entries(5))

    found = list(other.entries())

    other.close()
    assert found == []


def test_after_a_restart_of_the_server_one_call_fails_and_the_next_connects_again(
    postgres: PostgresServer, store: PostgresStore
) -> None:
    entries = sample_entries(6)
    store.append(entries[:3])
    list(store.entries())
    postgres.stop()
    postgres.start()

    with pytest.raises(StoreUnavailable, match="tried again at the next call"):
        store.append(entries[3:])
    with pytest.raises(StoreUnavailable, match="tried again at the next call"):
        list(store.entries())
    store.append(entries[3:])

    assert list(store.entries()) == entries
    assert_rolled_up(store, entries)


def test_a_writer_survives_a_restart_of_the_server(
    postgres: PostgresServer, store: PostgresStore
) -> None:
    entries = sample_entries(10)
    writer = BulkWriter(store)
    for entry in entries[:5]:
        writer.put(entry)
    writer.flush()
    postgres.stop()
    for entry in entries[5:]:
        writer.put(entry)
    failed = writer.flush(0.4)
    postgres.start()

    flushed = writer.flush(20)
    writer.close()

    assert not failed
    assert flushed
    assert list(store.entries()) == entries


def test_a_server_that_is_not_there_is_an_error_with_the_way_out(postgres: PostgresServer) -> None:
    nowhere = postgres.dsn.replace(str(postgres.port), "1")

    with pytest.raises(StoreUnavailable, match="see that the server runs") as caught:
        PostgresStore(nowhere)

    assert "postgresql://127.0.0.1:1/postgres" in str(caught.value)
    assert postgres.password not in shown(caught.value)


def test_a_wrong_password_is_not_shown(postgres: PostgresServer) -> None:
    with pytest.raises(StoreUnavailable, match="authentication failed") as caught:
        PostgresStore(postgres.dsn_with("sesame-open"))

    assert "sesame" not in shown(caught.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:ses ame@host/book",
        "host=here password='sesame",
        "password=sesame nonsense",
        "postgresql://me:sesame@host:port/book",
    ],
)
def test_an_address_that_cannot_be_read_is_not_shown(dsn: str) -> None:
    with pytest.raises((InputError, StoreUnavailable)) as caught:
        PostgresStore(dsn)

    assert "sesame" not in shown(caught.value)
    assert "ses ame" not in shown(caught.value)


def test_a_store_shows_where_it_is_and_no_password(
    postgres: PostgresServer, store: PostgresStore
) -> None:
    assert repr(store) == f"PostgresStore(postgresql://127.0.0.1:{postgres.port}/postgres)"


def test_a_closed_store_says_so(store: PostgresStore) -> None:
    store.close()

    with pytest.raises(StoreUnavailable, match=r"closed.*lichen\.open"):
        store.append([sample_entry()])


def test_a_schema_with_an_odd_name_is_refused(postgres: PostgresServer) -> None:
    with pytest.raises(InputError, match="small letters"):
        PostgresStore(postgres.dsn, schema='x"; DROP TABLE entries; --')


def test_tables_of_a_newer_lichen_are_refused(
    postgres: PostgresServer, store: PostgresStore, schema: str
) -> None:
    with store._transaction() as cursor:
        cursor.execute("UPDATE version SET number = 99")

    with pytest.raises(StoreUnavailable, match=r"version 99.*upgrade"):
        PostgresStore(postgres.dsn, schema=schema)


@pytest.mark.parametrize(
    "figures",
    [
        sample_figures(model="a zero \0 inside"),
        sample_figures(model="half a pair \ud800"),
        sample_figures(tokens=Tokens(prefill=1 << 63)),
    ],
)
def test_what_the_database_cannot_hold_is_refused_and_counted(
    store: PostgresStore, figures: object
) -> None:
    writer = BulkWriter(store)
    fine, odd = sample_entry(), sample_entry(figures=figures)  # type: ignore[arg-type]

    with pytest.raises(InputError, match="cannot keep"):
        store.append([odd])
    for entry in (fine, odd):
        writer.put(entry)
    writer.close()

    assert list(store.entries()) == [fine]
    assert [(gap.what, gap.count) for gap in store.gaps()] == [(LOST_BY_REFUSAL, 1)]


def test_another_store_knows_of_a_revision(
    postgres: PostgresServer, store: PostgresStore, schema: str
) -> None:
    figures = sample_figures()
    other = PostgresStore(postgres.dsn, schema=schema)
    first = sample_entry(figures=figures)
    other.append([first])
    store.reprice(scaled(2), "new factors")

    second = sample_entry(MOMENT + timedelta(seconds=1), figures)
    other.append([second])

    entries = list(store.entries())
    other.close()
    assert [entry.figures.factors for entry in entries] == ["2027-01", figures.factors]
    assert_rolled_up(store, entries)


_APPENDER = """
import sys
from datetime import timedelta
from lichen.ledger.postgres import PostgresStore
from lichen.testing.samples import sample_entries
store = PostgresStore(sys.argv[1], schema=sys.argv[2])
entries = sample_entries(400, every=timedelta(milliseconds=int(sys.argv[3])))
for place in range(0, 400, 20):
    store.append(entries[place : place + 20])
store.close()
"""


def test_processes_that_start_at_once_on_a_new_schema_lose_nothing(
    postgres: PostgresServer, schema: str
) -> None:
    command = [sys.executable, "-c", _APPENDER, postgres.dsn, schema]

    running = [subprocess.Popen([*command, step]) for step in ("3", "5", "7")]
    status = [process.wait(60) for process in running]

    store = PostgresStore(postgres.dsn, schema=schema)
    entries = list(store.entries())
    assert status == [0, 0, 0]
    assert len(entries) == 1200
    assert sum(totals.entries for totals in store.totals(Period.DAY)) == 1200
    assert_rolled_up(store, entries)
    store.close()


def test_without_its_driver_the_store_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(MissingExtra, match=r"needs psycopg: .*-e '\.\[postgres\]'"):
        PostgresStore("postgresql://localhost/book")


_PUTTER = """
import os, sys, time
from lichen.assemble import open_book
from lichen.settings import load
from lichen.testing.samples import sample_entry, sample_figures
book = open_book(load(ledger=sys.argv[1]), on_error=print)
for place in range(1_000_000):
    book.add(sample_entry(figures=sample_figures(place)))
    os.write(1, b".")
    time.sleep(0.0005)
"""


def test_after_kill_9_every_lost_entry_is_counted_once(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    told: list[object] = []
    settings = load(ledger=postgres.dsn, environ={})
    with open_book(settings) as book:
        before = sum(1 for _ in book.store.entries())

    with subprocess.Popen(
        [sys.executable, "-c", _PUTTER, postgres.dsn], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        put = 0
        while put < 1000:
            put += len(os.read(process.stdout.fileno(), 65536))
        process.kill()
        put += len(process.stdout.read())
    lost = []
    for _ in range(2):
        with open_book(settings, on_error=told.append) as book:
            written = sum(1 for _ in book.store.entries()) - before
            counted = {gap.what: gap.count for gap in book.store.gaps()}
            lost.append(counted.get(LOST_AT_STOP, 0))

    # The last one may have been put and not yet reported through the pipe.
    assert written + lost[0] in {put, put + 1}
    assert 0 < lost[0] == lost[1]
    assert told == []
    assert list((state / "lichen").iterdir()) == []
    assert (state / "lichen").stat().st_mode & 0o077 == 0


def test_the_tally_names_no_host_user_or_password(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    with open_book(load(ledger=postgres.dsn, environ={}), on_error=print):
        [tally] = (tmp_path / "lichen").iterdir()

    assert re.fullmatch(r"[0-9a-f]{32}\.tally-\d+-[0-9a-f]+", tally.name)
