"""Which site, and when there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.ledger.errors import InputError, UnitError
from lichen.ledger.quantities import Money
from lichen.plan import Limits, Place, Replan, Site
from lichen.plan.replan import kept
from tests.plan.conftest import make_job, make_signal

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lichen.ledger.signal import GridSignal
    from lichen.plan import Job

HOUR = timedelta(hours=1)
HOME = Site(
    name="home",
    zone="DE",
    pue=1.5,
    pue_low=1.4,
    pue_high=1.6,
    areas=frozenset({"DE", "EU"}),
    latency=timedelta(milliseconds=5),
    hardware=frozenset({"h100", "a100"}),
    price=Money.of(4, "EUR"),
)
NORTH = replace(
    HOME,
    name="north",
    zone="SE",
    pue=1.1,
    pue_low=1.05,
    pue_high=1.2,
    areas=frozenset({"SE", "EU"}),
    latency=timedelta(milliseconds=30),
    hardware=frozenset({"a100"}),
    price=Money.of(5, "EUR"),
)


@pytest.fixture
def signals(signal: Callable[..., GridSignal]) -> list[GridSignal]:
    return [signal([400, 300, 350]), signal([50, 40, 20], zone="SE")]


def test_the_cleaner_site_is_chosen_at_its_cleanest_hour(
    signals: list[GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    plan = Place(sites=(HOME, NORTH), home=HOME).plan(job(1, 3), signals)

    assert (plan.zone, plan.start) == ("SE", hour(2))
    assert plan.expected.value.in_grams == pytest.approx(1.1 * 20)
    assert plan.run_now.value.in_grams == pytest.approx(1.5 * 400)
    assert plan.expected.low.in_grams == pytest.approx(1.05 * 20 / 2)
    assert plan.expected.high.in_grams == pytest.approx(1.2 * 20 * 2)
    assert plan.sources == ("made for SE", "made for DE")
    assert plan.method == "place/1 contiguous/1"


def test_moving_the_data_is_counted_half_in_each_zone(
    signals: list[GridSignal], job: Callable[..., Job]
) -> None:
    place = Place(sites=(NORTH,), home=HOME, data_gb=40)

    plan = place.plan(job(1, 3), signals)

    assert plan.expected.value.in_grams == pytest.approx(
        1.1 * 20 + 40 * 0.011 / 2 * 350 + 40 * 0.011 / 2 * 20
    )


def test_much_data_keeps_a_job_at_home(
    signals: list[GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    plan = Place(sites=(HOME, NORTH), home=HOME, data_gb=1000).plan(job(1, 3), signals)

    assert (plan.zone, plan.start) == ("DE", hour(1))


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(residency=frozenset({"DE"})), "residency: EU, SE is not in DE"),
        (Limits(latency=timedelta(milliseconds=10)), "latency: 30 ms, 10 ms at most"),
        (Limits(hardware=frozenset({"h100"})), "hardware: no h100"),
        (Limits(price=Money.of(4, "EUR")), r"price: 5.00 EUR, 4.00 EUR at most"),
    ],
)
def test_a_site_outside_a_limit_is_ruled_out_with_why(
    limits: Limits, why: str, signals: list[GridSignal], job: Callable[..., Job]
) -> None:
    place = Place(sites=(HOME, NORTH), home=HOME, limits=limits)

    at_home, north = place.verdicts(job(1, 3), signals)

    assert at_home.plan is not None
    assert north.plan is None
    with pytest.raises(InputError, match=why):
        Place(sites=(NORTH,), home=HOME, limits=limits).plan(job(1, 3), signals)


def test_what_is_not_known_of_a_site_does_not_keep_a_limit(
    signals: list[GridSignal], job: Callable[..., Job]
) -> None:
    unknown = replace(NORTH, latency=None, price=None, areas=frozenset())
    limits = Limits(
        latency=timedelta(seconds=1), price=Money.of(9, "EUR"), residency=frozenset({"EU"})
    )

    with pytest.raises(
        InputError, match=r"residency: unknown.*latency: unknown.*price: unknown.*Widen a limit"
    ):
        Place(sites=(unknown,), home=HOME, limits=limits).plan(job(1, 3), signals)


def test_a_site_without_a_signal_is_left_out_with_why(
    signals: list[GridSignal], job: Callable[..., Job]
) -> None:
    elsewhere = replace(NORTH, name="elsewhere", zone="FR")

    verdicts = Place(sites=(elsewhere, NORTH), home=HOME).verdicts(job(1, 3), signals)

    assert verdicts[0].plan is None
    assert "a plan in FR" in verdicts[0].why_not
    assert verdicts[1].plan is not None


def test_prices_of_two_currencies_are_not_compared(
    signals: list[GridSignal], job: Callable[..., Job]
) -> None:
    limits = Limits(price=Money.of(4, "USD"))

    with pytest.raises(UnitError, match="convert to one currency"):
        Place(sites=(HOME,), home=HOME, limits=limits).plan(job(1, 3), signals)


def test_places_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="PUE of home must keep"):
        replace(HOME, pue_low=0.9)
    with pytest.raises(InputError, match="one name each"):
        Place(sites=(HOME, HOME), home=HOME)
    with pytest.raises(InputError, match="data must be"):
        Place(sites=(HOME,), home=HOME, data_gb=-1)


def test_a_pue_that_is_not_known_is_counted_at_no_site_and_the_plan_says_so(
    signals: list[GridSignal], job: Callable[..., Job]
) -> None:
    unknown = Site(name="north", zone="SE")

    plan = Place(sites=(HOME, unknown), home=HOME).plan(job(1, 3), signals)
    known = Place(sites=(HOME, NORTH), home=HOME).plan(job(1, 3), signals)

    assert plan.expected.value.in_grams == pytest.approx(20)
    assert plan.run_now.value.in_grams == pytest.approx(400)
    assert plan.gaps == ("pue-unknown",)
    assert known.gaps == ()


def test_a_pue_is_told_with_both_ends_or_not_at_all() -> None:
    with pytest.raises(InputError, match="the PUE of half must keep"):
        Site(name="half", zone="SE", pue=1.2)


def after(values: float, *, at: int, clean: float, hours: int = 60) -> list[float]:
    """A value for each hour, another for one of them."""
    return [clean if n == at else values for n in range(hours)]


def test_a_placed_job_that_waits_goes_where_it_has_become_cleaner(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    place, asked = Place(sites=(HOME, NORTH), home=HOME), job(1, 48)
    before = [signal(after(400, at=10, clean=10)), signal(after(300, at=20, clean=100), zone="SE")]
    changed = [signal(after(400, at=10, clean=90)), signal(after(300, at=20, clean=40), zone="SE")]
    plan = place.plan(asked, before)

    again = place.again(asked, plan, changed, now=hour(2), replan=Replan())

    assert (plan.zone, again.zone, again.start) == ("DE", "SE", hour(20))
    assert again.expected.value.in_grams == pytest.approx(1.1 * 40)
    assert again.run_now.value.in_grams == pytest.approx(1.5 * 400)
    assert again.latest_safe_start == asked.latest_safe_start


def test_a_placed_job_that_stays_may_run_at_another_hour_there(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    place, asked = Place(sites=(HOME, NORTH), home=HOME, data_gb=10), job(1, 48)
    before = [signal([400] * 60), signal(after(300, at=20, clean=50), zone="SE")]
    changed = [signal([400] * 60), signal(after(300, at=30, clean=50), zone="SE")]
    plan = place.plan(asked, before)

    again = place.again(asked, plan, changed, now=hour(2), replan=Replan())

    moving = 10 * 0.011 / 2 * (400 + 50)
    assert (again.zone, again.start) == ("SE", hour(30))
    assert again.method == "place/1 contiguous/1"
    assert again.expected.value.in_grams == pytest.approx(1.1 * 50 + moving)
    assert again.run_now.value.in_grams == pytest.approx(1.5 * 400)


def test_the_place_of_a_day_is_kept(
    signal: Callable[..., GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    place, asked = Place(sites=(HOME, NORTH), home=HOME), job(1, 24)
    before = [signal(after(400, at=10, clean=10)), signal([300] * 60, zone="SE")]
    changed = [signal([400] * 60), signal([10] * 60, zone="SE")]
    plan = place.plan(asked, before)

    assert place.again(asked, plan, changed, now=hour(2), replan=Replan()) is plan


@given(st.data())
def test_going_elsewhere_never_costs_more_than_staying(data: st.DataObject) -> None:
    values = st.lists(st.integers(10, 900), min_size=60, max_size=60)
    before, changed = (
        [make_signal(data.draw(values)), make_signal(data.draw(values), zone="SE")]
        for _ in range(2)
    )
    place = Place(sites=(HOME, NORTH), home=HOME, data_gb=data.draw(st.integers(0, 40)))
    asked = make_job(3, 50, p90=4)
    plan = place.plan(asked, before)
    now = min(plan.start, asked.latest_safe_start - HOUR)

    again = place.again(asked, plan, changed, now=now, replan=Replan())

    site = HOME if plan.zone == "DE" else NORTH
    staying = kept(site.placed(replace(asked, release=now)), plan, changed).value.in_grams
    if plan.zone == "SE":
        ends = [each.at(plan.start).value.in_g_per_kwh for each in changed]
        staying += place.data_gb * 0.011 / 2 * sum(ends)
    assert again is plan or again.expected.value.in_grams < staying
    assert again.end <= asked.deadline


def test_a_plan_in_no_zone_of_a_site_is_refused(
    signals: list[GridSignal], job: Callable[..., Job], hour: Callable[[float], datetime]
) -> None:
    plan = Place(sites=(HOME,), home=HOME).plan(job(1, 3), signals)

    with pytest.raises(InputError, match="the plan is in DE, where none of the sites is"):
        Place(sites=(NORTH,), home=HOME).again(
            job(1, 3), plan, signals, now=hour(0), replan=Replan()
        )
