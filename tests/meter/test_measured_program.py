"""A program measured as its author would: the meters of this machine, a ledger on disk."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

import lichen
from lichen import Reserved, Work
from lichen.testing.meters import spin

if TYPE_CHECKING:
    from pathlib import Path

BUSY = "import time\nwhile time.process_time() < 0.3: pass"


def test_a_program_s_windows_are_in_its_ledger_and_survive_recompute(tmp_path: Path) -> None:
    with lichen.open(tmp_path / "book.db", zone="SE-SE3") as book:
        with book.measure("epoch", work=Work(1000, "image"), reserved=Reserved(cpus=2)) as window:
            spin(0.1)
        assert window.footprint.energy.value.in_joules > 0

    with lichen.open(tmp_path / "book.db", zone="SE-SE3") as again:
        revision = again.recompute("to see that nothing changes")
        [entry] = again.store.entries()

        assert revision.changed == 0
        assert entry == window.entry
        assert again.sci(per="image").work.amount == 1000


def test_another_zone_s_price_is_found_by_recompute(tmp_path: Path) -> None:
    trace = tmp_path / "se.csv"
    with lichen.open(tmp_path / "book.db", zone="SE-SE3") as book:
        with book.measure("epoch") as window:
            spin(0.05)
        began = window.entry.window.start if window.entry else None
    assert began is not None
    hour = began.replace(minute=0, second=0, microsecond=0)
    rows = [f"{(hour + timedelta(hours=n)).isoformat()},500" for n in range(3)]
    trace.write_text("\n".join(["time,gco2_per_kwh", *rows, ""]))
    flags = ("--ledger", tmp_path / "book.db", "--zone", "SE-SE3", "--trace", trace)

    done = subprocess.run(
        [sys.executable, "-m", "lichen", "recompute", "--json", *flags],
        capture_output=True,
        text=True,
        check=True,
    )

    with lichen.open(tmp_path / "book.db", zone="SE-SE3") as again:
        [entry] = again.store.entries()
    used = entry.figures.footprint
    assert '"changed": 1' in done.stdout
    assert used.operational.value.in_grams == pytest.approx(used.energy.value.in_kwh * 500)


def test_a_child_process_counts_in_the_window_around_it(tmp_path: Path) -> None:
    with lichen.open(tmp_path / "book.db", zone="SE-SE3") as book:
        with book.measure("with a child") as window:
            subprocess.run([sys.executable, "-c", BUSY], check=True)

        assert window.entry is not None
        assert float(window.entry.figures.raw["cpu_seconds"]) >= 0.3


def test_what_is_measured_is_there_when_the_program_ends(tmp_path: Path) -> None:
    script = (
        "import lichen\n"
        f"book = lichen.open({str(tmp_path / 'book.db')!r}, zone='SE-SE3')\n"
        "for _ in range(20):\n"
        "    with book.measure('step'): pass\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True)

    with lichen.open(tmp_path / "book.db", zone="SE-SE3") as book:
        assert len(list(book.store.entries())) == 20
