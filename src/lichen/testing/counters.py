"""Counters: a tree of RAPL files and an NVML module whose numbers a test turns by hand.

    tree = PowercapTree(folder)                  a /sys/class/powercap, on disk
    tree.add("intel-rapl:0", "package-0")
    meter = RaplMeter(tree.root)
    tree.spend("intel-rapl:0", 2.5)              its counter rises by 2.5 J

    nvml = FakeNvml([FakeCard()])                a module object: NvmlMeter(nvml=nvml)
    nvml.cards[0].spend(2.5)

They keep what the kernel's and NVIDIA's documentation say, no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FakeCard", "FakeNvml", "NvmlError", "OnCard", "PowercapTree"]

_MICROJOULES = 1e6
_MILLIJOULES = 1e3
# Source: a Xeon's package domain; 2^32 energy units of 61 µJ.
_RANGE_UJ = 262_143_328_850


class PowercapTree:
    """A folder as Linux shows power counters in /sys/class/powercap."""

    def __init__(self, root: Path) -> None:
        """Make it at `root`."""
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def add(
        self, zone: str, name: str, *, joules: float = 1000.0, range_uj: int = _RANGE_UJ
    ) -> None:
        """Add a domain that stands at so many joules. [J]"""
        folder = self.root / zone
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
        self.set(zone, int(joules * _MICROJOULES))

    def set(self, zone: str, microjoules: int | str) -> None:
        """Set a counter. [µJ]"""
        (self.root / zone / "energy_uj").write_text(f"{microjoules}\n")

    def spend(self, zone: str, joules: float) -> None:
        """Let a counter rise, and begin again after its range. [J]"""
        folder = self.root / zone
        had = int((folder / "energy_uj").read_text())
        most = int((folder / "max_energy_range_uj").read_text())
        self.set(zone, (had + int(joules * _MICROJOULES)) % most)


class NvmlError(Exception):
    """An error with NVML's number."""

    def __init__(self, value: int) -> None:
        """Hold the number."""
        super().__init__(f"NVML error {value}")
        self.value = value


@dataclass
class OnCard:
    """A process on a card, and how busy it keeps it. [%]"""

    pid: int
    smUtil: int = 0  # noqa: N815 (NVML's spelling)
    gpuUtilization: int = 0  # noqa: N815 (the same)


@dataclass
class FakeCard:
    """A card: its counter [mJ], power and limit [mW], and the processes on it."""

    name: str = "NVIDIA H100 80GB HBM3"
    uuid: str = "GPU-0"
    millijoules: int = 5_000_000
    milliwatts: int = 70_000
    limit_mw: int = 700_000
    has_counter: bool = True
    has_utilisation: bool = True
    has_accounting: bool = False
    mig: bool | None = False
    fails: int = 0
    processes: list[OnCard] = field(default_factory=list)

    def spend(self, joules: float) -> None:
        """Let the counter rise. [J]"""
        self.millijoules += round(joules * _MILLIJOULES)


class FakeNvml:
    """What of the module `pynvml` the NVML meter uses, over cards of a test's making."""

    NVMLError = NvmlError
    NVML_ERROR_NOT_SUPPORTED = 3
    NVML_ERROR_NOT_FOUND = 6
    NVML_ERROR_DRIVER_NOT_LOADED = 9
    NVML_ERROR_GPU_IS_LOST = 15
    NVML_DEVICE_MIG_ENABLE = 1

    def __init__(self, cards: list[FakeCard], *, starts: bool = True) -> None:
        """A driver with these cards, which `starts` or not."""
        self.cards = cards
        self._starts = starts

    def nvmlInit(self) -> None:  # noqa: N802 (NVML's spelling, here and below)
        """Start."""
        if not self._starts:
            raise NvmlError(self.NVML_ERROR_DRIVER_NOT_LOADED)

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """How many cards. [1]"""
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeCard:  # noqa: N802
        """A card."""
        if not 0 <= index < len(self.cards):
            raise NvmlError(self.NVML_ERROR_NOT_FOUND)
        return self.cards[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> FakeCard:  # noqa: N802
        """A card by its name in the world."""
        for card in self.cards:
            if card.uuid == uuid:
                return card
        raise NvmlError(self.NVML_ERROR_NOT_FOUND)

    def nvmlDeviceGetIndex(self, card: FakeCard) -> int:  # noqa: N802
        """A card's number."""
        return self.cards.index(card)

    def nvmlDeviceGetName(self, card: FakeCard) -> str:  # noqa: N802
        """A card's model."""
        return card.name

    def nvmlDeviceGetMigMode(self, card: FakeCard) -> list[int]:  # noqa: N802
        """Whether it is split, now and after the next reset."""
        if card.mig is None:
            raise NvmlError(self.NVML_ERROR_NOT_SUPPORTED)
        return [int(card.mig), int(card.mig)]

    def nvmlDeviceGetTotalEnergyConsumption(self, card: FakeCard) -> int:  # noqa: N802
        """Energy since the driver was loaded. [mJ]"""
        self._refuse(card, there=card.has_counter)
        return card.millijoules

    def nvmlDeviceGetPowerUsage(self, card: FakeCard) -> int:  # noqa: N802
        """Power. [mW]"""
        self._refuse(card)
        return card.milliwatts

    def nvmlDeviceGetEnforcedPowerLimit(self, card: FakeCard) -> int:  # noqa: N802
        """Power at most. [mW]"""
        return card.limit_mw

    def nvmlDeviceGetComputeRunningProcesses(self, card: FakeCard) -> list[OnCard]:  # noqa: N802
        """Processes that compute on it."""
        return card.processes

    def nvmlDeviceGetGraphicsRunningProcesses(self, _card: FakeCard) -> list[OnCard]:  # noqa: N802
        """Processes that draw on it: none."""
        return []

    def nvmlDeviceGetProcessUtilization(self, card: FakeCard, _since_us: int) -> list[Any]:  # noqa: N802
        """How busy each process kept it."""
        self._refuse(card, there=card.has_utilisation)
        return [each for each in card.processes if each.smUtil]

    def nvmlDeviceGetAccountingStats(self, card: FakeCard, pid: int) -> OnCard:  # noqa: N802
        """How busy a process kept it over its life."""
        self._refuse(card, there=card.has_accounting)
        return next(each for each in card.processes if each.pid == pid)

    def _refuse(self, card: FakeCard, *, there: bool = True) -> None:
        if card.fails:
            raise NvmlError(card.fails)
        if not there:
            raise NvmlError(self.NVML_ERROR_NOT_SUPPORTED)
