"""Explain: the page of one entry: the formula, its numbers, where each comes from.

    C = E × I + M            carbon = energy × intensity + embodied      [gCO₂e]
    saving = baseline − used                                             [gCO₂e]
    SCI = C / R                                                          [gCO₂e per unit]

I is not kept in an entry but follows from it: operational carbon ÷ energy, end by end.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import CarbonIntensity
from lichen.ledger.show import count, number
from lichen.operate.watch import words
from lichen.operate.watch.markup import Markup, el
from lichen.operate.watch.origins import origins
from lichen.operate.watch.page import Frame, Page, html_page
from lichen.operate.watch.scale import plain, told

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry, Figures
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.quantities import Carbon


def explained(entry: Entry, book: Book, zone: tzinfo | None, nav: tuple[Markup, ...]) -> Page:
    """One entry on a page of its own."""
    figures = entry.figures
    main = (
        el("p", el("a", "← Overview", href="/"), class_="s"),
        el("h1", *_sentence(entry)),
        el("p", _when(entry, zone), class_="s"),
        _formula(figures),
        _quantities(figures),
        *origins(entry, book),
    )
    return html_page(Frame(f"Entry {entry.id} · lichen", nav, _foot()), *main)


def no_entry(entry_id: str, nav: tuple[Markup, ...]) -> Page:
    """What stands where an entry was looked for and is not."""
    main = (
        el("h1", "No such entry."),
        el(
            "p",
            f"This ledger has no entry {words.short(entry_id)!r}. An id is 16 hexadecimal digits, "
            "as the overview and the x-lichen-id header of an answer show it.",
        ),
        el("p", el("a", "← Overview", href="/")),
    )
    return html_page(Frame("No such entry · lichen", nav, _foot()), *main, status=404)


def _foot() -> tuple[Markup, ...]:
    told = f"How these numbers are made, and how sure: {words.DOCS}/method, in lichen’s folder"
    return (el("p", told, class_="s"),)


def _sentence(entry: Entry) -> tuple[object, ...]:
    figures = entry.figures
    title = words.answered_by(figures).title
    # A title that has a colon of its own goes on after a semicolon.
    title = f"{title[:1].upper()}{title[1:]}{';' if ':' in title else ':'}"
    if not words.is_known(figures):
        return (f"{title} its use is not known.",)
    if entry.saving is None:
        return (f"{title} used {told_short(figures.footprint.carbon)}.",)
    saved = entry.saving.footprint.carbon
    word = "lost" if plain(saved.value) < 0 else "avoided"
    return f"{title} {word} ", el("em", told_short(saved)), "."


def told_short(known: Estimate[Carbon]) -> str:
    """The best estimate alone, with its unit; a minus sign is said in words."""
    return told(known).partition(" (")[0].lstrip("−")


def _when(entry: Entry, zone: tzinfo | None) -> str:
    window = entry.window
    seconds = window.duration.total_seconds()
    start = window.start.astimezone(zone or UTC)
    figures = entry.figures
    lasted = f", {number(seconds)} s" if seconds else ""
    model = f" · {words.short(figures.model)}" if figures.model else ""
    return f"{start:%-d %B %Y, %H:%M:%S %Z}{lasted} · {figures.name}{model} · {figures.zone}"


def _formula(figures: Figures) -> Markup:
    """The formula with its numbers: of the baseline, where nothing was used instead."""
    made = figures.footprint
    what = "What it used"
    if figures.baseline is not None and not plain(made.energy.value):
        made, what = figures.baseline.footprint, "What it would have used"
    parts = (
        ("C", told_short(made.carbon)),
        ("= E", told(made.energy).partition(" (")[0]),
        ("× I", _intensity_told(made).partition(" (")[0]),
        ("+ M", told_short(made.embodied)),
    )
    terms = (el("span", el("i", sign), el("small", shown)) for sign, shown in parts)
    return el("section", el("h2", what), el("p", *terms, class_="formula"))


def _quantities(figures: Figures) -> Markup:
    """Each quantity of the formula: used, instead of, saved."""
    sides: list[tuple[str, Footprint]] = [("Used", figures.footprint)]
    saving = figures.saving
    if figures.baseline is not None and saving is not None:
        sides += [("Baseline", figures.baseline.footprint), ("Saved", saving.footprint)]
    method = words.method(figures.method)
    rows = (
        _quantity("E", "energy", f"by the {method.title}", [told(s.energy) for _, s in sides]),
        _quantity(
            "I",
            "carbon intensity",
            f"of the grid {figures.zone}, when it ran",
            ["" if title == "Saved" else _intensity_told(s) for title, s in sides],
        ),
        _quantity("E × I", "operational carbon", "", [told(s.operational) for _, s in sides]),
        _quantity(
            "M", "embodied carbon", "share of the hardware", [told(s.embodied) for _, s in sides]
        ),
        _quantity("C", "carbon", "E × I + M", [told(s.carbon) for _, s in sides]),
        _quantity("C ÷ R", f"SCI per {figures.work.unit}", _work(figures), _rates(figures, sides)),
    )
    heads = (el("th", head, scope="col") for head in ("Quantity", *(title for title, _ in sides)))
    return el(
        "section",
        el("h2", "How it was made"),
        el(
            "table",
            el("caption", "Best estimate (90 % interval), and how it is known"),
            el("thead", el("tr", *heads)),
            el("tbody", *rows, _bases(sides)),
        ),
        class_="wide",
    )


def _quantity(sign: str, title: str, source: str, shown: Iterable[str]) -> Markup:
    name = el("th", el("i", sign), f" {title}", el("small", source) if source else "", scope="row")
    return el("tr", name, *map(_cell, shown))


def _cell(shown: str) -> Markup:
    value, _, interval = shown.partition(" (")
    return el("td", value, el("small", interval.rstrip(")")) if interval else "")


def _bases(sides: list[tuple[str, Footprint]]) -> Markup:
    shown = (words.BASES[Basis(max(s.energy.basis, s.carbon.basis))] for _, s in sides)
    return el("tr", el("th", "basis", scope="row"), *(el("td", basis) for basis in shown))


def _work(figures: Figures) -> str:
    return f"R = {count(figures.work.amount)} {words.times(figures.work.amount, figures.work.unit)}"


def _rates(figures: Figures, sides: list[tuple[str, Footprint]]) -> list[str]:
    amount = figures.work.amount
    return [told(side.carbon * (1 / amount)) if amount else "no work" for _, side in sides]


def _intensity_told(made: Footprint) -> str:
    """I = operational ÷ energy, end by end. [gCO₂e/kWh]"""
    pairs = [
        (carbon.in_grams, energy.in_kwh)
        for carbon, energy in (
            (made.operational.value, made.energy.value),
            (made.operational.low, made.energy.low),
            (made.operational.high, made.energy.high),
        )
    ]
    if any(energy <= 0 for _, energy in pairs):
        return "–"
    value, low, high = (carbon / energy for carbon, energy in pairs)
    basis = made.operational.basis
    known = Estimate(
        CarbonIntensity.g_per_kwh(value),
        CarbonIntensity.g_per_kwh(min(low, value)),
        CarbonIntensity.g_per_kwh(max(high, value)),
        basis,
    )
    return str(known)
