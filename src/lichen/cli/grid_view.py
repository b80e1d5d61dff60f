"""Grid view: a forecast's curve with its interval, and who was asked for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from rich.table import Table

    from lichen.grid.chain import Tried
    from lichen.ledger.signal import GridSignal

_MARKS = {"answered": ("✔", "gain"), "skipped": ("–", "quiet"), "failed": ("!", "warn")}
_LABEL = "  high  "


class Cleanest(NamedTuple):
    """The window of a length with the least mean intensity [gCO₂e/kWh]."""

    start: datetime
    end: datetime
    mean: float


def cleanest(signal: GridSignal, length: timedelta) -> Cleanest:
    """The cleanest window of a length that begins with a step; the whole where it is longer."""
    count = min(max(-(-length // signal.step), 1), len(signal.values))
    total = least = sum(signal.values[:count])
    best = 0
    for first in range(1, len(signal.values) - count + 1):
        total += signal.values[first + count - 1] - signal.values[first - 1]
        if total < least:
            least, best = total, first
    start = signal.start + signal.step * best
    return Cleanest(start, start + signal.step * count, least / count)


def plain_tried(tried: Iterable[Tried]) -> list[dict[str, Any]]:
    """Who was asked, as JSON."""
    return [{**asdict(each), "at": each.at.isoformat()} for each in tried]


def show_tried(tried: Sequence[Tried]) -> None:
    """Draw who was asked, what came, and why not."""
    from rich.text import Text

    from lichen.cli.screen import clean, screen, table

    if not tried:
        return
    made = table("", "source", "asked for", "what came")
    for each in tried:
        mark, style = _MARKS.get(each.outcome, ("", ""))
        told = Text(clean(each.why))
        if each.mend and each.outcome != "answered":
            told.append(f" → {clean(each.mend)}", style="quiet")
        made.add_row(Text(mark, style=style), clean(each.source), clean(each.asked), told)
    console = screen()
    console.print(made)
    console.print("")


def show_forecast(signal: GridSignal, best: Cleanest) -> None:
    """Draw the curve between the ends of its interval, and the cleanest window below it."""
    from rich.padding import Padding

    from lichen.cli import green_view
    from lichen.cli.screen import screen, sentence, title

    console = screen()
    width = max(1, min(console.width - len(_LABEL) - 2, green_view.WIDEST, len(signal.values)))
    each = (signal.end - signal.start) / width
    lines = {"high": signal.highs, "best": signal.values, "low": signal.lows}
    means = {name: green_view.means_of(signal, of, each, width) for name, of in lines.items()}
    bottom, top = min(means["low"]), max(means["high"])
    level = min(signal.values) == max(signal.values)
    spans = [] if level else [(best.start, best.end)]
    marks = "".join(
        "━" if green_view.inside(signal.start + each * (n + 0.5), spans, each) else " "
        for n in range(width)
    )
    begin, end = green_view.when(signal.start), green_view.when(signal.end)
    console.print("")
    console.print(title(f"Forecast of {signal.zone}", f"{signal.kind.value}, {begin} to {end}"))
    console.print("")
    for name, values in means.items():
        blocks = green_view.plainer(green_view.blocks_of(values, bottom, top), console.encoding)
        console.print(sentence(f"{name:<6}{blocks}", "" if name == "best" else "quiet"))
    console.print(sentence(" " * 6 + green_view.plainer(marks, console.encoding), "gained"))
    facts = _facts(signal, best, level=level)
    console.print("")
    console.print(Padding(facts, (0, 0, 0, 2), expand=False))
    console.print("")


def _facts(signal: GridSignal, best: Cleanest, *, level: bool) -> Table:
    """What stands below the curve; `level`: all hours are alike."""
    from lichen.cli import green_view
    from lichen.cli.screen import clean, table

    facts = table("", "")
    facts.show_header = False
    facts.add_row("now", f"{signal.at(signal.start)}")
    values = f"{min(signal.values):.0f} to {max(signal.values):.0f}"
    facts.add_row("best estimates", f"{values.partition(' ')[0] if level else values} g/kWh")
    facts.add_row("interval", f"{min(signal.lows):.0f} to {max(signal.highs):.0f} g/kWh")
    span = f"{green_view.when(best.start)} to {green_view.when(best.end)}"
    cleanest_told = f"{span}, {best.mean:.0f} g/kWh"
    if level:
        cleanest_told = "none: all hours are alike, nothing to wait for"
    facts.add_row("cleanest window", cleanest_told)
    facts.add_row("issued", green_view.when(signal.issued_at))
    facts.add_row("by", clean(signal.source))
    facts.add_row("times in", green_view.here())
    return facts
