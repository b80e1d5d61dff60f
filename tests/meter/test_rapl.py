"""The RAPL meter on a tree of files as the kernel shows it: sums, wraps, rights, nothing twice."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import InputError, MeterUnavailable
from lichen.ledger.estimate import Basis
from lichen.meter.rapl import RaplMeter
from lichen.meter.shares import CpuShare, whole
from lichen.testing.counters import PowercapTree

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server(tmp_path: Path) -> PowercapTree:
    """Two sockets with their cores and memory, as a dual Xeon shows them."""
    tree = PowercapTree(tmp_path / "powercap")
    for socket in ("0", "1"):
        tree.add(f"intel-rapl:{socket}", f"package-{socket}")
        tree.add(f"intel-rapl:{socket}:0", "core")
        tree.add(f"intel-rapl:{socket}:1", "dram", range_uj=65_712_999_613)
    return tree


def joules(meter: RaplMeter) -> float:
    return meter.read().value.in_joules


def test_packages_and_memory_are_added_and_cores_are_not(server: PowercapTree) -> None:
    meter = RaplMeter(server.root, share=whole)

    for zone, spent in (
        ("intel-rapl:0", 10.0),
        ("intel-rapl:0:0", 7.0),
        ("intel-rapl:0:1", 2.0),
        ("intel-rapl:1", 5.0),
        ("intel-rapl:1:1", 1.0),
    ):
        server.spend(zone, spent)

    assert joules(meter) == pytest.approx(18.0)
    assert meter.covers == {"cpu", "ram"}
    assert meter.factors == "rapl:dram-0+dram-1+package-0+package-1"


def test_a_counter_of_the_whole_machine_is_measured(server: PowercapTree) -> None:
    meter = RaplMeter(server.root, share=whole)
    server.spend("intel-rapl:0", 10.0)

    reading = meter.read()

    assert reading.basis is Basis.MEASURED
    assert reading.low == reading.value == reading.high


def test_a_package_shown_twice_counts_once(server: PowercapTree) -> None:
    server.add("intel-rapl-mmio:0", "package-0")
    meter = RaplMeter(server.root, share=whole)

    server.spend("intel-rapl:0", 3.0)
    server.spend("intel-rapl-mmio:0", 3.0)

    assert joules(meter) == pytest.approx(3.0)


def test_psys_holds_the_package_and_is_not_added_to_it(tmp_path: Path) -> None:
    laptop = PowercapTree(tmp_path / "laptop")
    laptop.add("intel-rapl:0", "package-0")
    laptop.add("intel-rapl:1", "psys")
    by_package = RaplMeter(laptop.root, share=whole)
    by_platform = RaplMeter(laptop.root, share=whole, parts=("psys",))

    laptop.spend("intel-rapl:0", 4.0)
    laptop.spend("intel-rapl:1", 9.0)

    assert joules(by_package) == pytest.approx(4.0)
    assert joules(by_platform) == pytest.approx(9.0)
    assert by_package.covers == {"cpu"}
    assert by_platform.covers == {"platform", "cpu", "ram"}


@pytest.mark.parametrize("parts", [(), ("psys", "package"), ("uncore",)])
def test_parts_that_would_count_twice_or_are_none_are_refused(
    server: PowercapTree, parts: tuple[str, ...]
) -> None:
    with pytest.raises(InputError, match="psys alone"):
        RaplMeter(server.root, parts=parts)


def test_a_counter_that_comes_round_goes_on(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path / "powercap")
    tree.add("intel-rapl:0", "package-0", joules=99.0, range_uj=100_000_000)
    meter = RaplMeter(tree.root, share=whole)

    tree.spend("intel-rapl:0", 3.0)

    assert (tree.root / "intel-rapl:0" / "energy_uj").read_text() == "2000000\n"
    assert joules(meter) == pytest.approx(3.0)


def test_each_round_counts(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path / "powercap")
    tree.add("intel-rapl:0", "package-0", joules=0.0, range_uj=100_000_000)
    meter = RaplMeter(tree.root, share=whole)

    for _ in range(5):
        tree.spend("intel-rapl:0", 60.0)
        meter.read()

    assert joules(meter) == pytest.approx(300.0)
    assert meter.within_s == pytest.approx(0.05)


def test_a_counter_that_began_anew_is_unavailable_once_and_counts_from_there(
    server: PowercapTree,
) -> None:
    meter = RaplMeter(server.root, share=whole)
    server.spend("intel-rapl:0", 1.0)
    meter.read()

    server.set("intel-rapl:0", 5)

    with pytest.raises(MeterUnavailable, match="loaded anew"):
        meter.read()
    server.spend("intel-rapl:0", 2.0)
    assert joules(meter) == pytest.approx(3.0)


def test_a_process_gets_its_share_of_what_was_busy(tmp_path: Path) -> None:
    """30 of 40 busy ticks on a machine of 100: the process used 0.3 s."""
    ticks = os.sysconf("SC_CLK_TCK")
    stat = tmp_path / "stat"
    stat.write_text("cpu 0 0 0 0 0 0 0 0 0 0\n")
    used = [0.0]
    share = CpuShare(lambda: used[0], proc=tmp_path)

    used[0] = 0.3
    stat.write_text(f"cpu {ticks * 0.4:.0f} 0 0 {ticks * 0.6:.0f} 0 0 0 0 0 0\n")

    assert share() == pytest.approx((0.75, 0.3, 1.0))


def test_a_share_never_exceeds_the_whole(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu 0 0 0 0 0 0 0 0 0 0\n")
    used = [0.0]
    share = CpuShare(lambda: used[0], proc=tmp_path)

    used[0] = 0.004  # less than a tick: the kernel shows nobody busy yet

    assert share() == (1.0, 0.0, 1.0)


def test_a_machine_that_hides_its_time_has_no_share(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("something else\n")

    with pytest.raises(MeterUnavailable, match="share=lichen"):
        CpuShare(lambda: 0.0, proc=tmp_path)


def test_the_share_of_this_process_widens_the_reading(server: PowercapTree) -> None:
    meter = RaplMeter(server.root)
    server.spend("intel-rapl:0", 10.0)

    reading = meter.read()

    assert reading.low < reading.high
    assert reading.high.in_joules == pytest.approx(10.0)
    assert reading.basis is Basis.MODELLED


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_counter_for_root_only_says_how_to_open_it(open_folder: Path) -> None:
    tree = PowercapTree(open_folder / "powercap")
    tree.add("intel-rapl:0", "package-0")
    (tree.root / "intel-rapl:0" / "energy_uj").chmod(0o400)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # nobody: root may read everything
    else:
        (tree.root / "intel-rapl:0" / "energy_uj").chmod(0)

    try:
        with pytest.raises(MeterUnavailable) as raised:
            RaplMeter(tree.root)
    finally:
        if root:
            os.seteuid(0)

    assert "readable by root only" in raised.value.why
    assert "chmod a+r" in raised.value.mend


def test_no_counters_say_what_stands_in(tmp_path: Path) -> None:
    with pytest.raises(MeterUnavailable, match="the process meter models the CPU"):
        RaplMeter(tmp_path / "powercap")


def test_a_tree_without_a_package_says_what_stands_in(tmp_path: Path) -> None:
    tree = PowercapTree(tmp_path / "powercap")
    tree.add("intel-rapl:0", "psys")
    (tree.root / "dtpm").mkdir()

    with pytest.raises(MeterUnavailable, match="no counter of package or dram"):
        RaplMeter(tree.root)


@pytest.mark.parametrize("text", ["", "many", "12.5"])
def test_a_counter_that_says_no_number_is_unavailable(server: PowercapTree, text: str) -> None:
    meter = RaplMeter(server.root, share=whole)

    server.set("intel-rapl:0", text)

    with pytest.raises(MeterUnavailable, match="no count"):
        meter.read()


def test_a_counter_that_vanishes_is_unavailable(server: PowercapTree) -> None:
    meter = RaplMeter(server.root, share=whole)

    (server.root / "intel-rapl:0" / "energy_uj").unlink()

    with pytest.raises(MeterUnavailable, match="cannot be read"):
        meter.read()
