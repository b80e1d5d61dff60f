"""Counts of budgets: kept over restarts, shared among processes, patient with a broken disk."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from lichen.calls.gate.count_tables import PostgresCounts, SqliteCounts, table_for
from lichen.calls.gate.counts import Counts, Slot
from lichen.calls.steps import Place

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.testing.postgres import PostgresServer

NOW = int(time.time())
SLOT = Slot("team/abc", NOW)


def opened(path: Path) -> Counts:
    counts = Counts(SqliteCounts(path), lambda _error: None)
    counts.start()
    return counts


def test_counts_survive_a_restart(tmp_path: Path) -> None:
    before = opened(tmp_path / "gate")
    before.charge(SLOT, 12.5)
    before.close()

    after = opened(tmp_path / "gate")

    assert after.charged(SLOT) == 12.5
    after.close()


def test_counts_survive_a_kill(tmp_path: Path) -> None:
    program = (
        "import sys, time, os, signal\n"
        "from pathlib import Path\n"
        "from lichen.calls.gate.counts import Counts, Slot\n"
        "from lichen.calls.gate.count_tables import SqliteCounts\n"
        "counts = Counts(SqliteCounts(Path(sys.argv[1])), print)\n"
        "counts.start()\n"
        f"counts.charge(Slot('team/abc', {NOW}), 7)\n"
        "time.sleep(1)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    subprocess.run([sys.executable, "-c", program, str(tmp_path / "gate")], check=False)
    after = opened(tmp_path / "gate")

    assert after.charged(SLOT) == 7
    after.close()


def test_processes_see_what_others_charge(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "gate"), opened(tmp_path / "gate")

    with ThreadPoolExecutor(4) as pool:
        for _ in range(200):
            pool.submit(one.charge, SLOT, 1)
            pool.submit(other.charge, SLOT, 2)
    for counts in (one, other, one):
        counts.share()

    assert one.charged(SLOT) == other.charged(SLOT) == 600
    one.close()
    other.close()


def charge_often(counts: Counts, slot: Slot) -> None:
    for _ in range(50):
        counts.charge(slot, 1)
        counts.share()


@pytest.mark.postgres
def test_processes_share_counts_in_postgresql(postgres: PostgresServer) -> None:
    slot = Slot(f"team/{time.time_ns()}", NOW)
    made = [Counts(table_for(Place(postgres.dsn)), lambda _error: None) for _ in range(2)]
    one, other = made
    with closing(one), closing(other):
        with ThreadPoolExecutor(2) as pool:
            for counts in made:
                pool.submit(charge_often, counts, slot)
        one.share()
        other.share()

        assert one.charged(slot) == other.charged(slot) == 100
        assert isinstance(table_for(Place(postgres.dsn)), PostgresCounts)


def test_charges_count_while_they_are_on_their_way_and_are_not_lost() -> None:
    told: list[object] = []
    table = _Broken()
    counts = Counts(table, told.append)
    counts.charge(SLOT, 5)

    counts.share()
    counts.share()

    assert counts.charged(SLOT) == 5
    assert len(told) == 1
    assert counts.wrong
    table.away = False
    counts.share()
    assert counts.charged(SLOT) == 5
    assert not counts.wrong


class _Broken:
    """A table that is away until it is not."""

    def __init__(self) -> None:
        self.away = True
        self._rows: dict[Slot, float] = {}

    def merge(self, charges: object, _since: int) -> dict[Slot, float]:
        if self.away:
            raise OSError("the disk is away")
        assert isinstance(charges, dict)
        for slot, amount in charges.items():
            self._rows[slot] = self._rows.get(slot, 0.0) + amount
        return dict(self._rows)

    def close(self) -> None:
        pass


def test_old_periods_are_let_go(tmp_path: Path) -> None:
    counts = opened(tmp_path / "gate")
    counts.charge(Slot("team/abc", NOW - 90 * 86_400), 1)
    counts.charge(SLOT, 1)
    counts.share()

    assert set(counts.slots()) == {SLOT}
    counts.close()


def test_a_ledger_in_memory_keeps_no_counts_and_a_file_keeps_them_beside_it(tmp_path: Path) -> None:
    beside = table_for(Place(str(tmp_path / "book.db")))

    assert table_for(Place("memory:")) is None
    assert isinstance(beside, SqliteCounts)
    file = tmp_path / "book.db.gate"
    assert file.stat().st_mode & 0o077 == 0
    beside.close()
