"""wait_until_green: returns at the planned start, never later than is safe, never blocked."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import InputError, NaiveTime, UnknownZone
from lichen.testing.jobs import SECOND, BySecond
from lichen.train.green.planning import Planner
from lichen.train.green.wait import await_until_green, wait_until_green

if TYPE_CHECKING:
    from lichen.ledger.signal import GridSignal

HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def planner(*values: float) -> Planner:
    return Planner(source=BySecond(values, now()), limit=2 * SECOND)


def test_it_returns_when_the_clean_hours_begin() -> None:
    green = wait_until_green(
        planner(*[900.0] * 3, 50.0), duration=2 * SECOND, deadline=now() + 20 * SECOND, zone="DE"
    )

    assert timedelta(seconds=1) < green.waited < timedelta(seconds=6)
    assert not green.forced


def test_it_never_waits_past_the_latest_safe_start() -> None:
    deadline = now() + 7 * SECOND

    green = wait_until_green(
        planner(*[900.0] * 5, 50.0), duration=2 * SECOND, deadline=deadline, zone="DE"
    )

    assert green.forced
    assert green.ended <= deadline - 2 * SECOND


async def test_others_work_while_it_waits() -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.05)
            beats += 1

    task = asyncio.create_task(beat())
    await await_until_green(
        planner(*[900.0] * 2, 50.0), duration=SECOND, deadline=now() + 20 * SECOND, zone="DE"
    )
    task.cancel()

    assert beats > 5


@dataclass(frozen=True)
class Failing:
    """A source that raises what it is given."""

    error: Exception

    def forecast(
        self,
        zone: str,  # noqa: ARG002 (the port's)
        horizon: timedelta,  # noqa: ARG002
        *,
        issued_at: datetime | None = None,  # noqa: ARG002
    ) -> GridSignal:
        raise self.error


class Hanging:
    """A source that does not answer until it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def forecast(
        self,
        zone: str,  # noqa: ARG002 (the port's)
        horizon: timedelta,  # noqa: ARG002
        *,
        issued_at: datetime | None = None,  # noqa: ARG002
    ) -> GridSignal:
        self.go.wait(60)
        raise TimeoutError


@dataclass(frozen=True)
class Lying:
    """A source whose signal is changed on its way."""

    changes: dict[str, object]

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        honest = BySecond([900.0] * 5 + [50.0], now()).forecast(zone, horizon, issued_at=issued_at)
        if "answer" in self.changes:
            return self.changes["answer"]  # type: ignore[return-value]
        if scale := self.changes.get("scale"):
            assert isinstance(scale, float)
            values = tuple(value * scale for value in honest.values)
            return replace(honest, values=values, lows=values, highs=values)
        return replace(honest, **self.changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [TimeoutError("slow"), KeyError("intensity"), OSError("refused")])
def test_a_source_that_fails_never_blocks(error: Exception) -> None:
    green = wait_until_green(
        Planner(source=Failing(error)), duration=SECOND, deadline=now() + HOUR, zone="DE"
    )

    assert green.waited < 2 * SECOND
    assert green.planning.plan is None
    assert type(error).__name__ in green.planning.why


def test_a_source_that_hangs_is_left_behind() -> None:
    source = Hanging()

    green = wait_until_green(
        Planner(source=source, limit=SECOND / 10), duration=SECOND, deadline=now() + HOUR, zone="DE"
    )
    source.go.set()

    assert green.waited < 3 * SECOND
    assert "did not answer" in green.planning.why


@pytest.mark.parametrize(
    ("limit", "within"), [(SECOND / 2, 15 * 24 * HOUR), (60 * SECOND, 4 * SECOND)]
)
def test_all_that_is_asked_of_a_source_has_one_limit_and_no_more_than_there_is_to_spare(
    limit: timedelta, within: timedelta
) -> None:
    source = Hanging()
    began = now()

    # With two seconds of room and one of work, one second of the four is to spare.
    green = wait_until_green(
        Planner(source=source, limit=limit), duration=SECOND, deadline=began + within, zone="DE"
    )
    source.go.set()

    assert now() - began < 1.3 * SECOND
    assert "did not answer" in green.planning.why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"scale": 1000.0}, "another unit"),
        ({"scale": 1e-4}, "another unit"),
        ({"issued_at": datetime(2026, 1, 1, tzinfo=UTC)}, "ago"),
        ({"issued_at": datetime(2099, 1, 1, tzinfo=UTC)}, "to come"),
        ({"start": datetime(2026, 1, 1, tzinfo=UTC)}, "not now"),
    ],
)
def test_a_source_that_lies_is_not_believed(changes: dict[str, object], why: str) -> None:
    green = wait_until_green(
        Planner(source=Lying(changes)), duration=SECOND, deadline=now() + HOUR, zone="DE"
    )

    assert green.planning.plan is None
    assert why in green.planning.why


@pytest.mark.parametrize("answer", [None, {}])
def test_a_source_that_answers_nonsense_is_named_and_never_blocks(answer: object) -> None:
    green = wait_until_green(
        Planner(source=Lying({"answer": answer})), duration=SECOND, deadline=now() + HOUR, zone="DE"
    )

    assert green.planning.plan is None
    assert "AttributeError" in green.planning.why


def test_an_unknown_zone_is_told() -> None:
    with pytest.raises(UnknownZone):
        wait_until_green(
            Planner(source=Failing(UnknownZone("XX"))),
            duration=SECOND,
            deadline=now() + HOUR,
            zone="XX",
        )


def test_a_deadline_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(InputError):
        wait_until_green(planner(1.0), duration=HOUR, deadline=now() + SECOND, zone="DE")


def test_a_naive_deadline_is_refused() -> None:
    with pytest.raises(NaiveTime):
        wait_until_green(
            planner(1.0), duration=HOUR, deadline=datetime(2030, 1, 1), zone="DE"  # noqa: DTZ001
        )  # fmt: skip
