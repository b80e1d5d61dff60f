"""Grid page: the grid now, the last day and the next two, and the jobs that wait for it.

What a source did not say is not drawn, and said in words; a loss is shown as plainly as a gain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.show import quantity
from lichen.operate.watch.grid import BEFORE, cleanest, hours
from lichen.operate.watch.grid_chart import clock, grid_chart
from lichen.operate.watch.markup import el
from lichen.operate.watch.page import Frame, Page, html_page, own_weight
from lichen.operate.watch.words import DOCS, short, strategy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Carbon
    from lichen.ledger.signal import GridSignal
    from lichen.operate.watch.grid import Hour, Job, Seen
    from lichen.operate.watch.markup import Markup

# How long the window is that is named as the cleanest ahead. [h]
_CLEAN_HOURS = 4


def grid_page(seen: Seen | None, now: datetime, top: tuple[Markup, ...]) -> Page:
    """The page; before anything was seen it says so."""
    frame = Frame("lichen · grid", top, (el("p", _weight(), class_="s"), _links()))
    if seen is None:
        return html_page(
            frame,
            el("h1", "The grid is being asked."),
            el("p", "Nothing has come yet. Load the page again in a moment."),
        )
    shown = hours(seen, now)
    return html_page(
        frame,
        el("section", *_head(seen, shown, now), id="head", aria_label="The grid now"),
        grid_chart(seen, shown, now),
        _jobs(seen.jobs, now),
        _asked(seen, now),
    )


def _head(seen: Seen, shown: Sequence[Hour], now: datetime) -> list[Markup]:
    this, zone = shown[BEFORE].intensity, el("span", seen.zone, class_="z")
    if this is None:
        why = seen.why or "no source had this hour"
        return [
            el("h1", "What the grid of ", zone, " emits is not known now."),
            el("p", why),
        ]
    value = el("em", f"{this.value.in_g_per_kwh:.0f} gCO₂e/kWh")
    made = [el("h1", "The grid of ", zone, " emits ", value, " now.")]
    interval = f"90 % interval {this.low.in_g_per_kwh:.0f} to {this.high.in_g_per_kwh:.0f}"
    made.append(el("p", f"{interval}, {this.basis.name.lower()}.", class_="s"))
    best = cleanest(list(shown), _CLEAN_HOURS, now)
    if best and _varies(shown):
        begins = "now" if best[0] == now else clock(best[0], now)
        span = f"{begins} to {clock(best[1], now)}"
        words = f"Cleanest {_CLEAN_HOURS} hours ahead: {span}, {best[2]:.0f} gCO₂e/kWh."
        made.append(el("p", words))
    elif best:
        words = (
            "Every hour ahead is alike: a yearly average stands in, and nothing is worth waiting"
        )
        made.append(el("p", f"{words} for. Set LICHEN_GRID or LICHEN_TRACE."))
    return made


def _varies(shown: Sequence[Hour]) -> bool:
    values = {each.intensity.value.amount for each in shown if each.ahead and each.intensity}
    return len(values) > 1


def _jobs(jobs: Sequence[Job], now: datetime) -> Markup:
    title = el("h2", "Jobs")
    if not jobs:
        how = el("code", "lichen run --finish-by 18:00 --duration 2h -- CMD")
        return el("section", title, el("p", "No job waits or ran here. Queue one: ", how))
    heads = ("Job", "State", "Runs", "Expected", "Avoided")
    rows = (
        el(
            "tr",
            el("th", job.command, el("small", job.name), scope="row"),
            el("td", job.state),
            el("td", *_runs(job, now)),
            el("td", *_saving(job.expected, "–"), *_at(job)),
            el("td", *_saving(job.settled, job.note or "not settled")),
        )
        for job in jobs
    )
    table = el(
        "table",
        el("thead", el("tr", *(el("th", head, scope="col") for head in heads))),
        el("tbody", *rows),
        id="jobs",
        aria_label="Jobs, and what their waiting avoids",
    )
    meaning = (
        f"{strategy('train.green').meaning} Expected is what the last plan was to avoid, by the "
        "forecast; avoided is what came of it, by the grid as it was."
    )
    return el("section", title, el("p", meaning, class_="s"), table)


def _runs(job: Job, now: datetime) -> list[object]:
    there = [el("small", f"in {job.elsewhere}")] if job.elsewhere else []
    if not job.windows:
        return ["at once", *there]
    start, end = job.windows[0][0], job.windows[-1][1]
    pieces = f", in {len(job.windows)} pieces" if len(job.windows) > 1 else ""
    return [clock(start, now), el("small", f"to {clock(end, now)}{pieces}"), *there]


def _saving(known: Estimate[Carbon] | None, otherwise: str) -> list[object]:
    if known is None:
        return [otherwise]
    lost = known.value.in_grams < 0
    value = el("b", quantity(known.value), class_="l" if lost else None)
    low, high = quantity(known.low), quantity(known.high)
    return [value] if low == high else [value, el("small", f"{low} – {high}")]


def _at(job: Job) -> list[object]:
    """The power that a plan was made with; what came of it may be measured."""
    return [el("small", f"at {job.power}")] if job.expected is not None and job.power else []


def _asked(seen: Seen, now: datetime) -> Markup:
    parts: list[object] = [el("h2", "Where this is from")]
    for name, signal in (("Forecast", seen.ahead), ("Recorded", seen.past)):
        if signal is not None:
            parts.append(el("p", f"{name}: {signal.source}{_dated(seen, signal, now)}."))
    if seen.why:
        parts.append(el("p", seen.why))
    rows = [
        el("li", el("b", short(one.source)), f" {one.outcome}: {one.why}") for one in seen.asked
    ]
    if rows:
        parts.append(el("details", el("summary", "Who was asked"), el("ul", *rows)))
    parts.append(el("p", f"Seen {clock(seen.at, now)}.", class_="s"))
    return el("section", *parts)


def _dated(seen: Seen, signal: GridSignal, now: datetime) -> str:
    """From when it is: a forecast was issued, a recording and a yearly average were not."""
    if len(signal.values) == 1:
        return ", a yearly average"
    past = seen.past
    if signal is past:
        return ""
    # A recording that goes on beyond now is played back.
    if past is not None and past.issued_at > now and signal.source.startswith(past.source):
        return ", as recorded"
    return f", issued {clock(signal.issued_at, now)}"


def _weight() -> str:
    return f"This page: {own_weight()} in 3 requests. It never waits for a grid’s source."


def _links() -> Markup:
    return el(
        "p",
        f"Where intensity comes from: {DOCS}/grid.md · How a job is settled: "
        f"{DOCS}/method/savings.md, in lichen’s folder",
        class_="s",
    )
