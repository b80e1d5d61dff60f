"""Whatever a source answers, it is a signal that keeps the rules or an error that says why not."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.grid.eia import Eia
from lichen.grid.electricitymaps import ElectricityMaps
from lichen.grid.entsoe import Entsoe
from lichen.grid.live_forecast import LiveForecast
from lichen.grid.neso import Neso
from lichen.grid.watttime import WattTime
from lichen.grid.web import Reply, Web
from lichen.ledger.errors import SignalUnavailable
from lichen.ledger.window import Window
from lichen.testing.grid_api import Answer, Question
from lichen.testing.live_grids import Clock
from tests.grid.apis import eia, electricitymaps, entsoe, neso, watttime
from tests.grid.asking import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.grid.live import LiveSource

HOUR = timedelta(hours=1)
NOON = NOW.replace(minute=0)
CLOCK = Clock(NOW)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.just(10**400),
    st.text(max_size=5),
    st.sampled_from(["2026-11-20T11:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
SOURCES: list[tuple[type[LiveSource], Any, tuple[str, ...], str]] = [
    (Neso, neso.NesoApi, (), "GB"),
    (Neso, neso.NesoApi, (), "GB-13"),
    (ElectricityMaps, electricitymaps.ElectricityMapsApi, (electricitymaps.TOKEN,), "DE"),
    (WattTime, watttime.WattTimeApi, (watttime.USERNAME, watttime.PASSWORD), "US-CAL-CISO"),
    (Eia, eia.EiaApi, (eia.KEY,), "US-CAL-CISO"),
]


class Spoilt(Web):
    """An address whose answers are spoilt on their way: no socket, so that many can be tried."""

    def __init__(
        self, name: str, speak: Callable[[Question], Answer], spoil: Callable[[bytes], bytes]
    ) -> None:
        super().__init__(name, "http://127.0.0.1:9", clock=CLOCK)
        self._speak, self._spoil = speak, spoil

    def get(
        self,
        what: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        allowed: tuple[int, ...] = (),
    ) -> Reply:
        del what, allowed
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        answer = self._speak(Question(path, dict(params or {}), lower))
        return Reply(200, {}, self._spoil(answer.content))


def spoilt(content: bytes, data: st.DataObject) -> bytes:
    """The JSON with one thing in it replaced, dropped or doubled."""
    whole = json.loads(content)
    place: Any = whole
    for _ in range(data.draw(st.integers(0, 5))):
        inner = [key for key in keys(place) if isinstance(place[key], (dict, list)) and place[key]]
        if not inner:
            break
        place = place[data.draw(st.sampled_from(inner))]
    key = data.draw(st.sampled_from(keys(place)))
    how = data.draw(st.sampled_from(["replace", "drop", "double"]))
    if how == "replace":
        place[key] = data.draw(ODD)
    elif how == "drop":
        del place[key]
    elif isinstance(place, list):
        place.insert(key, copy.deepcopy(place[key]))
    return json.dumps(whole).encode()


def keys(place: Any) -> list[Any]:
    return list(place) if isinstance(place, dict) else list(range(min(len(place), 30)))


def ask(source: LiveSource, zone: str) -> None:
    """Ask for what was and what will be: only typed errors come out, and signals keep bounds."""
    window = Window(NOON - 5 * HOUR, NOON - 4 * HOUR, zone)
    with suppress(SignalUnavailable):
        assert source.intensity(zone, window).over(window).value.in_g_per_kwh <= 2500
    if isinstance(source, LiveForecast):
        with suppress(SignalUnavailable):
            assert max(source.forecast(zone, HOUR).values) <= 2500


@pytest.mark.parametrize(("kind", "api", "credentials", "zone"), SOURCES)
@settings(max_examples=60)
@given(data=st.data())
def test_a_spoilt_answer_is_a_signal_or_an_error(
    kind: type[LiveSource], api: Any, credentials: tuple[str, ...], zone: str, data: st.DataObject
) -> None:
    web = Spoilt(kind.name, api(CLOCK), lambda content: spoilt(content, data))

    ask(kind(web, *credentials), zone)


@settings(max_examples=150)
@given(data=st.data())
def test_a_spoilt_document_is_a_signal_or_an_error(data: st.DataObject) -> None:
    def cut(content: bytes) -> bytes:
        at = data.draw(st.integers(0, len(content)))
        upto = data.draw(st.integers(at, min(at + 40, len(content))))
        return content[:at] + data.draw(st.binary(max_size=8)) + content[upto:]

    ask(Entsoe(Spoilt("entsoe", entsoe.EntsoeApi(CLOCK), cut), entsoe.TOKEN), "DE")


def test_json_too_deep_to_read_is_an_error() -> None:
    web = Spoilt("neso", neso.NesoApi(CLOCK), lambda _: b"[" * 200_000)

    ask(Neso(web), "GB")
