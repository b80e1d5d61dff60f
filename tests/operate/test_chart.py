"""The chart and its table: the same numbers twice."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.testing.samples import sample_entry, sample_footprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.operate.conftest import Calls, Document

    Read = Callable[..., Document]

_BAR = re.compile(r"M(\d+) 0v(-?[\d.]+)")
_NUMBERS = re.compile(r"−?[\d,.]+")


def bars(document: Document, tone: str) -> dict[int, float]:
    """Heights of the bars of a tone by their place [px]."""
    drawn = [e.attributes["d"] for e in document.all("path", class_=tone)]
    return {int(x) // 12: abs(float(height)) for path in drawn for x, height in _BAR.findall(path)}


def rows(document: Document) -> list[list[str]]:
    """The table's cells, row by row."""
    start = next(i for i, e in enumerate(document.elements) if e.attributes.get("id") == "twin")
    body = [e for e in document.elements[start:] if e.name in ("tr", "th", "td")]
    found: list[list[str]] = []
    for element in body:
        if element.name == "tr":
            found.append([])
        elif found:
            found[-1].append(element.text)
    return [row for row in found[1:61] if len(row) == 5]


def numbers(cell: str) -> list[float]:
    """Value, low and high of a cell; three times the same where it has no interval."""
    found = [float(n.replace(",", "").replace("−", "-")) for n in _NUMBERS.findall(cell)]
    return found if len(found) == 3 else found * 3


def test_every_bar_stands_in_the_table_at_the_same_height(calls: Calls, read: Read) -> None:
    for ago in range(0, 50, 3):
        origin = calls.asked(ago=ago, wh=0.1 + ago / 10)
        calls.stored(origin, ago=ago)

    document = read()

    table = rows(document)
    assert len(table) == 60
    for column, tones in ((3, ("u2", "u3", "u1")), (4, ("a2", "a3", "a1"))):
        for which, tone in enumerate(tones):
            drawn = bars(document, tone)
            said = {n: numbers(row[column])[which] for n, row in enumerate(table)}
            said = {n: amount for n, amount in said.items() if amount}
            assert drawn.keys() == said.keys()
            if tone[1] != "3":  # the high ends may go beyond the axis
                scales = [drawn[n] / said[n] for n in drawn if drawn[n] > 10]
                assert max(scales) / min(scales) < 1.1


def test_used_and_avoided_are_drawn_to_one_scale(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=9, wh=3.0)
    calls.stored(origin, ago=9)

    document = read()

    assert bars(document, "u2")[50] == bars(document, "a2")[50]


def test_the_table_counts_the_calls_of_each_minute(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=9)
    calls.stored(origin, ago=9)
    calls.asked(ago=3)

    table = {row[0]: row[1:3] for row in rows(read())}

    assert table["12:21"] == ["2", "1"]
    assert table["12:27"] == ["1", "0"]
    assert table["12:28"] == ["0", "0"]


def test_what_lichen_used_is_in_the_bars_too(calls: Calls, read: Read) -> None:
    calls.asked(ago=9)
    calls.overhead(ago=3, wh=0.3)

    assert 56 in bars(read(), "u2")


def test_a_loss_is_drawn_on_the_side_of_what_was_used(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=9, wh=0.2)
    hit = calls.stored(origin, ago=8)
    calls.add(sample_entry(calls.clock(), replace(hit.figures, footprint=sample_footprint(wh=1.0))))

    document = read()

    assert bars(document, "l2").keys() == {59}
    assert 59 not in bars(document, "a2")
    assert numbers(rows(document)[-1][4])[0] < 0


def test_an_interval_far_wider_than_its_value_does_not_flatten_the_bars(
    calls: Calls, read: Read
) -> None:
    calls.asked(ago=5, wh=0.5)

    document = read()

    assert bars(document, "u2")[54] > 240 / 4
    assert "Lines that reach the edge go on beyond it" in document.one("div", id="chart").text


def test_the_picture_has_a_title_and_a_description(calls: Calls, read: Read) -> None:
    origin = calls.asked(ago=9)
    calls.stored(origin, ago=4)

    document = read()

    picture = document.one("svg", role="img")
    assert picture.attributes["aria-labelledby"] == "ct cd"
    assert document.one("title", id="ct").text == "Carbon avoided and used, by minute"
    assert "Most was avoided in the minute of 12:26" in document.one("desc", id="cd").text


def test_the_table_says_what_its_rows_and_columns_are(calls: Calls, read: Read) -> None:
    calls.asked()

    document = read()

    assert document.one("caption").text == "Carbon by minute: best estimate (90 % interval)"
    assert len(document.all("th", scope="row")) > 60
    assert {"Minute", "Calls", "No model"} <= {e.text for e in document.all("th", scope="col")}


def test_an_hour_of_nothing_has_a_chart_without_bars(calls: Calls, read: Read) -> None:
    calls.asked(ago=300)

    document = read(query="span=hour")

    assert bars(document, "u2") == {}
    assert len(rows(document)) == 60
