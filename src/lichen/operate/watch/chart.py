"""Chart: carbon over time, what was avoided upwards and what was used downwards, on one scale.

Each bar has three tones, so that it fades as certainty does: strong up to the low end of the 90 %
interval, middle to the best estimate, pale to the high end. A loss (avoided < 0) is drawn in its
own colour on the side of what was used, since that is where it went. The table twin under the
chart holds every number that is drawn.

Where an interval is far wider than its value, the axis ends at `REACH` times the largest best
estimate and a note says how far the interval goes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from lichen.ledger.show import count
from lichen.operate.watch.markup import Markup, el, join
from lichen.operate.watch.scale import Scale
from lichen.operate.watch.words import times

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Carbon
    from lichen.operate.watch.sight import Bar, View

# Height of the bars' part and of the whole, with the time axis [px]; width of a bar's slot.
HEIGHT, WHOLE, SLOT = 240, 264, 12
# Below this nothing would be seen. [px]
FAINTEST = 0.1
REACH = 2.5
_TICKS = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """Where zero stands [px from the top] and how many pixels a unit has."""

    zero: float
    per_unit: float
    up: float
    down: float

    @classmethod
    def over(cls, bars: Sequence[Bar], size: float) -> Axis:
        """The axis that shows these bars in units of `size` grams."""
        up = _top([bar.avoided for bar in bars]) / size
        down = _top([bar.used for bar in bars]) / size
        down = max(down, *(-bar.avoided.value.in_grams / size for bar in bars))
        # Neither side vanishes beside the other.
        up, down = max(up, down / 8), max(down, up / 8)
        per_unit = HEIGHT / ((up + down) or 1.0)
        return cls(up * per_unit, per_unit, up, down)

    def y_of(self, amount: float) -> float:
        """Where an amount stands. [px from the top]"""
        return self.zero - amount * self.per_unit

    def ticks(self) -> list[float]:
        """Round values above and below zero, two to four of them."""
        rough = max(self.up, self.down) / 2
        if rough <= 0:
            return []
        power = 10.0 ** math.floor(math.log10(rough))
        step = max(tick * power for tick in _TICKS if tick * power <= rough)
        below = [-step * n for n in range(1, int(self.down / step) + 1)]
        return [step * n for n in range(1, int(self.up / step) + 1)] + below


def _top(known: Sequence[Estimate[Carbon]]) -> float:
    value = max(one.value.in_grams for one in known)
    high = max(one.high.in_grams for one in known)
    return max(0.0, min(high, REACH * value))


def chart(view: View) -> Markup:
    """The picture; `table` holds the same numbers."""
    scale = scale_of(view)
    axis = Axis.over(view.bars, scale.size)
    plot = el(
        "svg",
        _bars(view.bars, axis, scale.size),
        Markup(f"<path class=hair d='M-9 0v{HEIGHT}'/>"),
        viewBox=f"0 0 {SLOT * len(view.bars)} {HEIGHT}",
        preserveAspectRatio="none",
        width="100%",
        height=HEIGHT,
    )
    picture = el(
        "svg",
        el("title", f"Carbon avoided and used, by {view.span.bar}", id="ct"),
        el("desc", _described(view, scale), id="cd"),
        _lines(axis),
        plot,
        _times(view),
        role="img",
        aria_labelledby="ct cd",
        width="100%",
        height=WHOLE,
    )
    return join((_legend(scale), _ticks(axis), picture, _beyond(view, axis, scale)))


def _legend(scale: Scale) -> Markup:
    return el(
        "p",
        el("span", "avoided", class_="a"),
        el("span", "used", class_="u"),
        f"in {scale.unit}: strong to the low end of the interval, soft to the best estimate, "
        "a line to the high end",
        class_="legend s",
    )


def scale_of(view: View) -> Scale:
    """The unit of the chart and its table."""
    return Scale.of([known for bar in view.bars for known in (bar.used, bar.avoided)])


def table(view: View) -> Markup:
    """The chart's numbers, a row for each bar: the script finds the one that is pointed at."""
    scale = scale_of(view)
    bar = view.span.bar
    heads = (bar.capitalize(), "Calls", "No model", f"Used, {scale.unit}", f"Avoided, {scale.unit}")
    rows = (_row(view, number, bar, scale) for number, bar in enumerate(view.bars))
    return join(
        (
            el("caption", f"Carbon by {bar}: best estimate (90 % interval)"),
            el("thead", el("tr", *(el("th", head, scope="col") for head in heads))),
            el("tbody", *rows),
        )
    )


def _row(view: View, number: int, bar: Bar, scale: Scale) -> Markup:
    return el(
        "tr",
        el("th", label_of(view, number), scope="row"),
        el("td", count(bar.calls)),
        el("td", count(bar.hits)),
        el("td", scale.whole(bar.used)),
        el("td", scale.whole(bar.avoided)),
    )


