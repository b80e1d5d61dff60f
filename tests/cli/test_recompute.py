"""`lichen recompute`: history priced again, and by how much it changed."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


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


def test_an_unknown_zone_is_refused_before_anything_changes(run: Run, ledger: Path) -> None:
    result = run("recompute", "--ledger", ledger, "--zone", "SE-SE33")

    assert result.exit_code == 2
    assert "SE-SE3" in result.stderr
