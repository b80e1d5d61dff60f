"""Job: what must run, between when and when, and what pausing it costs.

    release ≤ start            end ≤ deadline            latest safe start = deadline − p90

p50, p90   the running time that half, and nine in ten, of such jobs keep  [s]
power      what the job draws while it runs, PUE not included              [W]
restart    running time lost each time the job resumes                     [s]
min run    the shortest stretch that is worth starting                     [s]

A job is promised to be finished by its deadline if it takes no longer than its p90.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lichen.ledger.errors import InputError
from lichen.ledger.estimate import Estimate
from lichen.ledger.quantities import Energy, Power
from lichen.ledger.window import aware

_NONE = timedelta(0)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """What pausing costs.

    `restart` is running time at full power that every resume loses, `energy` what it takes
    besides [J], `min_run` the shortest stretch between two pauses (a job that is shorter as a
    whole runs in one), `min_pause` the shortest pause, `idle` what a paused job goes on drawing
    [W]. With `first_by` the first pause begins by then, or there is none: of a job that may lose
    in it what it did.

    Raises:
        InputError: one of them is negative.
        NaiveTime: `first_by` has no time zone.
    """

    restart: timedelta = _NONE
    energy: Energy = Energy(0.0)  # noqa: RUF009 (frozen)
    min_run: timedelta = _NONE
    min_pause: timedelta = _NONE
    idle: Power = Power(0.0)  # noqa: RUF009 (frozen)
    first_by: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse negative costs."""
        if self.first_by is not None:
            aware(self.first_by)
        for name in ("restart", "min_run", "min_pause"):
            if getattr(self, name) < _NONE:
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}")
        for name in ("energy", "idle"):
            if getattr(self, name).amount < 0:
                raise InputError(f"a pause's {name} must be 0 or more, got {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job to place in time and space; `zone` is where it would run if nobody planned.

    `p90` is `p50` where it is not given. Times may be of any time zone; they are kept as UTC.

    Raises:
        InputError: a length is not positive, p90 < p50, the power is negative, or the deadline
            comes before the job could end.
        NaiveTime: release or deadline has no time zone.
    """

    power: Estimate[Power]
    p50: timedelta
    release: datetime
    deadline: datetime
    zone: str
    p90: timedelta = _NONE
    pause: Pause | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        put = object.__setattr__
        # Arithmetic across a change of clocks is right in UTC alone.
        put(self, "release", aware(self.release).astimezone(UTC))
        put(self, "deadline", aware(self.deadline).astimezone(UTC))
        if self.p90 == _NONE:
            put(self, "p90", self.p50)
        if self.p50 <= _NONE:
            raise InputError(f"a job's duration must be positive, got {self.p50}")
        if self.p90 < self.p50:
            raise InputError(
                f"nine in ten jobs cannot be quicker than half of them: p90 {self.p90} < p50 "
                f"{self.p50}; leave p90 out or give the larger"
            )
        if self.power.low.amount < 0:
            raise InputError(f"a job's power must be 0 or more, got {self.power}")
        self._in_time()

    def _in_time(self) -> None:
        start, end = _told(self.release), _told(self.deadline)
        if self.deadline <= self.release:
            raise InputError(
                f"the deadline {end} is not after the earliest start {start}: give a later deadline"
            )
        if self.latest_safe_start < self.release:
            ends = self.release + self.p90
            if ends.microsecond:
                # From now on: a whole minute, and one more, since it is given a moment later.
                ends = ends.replace(second=0, microsecond=0) + 2 * _MINUTE
            earliest = _told(ends)
            window = timedelta(seconds=round(self.window.total_seconds()))
            raise InputError(
                f"from {start} to the deadline {end} are {window}, but the "
                f"job may take {self.p90}: give a deadline of {earliest} or later, or a shorter "
                "duration"
            )

    @classmethod
    def of_energy(  # noqa: PLR0913 (a job has that many sides; all are named)
        cls,
        energy: Estimate[Energy],
        *,
        p50: timedelta,
        release: datetime,
        deadline: datetime,
        zone: str,
        p90: timedelta = _NONE,
        pause: Pause | None = None,
    ) -> Job:
        """The job that takes an energy over its p50. [J]

        Raises:
            InputError: as `Job`.
            NaiveTime: as `Job`.
        """
        if p50 <= _NONE:
            raise InputError(f"a job's duration must be positive, got {p50}")
        value, low, high = (
            Power.watts(end.in_joules / p50.total_seconds())
            for end in (energy.value, energy.low, energy.high)
        )
        power = Estimate(value, low, high, energy.basis)
        return cls(
            power=power,
            p50=p50,
            p90=p90,
            release=release,
            deadline=deadline,
            zone=zone,
            pause=pause,
        )

    @property
    def window(self) -> timedelta:
        """From release to deadline."""
        return self.deadline - self.release

    @property
    def latest_safe_start(self) -> datetime:
        """From then on the job runs whatever the grid: deadline − p90."""
        return self.deadline - self.p90


def _told(moment: datetime) -> str:
    """A moment as it may be given back, to the second."""
    return moment.isoformat(timespec="seconds")
