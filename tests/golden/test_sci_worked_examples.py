"""Published worked examples of SCI, priced again; where the published value is wrong, ours is not.

Sources: Green Software Foundation, SCI specification ("Embodied emissions") and SCI for AI
specification 9.1 and 9.2; sci-guide use-case submissions (eShoppen, NTT DATA, AVEVA, Dow, farm);
Impact Framework 1.1.0. Tolerance: the digits the reference gives. docs/method/sci.md lists the
published values that are wrong, and why.

The inputs of the 25 examples lie beside this file: numbers, and where each was published. te_g is
total embodied carbon [g], tir_h time reserved [h], el_h expected life [h], rr of tor resources
reserved, E_kwh energy [kWh], I intensity [gCO₂e/kWh], M_g embodied carbon [g], C_g carbon [g],
R units of work; expect_ begins the right values. Where the oracles they were taken from lie beside
the checkout, the two are compared.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from lichen.ledger.embodied import embodied
from lichen.ledger.errors import NoWorkDone
from lichen.ledger.estimate import Basis, Estimate, price
from lichen.ledger.quantities import Carbon, CarbonIntensity, Energy
from lichen.ledger.sci import SCI
from lichen.ledger.window import Work

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = Path(__file__).with_name("sci_worked_examples.json")
METHOD = ROOT / "docs" / "method" / "sci.md"

# The references give four significant digits or more.
DIGITS: Final = 2.5e-4

# What was published instead, in the unit of the right value, read from its source.
PUBLISHED_WRONG = {
    "eshoppen-app": 66.6906,
    "eshoppen-client": 24.96,
    "eshoppen-total": 156.9586,
    "dow-tigergraph-db": 67810.0,
    "dow-total": 321.35,
    "farm-pi": 339.7,
    "sci-ai-llm-consumer": 1.3e-7,
    "sci-ai-cv-provider": 3e-3,
    "if-1.1.0-zeroR": 35.14623510273972,
}


def read() -> list[dict[str, Any]]:
    examples: list[dict[str, Any]] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return examples


def named(examples: list[dict[str, Any]], needs: str) -> Any:
    """One test per example that has a right value for `needs`."""
    having = [example for example in examples if example.get(needs) is not None]
    return [pytest.param(example, id=example["id"]) for example in having]


def hours(amount: float) -> timedelta:
    return timedelta(hours=amount)


def embodied_of(example: dict[str, Any]) -> Carbon:
    """M, from the hardware's total or as given."""
    if "te_g" in example:
        return embodied(
            Carbon.grams(example["te_g"]),
            hours(example["tir_h"]),
            hours(example["el_h"]),
            share=example["rr"] / example["tor"],
        )
    return Carbon.grams(example.get("M_g", 0.0))


def carbon_of(example: dict[str, Any]) -> Estimate[Carbon]:
    """C = E × I + M, or a sum of published parts, or as given."""
    if "C_g" in example:
        return Estimate.exact(Carbon.grams(example["C_g"]))
    if "sum_of_published" in example:
        parts = [Carbon.grams(grams) for grams in example["sum_of_published"]]
        return Estimate.exact(sum(parts, Carbon.zero()))
    operational = price(
        Estimate.exact(Energy.kwh(example["E_kwh"])),
        Estimate.exact(CarbonIntensity.g_per_kwh(example["I"]), Basis.MODELLED),
    )
    return operational + Estimate.exact(embodied_of(example))


def value_of(example: dict[str, Any]) -> float:
    """The published quantity of an example, as lichen has it."""
    if "expect_sci_g" in example:
        return SCI(carbon_of(example), Work(example["R"], "unit")).grams_per_unit
    return carbon_of(example).value.in_grams


@pytest.mark.parametrize("example", named(read(), "expect_M_g"))
def test_embodied_carbon_is_the_share_of_the_machines_life(example: dict[str, Any]) -> None:
    assert embodied_of(example).in_grams == pytest.approx(example["expect_M_g"], rel=DIGITS)


