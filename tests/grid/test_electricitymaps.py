"""Electricity Maps: estimates, plans, the sandbox, and answers for somewhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lichen.grid.electricitymaps import ElectricityMaps
from lichen.grid.point import FORECAST_FACTOR
from lichen.grid.shelf import Shelf
from lichen.grid.trace import TRACE_FACTOR
from lichen.grid.web import Web
from lichen.ledger.errors import SignalUnavailable, UnknownZone
from lichen.ledger.estimate import Basis
from lichen.ledger.signal import Standing
from lichen.ledger.window import Window
from lichen.testing.grid_api import Answer, Question
from tests.grid.apis.electricitymaps import TOKEN, ElectricityMapsApi, intensity
from tests.grid.asking import NOW, Asked, asking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = timedelta(hours=1)
NOON = NOW.replace(minute=0)


@pytest.fixture
def maps() -> Iterator[Asked[ElectricityMaps]]:
    with asking(ElectricityMaps, ElectricityMapsApi, TOKEN) as asked:
        yield asked


def test_a_measured_hour_is_modelled_and_an_estimated_one_assumed(
    maps: Asked[ElectricityMaps],
) -> None:
    old = Window(NOON - 6 * HOUR, NOON - 5 * HOUR, "DE")
    new = Window(NOON - HOUR, NOON, "DE")

    known, guessed = maps.source.intensity("DE", old), maps.source.intensity("DE", new)

    assert known.values == (intensity(old.start),)
    assert known.basis is Basis.MODELLED
    assert known.highs[0] == pytest.approx(known.values[0] * TRACE_FACTOR)
    assert guessed.basis is Basis.ASSUMED
    assert guessed.highs[0] == pytest.approx(guessed.values[0] * FORECAST_FACTOR)


def test_an_estimate_is_provisional_while_a_measured_value_may_come(
    maps: Asked[ElectricityMaps],
) -> None:
    maps.api.trouble = lambda asked: all_estimated(maps, asked)
    new, old = NOON - HOUR, NOON - timedelta(days=9)

    fresh = maps.source.intensity("DE", Window(new, NOON, "DE"))
    settled = maps.source.intensity("DE", Window(old, old + HOUR, "DE"))

    assert fresh.standing is Standing.PROVISIONAL
    assert settled.standing is Standing.ESTIMATED


def test_another_accounts_answers_are_not_taken_for_its_own(
    maps: Asked[ElectricityMaps], tmp_path: Path
) -> None:
    window = Window(NOON - 6 * HOUR, NOON - 5 * HOUR, "DE")

    def of(token: str) -> ElectricityMaps:
        web = Web("electricitymaps", maps.api.url, shelf=Shelf(tmp_path), clock=maps.clock)
        return ElectricityMaps(web, token)

    of(TOKEN).intensity("DE", window)
    asked = len(maps.api.asked)
    of(TOKEN).intensity("DE", window)

    assert len(maps.api.asked) == asked
    with pytest.raises(SignalUnavailable, match="answered 401"):
        of("another").intensity("DE", window)


def all_estimated(maps: Asked[ElectricityMaps], asked: Question) -> Answer:
    """An answer of estimates alone."""
    answer = ElectricityMapsApi(maps.clock)(asked)
    body: Any = answer.body
    for row in body.get("history", body.get("data")):
        row["isEstimated"] = True
    return answer


def test_the_last_hours_need_the_free_request_only(maps: Asked[ElectricityMaps]) -> None:
    maps.source.intensity("DE", Window(NOON - 20 * HOUR, NOON, "DE"))

    assert {asked.path for asked in maps.api.asked} == {"/v3/carbon-intensity/history"}


def test_what_is_asked_is_life_cycle_with_the_token_in_a_header(
    maps: Asked[ElectricityMaps],
) -> None:
    maps.source.intensity("DE", Window(NOON - 40 * HOUR, NOON, "DE"))

    assert all(asked.params["emissionFactorType"] == "lifecycle" for asked in maps.api.asked)
    assert all(asked.headers["auth-token"] == TOKEN for asked in maps.api.asked)
    assert all(TOKEN not in str(asked.params) for asked in maps.api.asked)


def test_without_a_token_there_is_no_source() -> None:
    with pytest.raises(SignalUnavailable, match="needs ELECTRICITYMAPS_TOKEN"):
        ElectricityMaps(Web("electricitymaps", "http://127.0.0.1:9"), "")


@pytest.mark.parametrize("zone", ["WORLD", "EU", "US-VA", "CN-BJ", "de", "aws:nowhere"])
def test_a_zone_that_is_none_of_theirs_is_not_asked_for(
    maps: Asked[ElectricityMaps], zone: str
) -> None:
    with pytest.raises(UnknownZone):
        maps.source.intensity(zone, Window(NOON - HOUR, NOON, zone))

    assert maps.api.asked == []


def test_a_zone_the_plan_lacks_says_what_the_server_says(maps: Asked[ElectricityMaps]) -> None:
    with pytest.raises(SignalUnavailable, match=r"answered 404: .*'PL' does not exist"):
        maps.source.intensity("PL", Window(NOON - HOUR, NOON, "PL"))


def row(**changed: Any) -> dict[str, Any]:
    return {
        "zone": "DE",
        "carbonIntensity": 300,
        "datetime": "2026-11-20T11:00:00.000Z",
        "emissionFactorType": "lifecycle",
        "isEstimated": False,
        "estimationMethod": None,
        **changed,
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"zone": "FR", "history": [row()]}, "it is of zone 'FR', not 'DE'"),
        ({"zone": "DE", "history": [row(emissionFactorType="direct")]}, "account is 'direct'"),
        ({"zone": "DE", "history": [row(estimationMethod="SANDBOX_MODE_DATA")]}, "sandbox"),
        ({"_disclaimer": "SANDBOX MODE", "zone": "DE", "history": [row()]}, "sandbox"),
        ({"zone": "DE", "history": [row(carbonIntensity=None)]}, "is missing"),
        ({"zone": "DE", "history": [row(datetime="2026-11-20T11:20:00.000Z")]}, "not on its step"),
        ({"zone": "DE", "history": [row(datetime="noon")]}, "noon"),
        ({"zone": "DE", "history": [row(carbonIntensity="much")]}, "'much', which is no number"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_refused(
    maps: Asked[ElectricityMaps], body: Any, said: str
) -> None:
    maps.api.trouble = Answer(body=body)

    with pytest.raises(SignalUnavailable, match=said):
        maps.source.intensity("DE", Window(NOON - HOUR, NOON, "DE"))


def test_a_forecast_issued_days_ago_is_stale(maps: Asked[ElectricityMaps]) -> None:
    def stuck(question: Question) -> Answer:
        answer = maps.api.answer(question)
        return Answer(body={**answer.body, "updatedAt": "2026-11-17T12:00:00.000Z"})

    maps.api.trouble = stuck

    with pytest.raises(SignalUnavailable, match="issued 2026-11-17 12:00 UTC"):
        maps.source.forecast("DE", 6 * HOUR)


def test_a_longer_forecast_is_asked_for_when_a_shorter_one_is_kept(
    maps: Asked[ElectricityMaps],
) -> None:
    maps.source.forecast("DE", 6 * HOUR)

    longer = maps.source.forecast("DE", 60 * HOUR)

    assert longer.end >= NOW + 60 * HOUR
    assert [asked.params["horizonHours"] for asked in maps.api.asked] == ["24", "72"]
