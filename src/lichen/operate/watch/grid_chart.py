"""Grid chart: intensity by hour as a line, its 90 % interval as a band, and when jobs run.

Recorded hours are grey and forecast ones green, an hour that is not known is a gap in the line, and
jobs lie on the foot. It shares its slots and its table twin with the chart of the overview, so the
one script reads out the hour that is pointed at.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from lichen.operate.watch.chart import HEIGHT, SLOT, WHOLE
from lichen.operate.watch.grid import AFTER, BEFORE, HOUR
from lichen.operate.watch.markup import Markup, el, join

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lichen.ledger.quantities import CarbonIntensity
    from lichen.operate.watch.grid import Hour, Job, Seen

# Between the top of the highest interval and the edge, and from the foot up. [px]
_ROOM, _FOOT = 8, 14
_TICKS = 4


def clock(moment: datetime, now: datetime) -> str:
    """A moment by day and time of the reader's clock."""
    return moment.astimezone(now.tzinfo).strftime("%a %H:%M")


def grid_chart(seen: Seen, shown: Sequence[Hour], now: datetime) -> Markup:
    """The picture, what is pointed at, and the table with the same numbers."""
    highs = [each.intensity.high.in_g_per_kwh for each in shown if each.intensity]
    values = [each.intensity.value.in_g_per_kwh for each in shown if each.intensity]
    if not highs:
        return el("section", el("h2", "The last day and the next two"), el("p", seen.why))
    # A yearly average's interval may reach far beyond all values: the axis ends at three times.
    top = min(max(highs), 3 * max(values)) or 1.0
    # What runs on another grid has no place on this one's curve.
    jobs = [job for job in seen.jobs if not job.elsewhere]
    picture = el(
        "svg",
        el("title", f"Carbon intensity of {seen.zone} by hour, and planned jobs", id="ct"),
        el("desc", _described(shown, now), id="cd"),
        *(Markup(f"<path class=line d='M0 {_y(tick, top):.0f}h9999'/>") for tick in _ticks(top)),
        _plot(shown, [span for job in jobs for span in job.windows], top),
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
        "when jobs run here",
        class_="legend s",
    )
    twin = el("table", _twin(shown, jobs, now), id="twin")
    return el(
        "section",
        el("h2", "The last day and the next two"),
        el("div", legend, _numbers(top), picture, id="chart"),
        _beyond(max(highs), top),
        el("p", id="read", class_="s", aria_hidden="true"),
        el("details", el("summary", "The same numbers as a table"), twin),
    )


def _beyond(most: float, top: float) -> Markup:
    """That the band goes on beyond the picture, where it does."""
    if most <= top:
        return Markup("")
    note = f"The band goes on beyond the upper edge, up to {most:,.0f} gCO₂e/kWh."
    return el("p", note, class_="s")


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
        label = "now" if n == BEFORE else clock(shown[n].start, now)
        anchor = "middle" if n else None
        marks.append(el("text", label, x=where, y=WHOLE - 6, text_anchor=anchor))
    last = clock(shown[-1].start + HOUR, now)
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
        f"Ahead from {low.intensity.value.in_g_per_kwh:.0f} gCO₂e/kWh on {clock(low.start, now)} "
        f"to {high.intensity.value.in_g_per_kwh:.0f} on {clock(high.start, now)}. The table below "
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
        el("th", clock(hour.start, now), scope="row"),
        *(el("td", cell) for cell in cells),
        el("td", "forecast" if hour.ahead else "recorded"),
        el("td", run or ""),
    )


def _g(value: CarbonIntensity) -> str:
    return f"{value.in_g_per_kwh:.0f}"
