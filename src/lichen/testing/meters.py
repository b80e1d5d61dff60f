"""MeterContract and WindowMeterContract: what every meter keeps, of energy and of windows.

    class TestMyMeter(MeterContract):
        @pytest.fixture
        def meter(self) -> Meter:
            return MyMeter()

        @pytest.fixture
        def unreadable(self) -> Callable[[], object]:
            return lambda: MyMeter(device="no such device").read()

A plug-in that passes can be configured in place of any built-in meter.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import MeterUnavailable
from lichen.ledger.estimate import Basis
from lichen.ledger.quantities import Energy
from lichen.ledger.window import Reserved

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.ports import Meter, WindowMeter

# CPU time that any meter must notice. [s]
_NOTICEABLE_S = 0.05


def spin(seconds: float) -> None:
    """Keep one CPU busy until this process has used so much more CPU time. [s]"""
    until = time.process_time() + seconds
    while time.process_time() < until:
        math.sqrt(2.0)


class MeterContract:
    """The laws of `Meter`; inherit it and give `meter` and `unreadable`."""

    @pytest.fixture
    def meter(self) -> Meter:
        """The meter under test, just made."""
        raise NotImplementedError("give the meter under test")

    @pytest.fixture
    def unreadable(self) -> Callable[[], object]:
        """A call that makes and reads a meter of the same kind where there is nothing to read."""
        raise NotImplementedError("give a call that reads a meter which cannot be read")

    @pytest.fixture
    def work(self) -> Callable[[], None]:
        """Something that uses energy the meter sees; by default it keeps a CPU busy for 50 ms."""
        return lambda: spin(_NOTICEABLE_S)

    def test_a_reading_is_energy_since_the_meter_was_made(self, meter: Meter) -> None:
        """A fresh meter starts near nothing, never below."""
        reading = meter.read()

        assert isinstance(reading.value, Energy)
        assert reading.low.in_joules >= 0

    def test_the_interval_holds_the_value(self, meter: Meter, work: Callable[[], None]) -> None:
        """Low, value and high come in that order, and say how they are known."""
        work()

        reading = meter.read()

        assert reading.low.in_joules <= reading.value.in_joules <= reading.high.in_joules
        assert reading.basis in tuple(Basis)

    def test_readings_never_fall(self, meter: Meter, work: Callable[[], None]) -> None:
        """The value and both ends only grow."""
        readings = [meter.read()]
        for _ in range(3):
            work()
            readings.append(meter.read())

        for ends in zip(*((r.value, r.low, r.high) for r in readings), strict=True):
            assert list(ends) == sorted(ends)

    def test_work_costs_energy(self, meter: Meter, work: Callable[[], None]) -> None:
        """What the meter watches shows in what it reads."""
        before = meter.read()

        work()

        assert meter.read().value > before.value

    def test_a_reading_from_another_thread_goes_on_from_the_last(
        self, meter: Meter, work: Callable[[], None]
    ) -> None:
        """One meter may be read by several threads in turn."""
        before = meter.read()
        work()
        with ThreadPoolExecutor(1) as elsewhere:
            after = elsewhere.submit(meter.read).result()

        assert after.value >= before.value

    def test_the_ledger_can_name_it(self, meter: Meter) -> None:
        """An entry keeps how it was read and by which tables or counters."""
        method, factors = getattr(meter, "method", ""), getattr(meter, "factors", "")

        assert "/" in method
        assert factors

    def test_what_cannot_be_read_says_why_and_the_way_out(
        self, unreadable: Callable[[], object]
    ) -> None:
        """Unknown is not zero: a typed error with what, why and how to mend it."""
        with pytest.raises(MeterUnavailable) as raised:
            unreadable()

        assert raised.value.what
        assert raised.value.why
        assert raised.value.mend


class WindowMeterContract:
    """The laws of `WindowMeter`; inherit it and give `gauges` and, where it can fail, `fail`."""

    @pytest.fixture
    def gauges(self) -> WindowMeter:
        """The meter of windows under test, just made."""
        raise NotImplementedError("give the meter of windows under test")

    @pytest.fixture
    def fail(self) -> Callable[[], None] | None:
        """What makes its next reading fail; None for one that reads nothing which could."""
        return None

    def test_a_stand_is_as_long_as_the_last_and_never_falls(self, gauges: WindowMeter) -> None:
        """Seconds first; the difference of two stands is what was spent."""
        stands = [gauges.stand()]
        for _ in range(3):
            spin(_NOTICEABLE_S)
            stands.append(gauges.stand())

        assert len({len(stand) for stand in stands}) == 1
        assert stands[-1][0] > stands[0][0]
        for column in zip(*stands, strict=True):
            assert list(column) == sorted(column)

    def test_raw_quantities_begin_with_the_time(self, gauges: WindowMeter) -> None:
        """An entry keeps numbers and words alone, and how long it took."""
        before = gauges.stand()
        spin(_NOTICEABLE_S)
        spent = [now - was for was, now in zip(before, gauges.stand(), strict=True)]

        raw, gaps = gauges.raw(spent, None)

        assert raw["seconds"] == spent[0]
        assert all(isinstance(value, (int, float, str)) for value in raw.values())
        assert all(gaps)
        assert "/" in gauges.method

    def test_what_is_reserved_is_kept(self, gauges: WindowMeter) -> None:
        """History is priced again from what was told."""
        raw, _ = gauges.raw([0.0] * len(gauges.stand()), Reserved(cpus=4, gpus=2))

        assert (raw["reserved_cpus"], raw["reserved_gpus"]) == (4, 2)

    def test_a_failure_is_named_and_breaks_nothing(
        self, gauges: WindowMeter, fail: Callable[[], None] | None
    ) -> None:
        """A stand never raises; it says afterwards what failed, and only to windows open then."""
        before, faults = gauges.stand(), gauges.faults
        if fail is not None:
            fail()

        after = gauges.stand()

        assert len(after) == len(before)
        assert bool(gauges.failed_since(faults)) == (fail is not None)
        assert gauges.failed_since(gauges.faults) == ()
