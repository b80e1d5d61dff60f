"""A report as people see it: a picture first, then figures with their intervals, then the gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lichen.cli.reading import shown
from lichen.cli.report_tables import TABLES, dry_run, entries, gaps, held_out, similar, withheld
from lichen.cli.screen import Held, bar, clean, figure, fitted, sentence, table, title, width_of
from lichen.ledger.show import count, quantity
from lichen.operate.watch import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from rich.console import Console, RenderableType

    from lichen.cli.reading import Report
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.quantities import Carbon, Energy

_IN = (0, 0, 0, 2)
# Columns beside the bars: what is set in, the words before them, and two gaps.
_BESIDE = 2 + len("without lichen") + 2 * 2


def draw(found: Report, by: tuple[str, ...], console: Console) -> Iterator[RenderableType]:
    """The parts of a report from top to bottom."""
    yield ""
    avoided = "" if found.only_measured else ", and what was avoided"
    yield title(f"What {_all_of_it(found)} used{avoided}")
    yield sentence(_when(found), "quiet")
    yield ""
    if not found.summary.rows:
        yield from _empty(found)
        return
    yield Padding(_counts(found), _IN, expand=False)
    yield ""
    if not found.only_measured:
        for of in _pictured(found):
            yield Padding(_picture(found, console, of), _IN, expand=False)
        yield ""
    yield fitted(console, _figures(found, " "), _figures(found, "\n"))
    yield from _explained(found)
    for name in by:
        yield from TABLES[name](found, console)
    yield from held_out(found, console)
    yield from dry_run(found, console)
    yield from similar(found, console)
    yield from withheld(found)
    yield from gaps(found)
    yield from entries(found, console)
    yield ""


def _all_of_it(found: Report) -> str:
    """What a report is of: calls, work beside calls, or both."""
    if not found.jobs:
        return "the calls"
    return "calls and other work" if found.calls else "the work"


def _when(found: Report) -> str:
    since, until = found.span.since, found.span.until
    told = f"since {_local(since)}" if since else "all of it"
    if until:
        told = f"{told} until {_local(until)}"
    return f"{told} · {shown(found.where)}"


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _empty(found: Report) -> Iterator[RenderableType]:
    limited = found.span.since or found.span.until
    yield sentence(
        "Nothing was booked in that time. Ask for a longer one with --since, or for all of it."
        if limited
        else "This ledger is empty. Start `lichen serve` and point a client at it: "
        "export OPENAI_BASE_URL=http://127.0.0.1:8420/v1, and OPENAI_API_KEY=none for that client "
        "where the embedded model answers."
    )
    yield from gaps(found)
    yield ""


def _counts(found: Report) -> Text:
    work = found.summary.work
    others = Held()
    for unit, amount in found.jobs.items():
        others.append("   " if others else "").append(count(amount), style="bold")
        others.append(f" {clean(words.times(amount, unit))}")
    if others and not found.calls:
        return others
    made = Held.assemble(others, "\n" if others else "", (count(found.calls), "bold"))
    made.append(f" {words.times(found.calls, 'call')}   ")
    made.append(count(found.hits), style="gained" if found.hits else "bold")
    rate = f" ({100 * found.hits / found.calls:.0f} %)" if found.calls else ""
    made.append(f" answered without a model{rate}\n")
    made.append(count(work.tokens.total), style="bold").append(" tokens used   ")
    made.append(count(work.spared.total), style="gained" if work.spared.total else "bold")
    return made.append(" tokens spared")


def _energy(made: Footprint) -> Energy:
    return made.energy.value


def _carbon(made: Footprint) -> Carbon:
    return made.carbon.value


def _pictured(found: Report) -> list[Callable[[Footprint], Energy | Carbon]]:
    """What is drawn: energy; carbon, where work was moved to a cleaner hour; both, where both."""
    saved = [row.saved for row in found.summary.rows]
    moved = any(_carbon(each).amount > 0 >= _energy(each).amount for each in saved)
    spared = any(_energy(each).amount > 0 for each in saved)
    return [*([_energy] if spared or not moved else []), *([_carbon] if moved else [])]


def _picture(found: Report, console: Console, of: Callable[[Footprint], Energy | Carbon]) -> Table:
    """Two bars: what it would have been, and what it was, overhead in."""
    summary = found.summary
    had = of(summary.work.used + summary.work.saved)
    used = of(summary.used)
    largest = max(abs(had.amount), abs(used.amount)) or 1.0
    change = _less(had, used)
    beside = _BESIDE + width_of(quantity(had), f"{quantity(used)}  {change}")
    width = max(1, min(60, console.width - beside))
    made = Table.grid(padding=(0, 2, 0, 0))
    rows = (
        ("without lichen", had, "", ""),
        ("with lichen", used, "loss" if used.amount > had.amount else "gain", change),
    )
    for name, amount, style, told in rows:
        drawn = bar(amount.amount / largest, width, encoding=console.encoding)
        made.add_row(
            name,
            Text(drawn, style=style, no_wrap=True),
            Held.assemble(quantity(amount), (f"  {told}" if told else "", "bold")),
        )
    return made


def _less(had: Energy | Carbon, used: Energy | Carbon) -> str:
    if not had.amount:
        return ""
    change = 100 * (used.amount - had.amount) / had.amount
    sign = "−" if change < 0 else "+"
    return f"{sign}{abs(change):.0f} %"


def _figures(found: Report, between: str) -> Table:
    summary = found.summary
    made = table("", "energy", "carbon")
    rows = [
        ("used by the work" if found.jobs else "used by models", summary.work.used),
        ("used by lichen", summary.overhead.used),
    ]
    if not found.only_measured:
        rows.append(("avoided", summary.work.saved))
    for name, footprint in rows:
        made.add_row(
            name,
            figure(footprint.energy, between=between),
            figure(footprint.carbon, between=between),
        )
    if not found.only_measured:
        made.add_row(*_net(found, between))
    for rate in found.sci:
        rated = Text(f"SCI per {clean(rate.work.unit)}", style="bold")
        made.add_row(rated, "", figure(rate.per_unit, "bold", between=between))
    return made


def _net(found: Report, between: str) -> tuple[RenderableType, ...]:
    net = found.summary.net
    energy, carbon = _net_style(net.energy.value.amount), _net_style(net.carbon.value.amount)
    return (
        Text("net: a loss" if net.carbon.value.amount < 0 else "net saving", style=carbon),
        figure(net.energy, energy, between=between),
        figure(net.carbon, carbon, between=between),
    )


def _net_style(amount: float) -> str:
    return "lost" if amount < 0 else "gained" if amount else "bold"


def _explained(found: Report) -> Iterator[RenderableType]:
    """How sure the figures are, and whether the interval holds a loss."""
    summary = found.summary
    weakest = max(
        estimate.basis
        for made in (summary.used, summary.work.saved)
        for estimate in (made.energy, made.operational, made.embodied)
    )
    yield ""
    yield sentence(
        "In brackets: the 90 % interval. The weakest figure behind these is "
        f"{weakest.name.lower()}. Carbon = E × I + M{_of_net(found)}.",
        "quiet",
    )
    if found.only_measured:
        return
    carbon = summary.net.carbon
    if carbon.low.amount < 0 < carbon.high.amount and carbon.value.amount:
        other = "loss" if carbon.value.amount > 0 else "saving"
        yield sentence(f"The interval of the net reaches across zero: it may be a {other}.", "warn")


def _of_net(found: Report) -> str:
    if found.only_measured:
        return ". Nothing here was to spare anything: it was measured, and that is all"
    return "; net = avoided − used by lichen"