@pytest.mark.parametrize("example", named(read(), "expect_C_g"))
def test_carbon_is_energy_times_intensity_plus_embodied(example: dict[str, Any]) -> None:
    assert carbon_of(example).value.in_grams == pytest.approx(example["expect_C_g"], rel=DIGITS)


@pytest.mark.parametrize("example", named(read(), "expect_sci_g"))
def test_sci_is_carbon_per_unit_of_work(example: dict[str, Any]) -> None:
    rate = SCI(carbon_of(example), Work(example["R"], "unit"))

    assert rate.grams_per_unit == pytest.approx(example["expect_sci_g"], rel=DIGITS)


@pytest.mark.parametrize(
    "example",
    [param for param in named(read(), "R") if param.values[0]["R"] == 0],
)
def test_sci_of_no_work_is_refused_and_never_the_carbon(example: dict[str, Any]) -> None:
    with pytest.raises(NoWorkDone):
        SCI(carbon_of(example), Work(example["R"], "unit"))


def test_every_example_is_reproduced() -> None:
    examples = read()

    checked = [
        example["id"]
        for example in examples
        if {"expect_M_g", "expect_C_g", "expect_sci_g"} & example.keys()
    ]

    assert len(checked) == len(examples) == 25


def test_the_inputs_are_those_of_the_oracles(shared: Path) -> None:
    oracles = json.loads((shared / "oracles" / "sci_worked_examples.json").read_text("utf-8"))

    # What others wrote about an example stays with them, and so does work given in words.
    numbers = [
        {name: value for name, value in oracle.items() if isinstance(value, (int, float, list))}
        for oracle in oracles
    ]
    ours = [
        {name: value for name, value in example.items() if name not in ("id", "source")}
        for example in read()
    ]
    for oracle in numbers:
        oracle.pop("published", None)
    assert ours == numbers
    assert [example["id"] for example in read()] == [oracle["id"] for oracle in oracles]


@pytest.mark.parametrize("name", PUBLISHED_WRONG)
def test_a_wrong_published_value_is_not_ours(name: str) -> None:
    examples = {example["id"]: example for example in read()}

    if examples[name].get("R") == 0:
        with pytest.raises(NoWorkDone):
            SCI(carbon_of(examples[name]), Work(0.0, "unit"))
    else:
        assert value_of(examples[name]) != pytest.approx(PUBLISHED_WRONG[name], rel=2e-5)


@pytest.mark.parametrize("name", PUBLISHED_WRONG)
def test_every_wrong_published_value_is_listed_in_the_method(name: str) -> None:
    wrong = METHOD.read_text(encoding="utf-8").partition("## Published values that are wrong")[2]

    assert f"| {name} |" in wrong.partition("\n## ")[0]


def test_the_specifications_server_hour_emits_28_5_grams() -> None:
    # SCI specification, Embodied emissions: TE 1,000 kg, 1 h of 4 years, the whole server.
    share = embodied(Carbon.kg(1000), hours(1), hours(4 * 8760))

    assert share.in_grams == pytest.approx(28.539, rel=DIGITS)


def test_the_ai_specifications_consumer_sci_is_130_grams_per_million_tokens() -> None:
    # SCI for AI 9.1.1: 6.5 t over 50 billion tokens; 9.1.3 reports it a thousand times too low.
    rate = SCI(Estimate.exact(Carbon.kg(6500)), Work(50e9, "token"))

    assert rate.grams_per_unit * 1e6 == pytest.approx(130.0)


def test_the_ai_specifications_provider_sci_is_30_tonnes_per_billion_parameters() -> None:
    # SCI for AI 9.2.2: 75 t over 2.5 billion parameters; printed as 3,000 kg and as 30 kg.
    rate = SCI(Estimate.exact(Carbon.kg(75_000)), Work(2.5e9, "parameter"))

    assert rate.grams_per_unit * 1e9 == pytest.approx(30e6)
