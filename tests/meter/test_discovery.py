"""Discovery: what is here, best first, and no domain of the machine twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.assemble import find_meters
from lichen.ledger.errors import MeterUnavailable
from lichen.meter.discovery import Found, best, look
from lichen.meter.nvml import NvmlMeter
from lichen.meter.process import ProcessMeter
from lichen.meter.rapl import RaplMeter
from lichen.meter.shares import whole
from lichen.meter.tokens import TokenMeter
from lichen.testing.counters import FakeCard, FakeNvml, PowercapTree

if TYPE_CHECKING:
    from pathlib import Path


def names(found: list[Found]) -> list[str]:
    return [each.name for each in found]


def test_where_nothing_counts_the_cpu_is_modelled() -> None:
    found = [Found("process", ProcessMeter()), Found("rapl", error=MeterUnavailable("", "", ""))]

    assert names(best(found)) == ["process"]


def test_a_counter_replaces_the_model_and_cards_are_beside_it(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path / "powercap")
    tree.add("intel-rapl:0", "package-0")
    found = [
        Found("nvml", NvmlMeter([0], nvml=FakeNvml([FakeCard()]))),
        Found("process", ProcessMeter()),
        Found("rapl", RaplMeter(tree.root, share=whole)),
    ]

    assert names(best(found)) == ["nvml", "rapl"]


def test_of_two_counters_the_one_that_reads_more_goes_first(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path / "powercap")
    tree.add("intel-rapl:0", "package-0")
    tree.add("intel-rapl:1", "psys")
    found = [
        Found("package", RaplMeter(tree.root, share=whole)),
        Found("platform", RaplMeter(tree.root, share=whole, parts=("psys",))),
    ]

    assert names(best(found)) == ["platform"]


def test_a_meter_that_cannot_be_made_stops_no_other() -> None:
    def broken() -> Any:
        raise ImportError("no such driver")

    found = look([("broken", broken), ("process", lambda: ProcessMeter)])

    assert [(each.name, each.meter is None) for each in found] == [
        ("broken", True),
        ("process", False),
    ]


def test_a_library_that_lacks_a_function_stops_no_meter() -> None:
    class OldLibrary:
        covers = frozenset({"gpu"})

        def __init__(self) -> None:
            raise AttributeError("nvmlDeviceGetTotalEnergyConsumption")

    found = look([("nvml", lambda: OldLibrary), ("process", lambda: ProcessMeter)])

    assert names(best(found)) == ["process"]
    assert "nvmlDeviceGetTotalEnergyConsumption" in str(found[0].error)


def test_a_meter_of_calls_takes_no_part() -> None:
    assert look([("tokens", lambda: TokenMeter)]) == []


def test_the_built_in_meters_come_in_by_entry_point() -> None:
    assert names(find_meters()) == ["nvml", "process", "rapl"]
