"""Green view: jobs, plans and the forecast's curve, for a terminal and as JSON."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from lichen.ledger.signal import GridSignal
    from lichen.plan.plan import Plan
    from lichen.train.green.issued import Planning
    from lichen.train.green.order import Order
    from lichen.train.green.record import Record, Stretch
    from lichen.train.green.settle import Settlement

_LEVELS = "▁▂▃▄▅▆▇█"
_PLAIN_LEVELS = "_.-=+*#@"
WIDEST = 96
_STATES = {"done": "gain", "failed": "loss", "lost": "loss", "running": "gained", "paused": "warn"}


# Beyond that a day without its year would be taken for a nearer one.
_FAR = timedelta(days=300)


def when(moment: datetime) -> str:
    """A moment as a clock here shows it; with the year where it is far off."""
    far = abs(moment - datetime.now(UTC)) > _FAR
    return moment.astimezone().strftime(f"%a %d %b {'%Y ' * far}%H:%M")


def here() -> str:
    """The time zone of the clock here."""
    told = datetime.now().astimezone().strftime("%Z, UTC%z")
    return "UTC" if told == "UTC, UTC+0000" else told


def curve(
    signal: GridSignal, spans: Sequence[tuple[datetime, datetime]], until: datetime, width: int
) -> tuple[str, str]:
    """A signal as a line of blocks up to a time, and a line that marks the chosen windows."""
    end = min(until, signal.end)
    width = max(1, min(width, WIDEST, (end - signal.start) // signal.step or 1))
    each = (end - signal.start) / width
    means = means_of(signal, signal.values, each, width)
    blocks = blocks_of(means, min(means), max(means))
    middles = [signal.start + each * (n + 0.5) for n in range(width)]
    marks = "".join("━" if inside(middle, spans, each) else " " for middle in middles)
    return blocks, marks


def means_of(
    signal: GridSignal, values: Sequence[float], each: timedelta, width: int
) -> list[float]:
    """The mean of a signal's values, its own or its ends, in each of so many columns."""
    made = []
    for n in range(width):
        first = min(each * n // signal.step, len(values) - 1)
        last = min(max(-(-each * (n + 1) // signal.step), first + 1), len(values))
        some = values[first:last]
        made.append(sum(some) / len(some))
    return made


def blocks_of(means: Sequence[float], low: float, high: float) -> str:
    """Values as a line of blocks, on a scale from low to high."""
    scale = (len(_LEVELS) - 1) / (high - low) if high > low else 0.0
    return "".join(_LEVELS[round((mean - low) * scale)] for mean in means)


def plainer(blocks: str, encoding: str | None) -> str:
    """The same for a terminal that cannot show blocks."""
    if (encoding or "").lower().startswith("utf"):
        return blocks
    return blocks.translate(str.maketrans(_LEVELS + "━", _PLAIN_LEVELS + "^"))


def inside(middle: datetime, spans: Sequence[tuple[datetime, datetime]], each: timedelta) -> bool:
    """Whether a column lies in a window; a window narrower than one is seen all the same."""
    return any(start - each / 2 < middle <= end + each / 2 for start, end in spans)


def plain_record(record: Record, planning: Planning | None, *, driven: bool) -> dict[str, Any]:
    """A job as JSON: its record, whether a runner drives it, and the last plan's figures."""
    said = record.to_plain()
    said["driven"] = driven
    said["plan"] = planning.to_plain()["plan"] if planning else None
    return said


def show_planning(planning: Planning, order: Order, console: Console) -> None:
    """Draw a plan: the forecast's curve with the chosen windows, and what it is worth."""
    from lichen.cli.screen import sentence, table

    if planning.plan is None:
        console.print(sentence(planning.why, "warn"))
        return
    plan = planning.plan
    for signal in planning.signals:
        spans = [(one.start, one.end) for one in plan.segments if one.zone == signal.zone]
        if signal.zone == plan.zone:
            _draw(console, signal, spans, order.deadline)
    made = table("from", "to", "zone", "runs", right=(3,))
    for one in plan.segments:
        made.add_row(when(one.start), when(one.end), one.zone, str(one.duration).partition(".")[0])
    for part in (made, "", _worth(planning, plan, order), ""):
        console.print(part)


def _worth(planning: Planning, plan: Plan, order: Order) -> Table:
    """What a plan is worth, and how it was made."""
    from lichen.cli.screen import clean, figure, table
    from lichen.ledger.show import percent
    from lichen.operate.watch.plan_words import planned
    from lichen.train.green.order import POWER

    facts = table("", "")
    facts.show_header = False
    facts.add_row("expected", figure(plan.expected))
    facts.add_row("run now", figure(plan.run_now))
    facts.add_row("avoided", figure(plan.avoided, "gain").append(f"  {percent(plan.share)}"))
    if order.power == POWER:
        facts.add_row("at", f"an assumed power of {POWER}: say what it draws with --power")
    facts.add_row("latest safe start", when(plan.latest_safe_start))
    how = planned(planning.method(order.deadline))
    facts.add_row("planned", clean(f"{how}; by {', '.join(plan.sources)}"))
    if plan.gaps:
        from lichen.operate.watch import words

        facts.add_row("gaps", clean(", ".join(words.gap(gap).title for gap in plan.gaps)))
    facts.add_row("times in", here())
    return facts


def _draw(
    console: Console,
    signal: GridSignal,
    spans: Sequence[tuple[datetime, datetime]],
    until: datetime,
) -> None:
    from lichen.cli.screen import sentence

    blocks, marks = curve(signal, spans, until, console.width - 4)
    blocks, marks = (plainer(line, console.encoding) for line in (blocks, marks))
    seen = signal.values[: max(1, -(-(until - signal.start) // signal.step))]
    low, high = min(seen), max(seen)
    span = f"{low:.0f} to {high:.0f}" if high > low else f"{low:.0f}"
    times = f"{when(signal.start)} to {when(min(until, signal.end))}"
    console.print("")
    console.print(sentence(f"{signal.zone}, {span} gCO₂e/kWh, {times}", "quiet"))
    if high == low:
        # A line of one height, and a mark below a part of it, would show a choice.
        console.print("")
        return
    console.print(sentence(blocks))
    if marks.strip():
        console.print(sentence(marks, "gained"))
    console.print("")


def show_jobs(
    rows: Sequence[tuple[Record, bool]], settled: Mapping[str, Settlement] | None = None
) -> None:
    """Draw a table of jobs, each with whether a runner drives it and what its waiting avoided."""
    from rich.text import Text

    from lichen.cli.screen import clean, fitted, screen, sentence, table
    from lichen.train.green.record import State

    made = table("job", "state", "starts", "finish by", "zone", "avoided", "command", "")
    for record, driven in rows:
        starts = (
            record.stretches[0].start
            if record.stretches
            else record.segments[0][0]
            if record.segments
            else None
        )
        state = record.state.value
        overdue = record.late(datetime.now(UTC))
        if overdue and record.state is not State.CANCELLED:
            state = f"{state}, late"
        note = "" if driven or record.state.ended else "no runner: lichen run --adopt"
        made.add_row(
            record.id,
            Text(state, style="loss" if overdue else _STATES.get(state, "")),
            when(starts) if starts else "now",
            when(record.order.deadline),
            record.zone,
            _avoided(record, (settled or {}).get(record.id)),
            clean(shlex.join(record.order.argv))[:40],
            note,
        )
    console = screen()
    if not rows:
        console.print(sentence("No job waits or ran here: lichen run --help says how.", "quiet"))
        return
    console.print(fitted(console, made))
    console.print(sentence(f"Times in {here()}.", "quiet"))


def _avoided(record: Record, settlement: Settlement | None) -> Text | str:
    """What a job avoided, with its interval, or that it is not settled; empty if it has not run."""
    from rich.text import Text

    from lichen.train.green.account import ASSUMED

    if not record.state.ended or not record.stretches:
        return ""
    if settlement is None or settlement.entry is None:
        return Text("not settled", style="quiet")
    saving = settlement.entry.saving
    if saving is None:
        guessed = ASSUMED in settlement.entry.figures.gaps
        return Text(f"none claimed{', power assumed' * guessed}", style="quiet")
    carbon = saving.footprint.carbon
    return Text(str(carbon), style="loss" if carbon.value.in_grams < 0 else "gain")


def lateness(record: Record, overdue: timedelta) -> str:
    """How a deadline was missed, in words."""
    told = str(overdue).partition(".")[0]
    return f"It ended {told} late" if record.state.ended else f"It is {told} late"


def show_job(record: Record, planning: Planning | None, *, driven: bool) -> None:
    """Draw one job: what was asked, what ran, what happened last."""
    from lichen.cli.screen import clean, screen, sentence, table, title
    from lichen.operate.watch.plan_words import remark

    console = screen()
    console.print(title(f"Job {record.id}", f"{record.state.value} · {record.order.executor}"))
    console.print(sentence(shlex.join(record.order.argv)))
    console.print(sentence(remark(record.state.value, record.note or ""), "quiet"))
    if overdue := record.late(datetime.now(UTC)):
        when_due = when(record.order.deadline)
        console.print(sentence(f"{lateness(record, overdue)}; it was due {when_due}.", "lost"))
    made = table("ran from", "to", "for", "ended by", "exit code")
    for one in record.stretches:
        made.add_row(
            when(one.start),
            when(one.end) if one.end else "now",
            _lasted(one),
            clean(one.how or "still runs"),
            "" if one.exit_code is None else str(one.exit_code),
        )
    if record.stretches:
        console.print(made)
    # One that has to run keeps to no plan any more.
    if planning and not (record.state.ended or record.committed):
        show_planning(planning, record.order, console)
    if not driven and not record.state.ended:
        console.print(sentence("No runner drives it: lichen run --adopt", "warn"))


def _lasted(stretch: Stretch) -> str:
    """How long a stretch ran, or has run by now."""
    if stretch.ran_s is not None:
        return f"{stretch.ran_s:.0f} s"
    if stretch.end is not None:
        return "unknown"
    return f"{stretch.lasted(datetime.now(UTC)).total_seconds():.0f} s so far"
