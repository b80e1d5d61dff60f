"""Lists: the overview's tables, by strategy, by model, the latest calls, and the gaps."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lichen.ledger.entry import NONE, OWN
from lichen.ledger.show import count
from lichen.ledger.summary import Line
from lichen.operate.watch import words
from lichen.operate.watch.gap_words import Said
from lichen.operate.watch.markup import Markup, el, join
from lichen.operate.watch.scale import Scale, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from lichen.ledger.entry import Entry
    from lichen.ledger.rollup import Totals
    from lichen.operate.watch.sight import View

# Models told apart; the others are one line.
MODELS = 6
SHOWN = 15


def by_strategy(view: View) -> Markup:
    """A line for each strategy, and one for lichen itself."""
    rows = view.summary.rows
    names = sorted(set(map(words.strategy_of, rows)), key=_order)
    lines = [_line(rows, name, words.strategy_of) for name in names]
    return _lines("Strategy", lines, [words.strategy(line.name) for line in lines])


def _order(strategy: str) -> tuple[bool, bool, str]:
    """What asked the model first, then what spared it, what was no call at last."""
    return strategy in (OWN, words.OUTSIDE), strategy.partition(".")[0] != NONE, strategy


def by_model(view: View) -> Markup:
    """A line for each of the models that matter most, and one for the others."""
    rows = [row for row in view.summary.rows if row.strategy != OWN]
    names = {row.model for row in rows}
    lines = sorted(
        (_line(rows, name, lambda row: row.model) for name in names),
        key=lambda line: (-_weight(line), line.name),
    )
    if len(lines) > MODELS + 1:
        few = {line.name for line in lines[MODELS:]}
        others = Line.of("", [row for row in rows if row.model in few])
        lines = [*lines[:MODELS], others]
        titles = [Said(words.short(line.name) or "outside any call") for line in lines[:-1]]
        titles.append(Said(f"{len(few)} other models"))
    else:
        titles = [Said(words.short(line.name) or "outside any call") for line in lines]
    return _lines("Model", lines, titles)


def _line(rows: Sequence[Totals], name: str, key: Callable[[Totals], str]) -> Line:
    return Line.of(name, [row for row in rows if key(row) == name])


def _weight(line: Line) -> float:
    return plain(line.used.carbon.value) + abs(plain(line.saved.carbon.value))


def _lines(first: str, lines: Sequence[Line], said: Sequence[Said]) -> Markup:
    scale = Scale.of([known for line in lines for known in (line.used.carbon, line.saved.carbon)])
    longest = max((_weight(line) for line in lines), default=0.0)
    heads = (first, "Calls", f"Used, {scale.unit}", f"Avoided, {scale.unit}")
    rows = [_row(line, what, scale, longest) for line, what in zip(lines, said, strict=True)]
    return join((el("thead", el("tr", *map(_head, heads))), el("tbody", *rows)))


def _head(title: str) -> Markup:
    return el("th", title, scope="col")


def _row(line: Line, said: Said, scale: Scale, longest: float) -> Markup:
    name = el(
        "th",
        said.title,
        _share(line, longest),
        el("small", said.meaning) if said.meaning else "",
        scope="row",
    )
    carbons = (line.used.carbon, line.saved.carbon)
    cells = (
        el("td", scale.number(known.value), el("small", scale.interval(known))) for known in carbons
    )
    return el("tr", name, el("td", count(line.calls)), *cells)


def _share(line: Line, longest: float) -> Markup:
    """A bar: used, then avoided or lost, as a part of the longest line's."""
    used = 100 * plain(line.used.carbon.value) / (longest or 1.0)
    saved = 100 * plain(line.saved.carbon.value) / (longest or 1.0)
    tone = "l" if saved < 0 else "a"
    end = used + abs(saved)
    return Markup(
        f"<svg aria-hidden=true><line class=u1 x2={used:.3g}% />"
        f"<line class={tone}1 x1={used:.3g}% x2={end:.3g}% /></svg>"
    )


def latest(view: View) -> Markup:
    """The latest calls, each a way to its own page."""
    entries = view.latest[:SHOWN]
    if not entries:
        return Markup("")
    energies = Scale.of([e.figures.footprint.energy for e in entries])
    saved = [e.saving.footprint.carbon for e in entries if e.saving]
    carbons = Scale.of([*(e.figures.footprint.carbon for e in entries), *saved])
    heads = (
        "Time",
        "Model",
        "Tokens",
        energies.unit,
        f"Used, {carbons.unit}",
        f"Avoided, {carbons.unit}",
    )
    rows = [_entry(entry, view, energies, carbons) for entry in entries]
    return join((el("thead", el("tr", *map(_head, heads))), el("tbody", *rows)))


def _entry(entry: Entry, view: View, energies: Scale, carbons: Scale) -> Markup:
    figures = entry.figures
    when = entry.window.start.astimezone(view.now.tzinfo)
    known = words.is_known(figures)
    used = figures.footprint
    return el(
        "tr",
        el("th", el("a", f"{when:%H:%M:%S}", href=f"/entry/{entry.id}"), scope="row"),
        el(
            "td",
            words.short(figures.model) or figures.name,
            el("small", words.answered_by(figures).title),
        ),
        el("td", count(figures.tokens.total)),
        el("td", energies.number(used.energy.value) if known else "?"),
        el("td", carbons.number(used.carbon.value) if known else "?"),
        el("td", carbons.number(entry.saving.footprint.carbon.value) if entry.saving else "–"),
    )


def gaps(view: View) -> Markup:
    """What could not be known: counted, and explained."""
    inside = Counter(gap for entry in view.latest for gap in entry.figures.gaps)
    total = sum(row.gaps for row in view.summary.rows)
    items = [
        _gap(words.gap(gap.what), f"{count(gap.count)}, last {_day(gap.last, view)}")
        for gap in view.summary.gaps
    ]
    items += [
        _gap(words.gap(name), f"{n} of the {len(view.latest)} latest calls")
        for name, n in inside.most_common(8)
    ]
    if not items and not total:
        return el("p", "Nothing: every call was priced from its own tokens, zone and model.")
    gaps_told = f"{count(total)} {words.times(total, 'gap')}"
    counted = f"{gaps_told} in the entries of the {view.span.title}"
    first = f"{counted}: calls, and what ran outside any call. " if total else ""
    rule = "Unknown is not zero: each makes an interval wider, or is counted apart."
    return join((el("p", first + rule), el("ul", *items)))


def _day(moment: datetime, view: View) -> str:
    return f"{moment.astimezone(view.now.tzinfo):%-d %b %H:%M}"


def _gap(said: Said, often: str) -> Markup:
    return el(
        "li", el("b", said.title), f" · {often}", el("small", said.meaning) if said.meaning else ""
    )
