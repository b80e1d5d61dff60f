"""The factors of a token's energy: their spreads, their sources, and the fits behind them."""

from __future__ import annotations

import csv
import importlib.resources
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import InputError
from lichen.ledger.tokens import Tokens
from lichen.meter import token_physics as physics
from lichen.meter.token_coefficients import bills, spread_of
from lichen.meter.token_factors import draws, published
from lichen.meter.token_spread import interval, latin_hypercube
from lichen.meter.tokens import Fixed, LogNormal, LogUniform, TokenMeter, Uniform

if TYPE_CHECKING:
    from collections.abc import Callable

METER = TokenMeter()
ROOT = Path(__file__).resolve().parents[2]


def rows(table: str) -> list[dict[str, str]]:
    text = (importlib.resources.files("lichen.meter") / table).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_a_fixed_factor_must_be_above_zero(value: float) -> None:
    with pytest.raises(InputError, match="above 0"):
        Fixed(value)


@pytest.mark.parametrize("shape", [Uniform, LogUniform, LogNormal])
@pytest.mark.parametrize("ends", [(2, 1), (0, 1), (-1, 1), (1, math.inf), (math.nan, 1)])
def test_a_spread_must_have_its_ends_in_order(
    shape: Callable[[float, float], object], ends: tuple[float, float]
) -> None:
    with pytest.raises(InputError, match="low ≤ high"):
        shape(*ends)


@pytest.mark.parametrize(
    ("spread", "low", "middle", "high"),
    [
        (Fixed(3), 3, 3, 3),
        (Uniform(1, 3), 1.1, 2, 2.9),
        (LogUniform(1, 100), 10**0.1, 10, 10**1.9),
        (LogNormal(2, 8), 2, 4, 8),
    ],
)
def test_a_spread_has_the_quantiles_it_promises(
    spread: Fixed, low: float, middle: float, high: float
) -> None:
    assert [spread.at(0.05), spread.at(0.5), spread.at(0.95)] == pytest.approx([low, middle, high])


def test_a_latin_hypercube_uses_each_stratum_of_each_factor_once() -> None:
    drawn = latin_hypercube({"one": Uniform(1, 2), "other": Uniform(1, 2)}, 50)

    strata = [1 + (index + 0.5) / 50 for index in range(50)]
    assert sorted(drawn["one"]) == pytest.approx(strata)
    assert sorted(drawn["other"]) == pytest.approx(strata)
    assert drawn["one"] != drawn["other"]


def test_the_interval_of_evenly_spaced_values_is_their_quantiles() -> None:
    assert interval([number / 100 + 0.005 for number in range(100)]) == pytest.approx(
        (0.05, 0.5, 0.95)
    )


def test_512_draws_are_enough() -> None:
    size = METER.model("gpt-4o").size

    few = spread_of(bills(size, draws({}, 512)), "energy")
    many = spread_of(bills(size, draws({}, 8192)), "energy")

    for one, other in ((few.low, many.low), (few.value, many.value), (few.high, many.high)):
        assert one == pytest.approx(other, rel=0.12)


def test_every_factor_of_the_table_is_used_and_has_a_source() -> None:
    table = rows("token_factors.csv")

    for row in table:
        assert row["source"]
        assert row["retrieved"]
        assert row["unit"]
    base = METER.read("some-100b-a20b", Tokens(500, 500, 500, 500))
    for name, spread in published().items():
        meter = TokenMeter(**{name: Fixed(spread.at(0.99))})
        assert meter.read("some-100b-a20b", Tokens(500, 500, 500, 500)) != base, name


def test_the_method_pages_name_every_factor_with_its_ends_and_source() -> None:
    pages = "".join(
        (ROOT / "docs" / "method" / page).read_text("utf-8")
        for page in ("energy.md", "embodied.md")
    )

    for row in rows("token_factors.csv"):
        ends = (
            f"| {row['unit']} | {row['low']} | {row['high']} | {row['shape']} | {row['source']} |"
        )
        assert any(
            line.startswith(f"| `{row['name']}` |") and line.endswith(ends)
            for line in pages.splitlines()
        ), row["name"]


def test_key_value_and_attention_sizes_follow_from_published_architectures() -> None:
    scale, attention = published()["kv_scale"], published()["attention_scale"]

    for row in rows("token_architectures.csv"):
        active = float(row["active_billion"])
        kv = float(row["kv_bytes"]) / 1e9 / physics.kv_gigabytes(active, 1)
        flop = float(row["attention_flop"]) / 1e12 / physics.attention_teraflop(active, 1)
        # One in ten may lie outside a 90 % interval; of ten rows DeepSeek's compressed cache does.
        if row["name"] != "DeepSeek-V3":
            assert scale.at(0.05) <= kv <= scale.at(0.95), row["name"]
            assert attention.at(0.05) <= flop <= attention.at(0.95), row["name"]


def features(row: dict[str, str]) -> tuple[float, ...]:
    total, active, bits, gpus, batch, output = (
        float(row[name])
        for name in (
            "total_billion",
            "active_billion",
            "weight_bits",
            "gpus",
            "batch",
            "output_tokens",
        )
    )
    return (
        physics.touched_gigabytes(total, active, bits, batch) / batch,
        gpus / batch,
        physics.forward_teraflop(active),
        gpus,
        physics.kv_gigabytes(active, 1) * output / 2,
    )


# Least squares over token_measurements.csv; token_factors.csv spans the two.
FITS = {
    "H100": (0.190, 0.509, 1.90, 0.0345, 0.0804),
    "B200": (0.230, 0.0, 1.14, 0.0225, 0.173),
}


@pytest.mark.parametrize("gpu", FITS)
def test_the_decode_coefficients_are_the_least_squares_of_the_measurements(gpu: str) -> None:
    fit = FITS[gpu]
    measured = [row for row in rows("token_measurements.csv") if row["gpu"] == gpu]
    scaled = [
        [feature / float(row["joules_per_token"]) for feature in features(row)] for row in measured
    ]
    errors = [sum(map(float.__mul__, fit, one)) - 1 for one in scaled]

    for index, coefficient in enumerate(fit):
        slope = sum(error * one[index] for error, one in zip(errors, scaled, strict=True))
        curve = sum(one[index] ** 2 for one in scaled)
        if coefficient == 0:
            assert slope > 0
        else:
            assert abs(slope / curve) < 0.02 * coefficient


@pytest.mark.parametrize("gpu", FITS)
def test_nine_in_ten_measurements_lie_in_the_spread_of_the_residual(gpu: str) -> None:
    residual = published()["decode_residual"]
    low, high = residual.at(0.05), residual.at(0.95)

    ratios = [
        float(row["joules_per_token"]) / sum(map(float.__mul__, FITS[gpu], features(row)))
        for row in rows("token_measurements.csv")
        if row["gpu"] == gpu
    ]

    inside = sum(low <= ratio <= high for ratio in ratios) / len(ratios)
    assert inside >= 0.9
    assert len(ratios) > 250


def test_the_spreads_of_the_fitted_factors_span_both_accelerators() -> None:
    names = ("weight_joules", "step_joules", "decode_flop_joules", "token_joules", "kv_joules")
    table = {row["name"]: row for row in rows("token_factors.csv")}

    for name, values in zip(names, zip(*FITS.values(), strict=True), strict=True):
        low, high = float(table[name]["low"]), float(table[name]["high"])
        assert low <= max(min(values), 0.001)
        assert max(values) <= high
