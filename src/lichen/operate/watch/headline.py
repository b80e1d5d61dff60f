"""Headline: the sentence, the four figures and the counts at the top of the overview.

used     E × I + M of all entries, lichen's own included        [gCO₂e]
avoided  Σ (baseline − used)                                    [gCO₂e]
net      avoided − lichen's own                                 [gCO₂e]
SCI      used / R                                               [gCO₂e per unit of work]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.show import count
from lichen.ledger.summary import Line
from lichen.operate.watch.markup import Markup, el, join, text
from lichen.operate.watch.scale import Scale, held, plain, told
from lichen.operate.watch.words import times

if TYPE_CHECKING:
    from lichen.ledger.estimate import Estimate
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.quantities import Carbon, Energy
    from lichen.ledger.tokens import Tokens
    from lichen.operate.watch.sight import View

# Best estimates take at least this part of an interval's picture, however far its high end is.
_REACH = 3.0


def headline(view: View) -> Markup:
    """The sentence, the figures and the counts."""
    return join(
        (
            el("h1", *_sentence(view)),
            el("p", _when(view), class_="s"),
            _figures(view),
            _counts(view),
        )
    )


def spoken(view: View) -> Markup:
    """The headline in one sentence, for those who listen."""
    summary = view.summary
    used, avoided = told(summary.used.carbon), told(summary.work.saved.carbon)
    return text(f"{_calls(view)} in the {view.span.title}: used {used}, avoided {avoided}.")


def _sentence(view: View) -> tuple[object, ...]:
    calls, hits = view.calls, view.hits
    if not calls and view.unit is not None:
        return (f"Work in the {view.span.title}, and what it used.",)
    if not calls:
        return (f"No call was answered in the {view.span.title}.",)
    if not hits:
        return (f"{_calls(view)}, each answered by a model.",)
    return (el("em", count(hits)), f" of {_calls(view)} needed no model.")


def _calls(view: View) -> str:
    return f"{count(view.calls)} {times(view.calls, 'call')}"


def _when(view: View) -> str:
    return (
        f"In the {view.span.title}, until {view.now:%H:%M %Z}. "
        "Each figure is a best estimate and its 90 % interval."
    )


def _figures(view: View) -> Markup:
    summary = view.summary
    kinds = (
        ("Used", "u", summary.used, "E × I + M, lichen’s own included"),
        ("Avoided", "a", summary.work.saved, "baseline − used"),
        ("Net", "a", summary.net, "avoided − lichen’s own"),
    )
    # On one scale, the three can be compared by eye.
    end = max(_end(made.carbon) for _, _, made, _ in kinds)
    return el(
        "dl",
        *(_figure(title, tone, made, note, end) for title, tone, made, note in kinds),
        _sci(view),
        class_="figures",
    )


def _figure(title: str, tone: str, made: Footprint, note: str, end: float) -> Markup:
    carbon = made.carbon
    tone = "l" if carbon.value.in_grams < 0 else tone
    unsure = _unsure(carbon) if title == "Net" else ""
    return el(
        "div",
        el("dt", title),
        _amount(carbon, "" if unsure else tone),
        el("dd", _whisker(carbon, tone, end), class_="w"),
        el("dd", held(made.energy)),
        el("dd", note, class_="s"),
        *([el("dd", unsure)] if unsure else []),
    )


def _unsure(carbon: Estimate[Carbon]) -> str:
    """Said where the interval does not tell a gain from a loss; such a figure has no colour."""
    if not carbon.low.in_grams < 0 < carbon.high.in_grams:
        return ""
    other = "a saving" if carbon.value.in_grams < 0 else "a loss"
    return f"The interval reaches across zero: it may be {other}."


def _amount(carbon: Estimate[Carbon], tone: str) -> Markup:
    scale = Scale.of([carbon])
    interval = scale.interval(carbon)
    return join(
        (
            el(
                "dd", el("b", scale.number(carbon.value), class_=tone), f" {scale.unit}", class_="n"
            ),
            el("dd", interval or "exact"),
        )
    )


def _sci(view: View) -> Markup:
    title = el("abbr", "SCI", title="Software Carbon Intensity")
    if view.unit is None:
        nothing = (el("dd", el("b", "–"), class_="n"), el("dd", "no work, no rate", class_="s"))
        return el("div", el("dt", title), *nothing)
    rate = view.summary.sci(view.unit)
    carbon, energy = rate.per_unit, _energy(view, view.unit) * (1 / rate.work.amount)
    others = [unit for unit in view.summary.units if unit != view.unit]
    return el(
        "div",
        el("dt", title, f" per {view.unit}"),
        _amount(carbon, ""),
        el("dd", _whisker(carbon, "", _end(carbon)), class_="w"),
        el("dd", held(energy)),
        el("dd", "carbon ÷ work, ISO/IEC 21031", class_="s"),
        *(el("dd", f"{told(view.summary.sci(unit).per_unit)} per {unit}") for unit in others),
    )


def _energy(view: View, unit: str) -> Estimate[Energy]:
    """Energy of all entries in a unit, lichen's own included, as SCI takes its carbon."""
    return Line.of(unit, [row for row in view.summary.rows if row.work.unit == unit]).used.energy


def _end(carbon: Estimate[Carbon]) -> float:
    return max(min(plain(carbon.high), _REACH * plain(carbon.value)), -plain(carbon.low), 0.0)


def _whisker(carbon: Estimate[Carbon], tone: str, end: float) -> Markup:
    """The interval as a line with a mark at the best estimate, from 0 to the common end."""
    ends = (carbon.low, carbon.value, carbon.high)
    low, value, high = (100 * min(max(plain(q) / (end or 1.0), 0.0), 1.0) for q in ends)
    tone = tone or "u"
    return Markup(
        f"<svg aria-hidden=true><line x2=100% /><line class={tone}3 x1={low:.0f}% x2={high:.0f}% />"
        f"<line class={tone}1 x1={value:.1f}% x2={value + 1:.1f}% /></svg>"
    )


def _counts(view: View) -> Markup:
    work = view.summary.work
    share = f" ({100 * view.hits / view.calls:.0f} %)" if view.calls else ""
    return el(
        "dl",
        _count("Calls", count(view.calls)),
        _count("Answered without a model", count(view.hits) + share),
        _count("Tokens used", _tokens(work.tokens)),
        _count("Tokens spared", _tokens(work.spared)),
        class_="counts",
    )


def _tokens(tokens: Tokens) -> str:
    return f"{count(tokens.input)} in, {count(tokens.output)} out"


def _count(title: str, amount: str) -> Markup:
    return el("div", el("dt", title), el("dd", amount))
