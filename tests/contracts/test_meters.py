"""Every built-in meter keeps MeterContract."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.estimate import Estimate
from lichen.ledger.quantities import Power
from lichen.meter.process import ProcessMeter, tree_seconds
from lichen.testing.meters import MeterContract

if TYPE_CHECKING:
    from collections.abc import Callable


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
