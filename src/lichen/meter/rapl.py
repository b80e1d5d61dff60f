"""The RAPL meter: energy of CPU packages and memory, from the counters in the processor.

    E = Σ over domains of Δe · s        Δe = eₙ − eₙ₋₁, + r where the counter began again

e  energy counter of a domain: a CPU package, or the memory beside it     [µJ]
r  the range after which it begins again (max_energy_range_uj)            [µJ]
s  the process's share of the machine, an interval                        [1] (lichen.meter.shares)

Packages and memory are added; a package's cores and graphics are parts of it and are not. `psys`,
the whole platform where a laptop has it, holds the packages already: it is read instead of them or
not at all. A package that the kernel shows twice (by MSR and by MMIO) counts once.

The counter is the machine's. It stands still below the level of the power supply, fans and disks:
RAPL reads the processor's side of the board, not the wall.

Source: Linux, Documentation/power/powercap/powercap.rst; drivers/powercap/intel_rapl_common.c;
docs/method/process.md.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError, MeterUnavailable
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Energy
from lichen.meter.family import family_seconds
from lichen.meter.shares import CpuShare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.meter.shares import Share

__all__ = ["POWERCAP", "RaplMeter"]

POWERCAP = Path("/sys/class/powercap")
# What to read: each word is the beginning of a domain's name.
# Source: intel_rapl_common.c, rapl_domain_names; package-N and package-N-die-M are whole packages.
_PARTS = {"package": "cpu", "dram": "ram", "psys": "platform"}
_ZONE = re.compile(r"intel-rapl(-mmio)?:\d+(:\d+)?$")
# More than any socket draws, with all its memory: what rises faster is no wrap but a new start. [W]
# Source: twice the 1,000 W that the largest server packages of 2025 may draw for a moment.
_IMPOSSIBLE_W = 2000.0
_MICROJOULES = 1e6
_MEND = (
    "let this user read them: sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj "
    "/sys/class/powercap/intel-rapl:*:*/energy_uj (until the next start; docs/measure.md has the "
    "rule that stays), or run as root"
)


class _Counter:
    """One domain's counter, unwrapped."""

    def __init__(self, zone: Path, name: str) -> None:
        self.name = name
        self._file = zone / "energy_uj"
        self.range_uj = _integer(zone / "max_energy_range_uj")
        self._last = _integer(self._file)
        self._at = time.monotonic()

    def since(self) -> float:
        """Energy since the last reading. [J]

        Raises:
            MeterUnavailable: it cannot be read, or began anew for another reason than its range.
        """
        now, at = _integer(self._file), time.monotonic()
        spent, passed = now - self._last, at - self._at
        if spent < 0:
            spent += self.range_uj
        self._last, self._at = now, at
        # A wrapped counter tells at most one range; a second of grace for a slow reader's clock.
        if not 0 <= spent <= _IMPOSSIBLE_W * (passed + 1.0) * _MICROJOULES:
            raise MeterUnavailable(
                f"the RAPL counter of {self.name}",
                f"it went to {now} µJ, which is no wrap of its range of {self.range_uj} µJ: the "
                "machine slept or the driver was loaded anew",
                "nothing is to be done: it counts again from here",
            )
        return spent / _MICROJOULES


