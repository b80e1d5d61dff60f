"""A book of an hour's calls at a fixed time, and a reader for the HTML that is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from lichen.grid.zones import StaticZones
from lichen.ledger.book import Book
from lichen.ledger.entry import OWN, Baseline, Entry
from lichen.ledger.errors import StoreUnavailable
from lichen.ledger.footprint import Footprint
from lichen.ledger.memory import MemoryStore
from lichen.ledger.pricing import Pricer
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work
from lichen.meter.tokens import TokenMeter
from lichen.operate.watch import Watch
from lichen.testing.samples import sample_entry, sample_figures, sample_footprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.rollup import Period, Totals

NOW = datetime(2026, 3, 1, 12, 30, 20, tzinfo=UTC)
READ = Tokens(prefill=100, decode=50)


class Clock:
    """A time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


class FailingStore(MemoryStore):
    """A store that can be lost, for the reason `why`, and found again."""

    why = ""

    def totals(
        self, period: Period, *, since: datetime | None = None, until: datetime | None = None
    ) -> list[Totals]:
        if self.why:
            raise StoreUnavailable("lichen.db", self.why, "look at the disk")
        return super().totals(period, since=since, until=until)


class Calls:
    """Entries as a gateway books them."""

    def __init__(self, book: Book, clock: Clock) -> None:
        self.book = book
        self.clock = clock

    def add(self, entry: Entry) -> Entry:
        self.book.store.append([entry])
        return entry

    def asked(self, model: str = "small", *, ago: float = 0, wh: float = 0.3) -> Entry:
        figures = replace(
            sample_figures(),
            strategy="none",
            model=model,
            work=Work(1, "request"),
            tokens=READ,
            footprint=sample_footprint(wh=wh),
        )
        return self.add(sample_entry(self.clock() - timedelta(minutes=ago), figures))

    def stored(self, origin: Entry, *, ago: float = 0, strategy: str = "calls.exact") -> Entry:
        figures = replace(
            origin.figures,
            strategy=strategy,
            footprint=Footprint.zero(),
            tokens=Tokens(),
            baseline=Baseline(origin.figures.footprint, "stored-call/1", origin.id, READ),
        )
        return self.add(sample_entry(self.clock() - timedelta(minutes=ago), figures))

    def failed(self, *, ago: float = 0) -> Entry:
        figures = replace(
            sample_figures(),
            strategy="none",
            work=Work(0, "request"),
            footprint=Footprint.zero(),
            method="unknown/1",
            gaps=("upstream-answered:429",),
            tokens=Tokens(),
        )
        return self.add(sample_entry(self.clock() - timedelta(minutes=ago), figures))

    def overhead(self, *, ago: float = 0, wh: float = 0.001) -> Entry:
        figures = replace(
            sample_figures(),
            name="overhead",
            strategy=OWN,
            model="",
            work=Work(0, "request"),
            tokens=Tokens(),
            footprint=sample_footprint(wh=wh),
            method="process/1",
        )
        return self.add(sample_entry(self.clock() - timedelta(minutes=ago), figures))


@dataclass
class Element:
    """An element of a page: its name, attributes, and all text in it."""

    name: str
    attributes: dict[str, str]
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


class Document(HTMLParser):
    """A page read as a browser reads it, as far as these tests look."""

    # Elements whose end may be left out, and what ends them.
    _ENDED_BY = {  # noqa: RUF012 (a constant of the class)
        "td": ("td", "th", "tr", "tbody"),
        "th": ("td", "th", "tr", "tbody"),
        "tr": ("tr", "tbody"),
        "thead": ("tbody",),
        "tbody": (),
        "dt": ("dd", "dt"),
        "dd": ("dd", "dt"),
        "li": ("li",),
    }
    _VOID = ("meta", "link")
    _INLINE = ("a", "abbr", "b", "em", "code")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._part(tag)
        while self._open and tag in self._ENDED_BY.get(self._open[-1].name, ()):
            self._open.pop()
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in self._VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        self._part(tag)
        while self._open and self._open[-1].name != tag:
            assert self._open[-1].name in self._ENDED_BY, f"{self._open[-1]} is not closed"
            self._open.pop()
        assert self._open, f"</{tag}> closes nothing"
        self._open.pop()

    def _part(self, tag: str) -> None:
        """What is not in line stands apart."""
        if tag not in self._INLINE:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.parts.append(data)

    def all(self, name: str, **attributes: str) -> list[Element]:
        """Elements of a name with these attributes."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        return [
            element
            for element in self.elements
            if element.name == name and wanted.items() <= element.attributes.items()
        ]

    def one(self, name: str, **attributes: str) -> Element:
        """The one such element."""
        (found,) = self.all(name, **attributes)
        return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> FailingStore:
    return FailingStore()


@pytest.fixture
def book(store: FailingStore) -> Book:
    return Book(store, Pricer(TokenMeter(), StaticZones()))


@pytest.fixture
def calls(book: Book, clock: Clock) -> Calls:
    return Calls(book, clock)


@pytest.fixture
def watch(book: Book, clock: Clock) -> Watch:
    return Watch(book, clock=clock)


@pytest.fixture
def read(watch: Watch) -> Callable[..., Document]:
    """A page, read."""

    def page(path: str = "/", query: str = "", status: int = 200) -> Document:
        made = watch.page(path, query)
        assert made is not None
        assert made.status == status
        return Document(made.body.decode())

    return page
