"""ENTSO-E: documents, curve types, resolutions, refusals, and the line through the last days."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.grid.entsoe import RESIDUAL_FACTOR, Entsoe
from lichen.grid.entsoe_xml import hourly, parse
from lichen.grid.mix import fuels
from lichen.ledger.errors import SignalUnavailable, UnknownZone
from lichen.ledger.estimate import Basis
from lichen.ledger.window import Window
from lichen.testing.grid_api import Answer, Question
from tests.grid.apis.entsoe import (
    TOKEN,
    EntsoeApi,
    Span,
    acknowledgement,
    document,
    power,
    series,
    series_of,
)
from tests.grid.asking import NOW, Asked, asking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
NOON = NOW.replace(minute=0)
NAMES = {"B01": "biomass", "B04": "gas", "B05": "coal", "B11": "hydro", "B16": "solar",
         "B19": "wind"}  # fmt: skip


@pytest.fixture
def entsoe() -> Iterator[Asked[Entsoe]]:
    with asking(Entsoe, EntsoeApi, TOKEN) as asked:
        yield asked


def priced(time: datetime) -> float:
    """The intensity of an hour of the made-up mix, worked out apart. [gCO₂e/kWh]"""
    energy = {kind: power(kind, time) for kind in NAMES}
    grams = sum(energy[kind] * fuels()[NAMES[kind]].value for kind in NAMES)
    return grams / sum(energy.values())


def test_what_was_is_priced_by_its_mix(entsoe: Asked[Entsoe]) -> None:
    start = NOON - 5 * HOUR

    signal = entsoe.source.intensity("DE", Window(start, start + 2 * HOUR, "DE"))

    assert signal.values == pytest.approx((priced(start), priced(start + HOUR)))
    assert signal.step == HOUR
    assert signal.lows[0] < signal.values[0] < signal.highs[0]


def test_a_forecast_follows_the_residual_share(entsoe: Asked[Entsoe]) -> None:
    signal = entsoe.source.forecast("DE", 30 * HOUR)

    truth = [priced(NOON + n * HOUR) for n in range(len(signal.values))]
    inside = [
        low <= true <= high
        for low, true, high in zip(signal.lows, truth, signal.highs, strict=True)
    ]
    assert all(inside)
    # The darkest hour is forecast well above the sunniest one, as it is.
    assert signal.values[12] > 1.3 * signal.values[0]
    assert truth[12] > 1.3 * truth[0]
    assert signal.highs[0] == pytest.approx(signal.values[0] * RESIDUAL_FACTOR)
    assert signal.basis is Basis.MODELLED


def test_a_forecast_ends_where_day_ahead_data_end(entsoe: Asked[Entsoe]) -> None:
    with pytest.raises(SignalUnavailable, match="2026-11-21 23:00 UTC is missing"):
        entsoe.source.forecast("DE", 47 * HOUR)
    asked = len(entsoe.api.asked)

    reached = entsoe.source.ahead("DE")

    assert reached.end == NOON + 35 * HOUR
    assert len(entsoe.api.asked) <= asked + 3


def test_data_that_do_not_reach_far_are_asked_once(entsoe: Asked[Entsoe]) -> None:
    for _ in range(3):
        with pytest.raises(SignalUnavailable, match="2026-11-21 23:00 UTC is missing"):
            entsoe.source.forecast("DE", 47 * HOUR)

    assert len(entsoe.api.asked) == 3


def test_more_wind_than_load_is_no_better_than_the_best_hour_of_the_week(
    entsoe: Asked[Entsoe],
) -> None:
    def gale(question: Question) -> Answer:
        if question.params["documentType"] != "A69":
            return entsoe.api.answer(question)
        span = Span(NOON, NOON + 6 * HOUR, HOUR)
        return document("A69", [series_of([(1, 900_000)], "B19", span)])

    entsoe.api.trouble = gale
    week = [priced(NOON - n * HOUR) for n in range(1, 169)]

    signal = entsoe.source.forecast("DE", 3 * HOUR)

    assert signal.values[0] == pytest.approx(min(week))


def test_too_few_days_draw_no_line(entsoe: Asked[Entsoe]) -> None:
    def one_day(question: Question) -> Answer:
        if question.params["documentType"] != "A75":
            return entsoe.api.answer(question)
        span = Span(NOON - 24 * HOUR, NOON, HOUR)
        return document("A75", [series("B04", span), series("B19", span)])

    entsoe.api.trouble = one_day

    with pytest.raises(SignalUnavailable, match="24 of the last 168 hours are whole"):
        entsoe.source.forecast("DE", 3 * HOUR)


@pytest.mark.parametrize("status", [200, 400])
def test_a_refusal_says_its_reason(entsoe: Asked[Entsoe], status: int) -> None:
    entsoe.api.trouble = acknowledgement("No matching data found", status)

    with pytest.raises(SignalUnavailable, match="it has none: No matching data found"):
        entsoe.source.intensity("DE", Window(NOON - HOUR, NOON, "DE"))


def test_a_token_in_an_error_page_is_not_repeated() -> None:
    with asking(Entsoe, EntsoeApi, "not-the-token") as asked:
        with pytest.raises(SignalUnavailable, match=r"answered 401: .*\*\*\*") as refused:
            asked.source.intensity("DE", Window(NOON - HOUR, NOON, "DE"))

        assert "not-the-token" not in str(refused.value)


def test_a_country_without_a_code_is_unknown(entsoe: Asked[Entsoe]) -> None:
    with pytest.raises(UnknownZone):
        entsoe.source.intensity("US-CAL-CISO", Window(NOON - HOUR, NOON, "US-CAL-CISO"))


def test_an_hour_that_lacks_a_type_the_others_have_is_missing(entsoe: Asked[Entsoe]) -> None:
    def late_coal(question: Question) -> Answer:
        del question
        day = Span(NOON - 12 * HOUR, NOON, QUARTER)
        short = Span(NOON - 12 * HOUR, NOON - HOUR, QUARTER)
        return document("A75", [series("B04", day), series("B19", day), series("B05", short)])

    entsoe.api.trouble = late_coal

    with pytest.raises(SignalUnavailable, match="11:00 UTC is missing"):
        entsoe.source.intensity("DE", Window(NOON - HOUR, NOON, "DE"))


def energy(answer: Answer) -> dict[int, dict[str, float]]:
    return hourly(parse(answer.content))


def of_hour(parts: list[str], start: datetime = NOON) -> dict[str, float]:
    return energy(document("A75", parts)).get(int(start.timestamp()), {})


def test_a_value_stands_until_the_next_in_curve_type_a03() -> None:
    span = Span(NOON, NOON + 2 * HOUR, QUARTER)
    parts = [series_of([(1, 100), (3, 300)], "B04", span)]

    first, second = of_hour(parts), of_hour(parts, NOON + HOUR)

    assert first == {"B04": 200}
    assert second == {"B04": 300}


def test_a_position_that_lacks_is_missing_in_curve_type_a01() -> None:
    span = Span(NOON, NOON + 2 * HOUR, QUARTER)
    points = [(1, 100), (2, 100), (4, 100), (5, 50), (6, 50), (7, 50), (8, 90)]
    parts = [series_of(points, "B04", span, curve="A01")]

    assert of_hour(parts) == {}
    assert of_hour(parts, NOON + HOUR) == {"B04": 60}


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_power_is_energy_whatever_the_resolution(minutes: int) -> None:
    span = Span(NOON, NOON + HOUR, timedelta(minutes=minutes))

    assert of_hour([series_of([(1, 400)], "B16", span)]) == {"B16": 400}


def test_what_a_store_takes_in_is_no_generation() -> None:
    span = Span(NOON, NOON + HOUR, HOUR)

    assert of_hour([series_of([(1, 400)], "B10", span, consumed=True)]) == {}


def test_a_new_version_of_the_schema_is_read() -> None:
    span = Span(NOON, NOON + HOUR, HOUR)
    answer = document("A75", [series_of([(1, 7)], "B16", span)], namespace="urn:iec:new:9:9")

    assert energy(answer) == {int(NOON.timestamp()): {"B16": 7}}


SPAN = Span(NOON, NOON + HOUR, HOUR)
ONE = series_of([(1, 5)], "B04", SPAN)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no XML"),
        (b"{}", "no XML"),
        (b"<Publication_MarketDocument/>", "it is a Publication_MarketDocument"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><GL_MarketDocument/>", "declares entities"),
        (document("A75", [ONE.replace("MAW", "KWH")]).content, "unit is 'KWH'"),
        (document("A75", [ONE.replace("PT60M", "P1D")]).content, "resolution is 'P1D'"),
        (document("A75", [ONE.replace("PT60M", "PT7M")]).content, "no part of an hour"),
        (document("A75", [ONE.replace("<position>1", "<position>2")]).content, "outside its per"),
        (document("A75", [ONE.replace("<quantity>5", "<quantity>x")]).content, "x"),
        (document("A75", [ONE.replace("13:00Z", "12:00Z")]).content, "a period runs from"),
        (document("A75", [ONE, ONE]).content, "twice"),
    ],
)
def test_a_document_that_cannot_be_right_is_refused(
    entsoe: Asked[Entsoe], body: bytes, said: str
) -> None:
    entsoe.api.trouble = Answer(body=body)

    with pytest.raises(SignalUnavailable, match=said):
        entsoe.source.intensity("DE", Window(NOON - HOUR, NOON, "DE"))