class RaplMeter:
    """Energy of this process on this machine's counters; keeps `lichen.ledger.ports.Meter`.

    Attributes:
        method: how it reads, for the ledger.
        factors: which domains it reads, for the ledger.
        covers: what of the machine it reads: "cpu", "ram" or "platform".
        within_s: it must be read at least so often, or a wrap is missed. [s]
        why: what was found, for people.
    """

    method = "rapl/1"
    basis = Basis.MEASURED
    covers: frozenset[str] = frozenset({"cpu"})

    def __init__(
        self,
        root: Path = POWERCAP,
        *,
        share: Share | None = None,
        parts: Sequence[str] = ("package", "dram"),
    ) -> None:
        """Read the domains `parts` under `root` from now on, of which `share` is ours.

        Raises:
            InputError: `parts` names no such part, or psys beside what is in it.
            MeterUnavailable: there are no such counters, or this user may not read them.
        """
        if not parts or set(parts) - _PARTS.keys() or ("psys" in parts and len(parts) > 1):
            raise InputError(
                f"RAPL reads packages and dram, or psys alone, which holds both: got {parts!r}"
            )
        self._counters = [_Counter(zone, name) for name, zone in _zones(root, parts)]
        self._share = share or CpuShare(family_seconds)
        names = [counter.name for counter in self._counters]
        self.factors = f"rapl:{'+'.join(names)}"
        self.covers = frozenset(_PARTS[_part(name)] for name in names)
        if "platform" in self.covers:
            self.covers |= {"cpu", "ram"}
        self.within_s = min(
            counter.range_uj / _MICROJOULES / _IMPOSSIBLE_W for counter in self._counters
        )
        self.why = f"counters of {', '.join(names)}"
        self._joules = [0.0, 0.0, 0.0]

    def read(self) -> Estimate[Energy]:
        """Energy since the meter was made, the process's share of it. [J]

        Raises:
            MeterUnavailable: a counter can no longer be read, or began anew.
        """
        spent = 0.0
        failed: MeterUnavailable | None = None
        for counter in self._counters:  # each is read, so that all count again from here
            try:
                spent += counter.since()
            except MeterUnavailable as error:
                failed = error
        share = self._share()
        if failed is not None:
            raise failed
        self._joules = [had + spent * part for had, part in zip(self._joules, share, strict=True)]
        value, low, high = self._joules
        exact = low == value == high
        return Estimate(
            Energy.joules(value),
            Energy.joules(min(low, value)),
            Energy.joules(max(high, value)),
            Basis.MEASURED if exact else Basis.MODELLED,
        )


def _zones(root: Path, parts: Sequence[str]) -> list[tuple[str, Path]]:
    """The domains to read by name, each once.

    Raises:
        MeterUnavailable: there are none.
    """
    if not root.is_dir():
        raise MeterUnavailable(
            "RAPL",
            f"this machine shows no power counters ({root} is not there)",
            "it has none, or is virtual, or needs `modprobe intel_rapl_msr`; the process meter "
            "models the CPU instead",
        )
    found: dict[str, Path] = {}
    # By MSR first: "intel-rapl:" sorts before "intel-rapl-mmio:" only if we say so.
    for zone in sorted(root.iterdir(), key=lambda path: ("mmio" in path.name, path.name)):
        if not _ZONE.fullmatch(zone.name):
            continue
        name = _text(zone / "name")
        if _part(name) == "dram":
            name = f"dram-{zone.name.split(':')[1]}"
        if _part(name) in parts:
            found.setdefault(name, zone)
    if not found:
        raise MeterUnavailable(
            "RAPL",
            f"{root} has no counter of {' or '.join(parts)}",
            "the process meter models the CPU instead",
        )
    return sorted(found.items())


def _part(name: str) -> str:
    """What kind of domain a name is: package, dram, psys, or something else."""
    return name.partition("-")[0]


def _text(path: Path) -> str:
    """A file's text.

    Raises:
        MeterUnavailable: it is not there, or not ours to read.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except PermissionError as error:
        why = f"{path} is readable by root only (since Linux 5.10, against side channels)"
        raise MeterUnavailable("RAPL", why, _MEND) from error
    except (OSError, UnicodeDecodeError) as error:
        raise MeterUnavailable(
            "RAPL", f"{path} cannot be read ({error})", "see `lichen doctor`"
        ) from error


def _integer(path: Path) -> int:
    """A counter's number.

    Raises:
        MeterUnavailable: it cannot be read, or is none.
    """
    text = _text(path)
    try:
        return int(text)
    except ValueError:
        raise MeterUnavailable(
            "RAPL", f"{path} says {text!r}, which is no count", "see `lichen doctor`"
        ) from None
