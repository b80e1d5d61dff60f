"""The process meter: CPU time times watts, and what it says when it cannot."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import MeterUnavailable
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Power
from lichen.meter.process import ProcessMeter, tree_seconds
from lichen.testing.meters import spin

if TYPE_CHECKING:
    from collections.abc import Iterator

TEN_WATTS = Estimate(Power.watts(10.0), Power.watts(5.0), Power.watts(30.0), Basis.MODELLED)
BUSY = "import time\nwhile time.process_time() < {}: pass\nprint('done', flush=True); input()"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_energy_is_cpu_time_times_power() -> None:
    meter = ProcessMeter(power=TEN_WATTS)

    spin(0.1)
    before, reading, after = meter.cpu_seconds(), meter.read(), meter.cpu_seconds()

    assert before >= 0.1
    assert before * 10 <= reading.value.in_joules <= after * 10
    assert reading.low.in_joules == pytest.approx(reading.value.in_joules / 2)
    assert reading.high.in_joules == pytest.approx(reading.value.in_joules * 3)
    assert reading.basis is Basis.MODELLED


def test_a_meter_counts_from_when_it_was_made() -> None:
    spin(0.05)

    meter = ProcessMeter(power=TEN_WATTS)

    assert meter.cpu_seconds() < 0.01


def test_another_process_is_metered_by_its_id(sleeper: subprocess.Popen[bytes]) -> None:
    meter = ProcessMeter(sleeper.pid, TEN_WATTS)

    spin(0.05)

    assert meter.cpu_seconds() < 0.05


def test_a_process_that_has_ended_is_unavailable_not_zero(
    sleeper: subprocess.Popen[bytes],
) -> None:
    meter = ProcessMeter(sleeper.pid, TEN_WATTS)
    sleeper.kill()
    sleeper.wait()

    with pytest.raises(MeterUnavailable, match=r"has ended.*make a new meter"):
        meter.read()
    with pytest.raises(MeterUnavailable):
        meter.memory_power()


def test_a_process_id_that_changed_hands_is_noticed() -> None:
    meter = ProcessMeter(power=TEN_WATTS)
    meter._last += 1e6  # as if another process, with more CPU time, had had this number

    with pytest.raises(MeterUnavailable, match="belongs to another process"):
        meter.read()


def test_a_clock_that_is_refused_is_told_from_a_process_that_is_gone() -> None:
    def refused(pid: int) -> float:
        raise PermissionError(1, "Operation not permitted", str(pid))

    with pytest.raises(MeterUnavailable, match=r"does not show its CPU time.*not permitted"):
        ProcessMeter(power=TEN_WATTS, clock=refused)


def test_a_process_alone_leaves_out_its_children() -> None:
    meter = ProcessMeter(power=TEN_WATTS)

    subprocess.run([sys.executable, "-c", BUSY.format(0.2)], input=b"\n", check=True)

    assert meter.cpu_seconds() < 0.2


def test_a_tree_counts_a_child_that_has_ended() -> None:
    meter = ProcessMeter(power=TEN_WATTS, clock=tree_seconds)

    subprocess.run([sys.executable, "-c", BUSY.format(0.2)], input=b"\n", check=True)

    assert meter.cpu_seconds() >= 0.19


def test_a_tree_counts_a_child_that_is_still_running() -> None:
    meter = ProcessMeter(power=TEN_WATTS, clock=tree_seconds)
    with subprocess.Popen(
        [sys.executable, "-c", BUSY.format(0.2)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()

        seconds = meter.cpu_seconds()
        child.communicate(b"\n")

    assert seconds >= 0.2


def test_a_tree_never_falls_while_its_children_end() -> None:
    meter = ProcessMeter(power=TEN_WATTS, clock=tree_seconds)

    seconds = []
    for _ in range(5):
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        seconds.append(meter.cpu_seconds())

    assert seconds == sorted(seconds)


def test_threads_count_with_their_process() -> None:
    meter = ProcessMeter(power=TEN_WATTS)

    worker = threading.Thread(target=spin, args=(0.1,))
    worker.start()
    worker.join()

    assert meter.cpu_seconds() >= 0.1


def test_memory_is_wide_assumed_and_not_in_the_reading() -> None:
    meter = ProcessMeter(power=Estimate.exact(Power.watts(0.0)))

    memory = meter.memory_power()

    assert memory.value.in_watts > 0
    assert memory.high / memory.low > 5
    assert memory.basis is Basis.ASSUMED
    assert meter.read().value.in_joules == 0


def test_the_ledger_learns_the_method_and_the_factors() -> None:
    meter, given = ProcessMeter(), ProcessMeter(power=TEN_WATTS)

    assert meter.method == "process/1"
    assert meter.factors.startswith(("power_vm/", "power_tdp/"))
    assert meter.why
    assert given.factors == "given"
