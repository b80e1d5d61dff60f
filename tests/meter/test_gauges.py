"""Gauges and windows: meters side by side, what an entry keeps of them, and its price."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lichen.ledger.estimate import Basis
from lichen.ledger.window import Reserved
from lichen.meter import making
from lichen.meter.discovery import Found
from lichen.meter.family import FamilyClock, family_seconds
from lichen.meter.gauges import Gauges
from lichen.meter.machine import Machine
from lichen.meter.nvml import NvmlMeter
from lichen.meter.power import busy_power, power_of
from lichen.meter.process import ProcessMeter
from lichen.meter.rapl import RaplMeter
from lichen.meter.shares import whole
from lichen.meter.windows import memory_energy, reading_of_window
from lichen.testing.counters import FakeCard, FakeNvml, PowercapTree
from lichen.testing.meters import spin

if TYPE_CHECKING:
    from pathlib import Path

BUSY = "import time\nwhile time.process_time() < {}: pass\n{}"


def machine(**changes: Any) -> Machine:
    given: dict[str, Any] = {
        "name": "Intel(R) Xeon(R) Platinum 8480+",
        "vendor": "GenuineIntel",
        "family": 6,
        "model": 143,
        "flags": frozenset(),
        "virtual": True,
        "logical": 8,
        "siblings": 8,
    }
    return Machine(**{**given, **changes})


def spent(gauges: Gauges, work: Any) -> tuple[dict[str, float | str], tuple[str, ...]]:
    before = gauges.stand()
    work()
    after = gauges.stand()
    return gauges.raw([b - a for a, b in zip(before, after, strict=True)], None)


def test_cpu_time_is_kept_raw_and_priced_later() -> None:
    gauges = Gauges([Found("process", ProcessMeter())])

    raw, gaps = spent(gauges, lambda: spin(0.05))
    reading = reading_of_window(raw)

    assert gaps == ()
    assert 0.05 <= float(raw["cpu_seconds"]) <= float(raw["seconds"]) + 0.01
    assert reading is not None
    power = power_of(str(raw["cpu"]))
    assert power is not None
    watts = power.watts.value.in_watts
    assert reading.energy.value.in_joules == pytest.approx(watts * float(raw["cpu_seconds"]))
    assert reading.energy.basis is Basis.MODELLED
    assert "power_" in reading.factors
    assert "embodied/" in reading.factors


def test_counters_stand_in_for_the_model(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path / "powercap")
    tree.add("intel-rapl:0", "package-0")
    card = FakeCard()
    gauges = Gauges(
        [
            Found("rapl", RaplMeter(tree.root, share=whole)),
            Found("nvml", NvmlMeter([0], nvml=FakeNvml([card]))),
        ]
    )

    def work() -> None:
        spin(0.02)
        tree.spend("intel-rapl:0", 3.0)
        card.spend(40.0)

    raw, _ = spent(gauges, work)
    reading = reading_of_window(raw)

    assert "cpu" not in raw
    assert raw["cpu_j"] == pytest.approx(3.0)
    assert raw["gpu_j"] == pytest.approx(40.0)
    assert reading is not None
    assert reading.energy.value.in_joules == pytest.approx(43.0)
    assert reading.energy.basis is Basis.MEASURED


def test_a_card_that_is_held_bears_its_making() -> None:
    gauges = Gauges([Found("nvml", NvmlMeter([0], nvml=FakeNvml([FakeCard()])))])

    raw, _ = spent(gauges, lambda: spin(0.02))
    reading = reading_of_window(raw)

    assert reading is not None
    held = float(raw["gpu_seconds"])
    assert held == pytest.approx(float(raw["seconds"]), rel=0.2)
    least = making.of_gpus(held).low
    assert reading.embodied.low > least


def test_a_meter_that_fails_stands_still_and_is_named(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path / "powercap")
    tree.add("intel-rapl:0", "package-0")
    gauges = Gauges([Found("rapl", RaplMeter(tree.root, share=whole))])
    tree.spend("intel-rapl:0", 3.0)
    before, faults = gauges.stand(), gauges.faults

    tree.set("intel-rapl:0", "gone")
    after = gauges.stand()

    assert after[2:] == before[2:]
    assert gauges.failed_since(faults) == ("rapl",)
    assert gauges.failed_since(gauges.faults) == ()


def test_a_clock_that_fails_is_named() -> None:
    def broken() -> float:
        raise OSError(1, "not permitted")

    gauges = Gauges([Found("process", ProcessMeter())], clock=broken)

    gauges.stand()

    assert gauges.failed_since(0) == ("process",)


def test_no_meter_at_all_is_a_gap_not_zero() -> None:
    raw, gaps = spent(Gauges([]), lambda: None)

    assert gaps == ("no-meter",)
    assert "cpu_j" not in raw


def test_reserved_accelerators_that_nothing_reads_are_a_gap() -> None:
    gauges = Gauges([Found("process", ProcessMeter())])

    _, gaps = gauges.raw(gauges.stand(), Reserved(gpus=1))

    assert gaps == ("gpu-unmetered",)


def test_reserved_cpus_that_idle_cost_energy_and_making() -> None:
    raw: dict[str, float | str] = {"seconds": 100.0, "cpu_seconds": 10.0, "cpu": "vm:epyc-4"}

    alone = reading_of_window(raw)
    kept = reading_of_window({**raw, "reserved_cpus": 8.0})

    power = power_of("vm:epyc-4")
    assert alone is not None
    assert kept is not None
    assert power is not None
    assert power.idle is not None
    more = kept.energy.value.in_joules - alone.energy.value.in_joules
    assert more == pytest.approx(power.idle.value.in_watts * 790.0)
    assert kept.embodied.value / alone.embodied.value == pytest.approx(80.0)


def test_fewer_reserved_than_busy_changes_nothing() -> None:
    raw: dict[str, float | str] = {"seconds": 100.0, "cpu_seconds": 300.0, "cpu": "vm:epyc-4"}

    assert reading_of_window({**raw, "reserved_cpus": 1.0}) == reading_of_window(raw)


def test_a_graphics_card_for_an_hour_bears_its_share_of_150_to_575_kg() -> None:
    made = making.of_gpus(3600.0)

    # 150 kg over 6 years and 575 kg over 3, of 8,760 hours each.
    assert made.low.in_grams == pytest.approx(150_000 / (6 * 8760))
    assert made.high.in_grams == pytest.approx(575_000 / (3 * 8760))


def test_entries_of_no_window_are_not_priced_as_one() -> None:
    assert reading_of_window({"cpu_seconds": 3.0}) is None


@pytest.mark.parametrize(
    "here",
    [
        machine(),
        machine(model=999),
        machine(vendor="Nobody", family=1),
        machine(virtual=False),
        machine(virtual=False, name="Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz", model=85),
    ],
)
def test_a_key_finds_the_same_power_on_another_machine(here: Machine) -> None:
    power = busy_power(here)

    again = power_of(power.key)

    assert again is not None
    assert (again.watts, again.idle, again.factors) == (power.watts, power.idle, power.factors)


@pytest.mark.parametrize("key", ["", "vm:", "vm:no-such", "tdp:8:no such cpu@any", "other:x"])
def test_a_key_of_no_row_finds_nothing(key: str) -> None:
    assert power_of(key) is None


def test_memory_is_told_apart_and_wide() -> None:
    memory = memory_energy({"seconds": 10.0, "peak_memory_bytes": 2e9})

    assert memory.value.in_joules == pytest.approx(7.84)
    assert memory.high / memory.low > 5
    assert memory.basis is Basis.ASSUMED


def test_a_family_counts_a_child_that_was_waited_for() -> None:
    before = family_seconds()

    subprocess.run([sys.executable, "-c", BUSY.format(0.2, "")], check=True)

    assert family_seconds() - before >= 0.2


def test_a_family_counts_a_child_that_still_runs() -> None:
    before = family_seconds()
    script = BUSY.format(0.2, "print(1, flush=True); input()")
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()

        seconds = family_seconds() - before
        child.communicate(b"\n")

    assert seconds >= 0.2


def test_a_clock_that_is_asked_often_notices_a_child_soon() -> None:
    clock = FamilyClock()
    before = clock()
    with subprocess.Popen(
        [sys.executable, "-c", BUSY.format(0.2, "print(1, flush=True); input()")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        clock()
        assert child.stdout is not None
        child.stdout.readline()

        seconds = clock() - before
        child.communicate(b"\n")

    assert seconds >= 0.2


def test_a_family_counts_a_child_that_ended_and_was_not_waited_for() -> None:
    before = family_seconds()
    child = os.posix_spawn(
        sys.executable, [sys.executable, "-c", BUSY.format(0.2, "")], dict(os.environ)
    )

    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    seconds = family_seconds() - before
    os.waitpid(child, 0)

    assert seconds >= 0.2
    assert family_seconds() - before >= seconds - 0.02
