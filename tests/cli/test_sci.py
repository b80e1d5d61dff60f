"""`lichen sci`: carbon per unit of work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Make, Run


def test_sci_is_carbon_over_work(run: Run, ledger: Path) -> None:
    said = json.loads(run("sci", "--per", "request", "--ledger", ledger, "--json").stdout)

    assert said["carbon_g"]["value"] == pytest.approx(0.5 * 4.1)
    assert said["work"] == 6
    assert said["carbon_g_per_unit"]["value"] == pytest.approx(0.5 * 4.1 / 6)


def test_carbon_is_operational_plus_embodied(run: Run, ledger: Path) -> None:
    said = json.loads(run("sci", "--ledger", ledger, "--json").stdout)

    parts = said["operational_carbon_g"]["value"] + said["embodied_carbon_g"]["value"]
    assert parts == pytest.approx(said["carbon_g"]["value"])


def test_people_see_the_formula_with_its_terms(run: Run, ledger: Path) -> None:
    shown = run("sci", "--ledger", ledger).stdout

    assert "SCI per request" in shown
    assert all(term in shown for term in ("E × I", "M ", "R ", "342 mgCO₂e"))


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_work_in_no_such_unit_is_a_finding(run: Run, ledger: Path, form: list[str]) -> None:
    result = run("sci", "--per", "training run", "--ledger", ledger, *form)

    assert result.exit_code == 1
    assert "units with work: request" in result.stderr
    assert result.stdout == ""


def test_no_work_at_all_is_a_finding(run: Run, make: Make) -> None:
    result = run("sci", "--ledger", make([]))

    assert result.exit_code == 1
    assert "no entry of that time has done any work" in result.stderr
