"""Origins: the second half of an entry's page: evidence, tokens, sources, and what was assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.estimate import Estimate
from lichen.ledger.quantities import Power
from lichen.ledger.show import count, number
from lichen.operate.watch import words
from lichen.operate.watch.markup import Markup, el
from lichen.operate.watch.scale import told

if TYPE_CHECKING:
    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry, Figures
    from lichen.ledger.tokens import Tokens


def origins(entry: Entry, book: Book) -> tuple[Markup, ...]:
    """Where an entry's numbers come from."""
    figures = entry.figures
    return _evidence(entry), _tokens(figures, book), _sources(entry), _gaps(figures)


def _evidence(entry: Entry) -> Markup:
    baseline = entry.figures.baseline
    if baseline is None:
        return Markup("")
    method = words.method(baseline.method)
    return el(
        "section",
        el("h2", "Why it counts as a saving"),
        el(
            "p",
            "The baseline is ",
            f"{method.told(baseline.method)}: ",
            el("a", f"entry {baseline.evidence}", href=f"/entry/{baseline.evidence}")
            if _looks_like_id(baseline.evidence)
            else baseline.evidence,
            f". {method.note if baseline.tokens.output else ''}Run the evidence again with",
        ),
        el("pre", el("code", f"lichen prove {entry.id}"), tabindex="0"),
        el("p", "Where the ledger is not ./lichen.db, say which one by --ledger.", class_="s"),
    )


def _looks_like_id(name: str) -> bool:
    return len(name) == 16 and set(name) <= set("0123456789abcdef")  # noqa: PLR2004 (see ids.py)


def _tokens(figures: Figures, book: Book) -> Markup:
    spared = figures.baseline.tokens if figures.baseline else None
    if not figures.tokens.total and not (spared and spared.total):
        return Markup("")
    columns = [("Used", figures.tokens), *([("Baseline", spared)] if spared else [])]
    rows = [
        el(
            "tr",
            el("th", title, scope="row"),
            *(el("td", count(getattr(tokens, name))) for _, tokens in columns),
        )
        for name, title in words.TOKENS.items()
        if any(getattr(tokens, name) for _, tokens in columns)
    ]
    heads = (el("th", head, scope="col") for head in ("Class", *(title for title, _ in columns)))
    return el(
        "section",
        el("h2", "Tokens"),
        el(
            "table", el("thead", el("tr", *heads)), el("tbody", *rows), aria_label="Tokens by class"
        ),
        _split(figures, spared or figures.tokens, book),
    )


def _split(figures: Figures, tokens: Tokens, book: Book) -> Markup:
    """How the energy parts into reading and writing, where today's meter is the entry's."""
    seconds = figures.raw.get("cpu_seconds") or figures.raw.get("baseline_cpu_seconds")
    if seconds:
        return el("p", _by_time(figures, float(seconds)), class_="s")
    meter = book.pricer.calls
    if (figures.method, figures.factors) != (meter.method, meter.factors) or not tokens.output:
        return Markup("")
    reading = type(tokens)(tokens.prefill, tokens.cache_read, tokens.cache_write)
    whole = meter.read(figures.model, tokens).energy
    first = meter.read(figures.model, reading).energy
    return el(
        "p",
        f"Reading the input takes {told(first)}; writing the output takes the rest, "
        f"{told(whole.minus_shared(first))}.",
        class_="s",
    )


def _by_time(figures: Figures, seconds: float) -> str:
    """Measured energy as a time and a power."""
    made = figures.baseline.footprint if figures.baseline else figures.footprint
    ends = (made.energy.value, made.energy.low, made.energy.high)
    value, low, high = (Power.watts(end.in_joules / seconds) for end in ends)
    power = Estimate(value, low, high, made.energy.basis)
    return f"E = {number(seconds)} s of CPU time × {power}."


def _sources(entry: Entry) -> Markup:
    figures = entry.figures
    method = words.method(figures.method)
    pairs: list[tuple[str, object]] = [
        ("Energy", method.told(figures.method)),
        ("Factors", figures.factors or "none"),
        ("Intensity", _from("method/carbon", f"grid zone {figures.zone}")),
        ("Embodied", _from("method/embodied", "share of the hardware")),
        ("Intervals", _from("method/uncertainty", "90 %, shared errors add up")),
        ("Entry", entry.id),
        ("Tenant", f"{entry.tenant[:12]} (a hash)" if entry.tenant else "none"),
        *((name, words.short(_exact(value))) for name, value in sorted(figures.raw.items())),
    ]
    return el(
        "section",
        el("h2", "Sources and raw quantities"),
        el(
            "dl",
            *(el("div", el("dt", name), el("dd", value)) for name, value in pairs),
            class_="raw",
        ),
    )


def _exact(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.9g}"


def _from(page: str, title: str) -> str:
    return f"{title} ({words.DOCS}/{page}.md)"


def _gaps(figures: Figures) -> Markup:
    if not figures.gaps:
        return Markup("")
    items = []
    for name in figures.gaps:
        said = words.gap(name)
        items.append(el("li", el("b", said.title), el("small", said.meaning)))
    return el("section", el("h2", "What could not be known"), el("ul", *items))
