"""Watts per busy CPU: which rows of the tables a machine gets, and that they are sourced."""

from __future__ import annotations

import csv
from dataclasses import replace
from importlib import resources

import pytest

from lichen.ledger.estimate import Basis
from lichen.ledger.quantities import Power
from lichen.meter.machine import Machine
from lichen.meter.power import architectures, busy_power

CASCADE = frozenset({"avx2", "avx512f", "avx512_vnni", "fpu"})
VM = Machine("Intel Xeon", "GenuineIntel", 6, 85, CASCADE, virtual=True, logical=2, siblings=2)


def test_a_known_architecture_gets_its_own_row() -> None:
    power = busy_power(VM)

    assert power.factors.endswith(":cascade-lake")
    assert power.watts.value == Power.watts(4.063)
    assert power.watts.basis is Basis.MODELLED


def test_features_tell_two_architectures_of_one_number_apart() -> None:
    older = replace(VM, flags=CASCADE - {"avx512_vnni"})

    assert busy_power(older).factors.endswith(":skylake-server")


def test_hidden_features_leave_both_architectures_of_the_number() -> None:
    masked = replace(VM, flags=frozenset({"avx2"}))

    assert busy_power(masked).factors.endswith(":skylake-server|cascade-lake")


def test_a_number_that_cannot_have_the_features_shown_is_not_believed() -> None:
    disguised = replace(VM, flags=CASCADE | {"vaes", "avx_vnni", "amx_tile"})

    power = busy_power(disguised)

    assert power.factors.endswith(":sapphire-rapids|emerald-rapids|granite-rapids")
    assert "amx_tile" in power.why


def test_an_unknown_cpu_gets_the_range_of_all() -> None:
    unknown = replace(VM, name="", vendor="RISC-V International", flags=frozenset())

    power = busy_power(unknown)

    assert power.factors.endswith(":any")
    assert power.watts.low.in_watts == min(row.low_w for row in architectures())
    assert power.watts.high.in_watts == max(row.high_w for row in architectures())
    assert "in no table" in power.why


def test_a_machine_of_ones_own_is_known_by_its_thermal_design_power() -> None:
    laptop = replace(
        VM,
        name="Intel(R) Core(TM) i7-10700 CPU @ 2.90GHz",
        virtual=False,
        logical=16,
        siblings=16,
    )

    power = busy_power(laptop)

    assert power.factors.endswith(":core i7-10700")
    assert power.watts.value.in_watts == pytest.approx(65 / 16 * 1.118)
    assert power.watts.low < power.watts.value < power.watts.high


def test_an_unlisted_machine_of_ones_own_gets_the_range_of_all() -> None:
    newer = replace(VM, name="Some CPU of 2030", model=251, virtual=False)

    assert busy_power(newer).factors.endswith(":any")


def test_two_packages_do_not_share_one_thermal_design_power() -> None:
    server = replace(
        VM, name="AMD EPYC 7763 64-Core Processor", virtual=False, logical=256, siblings=128
    )

    assert busy_power(server).watts.value.in_watts == pytest.approx(280 / 128 * 1.118)


def test_in_a_virtual_machine_the_name_of_the_cpu_is_not_its_share() -> None:
    rented = replace(VM, name="Intel(R) Xeon(R) Platinum 8260 CPU @ 2.40GHz")

    assert busy_power(rented).factors.endswith(":cascade-lake")


@pytest.mark.parametrize("row", architectures(), ids=lambda row: row.name)
def test_the_interval_of_every_architecture_holds_its_value(row: object) -> None:
    found = next(each for each in architectures() if each is row)

    assert 0 < found.low_w < found.busy_w < found.high_w


@pytest.mark.parametrize("table", ["power_vm.csv", "power_tdp.csv"])
def test_every_row_says_where_it_is_from_and_since_when(table: str) -> None:
    with resources.files("lichen.meter").joinpath(table).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert rows
    assert all(row["source"] and row["retrieved"] for row in rows)
