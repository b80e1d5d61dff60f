"""NESO: half-hours, regions, what is not there yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lichen.grid.neso import Neso
from lichen.grid.point import FORECAST_FACTOR
from lichen.grid.shelf import Shelf
from lichen.grid.trace import TRACE_FACTOR
from lichen.grid.web import Web
from lichen.ledger.errors import SignalUnavailable, UnknownZone
from lichen.ledger.signal import SignalKind, Standing
from lichen.ledger.window import Window
from lichen.testing.grid_api import Answer, Question
from tests.grid.apis.neso import HALF_HOUR, NesoApi, actual, forecast
from tests.grid.asking import NOW, Asked, asking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = timedelta(hours=1)
NOON = NOW.replace(minute=0)


@pytest.fixture
def neso() -> Iterator[Asked[Neso]]:
    with asking(Neso, NesoApi) as asked:
        yield asked


def test_a_half_hour_that_is_over_has_its_actual_value(neso: Asked[Neso]) -> None:
    signal = neso.source.intensity("GB", Window(NOON - HOUR, NOON, "GB"))

    assert signal.values == (actual(NOON - HOUR), actual(NOON - HALF_HOUR))
    assert signal.highs[0] == pytest.approx(signal.values[0] * TRACE_FACTOR)
    assert signal.kind is SignalKind.AVERAGE


def test_the_half_hour_that_runs_has_its_forecast_with_a_forecasts_interval(
    neso: Asked[Neso],
) -> None:
    signal = neso.source.intensity("GB", Window(NOW, NOW, "GB"))

    assert signal.values == (forecast(NOON),)
    assert signal.highs[0] == pytest.approx(signal.values[0] * FORECAST_FACTOR)


def test_a_forecast_that_stands_in_for_an_actual_value_is_provisional(neso: Asked[Neso]) -> None:
    over = neso.source.intensity("GB", Window(NOON - HOUR, NOON, "GB"))
    running = neso.source.intensity("GB", Window(NOON - HOUR, NOW, "GB"))

    assert over.standing is Standing.ACTUAL
    assert running.standing is Standing.PROVISIONAL


def test_a_region_has_estimates_and_no_actual_values(neso: Asked[Neso]) -> None:
    over = neso.source.intensity("GB-13", Window(NOON - HOUR, NOON, "GB-13"))
    running = neso.source.intensity("GB-13", Window(NOW, NOW, "GB-13"))

    assert over.standing is Standing.ESTIMATED
    assert running.standing is Standing.PROVISIONAL


def test_a_day_that_holds_a_forecast_is_not_kept_for_ever(neso: Asked[Neso]) -> None:
    day = (NOON - timedelta(days=5)).replace(hour=0)
    window = Window(day, day + HOUR, "GB")
    neso.api.trouble = lambda asked: late(neso, asked)
    before = neso.source.intensity("GB", window)
    neso.api.trouble = None

    neso.clock.now += HOUR
    after = neso.source.intensity("GB", window)

    assert (before.values[0], before.standing) == (forecast(day), Standing.PROVISIONAL)
    assert (after.values[0], after.standing) == (actual(day), Standing.ACTUAL)


def test_another_addresses_answers_are_not_taken_for_its_own(
    neso: Asked[Neso], tmp_path: Path
) -> None:
    window = Window(NOON - HOUR, NOON, "GB")
    shelf = Shelf(tmp_path)
    with asking(Neso, NesoApi) as other:
        other.api.trouble = rows((0, 1), (1, 1))
        poisoned = Neso(Web("neso", other.api.url, shelf=shelf, clock=neso.clock))
        told = poisoned.intensity("GB", window)
        other.api.trouble = Answer(429, headers={"Retry-After": "1800"})
        with pytest.raises(SignalUnavailable, match="answered 429"):
            poisoned.intensity("GB", Window(NOON - 30 * HOUR, NOON - 29 * HOUR, "GB"))

    web = Web("neso", neso.api.url, shelf=Shelf(tmp_path), clock=neso.clock)
    found = Neso(web).intensity("GB", window)

    assert told.values == (1.0, 1.0)
    assert found.values == (actual(NOON - HOUR), actual(NOON - HALF_HOUR))


def late(neso: Asked[Neso], asked: Question) -> Answer:
    """An answer whose actual values are not out."""
    answer = NesoApi(neso.clock)(asked)
    body: Any = answer.body
    for row in body["data"]:
        row["intensity"]["actual"] = None
    return answer


def test_a_region_is_asked_by_its_number(neso: Asked[Neso]) -> None:
    signal = neso.source.intensity("GB-13", Window(NOON - HOUR, NOON, "GB-13"))

    assert signal.zone == "GB-13"
    assert neso.api.asked[-1].path.endswith("/regionid/13")


def test_the_answer_for_another_region_is_refused(neso: Asked[Neso]) -> None:
    neso.api.trouble = Answer(body={"data": {"regionid": 3, "data": []}})

    with pytest.raises(SignalUnavailable, match="of region 3, not 13"):
        neso.source.intensity("GB-13", Window(NOON - HOUR, NOON, "GB-13"))


def test_another_country_is_unknown(neso: Asked[Neso]) -> None:
    with pytest.raises(
        UnknownZone, match=r"NESO has no zone 'DE', only GB .* GB-17; .*LICHEN_GRID"
    ):
        neso.source.intensity("DE", Window(NOON - HOUR, NOON, "DE"))

    assert neso.api.asked == []


def test_a_cloud_region_stands_in_its_zone(neso: Asked[Neso]) -> None:
    zone = "aws:eu-west-2"

    assert neso.source.intensity(zone, Window(NOON - HOUR, NOON, zone)).zone == "GB"


def test_a_forecast_is_of_48_hours_from_the_half_hour_that_runs(neso: Asked[Neso]) -> None:
    signal = neso.source.forecast("GB", timedelta(hours=47))

    assert signal.start == NOON
    assert signal.issued_at == NOON
    assert signal.values[3] == forecast(NOON + 3 * HALF_HOUR)
    # A minute past noon: noon itself is the end of another half-hour.
    assert neso.api.asked[-1].path == "/intensity/2026-11-20T12:01Z/fw48h"


def test_what_was_forecast_yesterday_is_not_kept(neso: Asked[Neso]) -> None:
    with pytest.raises(SignalUnavailable, match="keeps no forecast as issued"):
        neso.source.forecast("GB", HOUR, issued_at=NOW - timedelta(days=1))


def test_a_settled_day_is_never_asked_again(neso: Asked[Neso]) -> None:
    day = NOON - timedelta(days=5)
    window = Window(day, day + HOUR, "GB")
    neso.source.intensity("GB", window)
    asked = len(neso.api.asked)

    neso.clock.now += timedelta(days=400)
    neso.source.intensity("GB", window)

    assert len(neso.api.asked) == asked


def test_today_is_asked_again_when_it_may_have_changed(neso: Asked[Neso]) -> None:
    window = Window(NOW, NOW, "GB")
    before = neso.source.intensity("GB", window)

    neso.clock.now += HOUR
    after = neso.source.intensity("GB", window)

    assert before.values == (forecast(NOON),)
    assert after.values == (actual(NOON),)


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (datetime.min.replace(tzinfo=UTC), NOON, "more than 1098 days"),
        (NOON, datetime.max.replace(tzinfo=UTC), "more than 1098 days"),
        (datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), "not been yet"),
    ],
)
def test_a_span_that_makes_no_sense_is_refused_unasked(
    neso: Asked[Neso], start: datetime, end: datetime, said: str
) -> None:
    with pytest.raises(SignalUnavailable, match=said):
        neso.source.intensity("GB", Window(start, end, "GB"))

    assert neso.api.asked == []


@pytest.mark.parametrize("horizon", [timedelta(hours=49), timedelta.max])
def test_a_forecast_for_longer_than_there_is_is_refused_unasked(
    neso: Asked[Neso], horizon: timedelta
) -> None:
    with pytest.raises(SignalUnavailable, match="it forecasts 2 days"):
        neso.source.forecast("GB", horizon)

    assert neso.api.asked == []


def test_a_year_is_asked_in_spans_the_api_allows(neso: Asked[Neso]) -> None:
    window = Window(NOON - timedelta(days=60), NOON, "GB")

    signal = neso.source.intensity("GB", window)

    assert len(signal.values) == 60 * 48
    assert len(neso.api.asked) == 5


def rows(*parts: tuple[int, Any]) -> Answer:
    """Half-hours by their distance from eleven o'clock, with their actual values."""
    start = NOON - HOUR
    data = [
        {
            "from": f"{start + n * HALF_HOUR:%Y-%m-%dT%H:%MZ}",
            "to": f"{start + (n + 1) * HALF_HOUR:%Y-%m-%dT%H:%MZ}",
            "intensity": {"forecast": 200, "actual": value, "index": "moderate"},
        }
        for n, value in parts
    ]
    return Answer(body={"data": data})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (rows((0, 200)), "11:30 UTC is missing, its newest is 2026-11-20 11:00"),
        (rows(), "11:00 UTC is missing, has nothing"),
        (rows((1, 200), (0, 200)), "out of order"),
        (rows((0, 200), (0, 210), (1, 200)), "out of order"),
        (rows((0, 200), (1, -5)), "no intensity"),
        (rows((0, 200), (1, "200")), "actual is '200', which is no number"),
        (rows((0, 200), (1, True)), "actual is True"),
        (rows((0, 200), (1, 200_000)), "more than any plant emits"),
        (Answer(body={"data": [{"from": "2026-11-20T11:00Z"}]}), "lacks 'intensity'"),
        (Answer(body={"error": {"code": "500"}}), "lacks 'data'"),
        (Answer(body={"data": [{"from": "2026-11-20T11:00", "intensity": {}}]}), "without a zone"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused_with_what_was_wrong(
    neso: Asked[Neso], answer: Answer, said: str
) -> None:
    neso.api.trouble = answer

    with pytest.raises(SignalUnavailable, match=said):
        neso.source.intensity("GB", Window(NOON - HOUR, NOON, "GB"))


@pytest.mark.parametrize("scale", [1e-3, 1e-6], ids=["kilograms", "tonnes"])
def test_a_day_in_another_unit_is_refused(neso: Asked[Neso], scale: float) -> None:
    neso.api.trouble = rows(*((n, 200 * scale) for n in range(-22, 2)))

    with pytest.raises(SignalUnavailable, match="its unit may have changed"):
        neso.source.intensity("GB", Window(NOON - HOUR, NOON, "GB"))
