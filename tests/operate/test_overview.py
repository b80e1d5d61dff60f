"""The overview: what it says of a book, and what it says where there is nothing to say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.panel import Panel
from lichen.ledger.window import Work
from lichen.operate.watch import Watch
from lichen.operate.watch.overview import panel_section
from lichen.testing.samples import sample_entry, sample_figures, sample_footprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.book import Book
    from tests.operate.conftest import Calls, Clock, Document

    Read = Callable[..., Document]


def cells(table: str, document: Document) -> str:
    return document.one("table", id=table).text


def test_a_book_without_a_call_shows_the_one_variable_to_set(watch: Watch) -> None:
    page = watch.page("/", headers={"Host": "localhost:9000"})

    assert page is not None
    assert "export OPENAI_BASE_URL=http://localhost:9000/v1" in page.body.decode()
    assert "curl" in page.body.decode()


def test_what_lichen_and_an_idle_model_use_is_not_a_call(calls: Calls, read: Read) -> None:
    calls.overhead()
    idle = replace(
        sample_figures(), name="idle", strategy="none", model="", work=Work(0, "request")
    )
    calls.add(sample_entry(calls.clock(), idle))

    assert read().one("h1").text == "No call has come through yet."


def test_what_an_idle_model_uses_is_no_answer_of_the_model(calls: Calls, read: Read) -> None:
    calls.asked()
    idle = replace(
        sample_figures(), name="idle", strategy="none", model="", work=Work(0, "request")
    )
    calls.add(sample_entry(calls.clock(), idle))

    document = read()

    assert "outside any call: loading and idle" in cells("strategies", document)
    assert "asked the model" in cells("strategies", document)
    assert "asked the model 0" not in cells("strategies", document)


def test_the_empty_page_says_which_key_a_client_shows(watch: Watch) -> None:
    page = watch.page("/", headers={"Host": "localhost:9000"})

    assert page is not None
    assert "export OPENAI_API_KEY=none" in page.body.decode()


def test_a_failed_call_whose_use_was_measured_shows_it(calls: Calls, read: Read) -> None:
    failed = calls.failed()
    measured = replace(
        failed.figures, method="process/1", footprint=calls.asked(wh=0.2).figures.footprint
    )
    entry = calls.add(sample_entry(calls.clock(), measured))

    page = read(f"/entry/{entry.id}").one("h1").text

    assert page.startswith("Failed: error 429; used ")
    assert "failed: error 429 0 200" in cells("new", read())


def test_a_first_call_ends_the_empty_page(calls: Calls, read: Read) -> None:
    calls.asked()

    assert read().one("h1").text == "1 call, each answered by a model."


def test_the_headline_counts_the_calls_that_needed_no_model(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=5)
    calls.stored(origin, ago=2)
    calls.stored(origin, ago=1, strategy="calls.coalesce")

    document = read()

    assert document.one("h1").text == "2 of 3 calls needed no model."
    assert "2 (67 %)" in document.one("dl", class_="counts").text


def test_the_figures_are_those_of_the_book(calls: Calls, read: Read, book: Book) -> None:
    origin = calls.asked(ago=5)
    calls.stored(origin, ago=2)
    calls.overhead(ago=1)

    shown = read().one("dl", class_="figures").text

    summary = book.summary()
    for made in (summary.used, summary.work.saved, summary.net):
        assert str(made.energy).replace("-", "−") in shown
        assert str(made.carbon).split(" (")[0].replace("-", "−") in shown
    assert str(summary.sci("request").per_unit).split(" (")[0] in shown


def test_what_lichen_itself_used_is_part_of_what_was_used(calls: Calls, read: Read) -> None:
    calls.asked(wh=1.0)
    calls.overhead(wh=1.0)

    assert "2.00 Wh (0.500 – 8.00)" in read().one("dl", class_="figures").text


def test_lichens_own_use_is_taken_from_what_it_avoided(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=5, wh=1.0)
    calls.stored(origin)
    calls.overhead(wh=0.25)

    assert "750 mWh (−750 – 3,940)" in read().one("dl", class_="figures").text


def test_lichens_own_share_of_what_it_avoided_has_no_exponent(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=5, wh=1.0)
    calls.stored(origin)
    calls.overhead(wh=1.1)

    assert ", 110 % of what it avoided." in read().one("p", id="own").text


def test_a_panel_of_many_columns_names_them_in_each_cell_for_narrow_pages() -> None:
    narrow = Panel("Few", ("rule", "calls"), (("click", "3"),))
    wide = Panel("Many", ("model", "a", "b", "c", "d", "e"), (("small", *"12345"),))

    few, many = (panel_section(panel) for panel in (narrow, wide))

    assert "<table class=wide aria-label=Many>" in many
    assert "<td data-name=a>1<td data-name=b>2" in many
    assert "class=wide" not in few
    assert "data-name" not in few


def test_a_net_that_may_be_a_loss_says_so_and_is_not_green(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=5, wh=1.0)
    calls.stored(origin)
    sure = read()
    calls.overhead(wh=0.25)

    unsure = read()

    words = "The interval reaches across zero: it may be a loss."
    assert words in unsure.one("dl", class_="figures").text
    assert words not in sure.one("dl", class_="figures").text
    assert (len(sure.all("b", class_="a")), len(unsure.all("b", class_="a"))) == (2, 1)


def test_a_loss_is_shown_as_plainly_as_a_gain(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=5, wh=0.2)
    hit = calls.stored(origin, ago=4)
    worse = replace(hit.figures, footprint=sample_footprint(wh=1.0))
    calls.add(sample_entry(calls.clock(), worse))

    document = read()

    assert "−600 mWh" in document.one("dl", class_="figures").text
    assert document.all("line", class_="l1")


def test_each_functional_unit_has_its_own_rate(calls: Calls, read: Read) -> None:
    calls.asked()
    trained = replace(sample_figures(), strategy="tune.adapt", work=Work(2, "training run"))
    calls.add(sample_entry(calls.clock(), trained))

    shown = read().one("dl", class_="figures").text

    assert "SCI per request" in shown
    assert "per training run" in shown


def test_the_hits_a_policy_left_out_have_a_line_and_a_way_out(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=3)
    calls.add(sample_entry(calls.clock(), replace(origin.figures, strategy="none.sampled")))

    strategies = cells("strategies", read())

    assert "asked again" in strategies
    assert 'sampled = "reuse"' in strategies


def test_strategies_and_models_add_up_to_all_calls(calls: Calls, read: Read) -> None:
    origin = calls.asked("one", ago=9)
    calls.asked("two", ago=8)
    calls.stored(origin, ago=7)

    document = read()

    assert "asked the model Answered by the model, as it came. 2 " in cells("strategies", document)
    assert "stored answer The same call had been answered before. 1 " in cells(
        "strategies", document
    )
    assert "one 2" in cells("models", document)
    assert "two 1" in cells("models", document)


def test_models_beyond_a_few_are_one_line(calls: Calls, read: Read) -> None:
    for number in range(20):
        calls.asked(f"model-{number:02}", wh=20.0 - number)

    models = cells("models", read())

    assert "model-05" in models
    assert "model-06" not in models
    assert "14 other models 14" in models


def test_a_failed_call_is_shown_as_not_known_and_never_as_zero(calls: Calls, read: Read) -> None:
    calls.failed()

    document = read()

    assert document.one("h1").text == "No call was answered in the last hour."
    assert cells("new", document).endswith("failed: error 429 0 ? ? –")
    assert "service answered with an error (429)" in document.one("div", id="gaps").text


def test_gaps_are_counted_and_explained(calls: Calls, read: Read, book: Book) -> None:
    calls.asked()
    lost = "entries lost at a hard stop (at most one flush)"
    book.store.note_gap(lost, 12, calls.clock() - timedelta(hours=2))

    gaps = read().one("div", id="gaps").text

    assert "lines lost · 12, last 1 Mar 10:30" in gaps
    assert "A hard stop took at most" in gaps


def test_a_book_without_gaps_says_so(calls: Calls, read: Read) -> None:
    calls.asked()

    assert read().one("div", id="gaps").text.startswith("Nothing: every call was priced")


def test_the_latest_calls_lead_to_their_own_pages(calls: Calls, read: Read) -> None:
    entries = [calls.asked(ago=20 - number) for number in range(20)]
    calls.overhead()

    links = [
        element.attributes["href"]
        for element in read().all("a")
        if element.attributes["href"].startswith("/entry/")
    ]

    assert links == [f"/entry/{entry.id}" for entry in entries[:-16:-1]]


def test_the_shortest_span_with_work_is_shown_first(calls: Calls, read: Read) -> None:
    calls.asked(ago=5 * 60)

    assert read().one("a", aria_current="page").text == "day"


def test_a_span_that_is_asked_for_is_shown_even_without_work(calls: Calls, read: Read) -> None:
    calls.asked(ago=5 * 60)

    document = read(query="span=hour")

    assert document.one("a", aria_current="page").text == "hour"
    assert document.one("h1").text == "No call was answered in the last hour."


@pytest.mark.parametrize("span", ["hour", "day", "month", "year"])
def test_every_span_counts_the_same_calls(calls: Calls, read: Read, span: str) -> None:
    for number in range(12):
        calls.asked(ago=4 * number)

    assert "Calls 12 " in read(query=f"span={span}").one("dl", class_="counts").text


def test_what_waits_to_be_written_is_said(calls: Calls, book: Book, clock: Clock) -> None:
    calls.asked()
    watch = Watch(book, clock=clock, waiting=lambda: {"entries to write": 7, "nothing": 0})

    page = watch.page("/")

    assert page is not None
    assert "Entries to write: 7." in page.body.decode()
    assert "Nothing: 0" not in page.body.decode()


def test_no_line_of_the_figures_ends_inside_an_interval(calls: Calls, read: Read) -> None:
    calls.asked()

    said = ["".join(amount.parts).strip() for amount in read().all("dd")]

    intervals = [each.partition("(")[2] for each in said if "(" in each and "–" in each]
    assert intervals
    assert not any(" " in interval for interval in intervals)
