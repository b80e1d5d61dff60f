"""The NVML meter on a module object of the test's making: counters, shares, and what it refuses."""

from __future__ import annotations

import os
import sys
import time

import pytest

from lichen.ledger.errors import MeterUnavailable
from lichen.ledger.estimate import Basis
from lichen.meter.nvml import NvmlMeter
from lichen.testing.counters import FakeCard, FakeNvml, OnCard

OURS, THEIRS = os.getpid(), os.getppid()
# A number that no process of this machine has.
NOBODY = 2**22 + 1


def test_a_card_counts_millijoules() -> None:
    card = FakeCard()
    meter = NvmlMeter([0], nvml=FakeNvml([card]))

    card.spend(12.5)
    reading = meter.read()

    assert reading.value.in_joules == pytest.approx(12.5)
    assert reading.basis is Basis.MEASURED


def test_cards_are_added() -> None:
    cards = [FakeCard(), FakeCard(uuid="GPU-1")]
    meter = NvmlMeter(nvml=FakeNvml(cards), devices=[0, 1])

    cards[0].spend(1.0)
    cards[1].spend(2.0)

    assert meter.read().value.in_joules == pytest.approx(3.0)
    assert meter.factors == "nvml:0:counter+1:counter"


@pytest.mark.parametrize(
    ("visible", "indices"),
    [
        (None, [0, 1, 2]),
        ("1", [1]),
        ("2,0", [2, 0]),
        ("GPU-2", [2]),
        ("0,7,1", [0]),
        ("all", [0, 1, 2]),
    ],
)
def test_only_visible_cards_are_read(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, indices: list[int]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    nvml = FakeNvml([FakeCard(uuid=f"GPU-{n}") for n in range(3)])

    meter = NvmlMeter(nvml=nvml)

    assert [card.index for card in meter.cards] == indices


@pytest.mark.parametrize("visible", ["", "-1"])
def test_no_visible_card_is_unavailable(monkeypatch: pytest.MonkeyPatch, visible: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    with pytest.raises(MeterUnavailable, match="CUDA_VISIBLE_DEVICES"):
        NvmlMeter(nvml=FakeNvml([FakeCard()]))


def test_a_split_card_is_a_typed_failure() -> None:
    with pytest.raises(MeterUnavailable, match="split by MIG"):
        NvmlMeter([0], nvml=FakeNvml([FakeCard(mig=True)]))


def test_an_instance_of_a_split_card_is_a_typed_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-7d1c4f6e")

    with pytest.raises(MeterUnavailable, match="MIG-7d1c4f6e"):
        NvmlMeter(nvml=FakeNvml([FakeCard()]))


def test_a_card_that_knows_no_split_is_read() -> None:
    assert NvmlMeter([0], nvml=FakeNvml([FakeCard(mig=None)])).cards[0].how == "counter"


def test_a_card_without_a_counter_is_modelled_from_its_power() -> None:
    card = FakeCard(has_counter=False, milliwatts=100_000, limit_mw=250_000)
    meter = NvmlMeter([0], nvml=FakeNvml([card]))
    start = time.monotonic()

    time.sleep(0.05)
    card.milliwatts = 200_000
    reading = meter.read()
    passed = time.monotonic() - start

    assert reading.basis is Basis.MODELLED
    assert reading.value.in_joules == pytest.approx(150 * passed, rel=0.1)
    assert reading.low.in_joules == 0
    assert reading.high.in_joules == pytest.approx(250 * passed, rel=0.1)
    assert meter.factors == "nvml:0:power"


def test_a_card_of_our_own_counts_whole() -> None:
    card = FakeCard(processes=[OnCard(OURS, 3)])
    meter = NvmlMeter([0], nvml=FakeNvml([card]))

    card.spend(10.0)

    assert meter.read().value.in_joules == pytest.approx(10.0)


def test_an_idle_card_that_is_kept_for_us_counts_whole() -> None:
    card = FakeCard()
    meter = NvmlMeter([0], nvml=FakeNvml([card]))

    card.spend(4.0)

    assert meter.read().value.in_joules == pytest.approx(4.0)
    assert meter.held_seconds > 0


def test_on_a_shared_card_each_pays_by_utilisation() -> None:
    card = FakeCard(processes=[OnCard(OURS, 30), OnCard(THEIRS, 90)])
    meter = NvmlMeter([0], nvml=FakeNvml([card]))

    card.spend(100.0)
    reading = meter.read()

    ends = [end.in_joules for end in (reading.low, reading.value, reading.high)]
    assert ends == pytest.approx([100 / 7, 25.0, 40.0])
    assert reading.basis is Basis.MODELLED


def test_where_accounting_is_on_it_tells_the_share() -> None:
    on_card = [OnCard(OURS, gpuUtilization=20), OnCard(THEIRS, gpuUtilization=60)]
    card = FakeCard(processes=on_card, has_utilisation=False, has_accounting=True)
    meter = NvmlMeter([0], nvml=FakeNvml([card]))

    card.spend(100.0)

    assert meter.read().value.in_joules == pytest.approx(25.0)


def test_a_share_nobody_tells_lies_between_none_and_all() -> None:
    card = FakeCard(processes=[OnCard(OURS), OnCard(THEIRS)], has_utilisation=False)
    meter = NvmlMeter([0], nvml=FakeNvml([card]))

    card.spend(100.0)
    reading = meter.read()

    ends = [end.in_joules for end in (reading.low, reading.value, reading.high)]
    assert ends == pytest.approx([0.0, 50.0, 100.0])


def test_a_card_that_only_others_use_costs_us_nothing() -> None:
    card = FakeCard(processes=[OnCard(THEIRS, 90)])
    meter = NvmlMeter([0], nvml=FakeNvml([card]))

    card.spend(100.0)

    assert meter.read().value.in_joules == 0
    assert meter.held_seconds == 0


def test_in_a_container_the_share_is_unknown_and_not_zero() -> None:
    card = FakeCard(processes=[OnCard(NOBODY, 90)])
    meter = NvmlMeter([0], nvml=FakeNvml([card]))

    card.spend(100.0)
    reading = meter.read()

    assert reading.low.in_joules == 0
    assert reading.value.in_joules > 0
    assert reading.high.in_joules == pytest.approx(100.0)


def test_the_device_is_waited_for_before_it_is_read() -> None:
    card = FakeCard()
    meter = NvmlMeter([0], nvml=FakeNvml([card]), sync=lambda: card.spend(5.0))

    assert meter.read().value.in_joules == pytest.approx(5.0)


def test_a_card_that_is_lost_is_unavailable_and_the_others_count_on() -> None:
    cards = [FakeCard(), FakeCard(uuid="GPU-1")]
    meter = NvmlMeter([0, 1], nvml=FakeNvml(cards))
    cards[0].fails = FakeNvml.NVML_ERROR_GPU_IS_LOST
    cards[1].spend(6.0)

    with pytest.raises(MeterUnavailable, match="card 0"):
        meter.read()
    cards[0].fails = 0

    assert meter.read().value.in_joules == pytest.approx(6.0)


def test_a_counter_that_fell_is_a_driver_loaded_anew() -> None:
    card = FakeCard()
    meter = NvmlMeter([0], nvml=FakeNvml([card]))

    card.millijoules = 3

    with pytest.raises(MeterUnavailable, match="loaded anew"):
        meter.read()


def test_no_driver_is_unavailable() -> None:
    with pytest.raises(MeterUnavailable, match="does not start"):
        NvmlMeter(nvml=FakeNvml([], starts=False))


def test_a_card_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(MeterUnavailable, match="card 3"):
        NvmlMeter([3], nvml=FakeNvml([FakeCard()]))


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)

    with pytest.raises(MeterUnavailable, match=r"-e '\.\[nvml\]'"):
        NvmlMeter()


def test_the_fake_has_the_names_of_the_real_library() -> None:
    pynvml = pytest.importorskip("pynvml")

    used = [name for name in dir(FakeNvml) if name.startswith(("nvml", "NVML_"))]

    assert [name for name in used if not hasattr(pynvml, name)] == []
    assert pynvml.NVML_ERROR_NOT_SUPPORTED == FakeNvml.NVML_ERROR_NOT_SUPPORTED
    assert pynvml.NVML_DEVICE_MIG_ENABLE == FakeNvml.NVML_DEVICE_MIG_ENABLE
