"""What a machine says of itself, from files such as Linux shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.meter.machine import machine, plain_name

if TYPE_CHECKING:
    from pathlib import Path

XEON = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz
siblings\t: 2
flags\t\t: fpu avx2 avx512f{}

processor\t: 1
vendor_id\t: Other
"""
GRAVITON = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"


def test_a_hypervisors_flag_means_a_virtual_machine(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(XEON.format(" hypervisor"))

    found = machine(tmp_path, tmp_path)

    assert found.virtual
    assert (found.vendor, found.family, found.model, found.siblings) == ("GenuineIntel", 6, 85, 2)
    assert "avx512f" in found.flags


def test_without_a_sign_of_a_hypervisor_the_machine_is_real(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(XEON.format(""))

    assert not machine(tmp_path, tmp_path).virtual


def test_an_arm_machine_is_virtual_when_its_firmware_names_the_cloud(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(GRAVITON)
    dmi = tmp_path / "class" / "dmi" / "id"
    dmi.mkdir(parents=True)
    (dmi / "sys_vendor").write_text("Amazon EC2\n")

    found = machine(tmp_path, tmp_path)

    assert found.virtual
    assert (found.vendor, found.family, found.model) == ("ARM", 0x41, 0xD0C)


def test_a_machine_that_shows_nothing_is_unknown_not_an_error(tmp_path: Path) -> None:
    found = machine(tmp_path, tmp_path)

    assert (found.name, found.vendor, found.family, found.flags) == ("", "", 0, frozenset())
    assert found.logical >= 1


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Intel(R) Xeon(R) CPU E5-2620 v3 @ 2.40GHz", "xeon e5-2620 v3"),
        ("Intel® Xeon® Processor E5-2620 v3 (15M Cache)", "xeon e5-2620 v3"),
        ("12th Gen Intel(R) Core(TM) i7-12700K", "core i7-12700k"),
        ("AMD EPYC 7763 64-Core Processor", "epyc 7763"),
        ("AMD Ryzen 7 5825U with Radeon Graphics", "ryzen 7 5825u"),
    ],
)
def test_a_cpus_plain_name_is_without_makers_marks_and_clocks(name: str, plain: str) -> None:
    assert plain_name(name) == plain
