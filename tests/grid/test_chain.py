"""The chain: who answers, who is skipped, and what is told of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.grid.chain import RESTED, Chain, joined
from lichen.grid.electricitymaps import ElectricityMaps
from lichen.grid.forecast import Forecaster
from lichen.grid.neso import Neso
from lichen.grid.trace import TraceSource
from lichen.grid.web import Web
from lichen.grid.zones import StaticZones
from lichen.ledger.errors import InputError, NaiveTime, SignalUnavailable, UnknownZone
from lichen.ledger.estimate import Basis
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.ledger.window import Window
from lichen.testing.grid_api import Answer
from tests.grid.apis.neso import NesoApi, forecast
from tests.grid.asking import NOW, Asked, asking

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = timedelta(hours=1)
NOON = NOW.replace(minute=0)
PAST = Window(NOON - HOUR, NOON, "GB")


@pytest.fixture
def neso() -> Iterator[Asked[Neso]]:
    with asking(Neso, NesoApi) as asked:
        yield asked


def chained(neso: Asked[Neso]) -> Chain:
    """NESO, then the zone's average, by NESO's clock."""
    average = StaticZones()
    return Chain([neso.source, average], forecasts=[neso.source, average], clock=neso.clock)


def told(chain: Chain) -> list[tuple[str, str]]:
    return [(tried.source, tried.outcome) for tried in chain.tried]


def test_the_first_that_knows_answers(neso: Asked[Neso]) -> None:
    chain = chained(neso)

    assert chain.intensity("GB", PAST).source == "neso"
    assert told(chain) == [("neso", "answered")]


def test_a_zone_the_first_does_not_know_goes_to_the_next(neso: Asked[Neso]) -> None:
    chain = chained(neso)
    window = Window(NOON - HOUR, NOON, "FR")

    assert "Ember" in chain.intensity("FR", window).source
    assert told(chain) == [("neso", "skipped"), ("StaticZones", "answered")]


def test_a_dead_source_does_not_block_and_says_why(neso: Asked[Neso]) -> None:
    chain = chained(neso)
    neso.api.trouble = Answer(500, "maintenance")

    signal = chain.intensity("GB", PAST)

    assert "Ember" in signal.source
    failed = chain.tried[0]
    assert (failed.source, failed.outcome) == ("neso", "failed")
    assert "maintenance" in failed.why
    assert failed.mend


@pytest.mark.parametrize("error", [KeyError("data"), RuntimeError("oops"), InputError("no")])
def test_whatever_a_source_raises_the_next_is_asked(error: Exception) -> None:
    chain = Chain([Broken(error), StaticZones()], forecasts=[Broken(error), StaticZones()])

    was, will = chain.intensity("GB", PAST), chain.forecast("GB", HOUR)

    assert "Ember" in was.source
    assert "Ember" in will.source
    failed = chain.tried[0]
    assert (failed.source, failed.outcome) == ("Broken", "failed")
    assert f"Broken failed with {type(error).__name__}: {error}" in failed.why


def test_a_broken_source_alone_is_an_error_of_ours_with_its_cause() -> None:
    with pytest.raises(SignalUnavailable, match="KeyError: 'data'") as failed:
        Chain([Broken(KeyError("data"))]).intensity("GB", PAST)

    assert isinstance(failed.value.__cause__, KeyError)


class Broken:
    """A plug-in with an error in its code."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def intensity(self, zone: str, window: Window) -> GridSignal:
        del zone, window
        raise self._error

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        del zone, horizon, issued_at
        raise self._error


def test_a_source_that_lies_is_not_asked_again_for_minutes(neso: Asked[Neso]) -> None:
    chain = chained(neso)
    neso.api.trouble = Answer(body=b"{}")
    chain.intensity("GB", PAST)
    asked = len(neso.api.asked)
    neso.api.trouble = None

    chain.intensity("GB", PAST)
    while_resting = len(neso.api.asked), told(chain)[0]
    neso.clock.now += RESTED
    signal = chain.intensity("GB", PAST)

    assert while_resting == (asked, ("neso", "skipped"))
    assert signal.source == "neso"


def test_what_a_source_lacks_of_one_time_rests_it_for_no_other(neso: Asked[Neso]) -> None:
    chain = chained(neso)
    ahead = Window(NOON + 5 * HOUR, NOON + 6 * HOUR, "GB")

    chain.intensity("GB", ahead)

    assert chain.intensity("GB", PAST).source == "neso"


def test_when_one_took_long_no_other_network_is_waited_for(neso: Asked[Neso]) -> None:
    slow = Neso(Web("slow", neso.api.url, timeout=0.3, clock=neso.clock))
    average = StaticZones()
    chain = Chain([slow, neso.source, average], patience=timedelta(seconds=0.2), clock=neso.clock)
    neso.api.trouble = Answer(delay=30.0)

    signal = chain.intensity("GB", PAST)

    assert "Ember" in signal.source
    assert len(neso.api.asked) == 1
    assert [tried.outcome for tried in chain.tried][-1] == "answered"
    assert "took too long" in chain.tried[-2].why


