"""SCI = (E × I + M) / R, and M."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lichen.ledger.embodied import embodied
from lichen.ledger.errors import InputError, NoWorkDone, UnitError
from lichen.ledger.estimate import Estimate
from lichen.ledger.quantities import Carbon
from lichen.ledger.sci import SCI, sci
from lichen.ledger.window import Work
from lichen.testing.samples import sample_entry, sample_figures, sample_footprint


def rate(grams: float, amount: float, unit: str = "request") -> SCI:
    return SCI(Estimate.around(Carbon.grams(grams)), Work(amount, unit))


def test_sci_is_carbon_over_work() -> None:
    made = rate(10, 4)

    assert made.grams_per_unit == 2.5
    assert made.per_unit == Estimate.around(Carbon.grams(2.5))


def test_no_work_has_no_rate_and_never_the_carbon() -> None:
    with pytest.raises(NoWorkDone, match="no work was done per 'request'"):
        rate(10, 0)


def test_rates_are_added_by_their_sums_and_not_averaged() -> None:
    assert (rate(10, 1) + rate(10, 9)).grams_per_unit == 2


def test_rates_of_different_units_do_not_add() -> None:
    with pytest.raises(UnitError, match="SCI per request and per training run"):
        rate(1, 1) + rate(1, 1, "training run")


def test_sci_counts_the_entries_that_did_that_work() -> None:
    call = sample_figures(footprint=sample_footprint(wh=1), work=Work(2, "request"))
    run = sample_figures(footprint=sample_footprint(wh=900), work=Work(1, "training run"))

    found = sci([sample_entry(figures=call), sample_entry(figures=run)], per="request")

    assert found.work == Work(2, "request")
    assert found.carbon == call.footprint.carbon


def test_sci_of_a_unit_nobody_worked_in_names_the_known_ones() -> None:
    with pytest.raises(NoWorkDone, match="units with work: request"):
        sci([sample_entry()], per="image")
    with pytest.raises(NoWorkDone, match="no entry of that time has done any work"):
        sci([], per="image")


def test_embodied_carbon_is_the_share_of_life_and_of_the_machine() -> None:
    total = Carbon.kg(1000)
    year = timedelta(days=365)

    found = embodied(total, timedelta(days=73), 4 * year, share=0.5)

    assert found == Carbon.kg(25)


@pytest.mark.parametrize(
    ("reserved", "lifetime", "share"),
    [(1, 0, 1.0), (1, -1, 1.0), (-1, 1, 1.0), (1, 1, 1.5), (1, 1, -0.1)],
)
def test_embodied_carbon_of_what_cannot_be_is_refused(
    reserved: float, lifetime: float, share: float
) -> None:
    with pytest.raises(InputError, match=r"cannot be|must lie in"):
        embodied(Carbon.kg(1), timedelta(days=reserved), timedelta(days=lifetime), share=share)
