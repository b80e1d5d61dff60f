"""Order: what a user asks for, and by when it has to run whatever the grid.

    must run from = deadline − (p90 − done) − restart, if it is paused − a little room

done     running time whose work was kept  [s]
restart  running time each resume loses    [s]

An order holds the command, never the whole environment: only variables that were chosen by name are
kept, since a credential is written nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Power
from lichen.ledger.window import aware
from lichen.train.green.plain import estimate_from_plain, estimate_to_plain

if TYPE_CHECKING:
    from lichen.plan.job import Job

_NONE = timedelta(0)
# Between two looks of a runner at its clock, and until a process is up.
ROOM = timedelta(seconds=2)
# How long a command may take from SIGTERM to its checkpoint.
GRACE = timedelta(seconds=120)
# Assumed where nobody gives one: a laptop's core to a node of eight accelerators. Times are chosen
# by the grid's shape alone; the power scales what a plan says in grams.
POWER: Estimate[Power] = Estimate(
    Power.watts(300.0), Power.watts(10.0), Power.watts(10_000.0), Basis.ASSUMED
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pausing:
    """How a job may be paused, and what that costs.

    `restart` is running time lost by a resume, `min_run` the shortest stretch worth starting,
    `grace` the time from SIGTERM to SIGKILL. With `every` a running command gets SIGUSR1 that
    often. With `freeze` it is stopped by SIGSTOP and goes on in memory, drawing `idle` [W]
    meanwhile, instead of ending and being started again.

    Raises:
        InputError: one of them is negative.
    """

    restart: timedelta = _NONE
    min_run: timedelta = _NONE
    grace: timedelta = GRACE
    every: timedelta = _NONE
    freeze: bool = False
    idle: Power = Power(0.0)  # noqa: RUF009 (frozen)

    def __post_init__(self) -> None:
        """Refuse negative costs."""
        for name in ("restart", "min_run", "grace", "every"):
            if getattr(self, name) < _NONE:
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.idle.amount < 0:
            raise InputError(f"idle power must be 0 or more, got {self.idle!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command, and when it has to be done.

    `env` are the chosen variables; `places` say where on the executor each zone is (a partition, a
    cluster); `data_gb` is what moving to another zone has to carry [GB]; `options` are the
    executor's own settings, such as an image. Without `pausing` a job runs in one piece. Times may
    be of any time zone and are kept as UTC.

    `grace` is the time from SIGTERM to SIGKILL at a cancel; of a job that pauses, that of a pause.

    Raises:
        InputError: there is no command, a negative grace, or it cannot be done by the deadline.
        NaiveTime: release or deadline has no time zone.
    """

    argv: tuple[str, ...]
    cwd: str
    release: datetime
    deadline: datetime
    p50: timedelta
    zone: str
    p90: timedelta = _NONE
    env: tuple[tuple[str, str], ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    data_gb: float = 0.0
    options: tuple[tuple[str, str], ...] = ()
    pausing: Pausing | None = None
    grace: timedelta = GRACE
    power: Estimate[Power] = field(default=POWER)
    executor: str = "local"
    checkpoint: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        put = object.__setattr__
        put(self, "release", aware(self.release).astimezone(UTC))
        put(self, "deadline", aware(self.deadline).astimezone(UTC))
        if self.p90 == _NONE:
            put(self, "p90", self.p50)
        if not self.argv or not self.argv[0]:
            raise InputError("there is no command: write it after --, as in `-- python train.py`")
        if any("\0" in part for part in (*self.argv, self.cwd)):
            raise InputError("a command cannot hold a null byte")
        if self.grace < _NONE:
            raise InputError(f"grace must be 0 or more, got {self.grace}")
        if self.pausing:
            put(self, "grace", self.pausing.grace)
        self.job()

    def job(self) -> Job:
        """The order as the planner sees it.

        Raises:
            InputError: it cannot be done by the deadline.
        """
        from lichen.plan.job import Job, Pause  # noqa: PLC0415 (a package that loads on use)

        pause = None
        if self.pausing:
            freeze = self.pausing.freeze
            pause = Pause(
                restart=self.pausing.restart,
                min_run=self.pausing.min_run,
                # A pause that is over before the command has to have left is not worth asking for.
                min_pause=ROOM + (_NONE if freeze else self.pausing.grace),
                idle=self.pausing.idle if freeze else Power(0.0),
            )
        return Job(
            power=self.power,
            p50=self.p50,
            p90=self.p90,
            release=self.release,
            deadline=self.deadline,
            zone=self.zone,
            pause=pause,
        )

    @property
    def place(self) -> dict[str, str]:
        """Where on the executor each zone is."""
        return dict(self.places)

    def must_run_from(self, done: timedelta, *, resuming: bool = False) -> datetime:
        """From then on it runs whatever the grid, some of it `done`."""
        lost = self.pausing.restart if self.pausing and resuming else _NONE
        return self.deadline - max(self.p90 - done, _NONE) - lost - ROOM

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it; times are ISO 8601 in UTC, lengths seconds."""
        return {
            "argv": list(self.argv),
            "cwd": self.cwd,
            "release": self.release.isoformat(),
            "deadline": self.deadline.isoformat(),
            "p50_s": self.p50.total_seconds(),
            "p90_s": self.p90.total_seconds(),
            "zone": self.zone,
            "env": dict(self.env),
            "places": [list(place) for place in self.places],
            "data_gb": self.data_gb,
            "options": dict(self.options),
            "pausing": _pausing_to_plain(self.pausing),
            "grace_s": self.grace.total_seconds(),
            "power_w": estimate_to_plain(self.power),
            "executor": self.executor,
            "checkpoint": self.checkpoint,
        }

    @classmethod
    def from_plain(cls, said: dict[str, Any]) -> Order:
        """The order that `to_plain` wrote."""
        return cls(
            argv=tuple(said["argv"]),
            cwd=said["cwd"],
            release=datetime.fromisoformat(said["release"]),
            deadline=datetime.fromisoformat(said["deadline"]),
            p50=timedelta(seconds=said["p50_s"]),
            p90=timedelta(seconds=said["p90_s"]),
            zone=said["zone"],
            env=tuple(said["env"].items()),
            places=tuple((zone, place) for zone, place in said["places"]),
            data_gb=said["data_gb"],
            options=tuple(said["options"].items()),
            pausing=_pausing_from_plain(said["pausing"]),
            # Orders of before had the grace of a pause alone.
            grace=timedelta(seconds=said.get("grace_s", GRACE.total_seconds())),
            power=estimate_from_plain(Power, said["power_w"]),
            executor=said["executor"],
            checkpoint=said["checkpoint"],
        )


def _pausing_to_plain(pausing: Pausing | None) -> dict[str, Any] | None:
    if pausing is None:
        return None
    return {
        "restart_s": pausing.restart.total_seconds(),
        "min_run_s": pausing.min_run.total_seconds(),
        "grace_s": pausing.grace.total_seconds(),
        "every_s": pausing.every.total_seconds(),
        "freeze": pausing.freeze,
        "idle_w": pausing.idle.in_watts,
    }


def _pausing_from_plain(said: dict[str, Any] | None) -> Pausing | None:
    if said is None:
        return None
    return Pausing(
        restart=timedelta(seconds=said["restart_s"]),
        min_run=timedelta(seconds=said["min_run_s"]),
        grace=timedelta(seconds=said["grace_s"]),
        every=timedelta(seconds=said["every_s"]),
        freeze=said["freeze"],
        idle=Power.watts(said["idle_w"]),
    )
