"""WattTime: pounds, tokens, marginal and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.grid.watttime import MARGINAL_FACTOR, WattTime
from lichen.ledger.errors import SignalUnavailable, UnknownZone
from lichen.ledger.signal import SignalKind
from lichen.ledger.window import Window
from tests.grid.apis.watttime import PASSWORD, STEP, USERNAME, WattTimeApi, pounds
from tests.grid.asking import NOW, Asked, asking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.testing.grid_api import Answer, Question

HOUR = timedelta(hours=1)
NOON = NOW.replace(minute=0)
ZONE = "US-CAL-CISO"


@pytest.fixture
def watttime() -> Iterator[Asked[WattTime]]:
    with asking(WattTime, WattTimeApi, USERNAME, PASSWORD) as asked:
        yield asked


def logins(watttime: Asked[WattTime]) -> int:
    return sum(asked.path == "/login" for asked in watttime.api.asked)


def test_pounds_per_megawatt_hour_are_grams_per_kilowatt_hour(watttime: Asked[WattTime]) -> None:
    signal = watttime.source.intensity(ZONE, Window(NOON - HOUR, NOON, ZONE))

    assert signal.step == STEP
    # 810 lb/MWh × 453.59237 g/lb ÷ 1000 kWh/MWh
    assert pounds(NOON - HOUR) == 810
    assert signal.values[0] == pytest.approx(367.4098197)
    assert signal.highs[0] == pytest.approx(signal.values[0] * MARGINAL_FACTOR)


def test_it_is_marginal(watttime: Asked[WattTime]) -> None:
    signal = watttime.source.forecast(ZONE, HOUR)

    assert signal.kind is SignalKind.MARGINAL


def test_another_unit_is_refused(watttime: Asked[WattTime]) -> None:
    api = watttime.api.answer
    assert isinstance(api, WattTimeApi)
    api.units = "kg_co2_per_mwh"

    with pytest.raises(SignalUnavailable, match="units is 'kg_co2_per_mwh'"):
        watttime.source.intensity(ZONE, Window(NOON - HOUR, NOON, ZONE))


def test_one_login_serves_until_its_token_ends(watttime: Asked[WattTime]) -> None:
    for minutes in (0, 6, 12, 18):
        watttime.clock.now = NOW + timedelta(minutes=minutes)
        watttime.source.forecast(ZONE, HOUR)
    early = logins(watttime)

    watttime.clock.now = NOW + timedelta(minutes=27)
    watttime.source.forecast(ZONE, HOUR)

    assert early == 1
    assert logins(watttime) == 2


def test_a_token_that_is_refused_is_renewed_once(watttime: Asked[WattTime]) -> None:
    watttime.source.forecast(ZONE, HOUR)
    api = watttime.api.answer
    assert isinstance(api, WattTimeApi)
    api.tokens.clear()

    signal = watttime.source.intensity(ZONE, Window(NOON - HOUR, NOON, ZONE))

    assert signal.values
    assert logins(watttime) == 2


def test_a_wrong_password_is_tried_once() -> None:
    with asking(WattTime, WattTimeApi, USERNAME, "wrong-pa55") as asked:
        with pytest.raises(SignalUnavailable, match="answered 401") as refused:
            asked.source.intensity(ZONE, Window(NOON - HOUR, NOON, ZONE))

        assert logins(asked) == 1
        assert "wrong-pa55" not in str(refused.value)


def test_the_region_of_a_place_is_asked_once(watttime: Asked[WattTime]) -> None:
    watttime.source.intensity(ZONE, Window(NOON - HOUR, NOON, ZONE))
    watttime.source.forecast(ZONE, HOUR)

    regions = [asked for asked in watttime.api.asked if asked.path == "/v3/region-from-loc"]
    assert len(regions) == 1
    assert (regions[0].params["latitude"], regions[0].params["longitude"]) == ("37.8", "-122.4")


def test_a_forecast_of_some_time_ago_is_as_it_was_issued_then(watttime: Asked[WattTime]) -> None:
    then = NOON - timedelta(days=3)

    signal = watttime.source.forecast(ZONE, 2 * HOUR, issued_at=then)

    assert signal.issued_at == then
    assert signal.start == then
    assert signal.end >= then + 2 * HOUR
    assert watttime.api.asked[-1].path == "/v3/forecast/historical"


def test_a_forecast_that_was_issued_later_is_refused(watttime: Asked[WattTime]) -> None:
    then = NOON - timedelta(days=3)

    def later(question: Question) -> Answer:
        answer = watttime.api.answer(question)
        if question.path == "/v3/forecast/historical":
            answer.body["data"][0]["generated_at"] = (then + HOUR).isoformat()
        return answer

    watttime.api.trouble = later

    with pytest.raises(SignalUnavailable, match="after what was asked for"):
        watttime.source.forecast(ZONE, 2 * HOUR, issued_at=then)


def test_a_zone_without_a_place_is_unknown(watttime: Asked[WattTime]) -> None:
    with pytest.raises(UnknownZone):
        watttime.source.intensity("AQ", Window(NOON - HOUR, NOON, "AQ"))


def test_what_has_not_come_yet_is_missing(watttime: Asked[WattTime]) -> None:
    window = Window(NOW, NOW, ZONE)

    with pytest.raises(SignalUnavailable, match=r"12:05 UTC is missing, its newest is .* 12:00"):
        watttime.source.intensity(ZONE, window)
