"""`lichen recompute`: history priced again, and by how much it changed."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.assemble import open_book
from lichen.ledger.entry import Baseline, Entry
from lichen.ledger.footprint import Footprint
from lichen.ledger.sqlite import SqliteStore
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Window
from lichen.settings import load
from lichen.testing.samples import sample_figures

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Kinds, Make, Run

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


def carbon(ledger: Path, run: Run) -> float:
    said = json.loads(run("sci", "--ledger", ledger, "--json").stdout)
    return float(said["carbon_g"]["value"])


def test_a_dry_run_changes_nothing(run: Run, ledger: Path) -> None:
    before = carbon(ledger, run)

    result = run("recompute", "--ledger", ledger, "--dry-run")

    assert result.exit_code == 0
    assert "8 of 8 entries would be priced anew" in " ".join(result.stdout.split())
    assert carbon(ledger, run) == before
    with closing(SqliteStore(ledger)) as store:
        assert store.revisions() == []


def test_a_dry_run_and_the_run_itself_say_the_same(run: Run, ledger: Path) -> None:
    tried = json.loads(run("recompute", "--ledger", ledger, "--dry-run", "--json").stdout)
    done = json.loads(run("recompute", "--ledger", ledger, "--json").stdout)

    assert tried["dry_run"] is True
    assert done["dry_run"] is False
    for name in ("number", "entries", "changed", "before"):
        assert tried[name] == done[name]
    after = done["after"]["carbon_g"]["value"]
    assert tried["after"]["carbon_g"]["value"] == pytest.approx(after)


def test_history_is_priced_again_and_says_by_how_much(run: Run, ledger: Path) -> None:
    before = carbon(ledger, run)

    said = json.loads(run("recompute", "--ledger", ledger, "--json").stdout)

    after = carbon(ledger, run)
    assert said["before"]["carbon_g"]["value"] == pytest.approx(before)
    assert said["after"]["carbon_g"]["value"] == pytest.approx(after)
    assert said["relative_change"] == pytest.approx((after - before) / before)


def test_people_see_before_after_and_the_change(run: Run, ledger: Path) -> None:
    shown = run("recompute", "--ledger", ledger, "--reason", "a new grid table").stdout

    assert "a new grid table" in shown
    assert all(word in shown for word in ("before", "after", "carbon avoided", "−", " %"))


def test_revisions_are_listed_with_their_reason(run: Run, ledger: Path) -> None:
    run("recompute", "--ledger", ledger, "--reason", "a new grid table")

    listed = run("recompute", "--ledger", ledger, "--list").stdout
    as_json = json.loads(run("recompute", "--ledger", ledger, "--list", "--json").stdout)

    assert "a new grid table" in listed
    assert [made["reason"] for made in as_json["revisions"]] == ["a new grid table"]


def test_a_ledger_never_priced_again_says_so(run: Run, ledger: Path) -> None:
    shown = run("recompute", "--ledger", ledger, "--list").stdout

    assert "History was never priced again" in shown


def test_a_dry_run_is_not_called_a_revision_and_says_that_zones_stay(
    run: Run, ledger: Path
) -> None:
    shown = run("recompute", "--ledger", ledger, "--dry-run", "--zone", "DE").stdout

    assert "Dry run, nothing is written" in shown
    assert "Revision" not in shown
    assert "Entries keep the zone they were booked in" in shown


def test_entries_of_the_world_are_moved_to_where_they_ran(
    run: Run, make: Make, kinds: Kinds
) -> None:
    path = make([kinds.call(zone="WORLD", gaps=("zone-assumed",)), kinds.call(zone="DE")])
    move = ("recompute", "--ledger", path, "--from-zone", "world", "--to-zone", "SE-SE3", "--json")

    tried = json.loads(run(*move, "--dry-run").stdout)
    untouched = json.loads(run("report", "--ledger", path, "--entries", "2", "--json").stdout)
    made = json.loads(run(*move).stdout)

    entries = json.loads(run("report", "--ledger", path, "--entries", "2", "--json").stdout)
    assert [e["zone"] for e in untouched["entries"]] == ["DE", "WORLD"]
    assert [e["zone"] for e in entries["entries"]] == ["DE", "SE-SE3"]
    assert "zone-assumed" not in {gap["what"] for gap in entries["gaps"]["named"]}
    assert tried["after"] == made["after"]
    assert made["after"]["carbon_g"]["value"] != made["before"]["carbon_g"]["value"]


def test_one_zone_alone_moves_nothing(run: Run, ledger: Path) -> None:
    result = run("recompute", "--ledger", ledger, "--to-zone", "SE-SE3")

    assert result.exit_code == 2
    assert "given together" in result.stderr


def test_an_unknown_zone_is_refused_before_anything_changes(run: Run, ledger: Path) -> None:
    result = run("recompute", "--ledger", ledger, "--zone", "SE-SE33")

    assert result.exit_code == 2
    assert "SE-SE3" in result.stderr


def test_hits_on_one_answer_avoid_what_the_grid_emitted_when_they_came(
    run: Run, tmp_path: Path
) -> None:
    # 100 g/kWh in the morning, 900 after noon: 19 times a morning's hit, not 3 times.
    ledger, trace = tmp_path / "hits.db", tmp_path / "trace.csv"
    hours = [MIDNIGHT + timedelta(hours=hour) for hour in range(24)]
    rows = (f"{hour.isoformat()},{100 if hour.hour < 12 else 900}" for hour in hours)
    trace.write_text("\n".join(["time,g_per_kwh", *rows]), encoding="utf-8")
    tokens = Tokens(prefill=100, decode=100)
    with open_book(load(ledger=str(ledger), zone="DE", environ={})) as book:
        calls = book.pricer.calls
        reading = book.pricer.instead(calls.read("gpt-4o", tokens), "gpt-4o", tokens)
        would = Footprint(reading.energy, Footprint.zero().operational, reading.embodied)
        figures = sample_figures(
            0,
            strategy="calls.exact",
            footprint=Footprint.zero(),
            method=calls.method,
            zone="DE",
            model="gpt-4o",
            tokens=Tokens(),
            raw={},
            baseline=Baseline(would, "stored-call/1", "0" * 16, tokens),
        )
        came = [hours[hour] for hour in (2, 14, 20)]
        book.store.append([Entry.of(Window(at, at, "DE"), figures) for at in came])

    flags = ("--ledger", ledger, "--zone", "DE", "--trace", trace, "--json")
    tried = json.loads(run("recompute", "--dry-run", *flags).stdout)
    done = json.loads(run("recompute", *flags).stdout)

    with closing(SqliteStore(ledger)) as store:
        now = [entry.figures.baseline for entry in store.entries()]
    operational = [each.footprint.operational.value.in_grams for each in now if each]
    kwh = reading.energy.value.in_wh / 1000
    assert operational == pytest.approx([kwh * 100, kwh * 900, kwh * 900])
    avoided = sum(operational) + 3 * reading.embodied.value.in_grams
    names = ("value", "low", "high")
    assert [done["after"]["avoided_carbon_g"][name] for name in names] == pytest.approx(
        [tried["after"]["avoided_carbon_g"][name] for name in names]
    )
    assert done["after"]["avoided_carbon_g"]["value"] == pytest.approx(avoided)
