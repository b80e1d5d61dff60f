"""Pricing: from raw quantities to a footprint, now and when history is priced again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lichen.ledger.entry import Baseline, Figures
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.footprint import Footprint
from lichen.ledger.ports import CallReading
from lichen.ledger.pricing import Pricer, Raw
from lichen.ledger.quantities import Carbon, CarbonIntensity, Energy
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import microseconds
from lichen.testing.prices import FlatGrid, WattHourPerToken
from lichen.testing.samples import MOMENT, sample_entry, sample_figures, sample_footprint

NOW = microseconds(MOMENT)
MINUTE = 60_000_000


def pricer(wh: float = 1.0, grid: float = 100.0) -> Pricer:
    return Pricer(WattHourPerToken(wh), FlatGrid(grid, {"WORLD": 480}))


def again(price: Pricer, figures: Figures) -> Figures:
    return price(figures, sample_entry(figures=figures))


def call(**changes: Any) -> Figures:
    plain: dict[str, Any] = {
        "method": WattHourPerToken.method,
        "tokens": Tokens(prefill=10),
        "gaps": (),
    }
    return sample_figures(0, **{**plain, **changes})


def test_a_reading_is_priced_on_the_grid_of_its_zone() -> None:
    reading = WattHourPerToken().read("small", Tokens(prefill=1000))

    made, gaps = pricer().footprint(reading, "SE-SE3", NOW)

    assert made.energy.value == Energy.kwh(1)
    assert made.operational.value == Carbon.grams(100)
    assert made.operational.low == Carbon.grams(25)
    assert made.operational.high == Carbon.grams(400)
    assert made.embodied.value == Carbon.grams(100)
    assert gaps == ()


def test_a_region_with_a_published_pue_takes_the_place_of_the_one_assumed() -> None:
    def pue_of(zone: str) -> tuple[float, float, float] | None:
        return (1.5, 1.4, 1.6) if zone == "cloud:region" else None

    price = Pricer(WattHourPerToken(), FlatGrid(100.0), pue_of=pue_of)
    modelled = replace(WattHourPerToken().read("small", Tokens(prefill=1000)), pue=1.2)
    metered = replace(modelled, pue=0.0)

    here, _ = price.footprint(modelled, "cloud:region", NOW)
    there, _ = price.footprint(modelled, "SE-SE3", NOW)
    plug, _ = price.footprint(metered, "cloud:region", NOW)

    assert here.energy.value.in_kwh == pytest.approx(1.5 / 1.2)
    assert here.energy.low.in_kwh == pytest.approx(there.energy.low.in_kwh * 1.4 / 1.2)
    assert here.energy.high.in_kwh == pytest.approx(there.energy.high.in_kwh * 1.6 / 1.2)
    assert here.operational.value.in_grams == pytest.approx(125)
    assert there.energy == plug.energy == modelled.energy


def test_a_zone_without_intensity_gets_the_world_and_a_counted_gap() -> None:
    intensity, gaps = pricer().intensity("nowhere", NOW)

    assert intensity.value == CarbonIntensity.g_per_kwh(480)
    assert gaps == ("intensity-unavailable:nowhere",)


def test_the_world_as_a_zone_is_an_assumption_that_is_counted() -> None:
    assert pricer().intensity("WORLD", NOW)[1] == ("zone-assumed",)


def test_an_intensity_that_has_not_changed_is_the_same_object() -> None:
    price = pricer()

    assert price.intensity("DE", NOW)[0] is price.intensity("DE", NOW + MINUTE)[0]


def test_figures_priced_with_the_same_factors_are_the_same_object() -> None:
    price = pricer()
    priced = again(price, call())

    assert again(price, priced) is priced


def test_a_new_factor_changes_what_was_used_and_names_itself() -> None:
    figures = again(pricer(), call())

    now = again(pricer(wh=3), figures)

    assert now.footprint.energy.value == Energy.wh(30)
    assert now.factors == "3 Wh"


def test_a_new_factor_changes_the_baseline_too() -> None:
    baseline = Baseline(sample_footprint(), "stored-call/1", "0" * 16, Tokens(prefill=7, decode=3))

    now = again(pricer(wh=2), call(baseline=baseline))

    assert now.baseline is not None
    assert now.baseline.footprint.energy.value == Energy.wh(20)
    assert (now.baseline.method, now.baseline.evidence) == ("stored-call/1", "0" * 16)


def test_the_low_end_of_a_call_made_again_supposes_a_warm_prompt_cache() -> None:
    tokens = Tokens(prefill=90, decode=10)
    price = pricer()
    reading = price.calls.read("small", tokens)

    instead = price.instead(reading, "small", tokens)

    assert instead.energy.value == reading.energy.value
    assert instead.energy.high == reading.energy.high
    assert instead.energy.low.in_wh == pytest.approx(reading.energy.low.in_wh * 0.1)


def test_gaps_of_pricing_are_made_anew_and_others_kept() -> None:
    figures = call(gaps=("model-unknown", "usage-missing", "zone-assumed"), zone="SE-SE3")

    now = again(pricer(), figures)

    assert now.gaps == ("usage-missing",)


def test_a_gap_that_still_holds_is_named_once() -> None:
    baseline = Baseline(sample_footprint(), "stored-call/1", "0" * 16, Tokens(prefill=7))

    now = again(pricer(), call(model="unknown", baseline=baseline, zone="WORLD"))

    assert sorted(now.gaps) == ["model-unknown", "zone-assumed"]


def test_energy_that_was_measured_stays_and_is_priced_on_the_grid_of_today() -> None:
    measured = Estimate.exact(Energy.kwh(2))
    used = Footprint(measured, Estimate.exact(Carbon.grams(1)), Estimate.exact(Carbon.grams(5)))
    figures = call(method="process/1", footprint=used, factors="tdp")

    now = again(pricer(grid=50), figures)

    assert now.footprint.energy == measured
    assert now.footprint.operational.value == Carbon.grams(100)
    assert now.footprint.embodied == used.embodied
    assert now.factors == "tdp"


def test_a_reader_of_a_method_gets_the_raw_quantities() -> None:
    seen: list[Raw] = []

    def read(raw: Raw) -> CallReading:
        seen.append(raw)
        energy = Estimate.exact(Energy.wh(float(raw.raw["cpu_s"])), Basis.MODELLED)
        return CallReading(energy, Estimate.exact(Carbon.grams(0)))

    price = Pricer(WattHourPerToken(), FlatGrid(100), {"process": read})

    now = again(price, call(method="process/1", raw={"cpu_s": 12}))

    assert now.footprint.energy.value == Energy.wh(12)
    assert [raw.prefix for raw in seen] == [""]


def test_a_call_that_used_nothing_is_not_priced_anew() -> None:
    instead = Baseline(sample_footprint(), "stored-call/1", "entry", Tokens(prefill=10))
    hit = again(pricer(), call(tokens=Tokens(), footprint=Footprint.zero(), baseline=instead))

    assert again(pricer(), hit) is hit
    assert hit.footprint == Footprint.zero()
