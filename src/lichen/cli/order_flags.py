"""Order flags: what `run` and `plan` are told about a job, each told once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Power
    from lichen.settings import Settings
    from lichen.train.green.order import Order, Pausing

F = TypeVar("F", bound="Callable[..., Any]")
_GB = {"GB": 1.0, "TB": 1000.0, "MB": 0.001}
_SITE = """What a zone offers, once for each: latency, hardware, price, area, as in
FR,latency=20ms,hardware=h100+a100."""
_W = {"kW": 1000.0, "W": 1.0}


class Option(NamedTuple):
    """A flag of an order, with the form of its value and a help text that teaches."""

    flag: str
    form: str
    help: str


_OPTIONS = (
    Option("--finish-by", "TIME", "When it must be done: 18:00, `in 8h`, 2026-11-26T06:00+01:00."),
    Option("--duration", "LENGTH", "How long it runs, as half of such jobs keep: 6h, 90min, PT6H."),
    Option("--duration-p90", "LENGTH", "How long nine in ten run. [default: as --duration]"),
    Option("--not-before", "TIME", "When it may start at the earliest. [default: now]"),
    Option(
        "--zones",
        "ZONE[=PLACE],...",
        "Zones to choose from, for executors that know places: a Slurm partition, a cluster.",
    ),
    Option(
        "--residency",
        "AREA,...",
        "Only zones under the law of one of these: DE,EU. A zone's country is known.",
    ),
    Option("--max-latency", "TIME", "Only zones at most so far from its users: 50ms."),
    Option("--hardware", "NAME,...", "Only zones that offer all of it: h100."),
    Option("--max-price", "MONEY", "Only zones where its hour costs at most that: 2.40EUR."),
    Option("--data", "SIZE", "Data to be moved to another zone: 40GB, 2TB. [default: none]"),
    Option("--power", "WATTS", "Power it draws: 350W, 2.4kW. [default: 300 W, 10 W to 10 kW]"),
    Option("--restart-cost", "LENGTH", "Running time a resume loses. [default: none]"),
    Option("--min-run", "LENGTH", "Shortest stretch worth starting. [default: none]"),
    Option(
        "--grace", "LENGTH", "From SIGTERM to SIGKILL, at a pause and a cancel. [default: 120s]"
    ),
    Option("--checkpoint-every", "LENGTH", "Send it SIGUSR1 that often. [default: never]"),
    Option("--idle", "WATTS", "Power it draws while frozen. [default: unknown, so not frozen]"),
    Option("--checkpoint-dir", "FOLDER", "Where checkpoints lie. [default: beside the ledger]"),
)


def order_flags(function: F) -> F:
    """All flags of an order."""
    for many, form, text in (
        (
            "--site",
            "ZONE,KEY=VALUE,...",
            _SITE,
        ),
        ("--option", "KEY=VALUE", "A setting of the executor's own; may be given several times."),
        ("--env", "NAME[=VALUE]", "A variable to keep with the job; may be given several times."),
    ):
        function = click.option(many, metavar=form, multiple=True, help=text)(function)
    function = click.option(
        "--executor", default="local", metavar="NAME", help="local, slurm, kubernetes, at. [local]"
    )(function)
    function = click.option(
        "--freeze", is_flag=True, help="Pause by SIGSTOP, in memory; needs --idle."
    )(function)
    function = click.option(
        "--interruptible", is_flag=True, help="It may be paused: it keeps the pause protocol."
    )(function)
    for option in reversed(_OPTIONS):
        function = click.option(option.flag, metavar=option.form, help=option.help)(function)
    return function


def order_of(command: tuple[str, ...], settings: Settings, now: datetime, said: Any) -> Order:
    """The order that a command line asks for.

    Raises:
        InputError: a value makes no sense, or one that is needed is not given.
        NaiveTime: a time has no zone.
    """
    from lichen.cli.lengths import deadline, length
    from lichen.cli.place_limits import allowed
    from lichen.grid.zones import default_zone
    from lichen.train.green.order import GRACE, POWER, Order

    for name in ("finish_by", "duration"):
        if not said[name]:
            flag = f"--{name.replace('_', '-')}"
            context = click.get_current_context(silent=True)
            verb = context.info_name if context else "run"
            raise click.UsageError(f"{flag} is needed: see `lichen {verb} --help`")
    if said["data"] and not said["zones"]:
        raise click.UsageError("--data is moved to another zone: list zones with --zones")
    p50 = length(said["duration"])
    zone, _ = default_zone(settings.zone or None)
    release = deadline(said["not_before"], now) if said["not_before"] else now
    return Order(
        argv=command,
        cwd=str(Path.cwd()),
        release=max(release, now),
        deadline=deadline(said["finish_by"], now),
        p50=p50,
        p90=length(said["duration_p90"]) if said["duration_p90"] else p50,
        zone=zone,
        places=allowed(_places(said["zones"]), zone, said),
        data_gb=_amount(said["data"], _GB, "--data"),
        options=tuple(_pair(each, "--option") for each in said["option"]),
        env=tuple(_variable(each) for each in said["env"]),
        pausing=_pausing(said),
        grace=length(said["grace"]) if said["grace"] else GRACE,
        power=_power(said["power"]) or POWER,
        executor=said["executor"],
        checkpoint=str(Path(said["checkpoint_dir"]).resolve()) if said["checkpoint_dir"] else "",
    )


def _pausing(said: Any) -> Pausing | None:
    from lichen.cli.lengths import length
    from lichen.ledger.quantities import Power
    from lichen.train.green.order import Pausing

    named = {"restart_cost": "restart", "min_run": "min_run", "grace": "grace"}
    given: dict[str, Any] = {name: length(said[flag]) for flag, name in named.items() if said[flag]}
    if said["checkpoint_every"]:
        given["every"] = length(said["checkpoint_every"])
    if said["freeze"]:
        if not said["idle"]:
            raise click.UsageError("--freeze needs --idle: what it draws while it is stopped")
        given |= {"freeze": True, "idle": Power.watts(_amount(said["idle"], _W, "--idle"))}
    if not said["interruptible"]:
        # The grace is of a cancel too, which ends any job.
        if given.keys() - {"grace"}:
            raise click.UsageError("only an --interruptible job is paused: say so, or leave it out")
        return None
    return Pausing(**given)


def _power(text: str | None) -> Estimate[Power] | None:
    from lichen.ledger.estimate import Basis, Estimate
    from lichen.ledger.quantities import Power

    if not text:
        return None
    watts = _amount(text, _W, "--power")
    if not watts:
        raise click.UsageError("--power 0 draws nothing, so no hour is better: leave it out")
    # A user's figure, and a job does not draw the same all the time: ± a quarter.
    return Estimate.around(Power.watts(watts), 1.25, Basis.ASSUMED)


def _amount(text: str | None, units: dict[str, float], flag: str) -> float:
    if not text:
        return 0.0
    unit = next((each for each in units if text.endswith(each)), "")
    try:
        amount = float(text.removesuffix(unit))
    except ValueError:
        amount = -1.0
    if not unit or not 0 <= amount < float("inf"):
        raise click.UsageError(
            f"{flag} cannot be {text!r}: write a number and {' or '.join(units)}"
        )
    return amount * units[unit]


def _places(text: str | None) -> tuple[tuple[str, str], ...]:
    if not text:
        return ()
    parts = (part.strip().partition("=") for part in text.split(","))
    return tuple((zone, place or zone) for zone, _, place in parts if zone)


def _pair(text: str, flag: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.UsageError(f"{flag} is written KEY=VALUE, got {text!r}")
    return name, value


def _variable(text: str) -> tuple[str, str]:
    import os

    name, equals, value = text.partition("=")
    if not equals and name not in os.environ:
        raise click.UsageError(f"--env {name}: there is no such variable here; write NAME=VALUE")
    return name, value if equals else os.environ[name]