def test_a_missing_credential_is_readable_and_no_obstacle(neso: Asked[Neso]) -> None:
    with pytest.raises(SignalUnavailable) as missing:
        ElectricityMaps(Web("electricitymaps", neso.api.url), "")
    chain = Chain([neso.source], skipped=[("electricitymaps", missing.value)], clock=neso.clock)

    assert chain.intensity("GB", PAST).source == "neso"
    skipped = chain.tried[0]
    assert (skipped.source, skipped.outcome) == ("electricitymaps", "skipped")
    assert "ELECTRICITYMAPS_TOKEN" in skipped.mend


def test_a_forecast_nobody_has_is_the_zones_average(neso: Asked[Neso]) -> None:
    signal = chained(neso).forecast("FR", 24 * HOUR)

    assert len(set(signal.values)) == 1
    assert signal.over(Window(signal.start, signal.end, "FR")).value.in_g_per_kwh > 0


def test_where_nothing_is_known_the_error_says_so(neso: Asked[Neso]) -> None:
    with pytest.raises(SignalUnavailable, match="no source is configured; set LICHEN_GRID"):
        Chain([neso.source]).forecast("GB", HOUR)


def test_an_unknown_zone_is_told_with_its_neighbours(neso: Asked[Neso]) -> None:
    with pytest.raises(UnknownZone) as unknown:
        chained(neso).intensity("Germany", Window(NOON - HOUR, NOON, "Germany"))

    assert "DE" in unknown.value.nearest


def test_a_source_with_nothing_behind_it_hides_no_unknown_zone() -> None:
    average = StaticZones()
    chain = Chain([average], forecasts=[Forecaster(Chain([])), average])

    with pytest.raises(UnknownZone, match="did you mean SE-SE3"):
        chain.forecast("SE-SE33", HOUR)


def test_a_naive_time_of_issue_is_refused(neso: Asked[Neso]) -> None:
    with pytest.raises(NaiveTime):
        chained(neso).forecast("GB", HOUR, issued_at=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("horizon", [timedelta(0), -HOUR, timedelta(days=367), timedelta.max])
def test_a_horizon_that_makes_no_sense_is_refused(neso: Asked[Neso], horizon: timedelta) -> None:
    with pytest.raises(InputError, match="horizon must be positive"):
        chained(neso).forecast("GB", horizon)

    assert neso.api.asked == []


def test_a_horizon_that_is_too_far_is_told_in_days(neso: Asked[Neso]) -> None:
    with pytest.raises(InputError, match=r"at most 366 days, got 400 days$"):
        chained(neso).forecast("GB", timedelta(days=400))


def test_average_and_marginal_make_no_chain(neso: Asked[Neso]) -> None:
    with pytest.raises(InputError, match="average and marginal: they never mix"):
        Chain([neso.source, StaticZones(kind=SignalKind.MARGINAL)])


@pytest.mark.parametrize("issued_at", [None, NOW])
def test_beyond_the_first_ones_reach_the_next_goes_on(
    neso: Asked[Neso], issued_at: datetime | None
) -> None:
    far = flat(NOON, 90, 400.0)
    chain = Chain([], forecasts=[neso.source, Recorded(far)], clock=neso.clock)

    signal = chain.forecast("GB", 72 * HOUR, issued_at=issued_at)

    assert signal.source == "neso, then flat"
    assert signal.values[0] == forecast(NOON)
    assert signal.at(NOON + 47 * HOUR).value.in_g_per_kwh == forecast(NOON + 47 * HOUR)
    assert signal.at(NOON + 50 * HOUR).value.in_g_per_kwh == 400
    assert signal.end >= NOW + 72 * HOUR


class Recorded:
    """A forecast that was written down."""

    def __init__(self, signal: GridSignal) -> None:
        self._signal = signal

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        del zone, horizon, issued_at
        return self._signal


def flat(start: datetime, hours: int, value: float) -> GridSignal:
    return GridSignal(
        zone="GB",
        kind=SignalKind.AVERAGE,
        basis=Basis.ASSUMED,
        source="flat",
        issued_at=NOW,
        start=start,
        step=HOUR,
        values=(value,) * hours,
        lows=(value / 2,) * hours,
        highs=(value * 2,) * hours,
    )


def test_joining_keeps_the_carbon_of_both() -> None:
    near, far = flat(NOON, 5, 100.0), flat(NOON - HOUR, 30, 300.0)

    whole = joined(near, far)

    window = Window(NOON, far.end, "GB")
    assert whole.over(window).value.in_g_per_kwh == pytest.approx((5 * 100 + 24 * 300) / 29)
    assert whole.basis is Basis.ASSUMED


def test_a_trace_and_the_table_chain_as_before() -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    trace = TraceSource([(start, 100.0), (start + HOUR, 200.0)], "DE")
    chain = Chain([trace, StaticZones()])

    assert chain.intensity("DE", Window(start, start + HOUR, "DE")).values == (100.0,)
    assert chain.intensity("DE", Window(NOON, NOON, "DE")).values != (100.0,)
