"""The page of one entry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.footprint import Footprint
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Window
from lichen.operate.watch.words import DOCS, METHODS
from lichen.testing.samples import sample_entry, sample_figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.book import Book
    from tests.operate.conftest import Calls, Document

    Read = Callable[..., Document]


def section(title: str, document: Document) -> str:
    (found,) = [e.text for e in document.all("section") if e.text.startswith(title)]
    return found


def test_the_formula_stands_with_the_numbers_of_the_call(calls: Calls, read: Read) -> None:
    footprint = Footprint(
        Estimate.around(Energy.kwh(2)),
        Estimate.around(Carbon.grams(600)),
        Estimate.around(Carbon.grams(50)),
    )
    entry = calls.add(sample_entry(calls.clock(), replace(sample_figures(), footprint=footprint)))

    document = read(f"/entry/{entry.id}")

    formula = document.one("p", class_="formula").text
    assert formula == "C 650 gCO₂e = E 2.00 kWh × I 300 gCO₂e/kWh + M 50.0 gCO₂e"


def test_every_quantity_has_its_interval(calls: Calls, read: Read) -> None:
    entry = calls.asked(wh=1.0)

    table = section("How it was made", read(f"/entry/{entry.id}"))

    assert "E energy by the token model 1.00 Wh 0.250 – 4.00" in table
    assert "SCI per request R = 1 request 500 mgCO₂e 125 – 2,000" in table
    assert "basis assumed" in table


def test_a_stored_answer_shows_its_baseline_and_how_to_prove_it(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=5, wh=1.0)
    hit = calls.stored(origin)

    document = read(f"/entry/{hit.id}")

    assert document.one("h1").text == "Stored answer: avoided 500 mgCO₂e."
    assert document.one("code").text == f"lichen prove {hit.id}"
    assert document.one("a", href=f"/entry/{origin.id}").text == f"entry {origin.id}"
    assert "Saved" in section("How it was made", document)


def test_a_loss_is_called_a_loss(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=5, wh=0.2)
    hit = calls.stored(origin)
    worse = replace(hit.figures, footprint=calls.asked(wh=1.0).figures.footprint)
    entry = calls.add(sample_entry(calls.clock(), worse))

    assert "lost 400 mgCO₂e" in read(f"/entry/{entry.id}").one("h1").text


def test_a_call_whose_use_is_not_known_says_so(calls: Calls, read: Read) -> None:
    entry = calls.failed()

    document = read(f"/entry/{entry.id}")

    assert document.one("h1").text == "Failed: error 429; its use is not known."
    assert "service answered with an error (429)" in section("What could not be known", document)


def test_the_energy_of_reading_and_writing_is_told_apart(
    calls: Calls, book: Book, read: Read
) -> None:
    meter = book.pricer.calls
    tokens = Tokens(prefill=400, decode=100)
    figures = replace(sample_figures(), tokens=tokens, model="gpt-4o-mini", factors=meter.factors)
    entry = calls.add(sample_entry(calls.clock(), figures))

    shown = section("Tokens", read(f"/entry/{entry.id}"))

    first = meter.read("gpt-4o-mini", Tokens(prefill=400)).energy
    assert f"Reading the input takes {first};" in shown


def test_older_factors_are_not_explained_by_todays_meter(calls: Calls, read: Read) -> None:
    entry = calls.asked()

    assert "Reading the input" not in section("Tokens", read(f"/entry/{entry.id}"))


def test_measured_energy_is_a_time_and_a_power(calls: Calls, read: Read) -> None:
    energy = Estimate(Energy.joules(50), Energy.joules(25), Energy.joules(100), Basis.MEASURED)
    figures = replace(
        sample_figures(),
        footprint=replace(sample_figures().footprint, energy=energy),
        method="process/1",
        raw={"cpu_seconds": 5.0},
    )
    entry = calls.add(sample_entry(calls.clock(), figures))

    assert "E = 5.00 s of CPU time × 10.0 W (5.00 – 20.0)" in section(
        "Tokens", read(f"/entry/{entry.id}")
    )


def test_methods_name_the_chapter_that_explains_them_and_no_link_leads_outside(
    calls: Calls, read: Read
) -> None:
    entry = calls.stored(calls.asked(ago=1))

    documents = [read(path) for path in ("/", f"/entry/{entry.id}")]

    told = section("Sources and raw quantities", documents[1])
    assert "docs/method/savings.md" in section("Why it counts as a saving", documents[1])
    for chapter in ("energy", "carbon", "embodied", "uncertainty"):
        assert f"docs/method/{chapter}.md" in told
    addresses = [e.attributes["href"] for each in documents for e in each.all("a")]
    assert addresses
    assert all(address.startswith(("/", "#")) for address in addresses)


def test_each_chapter_that_a_page_names_is_in_the_documentation() -> None:
    root = Path(__file__).parent.parent.parent

    pages = {method.page for method in METHODS.values()}

    assert [page for page in pages if not (root / DOCS / f"{page}.md").is_file()] == []


def test_raw_quantities_from_outside_are_shown_and_nothing_else(calls: Calls, read: Read) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    figures = replace(sample_figures(), raw={hostile: hostile}, model=hostile, factors=hostile)
    entry = calls.add(sample_entry(calls.clock(), figures))

    document = read(f"/entry/{entry.id}")

    assert document.one("dl", class_="raw").text.count(hostile) == 3
    assert not document.all("img")


def test_evidence_that_is_no_entry_is_shown_without_a_link(calls: Calls, read: Read) -> None:
    hit = calls.stored(calls.asked(ago=1))
    assert hit.figures.baseline is not None
    baseline = replace(hit.figures.baseline, evidence="holdout 7", method="holdout/1")
    entry = calls.add(sample_entry(calls.clock(), replace(hit.figures, baseline=baseline)))

    document = read(f"/entry/{entry.id}")

    assert "(holdout/1): holdout 7." in section("Why it counts as a saving", document)
    assert not document.all("a", href="/entry/holdout 7")


def test_the_tenant_is_a_short_hash(calls: Calls, read: Read) -> None:
    window = Window(calls.clock(), calls.clock(), "DE")
    entry = calls.add(type(calls.asked()).of(window, sample_figures(), tenant="a" * 64))

    shown = section("Sources", read(f"/entry/{entry.id}"))

    assert f"{'a' * 12} (a hash)" in shown
    assert "a" * 13 not in shown


def test_an_id_that_is_not_in_the_book_is_a_page_that_says_so(read: Read) -> None:
    assert read("/entry/0123456789abcdef", status=404).one("h1").text == "No such entry."
    assert read("/entry/<script>", status=404).one("h1").text == "No such entry."
