"""EIA: hours named by their end, pages, fuels."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lichen.grid.eia import Eia
from lichen.grid.mix import fuels
from lichen.ledger.errors import SignalUnavailable, UnknownZone
from lichen.ledger.window import Window
from lichen.testing.grid_api import Answer, Question
from tests.grid.apis.eia import FUELS, KEY, EiaApi, generation
from tests.grid.asking import NOW, Asked, asking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

HOUR = timedelta(hours=1)
NOON = NOW.replace(minute=0)
ZONE = "US-CAL-CISO"
NAMES = {"COL": "coal", "GEO": "geothermal", "NG": "gas", "NUC": "nuclear", "OTH": "other",
         "SUN": "solar", "WAT": "hydro", "WND": "wind"}  # fmt: skip


@pytest.fixture
def eia() -> Iterator[Asked[Eia]]:
    with asking(Eia, EiaApi, KEY) as asked:
        yield asked


def priced(start: datetime) -> float:
    """The intensity of the hour that begins at `start`, worked out apart. [gCO₂e/kWh]"""
    energy = {fuel: generation(fuel, start) or 0 for fuel in NAMES}
    grams = sum(energy[fuel] * fuels()[NAMES[fuel]].value for fuel in NAMES)
    return grams / sum(energy.values())


def test_a_period_is_named_by_the_end_of_its_hour(eia: Asked[Eia]) -> None:
    start = NOON - 4 * HOUR

    signal = eia.source.intensity(ZONE, Window(start, start + HOUR, ZONE))

    assert signal.start == start
    assert signal.values == pytest.approx((priced(start),))
    assert priced(start) != pytest.approx(priced(start - HOUR), rel=1e-3)


def test_pages_are_asked_for_until_all_rows_are_there(eia: Asked[Eia]) -> None:
    days = 25
    window = Window(NOON - timedelta(days=days), NOON - 2 * HOUR, ZONE)

    signal = eia.source.intensity(ZONE, window)

    offsets = [asked.params["offset"] for asked in eia.api.asked]
    assert len(signal.values) == days * 24 - 2
    assert offsets == ["0", "5000"]
    assert (days * 24 + 12) * len(FUELS) > 5000


def test_a_store_is_no_generation_and_own_use_is_none(eia: Asked[Eia]) -> None:
    morning, evening = NOON - 6 * HOUR, NOON - timedelta(hours=16)

    filled = eia.source.intensity(ZONE, Window(morning, morning + HOUR, ZONE))
    emptied = eia.source.intensity(ZONE, Window(evening, evening + HOUR, ZONE))

    assert generation("BAT", morning) == -400
    assert generation("BAT", evening) == 400
    assert filled.values == pytest.approx((priced(morning),))
    assert emptied.values == pytest.approx((priced(evening),))


def test_the_interval_is_that_of_published_plants(eia: Asked[Eia]) -> None:
    start = NOON - 4 * HOUR

    signal = eia.source.intensity(ZONE, Window(start, start + HOUR, ZONE))

    assert signal.lows[0] < 0.9 * signal.values[0]
    assert signal.highs[0] > 1.2 * signal.values[0]


def test_hours_that_have_not_come_yet_are_missing(eia: Asked[Eia]) -> None:
    with pytest.raises(SignalUnavailable, match=r"11:00 UTC is missing, its newest is .* 10:00"):
        eia.source.intensity(ZONE, Window(NOON - HOUR, NOON, ZONE))


def test_a_wrong_key_is_not_repeated() -> None:
    with asking(Eia, EiaApi, "my-own-key") as asked:
        with pytest.raises(SignalUnavailable, match=r"bad key \*\*\*") as refused:
            asked.source.intensity(ZONE, Window(NOON - 5 * HOUR, NOON - 4 * HOUR, ZONE))

        assert "my-own-key" not in str(refused.value)


def test_a_zone_of_no_balancing_authority_is_unknown(eia: Asked[Eia]) -> None:
    with pytest.raises(UnknownZone):
        eia.source.intensity("DE", Window(NOON - HOUR, NOON, "DE"))


def changed(api: Callable[[Question], Answer], change: Callable[[list[Any]], Any]) -> Any:
    """The API's answers with their rows changed."""

    def answer(question: Question) -> Answer:
        body = api(question).body
        change(body["response"]["data"])
        return Answer(body=body)

    return answer


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[0].update({"value-units": "kilowatthours"}), "unit is 'kilowatthours'"),
        (lambda rows: rows[0].update(respondent="PJM"), "it is of 'PJM'"),
        (lambda rows: rows.reverse(), "out of order"),
        (lambda rows: rows.insert(1, rows[0]), "is there twice"),
        (lambda rows: rows[0].update(value="much"), "much"),
        (lambda rows: rows[0].update(value="nan"), "no number"),
        (lambda rows: rows[0].update(period="2026-11-20"), "2026-11-20"),
        (lambda rows: rows[0].pop("fueltype"), "lacks 'fueltype'"),
    ],
)
def test_rows_that_cannot_be_right_are_refused(
    eia: Asked[Eia], change: Callable[[list[Any]], Any], said: str
) -> None:
    eia.api.trouble = changed(eia.api.answer, change)

    with pytest.raises(SignalUnavailable, match=said):
        eia.source.intensity(ZONE, Window(NOON - 5 * HOUR, NOON - 4 * HOUR, ZONE))


def test_an_hour_that_lacks_a_fuel_the_others_have_is_missing(eia: Asked[Eia]) -> None:
    def without_gas_at_eight(rows: list[Any]) -> None:
        rows[:] = [r for r in rows if (r["period"][-2:], r["fueltype"]) != ("08", "NG")]

    eia.api.trouble = changed(eia.api.answer, without_gas_at_eight)

    with pytest.raises(SignalUnavailable, match="07:00 UTC is missing"):
        eia.source.intensity(ZONE, Window(NOON - 5 * HOUR, NOON - 4 * HOUR, ZONE))


def test_a_total_that_never_ends_is_refused(eia: Asked[Eia]) -> None:
    def endless(question: Question) -> Answer:
        body = eia.api.answer(question).body
        body["response"]["total"] = "99999999"
        return Answer(body=body)

    eia.api.trouble = endless

    with pytest.raises(SignalUnavailable, match=r"is empty|more than it was asked for"):
        eia.source.intensity(ZONE, Window(NOON - 5 * HOUR, NOON - 4 * HOUR, ZONE))
