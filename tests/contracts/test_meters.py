"""Every built-in meter keeps its contract."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.blind import Blind
from lichen.ledger.estimate import Estimate
from lichen.ledger.quantities import Power
from lichen.meter.discovery import Found
from lichen.meter.gauges import Gauges
from lichen.meter.nvml import NvmlMeter
from lichen.meter.process import ProcessMeter, tree_seconds
from lichen.meter.rapl import RaplMeter
from lichen.meter.replay import Recorder, ReplayMeter
from lichen.meter.shares import whole
from lichen.testing.counters import FakeCard, FakeNvml, PowercapTree
from lichen.testing.meters import MeterContract, WindowMeterContract, spin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def a_pid_of_nobody() -> int:
    """The id of a process that has ended."""
    pid = os.posix_spawn("/bin/true", ["/bin/true"], {})
    os.waitpid(pid, 0)
    return pid


class TestProcessMeter(MeterContract):
    @pytest.fixture
    def meter(self) -> ProcessMeter:
        return ProcessMeter()

    @pytest.fixture
    def unreadable(self) -> Callable[[], object]:
        return lambda: ProcessMeter(a_pid_of_nobody()).read()


class TestProcessMeterOfAGivenPower(MeterContract):
    @pytest.fixture
    def meter(self) -> ProcessMeter:
        return ProcessMeter(power=Estimate.around(Power.watts(5.0), 2.0))

    @pytest.fixture
    def unreadable(self) -> Callable[[], object]:
        return lambda: ProcessMeter(a_pid_of_nobody(), Estimate.exact(Power.watts(5.0)))


class TestProcessMeterOfATree(MeterContract):
    @pytest.fixture
    def meter(self) -> ProcessMeter:
        return ProcessMeter(clock=tree_seconds)

    @pytest.fixture
    def unreadable(self) -> Callable[[], object]:
        return lambda: ProcessMeter(a_pid_of_nobody(), clock=tree_seconds)


class TestRaplMeterOfAWholeMachine(MeterContract):
    @pytest.fixture
    def tree(self, tmp_path: Path) -> PowercapTree:
        tree = PowercapTree(tmp_path / "powercap")
        tree.add("intel-rapl:0", "package-0")
        return tree

    @pytest.fixture
    def meter(self, tree: PowercapTree) -> RaplMeter:
        return RaplMeter(tree.root, share=whole)

    @pytest.fixture
    def work(self, tree: PowercapTree) -> Callable[[], None]:
        return lambda: tree.spend("intel-rapl:0", 0.25)

    @pytest.fixture
    def unreadable(self, tmp_path: Path) -> Callable[[], object]:
        return lambda: RaplMeter(tmp_path / "no counters here")


class TestRaplMeterOfAProcess(TestRaplMeterOfAWholeMachine):
    @pytest.fixture
    def meter(self, tree: PowercapTree) -> RaplMeter:
        return RaplMeter(tree.root)

    @pytest.fixture
    def work(self, tree: PowercapTree) -> Callable[[], None]:
        def work() -> None:
            spin(0.05)
            tree.spend("intel-rapl:0", 0.25)

        return work


class TestNvmlMeter(MeterContract):
    @pytest.fixture
    def card(self) -> FakeCard:
        return FakeCard()

    @pytest.fixture
    def meter(self, card: FakeCard) -> NvmlMeter:
        return NvmlMeter([0], nvml=FakeNvml([card]))

    @pytest.fixture
    def work(self, card: FakeCard) -> Callable[[], None]:
        return lambda: card.spend(7.0)

    @pytest.fixture
    def unreadable(self) -> Callable[[], object]:
        return lambda: NvmlMeter([0], nvml=FakeNvml([], starts=False))


class TestNvmlMeterOfACardWithoutACounter(TestNvmlMeter):
    @pytest.fixture
    def card(self) -> FakeCard:
        return FakeCard(has_counter=False)

    @pytest.fixture
    def work(self) -> Callable[[], None]:
        return lambda: time.sleep(0.01)


class TestReplayMeter(MeterContract):
    @pytest.fixture
    def meter(self, tmp_path: Path) -> ReplayMeter:
        rows = [f"{n},{n * 2.0},{n * 1.0},{n * 4.0},modelled," for n in range(12)]
        recording = tmp_path / "run.csv"
        recording.write_text("\n".join(["seconds,value_j,low_j,high_j,basis,failed", *rows]))
        return ReplayMeter(recording)

    @pytest.fixture
    def work(self) -> Callable[[], None]:
        return lambda: None

    @pytest.fixture
    def unreadable(self, tmp_path: Path) -> Callable[[], object]:
        return lambda: ReplayMeter(tmp_path / "nothing.csv")


class TestRecorder(TestReplayMeter):
    @pytest.fixture
    def meter(self, tmp_path: Path) -> Iterator[Recorder]:
        with Recorder(ProcessMeter(), tmp_path / "kept.json") as meter:
            yield meter

    @pytest.fixture
    def work(self) -> Callable[[], None]:
        return lambda: spin(0.02)


class TestGaugesOfTheProcess(WindowMeterContract):
    @pytest.fixture
    def gauges(self) -> Gauges:
        return Gauges([Found("process", ProcessMeter())])


class TestGaugesOfCounters(WindowMeterContract):
    @pytest.fixture
    def card(self) -> FakeCard:
        return FakeCard()

    @pytest.fixture
    def gauges(self, tmp_path: Path, card: FakeCard) -> Gauges:
        tree = PowercapTree(tmp_path / "powercap")
        tree.add("intel-rapl:0", "package-0")
        nvml = NvmlMeter([0], nvml=FakeNvml([card]))
        return Gauges([Found("rapl", RaplMeter(tree.root)), Found("nvml", nvml)])

    @pytest.fixture
    def fail(self, card: FakeCard) -> Callable[[], None]:
        def fail() -> None:
            card.fails = FakeNvml.NVML_ERROR_GPU_IS_LOST

        return fail


class TestBlind(WindowMeterContract):
    @pytest.fixture
    def gauges(self) -> Blind:
        return Blind()
