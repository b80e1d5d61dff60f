"""Jobs that can be, and what is said to those that cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from lichen.ledger.errors import InputError, NaiveTime
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Energy, Power
from lichen.plan import Job, Pause

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = timedelta(hours=1)


def test_without_a_p90_the_duration_is_certain(job: Callable[..., Job]) -> None:
    certain = job(6, 24)

    assert certain.p90 == 6 * HOUR
    assert certain.latest_safe_start == certain.release + 18 * HOUR


def test_the_latest_safe_start_leaves_room_for_the_p90(job: Callable[..., Job]) -> None:
    uncertain = job(6, 24, p90=8)

    assert uncertain.latest_safe_start == uncertain.release + 16 * HOUR


def test_an_energy_is_a_power_over_the_p50() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    energy = Estimate(Energy.kwh(6), Energy.kwh(3), Energy.kwh(12), Basis.MODELLED)

    made = Job.of_energy(energy, p50=6 * HOUR, release=start, deadline=start + 24 * HOUR, zone="DE")

    assert made.power.value == Power.watts(1000)
    assert made.power.low == Power.watts(500)
    assert made.power.basis is Basis.MODELLED


def test_a_deadline_in_the_past_is_refused_with_both_times(job: Callable[..., Job]) -> None:
    with pytest.raises(InputError, match=r"deadline 2026-01-04T.* is not after .* 2026-01-05T"):
        job(1, -2)


def test_a_deadline_shorter_than_the_duration_says_which_would_do(
    job: Callable[..., Job],
) -> None:
    with pytest.raises(InputError, match=r"may take 8:00:00.*deadline of 2026-01-05T08:00"):
        job(3, 6, p90=8)


def test_naive_times_are_refused(job: Callable[..., Job]) -> None:
    whole = job(1, 2)

    with pytest.raises(NaiveTime, match="has no time zone"):
        replace(whole, release=whole.release.replace(tzinfo=None))
    with pytest.raises(NaiveTime, match="has no time zone"):
        replace(whole, deadline=whole.deadline.replace(tzinfo=None))


@pytest.mark.parametrize(("hours", "p90"), [(0, 0), (-1, 0), (3, 2)])
def test_a_duration_that_cannot_be_is_refused(
    job: Callable[..., Job], hours: float, p90: float
) -> None:
    with pytest.raises(InputError, match=r"duration must be positive|cannot be quicker"):
        job(hours, 24, p90=p90)


def test_a_change_of_clocks_costs_a_window_an_hour() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    made = Job(
        power=Estimate.exact(Power.watts(1)),
        p50=HOUR,
        release=datetime(2026, 3, 28, 12, tzinfo=berlin),
        deadline=datetime(2026, 3, 29, 12, tzinfo=berlin),
        zone="DE",
    )

    assert made.window == 23 * HOUR


def test_a_pause_that_gives_time_is_refused() -> None:
    with pytest.raises(InputError, match="restart must be 0 or more"):
        Pause(restart=-HOUR)
    with pytest.raises(InputError, match="min_run must be 0 or more"):
        Pause(min_run=-HOUR)


def test_a_pause_that_gives_energy_is_refused() -> None:
    with pytest.raises(InputError, match="idle must be 0 or more"):
        Pause(idle=Power.watts(-1))


def test_a_job_that_gives_power_is_refused(job: Callable[..., Job]) -> None:
    with pytest.raises(InputError, match="power must be 0 or more"):
        replace(job(1, 2), power=Estimate.exact(Power.watts(-5)))
