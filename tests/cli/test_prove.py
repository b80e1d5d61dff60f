"""`lichen prove`: a saving's evidence, run again on a ledger as the gateway writes it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.assemble import make_pricer
from lichen.cli.prove import show
from lichen.ledger.entry import Baseline, Entry
from lichen.ledger.footprint import Footprint
from lichen.ledger.proof import NOT_CHECKED, Proof
from lichen.ledger.sqlite import SqliteStore
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import microseconds
from lichen.settings import Settings
from lichen.testing.samples import MOMENT, sample_entry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Kinds, Run

RAW = {"call": "c" * 32, "answer": "a" * 32}


@pytest.fixture
def stored(kinds: Kinds) -> Entry:
    """A call as the gateway books it, priced by today's factors."""
    pricer = make_pricer(Settings(zone="SE-SE3"))
    figures = kinds.call(raw=RAW)
    reading = pricer.calls.read(figures.model, figures.tokens)
    made, gaps = pricer.footprint(reading, figures.zone, microseconds(MOMENT))
    return sample_entry(MOMENT, replace(figures, footprint=made, gaps=gaps))


def repeated(stored: Entry, **changes: float) -> Entry:
    """A hit on that call; `claim` times what it truly spared."""
    figures = stored.figures
    pricer = make_pricer(Settings(zone="SE-SE3"))
    reading = pricer.calls.read(figures.model, figures.tokens)
    again = pricer.instead(reading, figures.model, figures.tokens)
    would, _ = pricer.footprint(again, figures.zone, stored.start_us)
    claim = changes.get("claim", 1.0)
    baseline = Baseline(
        Footprint(would.energy * claim, would.operational * claim, would.embodied * claim),
        "stored-call/1",
        stored.id,
        figures.tokens,
    )
    hit = replace(
        figures,
        strategy="calls.exact",
        footprint=Footprint.zero(),
        tokens=Tokens(),
        baseline=baseline,
    )
    return sample_entry(MOMENT + timedelta(seconds=1), hit)


def write(path: Path, *entries: Entry) -> None:
    with closing(SqliteStore(path)) as store:
        store.append(entries)


def test_a_saving_that_holds_is_shown_step_by_step(run: Run, tmp_path: Path, stored: Entry) -> None:
    hit = repeated(stored)
    write(tmp_path / "book.db", stored, hit)

    result = run("prove", hit.id, "--ledger", "book.db")

    assert result.exit_code == 0
    assert f"the evidence is call {stored.id}" in result.stdout
    assert "The saving holds." in result.stdout
    assert "✘" not in result.stdout


def test_a_saving_that_claims_too_much_is_a_finding(
    run: Run, tmp_path: Path, stored: Entry
) -> None:
    hit = repeated(stored, claim=2.0)
    write(tmp_path / "book.db", stored, hit)

    result = run("prove", hit.id, "--ledger", "book.db")

    assert result.exit_code == 1
    assert "The saving does NOT hold." in result.stdout
    assert "✘" in result.stdout
    assert "this proof prices by yearly averages" in result.stderr
    assert "--trace" in result.stderr


def test_claimed_and_found_are_told_as_json(run: Run, tmp_path: Path, stored: Entry) -> None:
    hit = repeated(stored, claim=2.0)
    write(tmp_path / "book.db", stored, hit)

    result = run("prove", hit.id, "--ledger", "book.db", "--json")

    said = json.loads(result.stdout)
    claimed, found = (said[side]["energy_j"]["value"] for side in ("claimed", "found"))
    assert result.exit_code == 1
    assert list(said) == ["entry", "holds", "claimed", "found", "steps"]
    assert said["holds"] is False
    assert claimed == pytest.approx(2 * found)


def test_evidence_that_is_gone_is_a_finding(run: Run, tmp_path: Path, stored: Entry) -> None:
    hit = repeated(stored)
    write(tmp_path / "book.db", hit)

    result = run("prove", hit.id, "--ledger", "book.db")

    assert result.exit_code == 1
    assert "not in this ledger" in result.stderr


def test_a_step_that_cannot_be_checked_is_not_ticked_off(
    stored: Entry, capsys: pytest.CaptureFixture[str]
) -> None:
    hit = repeated(stored)
    assert hit.saving is not None
    steps = ("the price is the same", f"{NOT_CHECKED}the pattern is '^a'")

    show(Proof(hit, hit.saving, hit.saving, steps, holds=True))

    shown = " ".join(capsys.readouterr().out.split())
    assert "1 ✔ the price is the same 2 ? not checked: the pattern is '^a'" in shown
    assert "The saving holds, as far as it can be checked." in shown


def test_an_entry_without_a_saving_is_a_finding(run: Run, tmp_path: Path, stored: Entry) -> None:
    write(tmp_path / "book.db", stored)

    result = run("prove", stored.id, "--ledger", "book.db")

    assert result.exit_code == 1
    assert "claims no saving" in result.stderr


@pytest.mark.parametrize("entry_id", ["0" * 16, "not-an-id"])
def test_an_id_that_is_none_is_wrong_usage(
    run: Run, tmp_path: Path, stored: Entry, entry_id: str
) -> None:
    write(tmp_path / "book.db", stored)

    result = run("prove", entry_id, "--ledger", "book.db")

    assert result.exit_code == 2
    assert entry_id in result.stderr
    assert "lichen report" in result.stderr