def label_of(view: View, number: int) -> str:
    """When a bar begins, as the axis says it."""
    start = view.since + timedelta(seconds=view.span.step * number)
    return view.span.label(start, view.now)


def _bars(bars: Sequence[Bar], axis: Axis, size: float) -> Markup:
    """The bars of one tone are one path, drawn from the palest to the strongest."""
    sides: tuple[tuple[str, Callable[[Bar], float], float], ...] = (
        ("u3", lambda bar: bar.used.high.in_grams, axis.down),
        ("u2", lambda bar: bar.used.value.in_grams, axis.down),
        ("u1", lambda bar: bar.used.low.in_grams, axis.down),
        ("l3", lambda bar: -min(0.0, bar.avoided.low.in_grams), axis.down),
        ("l2", lambda bar: -min(0.0, bar.avoided.value.in_grams), axis.down),
        ("a3", lambda bar: max(0.0, bar.avoided.high.in_grams), axis.up),
        ("a2", lambda bar: max(0.0, bar.avoided.value.in_grams), axis.up),
        ("a1", lambda bar: max(0.0, bar.avoided.low.in_grams), axis.up),
    )
    paths = (_path(tone, list(map(height, bars)), axis, size, end) for tone, height, end in sides)
    return el("g", *paths, transform=f"translate(0 {axis.zero:.0f})")


def _path(tone: str, heights: list[float], axis: Axis, size: float, end: float) -> Markup:
    sign = "-" if tone.startswith("a") else ""
    pixels = [min(height / size, end) * axis.per_unit for height in heights]
    drawn = "".join(
        f"M{SLOT * number + SLOT // 2} 0v{sign}{_short(high)}"
        for number, high in enumerate(pixels)
        if high >= FAINTEST
    )
    return Markup(f"<path class={tone} d='{drawn}'/>" if drawn else "")


def _short(pixels: float) -> str:
    return f"{pixels:.0f}" if pixels >= 10 else f"{pixels:.1f}".removesuffix(".0")  # noqa: PLR2004


def _lines(axis: Axis) -> Markup:
    ys = [axis.y_of(tick) for tick in axis.ticks()]
    lines = (Markup(f"<path class=line d='M0 {y:.0f}h9999'/>") for y in ys)
    return join((*lines, Markup(f"<path class=zero d='M0 {axis.zero:.0f}h9999'/>")))


def _ticks(axis: Axis) -> Markup:
    """The numbers beside the lines, in a column of their own."""
    shown = (
        el("text", f"{abs(tick):,g}", x="100%", y=f"{axis.y_of(tick) + 4:.0f}", text_anchor="end")
        for tick in (0, *axis.ticks())
    )
    return el("svg", *shown, width=1, height=WHOLE, aria_hidden="true")


def _times(view: View) -> Markup:
    """Four moments along the axis: more would not fit on a narrow screen."""
    bars = len(view.bars)
    marks = []
    for part in range(4):
        number = bars * part // 4
        where = f"{100 * (number + 0.5) / bars:.1f}%" if part else "0"
        anchor = "middle" if part else None
        marks.append(el("text", label_of(view, number), x=where, y=WHOLE - 6, text_anchor=anchor))
    marks.append(el("text", "now", x="100%", y=WHOLE - 6, text_anchor="end"))
    return join(marks)


def _described(view: View, scale: Scale) -> str:
    most = max(range(len(view.bars)), key=lambda n: view.bars[n].avoided.value.in_grams)
    bar = view.bars[most]
    busiest = (
        f" Most was avoided in the {view.span.bar} of {label_of(view, most)}: "
        f"{scale.number(bar.avoided.value)} {scale.unit}."
        if bar.avoided.value.in_grams > 0
        else ""
    )
    calls = f"{count(view.calls)} {times(view.calls, 'call')}"
    return f"{calls} in the {view.span.title}.{busiest} The table below holds every number."


def _beyond(view: View, axis: Axis, scale: Scale) -> Markup:
    highs = [
        max((bar.avoided.high for bar in view.bars), key=lambda c: c.in_grams),
        max((bar.used.high for bar in view.bars), key=lambda c: c.in_grams),
    ]
    ends = (axis.up, axis.down)
    over = [
        high
        for high, end in zip(highs, ends, strict=True)
        if high.in_grams / scale.size > end * 1.001
    ]
    if not over:
        return Markup("")
    far = scale.number(max(over, key=lambda c: c.in_grams))
    note = f"Lines that reach the edge go on beyond it, up to {far} {scale.unit}."
    return el("p", note, class_="s")
