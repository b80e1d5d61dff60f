"""Overview: the page at `/`, put together of regions that can be sent again by themselves.

A region is a piece of the page with an id, a function that makes it from a view, and the least time
between two updates [s]: what people read first moves first, what is large seldom travels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lichen.ledger.show import count, number
from lichen.operate.watch import chart, headline, lists
from lichen.operate.watch.markup import Markup, el, join
from lichen.operate.watch.page import Frame, Page, html_page, own_weight
from lichen.operate.watch.scale import held
from lichen.operate.watch.span import SPANS
from lichen.operate.watch.words import DOCS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.ledger.panel import Panel
    from lichen.operate.watch.sight import View
    from lichen.operate.watch.span import Span


# Where the page of the grid is.
GRID = "/grid"
# A table of more columns stands as a list where the page is narrow.
_MOST_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Region:
    """A piece of the page by its id."""

    name: str
    make: Callable[[View], Markup]
    every: float


def own(view: View) -> Markup:
    """What lichen itself used."""
    overhead = view.summary.overhead
    if not overhead.entries:
        return join(("Nothing was booked yet: lichen reads its own use every five seconds.",))
    used, avoided = overhead.used, view.summary.work.saved.carbon.value.in_grams
    share = 100 * used.carbon.value.in_grams / avoided if avoided > 0 else 0.0
    part = f", {number(share)} % of what it avoided" if share else ""
    rest = f"{part}. It is part of what was used, and net is after it."
    return join(
        (el("b", held(used.carbon)), f" and {held(used.energy)} in the {view.span.title}", rest)
    )


REGIONS = (
    Region("head", headline.headline, 1.0),
    Region("new", lists.latest, 2.0),
    Region("chart", chart.chart, 5.0),
    Region("twin", chart.table, 5.0),
    Region("strategies", lists.by_strategy, 5.0),
    Region("models", lists.by_model, 5.0),
    Region("gaps", lists.gaps, 10.0),
    Region("own", own, 5.0),
    Region("say", headline.spoken, 30.0),
)


@dataclass(frozen=True, slots=True)
class Beside:
    """What the overview shows beside the book: its version, what waits, CPU time so far [ms].

    `pages` is the way to other pages, where there are any; `panels` are of parts of lichen.
    """

    version: str
    waiting: Mapping[str, float]
    cpu_ms: Callable[[], float]
    pages: tuple[Markup, ...] = ()
    panels: tuple[Panel, ...] = ()


def overview(view: View, beside: Beside) -> Page:
    """The page of a span."""
    made = {region.name: region.make(view) for region in REGIONS if region.name != "say"}
    main = (
        el("section", made["head"], id="head", aria_label="Totals"),
        el("p", id="say", role="status", class_="hidden"),
        _chart(view, made),
        _tables(made),
        *(panel_section(panel) for panel in beside.panels),
        _latest(made),
        el("section", el("h2", "What could not be known"), el("div", made["gaps"], id="gaps")),
    )
    top = (spans(view.span), *beside.pages, live_button(view.span, beside.version))
    return html_page(Frame("lichen", top, _foot(made, beside)), *main)


def spans(here: Span | None) -> Markup:
    """The way to each span."""
    links = (
        el(
            "a",
            span.name,
            href=f"/?span={span.name}",
            aria_current="page" if span is here else None,
        )
        for span in SPANS
    )
    return el("nav", *links, aria_label="Time span")


def pages(here: str) -> Markup:
    """The way to the other page."""
    current = "page" if here == GRID else None
    return el("nav", el("a", "Grid", href=GRID, aria_current=current), aria_label="Pages")


def live_button(span: Span, version: str) -> Markup:
    """Switches live updates; without the script there is nothing to switch, so it is hidden."""
    return el(
        "button",
        "Live",
        id="live",
        type="button",
        hidden=True,
        aria_pressed="true",
        data_events=f"/events?span={span.name}&since={version}",
    )


def _chart(view: View, made: Mapping[str, Markup]) -> Markup:
    return el(
        "section",
        el("h2", f"Carbon by {view.span.bar}"),
        el("div", made["chart"], id="chart"),
        el("p", id="read", class_="s", aria_hidden="true"),
        el(
            "details",
            el("summary", "The same numbers as a table"),
            el("table", made["twin"], id="twin"),
        ),
    )


def _tables(made: Mapping[str, Markup]) -> Markup:
    return el(
        "div",
        *(
            el(
                "section",
                el("h2", f"By {one}"),
                el("table", made[name], id=name, aria_label=f"Carbon by {one}"),
            )
            for one, name in (("strategy", "strategies"), ("model", "models"))
        ),
        class_="two",
    )


def panel_section(panel: Panel) -> Markup:
    """What a part of lichen shows of itself."""
    head = el("tr", *(el("th", column, scope="col") for column in panel.columns))
    is_wide = len(panel.columns) > _MOST_COLUMNS
    names = panel.columns[1:] if is_wide else (None,) * len(panel.columns[1:])
    rows = (
        el(
            "tr",
            el("th", first, scope="row"),
            *(el("td", text, data_name=name) for text, name in zip(rest, names, strict=True)),
        )
        for first, *rest in panel.rows
    )
    body = (el("thead", head), el("tbody", *rows))
    kind = "wide" if is_wide else None
    table = el("table", *body, class_=kind, aria_label=panel.title)
    note = el("p", panel.note, class_="s") if panel.note else ""
    return el("section", el("h2", panel.title), note, table if panel.rows else "")


def _latest(made: Mapping[str, Markup]) -> Markup:
    table = el("table", made["new"], id="new", aria_label="Latest calls, best estimates")
    note = "Best estimates; the time leads to how each was made, with its interval."
    return el("section", el("h2", "Latest calls"), el("p", note, class_="s"), table)


def _foot(made: Mapping[str, Markup], beside: Beside) -> tuple[object, ...]:
    waits = (f" {name.capitalize()}: {count(n)}." for name, n in beside.waiting.items() if n)
    weight = (
        f"This page: {own_weight()} in 3 requests, made in {beside.cpu_ms():.0f} ms of CPU time, "
        f"which is part of lichen’s own. Nothing is sent while you look elsewhere.{''.join(waits)}"
    )
    return (
        el("h2", "What lichen itself used"),
        el("p", made["own"], id="own"),
        el("p", weight, class_="s"),
        el(
            "p",
            el("a", "Metrics", href="/metrics"),
            f" · How these numbers are made, and how sure: {DOCS}/method, in lichen’s folder",
        ),
    )
