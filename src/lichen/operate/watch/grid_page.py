"""Grid page: the grid now, the last day and the next two, and the jobs that wait for it.

The curve is one line with its 90 % interval as a band, recorded hours in grey and forecast ones in
green; what is planned lies on its foot. The table twin under it holds every number.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from lichen.ledger.show import quantity
from lichen.operate.watch.chart import HEIGHT, SLOT, WHOLE
from lichen.operate.watch.grid import AFTER, BEFORE, HOUR, cleanest, hours
from lichen.operate.watch.markup import Markup, el, join
from lichen.operate.watch.page import Frame, Page, html_page, own_weight
from lichen.operate.watch.words import DOCS, short, strategy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Carbon, CarbonIntensity
    from lichen.operate.watch.grid import Hour, Job, Seen

# Between the top of the highest interval and the edge, and from the foot up. [px]
_ROOM, _FOOT = 8, 14
_TICKS = 4
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
        _chart(seen, shown, now),
        _jobs(seen.jobs, now),
        _asked(seen, now),
    )


def _clock(moment: datetime, now: datetime) -> str:
    return moment.astimezone(now.tzinfo).strftime("%a %H:%M")


def _head(seen: Seen, shown: Sequence[Hour], now: datetime) -> list[Markup]:
    this = shown[BEFORE].intensity
    if this is None:
        why = seen.why or "no source had this hour"
        return [el("h1", f"What the grid of {seen.zone} emits is not known now."), el("p", why)]
    value = el("em", f"{this.value.in_g_per_kwh:.0f} gCO₂e/kWh")
    made = [el("h1", f"The grid of {seen.zone} emits ", value, " now.")]
    interval = f"90 % interval {this.low.in_g_per_kwh:.0f} to {this.high.in_g_per_kwh:.0f}"
    made.append(el("p", f"{interval}, {this.basis.name.lower()}.", class_="s"))
    best = cleanest(list(shown), _CLEAN_HOURS)
    if best and _varies(shown):
        span = f"{_clock(best[0], now)} to {_clock(best[1], now)}"
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


def _chart(seen: Seen, shown: Sequence[Hour], now: datetime) -> Markup:
    highs = [each.intensity.high.in_g_per_kwh for each in shown if each.intensity]
    values = [each.intensity.value.in_g_per_kwh for each in shown if each.intensity]
    if not highs:
        return el("section", el("h2", "The last day and the next two"), el("p", seen.why))
    # A yearly average's interval may reach far beyond all values: the axis ends at three times.
    top = min(max(highs), 3 * max(values)) or 1.0
    windows = [span for job in seen.jobs for span in job.windows]
    picture = el(
        "svg",
        el("title", f"Carbon intensity of {seen.zone} by hour, and planned jobs", id="ct"),
        el("desc", _described(shown, now), id="cd"),
        *(Markup(f"<path class=line d='M0 {_y(tick, top):.0f}h9999'/>") for tick in _ticks(top)),
        _plot(shown, windows, top),
        _times(shown, now),
        role="img",
        aria_labelledby="ct cd",
        width="100%",
        height=WHOLE,
    )
    legend = el(
        "p",
        el("span", "forecast", class_="a"),
        el("span", "recorded", class_="u"),
        "in gCO₂e/kWh: a line for the best estimate, a band for the 90 % interval, and on the foot "
        "when jobs run",
        class_="legend s",
    )
    twin = el(
        "details",
        el("summary", "The same numbers as a table"),
        el("table", _twin(shown, seen.jobs, now), id="twin"),
    )
    return el(
        "section",
        el("h2", "The last day and the next two"),
        el("div", legend, _numbers(top), picture, id="chart"),
        el("p", id="read", class_="s", aria_hidden="true"),
        twin,
    )


def _y(value: float, top: float) -> float:
    return HEIGHT - _FOOT - min(value / top, 1.0) * (HEIGHT - _FOOT - _ROOM)


def _ticks(top: float) -> list[float]:
    step = next(s for s in (5, 10, 25, 50, 100, 250, 500, 1000, 2500) if top / s <= _TICKS + 1)
    return [float(step * n) for n in range(int(top / step) + 1)]


def _numbers(top: float) -> Markup:
    shown = (
        el("text", f"{tick:g}", x="100%", y=f"{_y(tick, top) + 4:.0f}", text_anchor="end")
        for tick in _ticks(top)
    )
    return el("svg", *shown, width=1, height=WHOLE, aria_hidden="true")


def _plot(
    shown: Sequence[Hour], windows: Sequence[tuple[datetime, datetime]], top: float
) -> Markup:
    parts: list[Markup] = []
    places = [(n, each) for n, each in enumerate(shown) if each.intensity is not None]
    # Pieces without a gap, the forecast's begun at the last hour that was recorded.
    for ahead, run in groupby(places, key=lambda place: place[1].ahead):
        parts += _piece(list(run), "" if ahead else " u", top)
    for start, end in windows:
        first, last = (_x(moment, shown) for moment in (start, end))
        if last > 0 and first < SLOT * len(shown):
            line = f"M{max(first, 0):.0f} {HEIGHT - 5}h{max(min(last, 864) - max(first, 0), 2):.0f}"
            parts.append(Markup(f"<path class=win d='{line}'/>"))
    now_x = SLOT * BEFORE
    return el(
        "svg",
        *parts,
        Markup(f"<path class=now d='M{now_x} 0v{HEIGHT}'/>"),
        Markup(f"<path class=hair d='M-9 0v{HEIGHT}'/>"),
        viewBox=f"0 0 {SLOT * len(shown)} {HEIGHT}",
        preserveAspectRatio="none",
        width="100%",
        height=HEIGHT,
    )


def _piece(run: list[tuple[int, Hour]], kind: str, top: float) -> list[Markup]:
    """One line and its band, broken where an hour is not known."""
    made, part = [], [run[0]]
    for place in [*run[1:], (-1, run[0][1])]:
        if place[0] == part[-1][0] + 1:
            part.append(place)
            continue
        made += _drawn(part, kind, top)
        part = [place]
    return made


def _drawn(part: list[tuple[int, Hour]], kind: str, top: float) -> list[Markup]:
    known = [(n, each.intensity) for n, each in part if each.intensity]
    line = _line([(n, one.value) for n, one in known], top)
    up = _line([(n, one.high) for n, one in known], top)
    down = _line([(n, one.low) for n, one in reversed(known)], top).replace("M", "L", 1)
    return [
        Markup(f"<path class='band{kind}' d='{up}{down}z'/>"),
        Markup(f"<path class='curve{kind}' d='{line}'/>"),
    ]


def _line(points: list[tuple[int, CarbonIntensity]], top: float) -> str:
    half = SLOT // 2
    return "".join(
        f"{'L' if at else 'M'}{SLOT * n + half} {_y(value.in_g_per_kwh, top):.0f}"
        for at, (n, value) in enumerate(points)
    )


def _x(moment: datetime, shown: Sequence[Hour]) -> float:
    return (moment - shown[0].start) / HOUR * SLOT


def _times(shown: Sequence[Hour], now: datetime) -> Markup:
    marks = []
    for n in (0, BEFORE, BEFORE + AFTER // 2):
        where = f"{100 * n / len(shown):.1f}%" if n else "0"
        label = "now" if n == BEFORE else _clock(shown[n].start, now)
        anchor = "middle" if n else None
        marks.append(el("text", label, x=where, y=WHOLE - 6, text_anchor=anchor))
    last = _clock(shown[-1].start + HOUR, now)
    return join((*marks, el("text", last, x="100%", y=WHOLE - 6, text_anchor="end")))


def _described(shown: Sequence[Hour], now: datetime) -> str:
    ahead = [each for each in shown if each.ahead and each.intensity]
    if not ahead:
        return "No hour ahead is known. The table below holds every number."
    low = min(ahead, key=lambda each: each.intensity.value.amount if each.intensity else 0.0)
    high = max(ahead, key=lambda each: each.intensity.value.amount if each.intensity else 0.0)
    assert low.intensity is not None
    assert high.intensity is not None
    return (
        f"Ahead from {low.intensity.value.in_g_per_kwh:.0f} gCO₂e/kWh on {_clock(low.start, now)} "
        f"to {high.intensity.value.in_g_per_kwh:.0f} on {_clock(high.start, now)}. The table below "
        "holds every number."
    )


def _twin(shown: Sequence[Hour], jobs: Sequence[Job], now: datetime) -> Markup:
    heads = ("Hour", "gCO₂e/kWh", "Interval", "Known as", "Jobs")
    rows = (_row(each, jobs, now) for each in shown)
    return join(
        (
            el("caption", "Carbon intensity by hour: best estimate and 90 % interval"),
            el("thead", el("tr", *(el("th", head, scope="col") for head in heads))),
            el("tbody", *rows),
        )
    )


def _row(hour: Hour, jobs: Sequence[Job], now: datetime) -> Markup:
    known, end = hour.intensity, hour.start + HOUR
    run = sum(any(a < end and b > hour.start for a, b in job.windows) for job in jobs)
    cells = (
        ("unknown", "–")
        if known is None
        else (_g(known.value), f"{_g(known.low)} – {_g(known.high)}")
    )
    return el(
        "tr",
        el("th", _clock(hour.start, now), scope="row"),
        *(el("td", cell) for cell in cells),
        el("td", "forecast" if hour.ahead else "recorded"),
        el("td", run or ""),
    )


def _g(value: CarbonIntensity) -> str:
    return f"{value.in_g_per_kwh:.0f}"


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
            el("td", *_saving(job.expected, "–")),
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
    meaning = strategy("train.green").meaning
    return el("section", title, el("p", meaning, class_="s"), table)


def _runs(job: Job, now: datetime) -> list[object]:
    if not job.windows:
        return ["at once"]
    start, end = job.windows[0][0], job.windows[-1][1]
    pieces = f", in {len(job.windows)} pieces" if len(job.windows) > 1 else ""
    return [_clock(start, now), el("small", f"to {_clock(end, now)}{pieces}")]


def _saving(known: Estimate[Carbon] | None, otherwise: str) -> list[object]:
    if known is None:
        return [otherwise]
    lost = known.value.in_grams < 0
    value = el("b", quantity(known.value), class_="l" if lost else None)
    return [value, el("small", f"{quantity(known.low)} – {quantity(known.high)}")]


def _asked(seen: Seen, now: datetime) -> Markup:
    parts: list[object] = [el("h2", "Where this is from")]
    for name, signal in (("Forecast", seen.ahead), ("Recorded", seen.past)):
        if signal is not None:
            when = _clock(signal.issued_at, now)
            parts.append(el("p", f"{name}: {signal.source}, issued {when}."))
    if seen.why:
        parts.append(el("p", seen.why))
    rows = [
        el("li", el("b", short(one.source)), f" {one.outcome}: {one.why}") for one in seen.asked
    ]
    if rows:
        parts.append(el("details", el("summary", "Who was asked"), el("ul", *rows)))
    parts.append(el("p", f"Seen {_clock(seen.at, now)}.", class_="s"))
    return el("section", *parts)


def _weight() -> str:
    return f"This page: {own_weight()} in 3 requests. It never waits for a grid’s source."


def _links() -> Markup:
    return el(
        "p",
        el("a", "Where intensity comes from", href=f"{DOCS}/grid/"),
        " · ",
        el("a", "How a job is settled", href=f"{DOCS}/method/savings/"),
    )
