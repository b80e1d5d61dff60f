"""What settings make of the live sources: names, credentials, addresses, and what is left out."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.assemble import make_grid, make_live, open_grid, open_history
from lichen.grid.shelf import Shelf
from lichen.grid.web import Web
from lichen.ledger.errors import InputError, SignalUnavailable, UnknownZone
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.ledger.window import Window
from lichen.settings import load
from lichen.testing.grid_api import GridApi
from lichen.testing.live_grids import Clock
from tests.grid.apis.neso import NesoApi
from tests.grid.asking import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.settings import Settings

HOUR = timedelta(hours=1)
NOON = NOW.replace(minute=0)
PAST = Window(NOON - HOUR, NOON, "GB")


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_TOKEN", "_API_KEY", "_USERNAME", "_PASSWORD")):
            monkeypatch.delenv(name)


@pytest.fixture
def neso() -> Iterator[GridApi]:
    with GridApi(NesoApi(Clock(NOW))) as api:
        yield api


def settings(tmp_path: Path, **given: str) -> Settings:
    return load(tmp_path, {}, grid_cache=str(tmp_path / "grid"), **given)


def test_sources_answer_in_the_order_of_the_setting(tmp_path: Path, neso: GridApi) -> None:
    made = settings(tmp_path, grid="electricitymaps, neso", grid_urls=f"neso={neso.url}")
    chain = open_grid(made, clock=Clock(NOW))

    signal = chain.intensity("GB", PAST)

    assert signal.source == "neso"
    assert [tried.source for tried in chain.tried] == ["electricitymaps", "neso"]
    assert "ELECTRICITYMAPS_TOKEN" in chain.tried[0].why


def test_answers_are_kept_in_the_folder_of_the_setting(tmp_path: Path, neso: GridApi) -> None:
    made = settings(tmp_path, grid="neso", grid_urls=f"neso={neso.url}")

    open_grid(made, clock=Clock(NOW)).intensity("GB", PAST)

    shelf = Shelf(tmp_path / "grid")
    key = Web("neso", neso.url, shelf=shelf).key("average", "actual", "GB", "2026-11-20")
    assert shelf.get(*key)


def test_nothing_configured_is_the_zones_average(tmp_path: Path) -> None:
    chain = open_grid(settings(tmp_path))

    signal = chain.forecast("DE", 24 * HOUR)

    assert "Ember" in signal.source
    assert signal.end - signal.start == 24 * HOUR


def test_history_has_no_stand_in(tmp_path: Path, neso: GridApi) -> None:
    made = settings(tmp_path, grid="neso", grid_urls=f"neso={neso.url}")
    history = open_history(made, clock=Clock(NOW))

    known = history.intensity("GB", PAST)

    assert known.source == "neso"
    with pytest.raises(UnknownZone):
        history.intensity("DE", Window(NOON - HOUR, NOON, "DE"))


def test_a_forecaster_stands_before_the_zones_average(tmp_path: Path) -> None:
    class Forecaster:
        """Knows one hour after another."""

        def forecast(
            self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
        ) -> GridSignal:
            start = issued_at or datetime.now(UTC)
            known = open_grid(settings(tmp_path)).forecast(zone, horizon, issued_at=start)
            assert known.values
            raise SignalUnavailable("forecast", "no history", "record some")

    chain = open_grid(settings(tmp_path), forecaster=Forecaster())

    chain.forecast("DE", 24 * HOUR)

    assert [t.outcome for t in chain.tried] == ["failed", "answered"]


def test_a_marginal_source_is_left_out_of_an_average_chain(tmp_path: Path) -> None:
    made = settings(tmp_path, grid="watttime", watttime_username="u", watttime_password="p")

    average = open_grid(made)
    marginal = open_grid(made, kind=SignalKind.MARGINAL)

    assert "average is asked for" in average.tried[0].why
    assert marginal.tried == ()
    assert marginal.kind is SignalKind.MARGINAL


def test_a_source_nobody_installed_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"known are .*neso"):
        open_grid(settings(tmp_path, grid="nesso"))


def test_a_source_that_is_not_live_is_no_matter_of_this_setting(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'zones' is no live source"):
        make_live("zones", settings(tmp_path))


def test_an_address_is_written_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name=url"):
        make_live("neso", settings(tmp_path, grid_urls="http://127.0.0.1"))


def test_entries_are_priced_without_a_network(tmp_path: Path, neso: GridApi) -> None:
    made = settings(tmp_path, grid="neso", grid_urls=f"neso={neso.url}")

    make_grid(made).intensity("GB", PAST)

    assert neso.asked == []


@pytest.mark.parametrize("variable", ["EIA_API_KEY", "LICHEN_EIA_API_KEY"])
def test_a_credential_comes_from_the_environment(tmp_path: Path, variable: str) -> None:
    made = load(tmp_path, {variable: "k3y"})

    assert made.eia_api_key == "k3y"
    assert "k3y" not in repr(made)


def test_lichens_own_variable_goes_before_the_shared_one_and_both_before_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "lichen.toml").write_text('grid = "entsoe"\nentsoe_token = "of the file"\n')

    file = load(tmp_path, {})
    shared = load(tmp_path, {"ENTSOE_TOKEN": "shared"})
    own = load(tmp_path, {"LICHEN_ENTSOE_TOKEN": "own", "ENTSOE_TOKEN": "shared"})

    assert (file.entsoe_token, shared.entsoe_token, own.entsoe_token) == (
        "of the file",
        "shared",
        "own",
    )


def test_a_credential_of_the_wrong_kind_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text("entsoe_token = 123454321\n")

    with pytest.raises(InputError, match="entsoe_token cannot be read") as refused:
        load(tmp_path, {})

    assert "123454321" not in str(refused.value)
