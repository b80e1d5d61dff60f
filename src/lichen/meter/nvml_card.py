"""One NVIDIA card: its energy since the last reading, and this process's share of it.

With a counter (Volta and later):    ΔE = eₙ − eₙ₋₁                                     [mJ]
Without:                             ΔE = (pₙ + pₙ₋₁) / 2 · Δt,  0 ≤ ΔE ≤ p_limit · Δt   [mW · s]

    s = 1                            nobody else is on the card, idle or busy: it is kept for us
    s = u / Σ u                      u = SM utilisation since the last reading, of each process;
                                     ends: its kernels draw half, or twice, what the others' do
    s = 1/m, from 0 to 1             m processes, and no utilisation is told for them
    s = 0                            others are on it and we are not

Which processes are ours is asked by their number. In a container whose numbers are its own, NVML
tells the host's: then ours are not among them, the others do not exist here, and the share is
unknown: 1/m, from 0 to 1.

Source: NVIDIA, NVML API Reference: nvmlDeviceGetTotalEnergyConsumption, GetPowerUsage,
GetProcessUtilization, GetAccountingStats, GetMigMode.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lichen.ledger.errors import MeterUnavailable
from lichen.ledger.estimate import Basis

__all__ = ["Card"]

_MILLI = 1e3
# How much more one process's kernels may draw than another's at the same utilisation: assumed;
# prompt phases reach the power limit, token phases stay well below it.
# Source: POLCA, Patel et al. 2023, arXiv 2308.12908.
_PACE = 2.0
_ALL = (1.0, 1.0, 1.0)
_NONE = (0.0, 0.0, 0.0)
_Triple = tuple[float, float, float]


class Card:
    """One card, by its index.

    Attributes:
        how: "counter", or "power" where the card has no counter.
        basis: measured by the counter, modelled from power.
    """

    def __init__(self, nvml: Any, index: int) -> None:
        """Read from now on.

        Raises:
            MeterUnavailable: there is no such card, it is split by MIG, or it tells nothing.
        """
        self._nvml, self.index = nvml, index
        try:
            self._handle = nvml.nvmlDeviceGetHandleByIndex(index)
            self.name = _text(nvml.nvmlDeviceGetName(self._handle))
            self._refuse_mig()
            self.how, self.basis = "counter", Basis.MEASURED
            try:
                self._millijoules = nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
            except nvml.NVMLError as error:
                if error.value != nvml.NVML_ERROR_NOT_SUPPORTED:
                    raise
                self.how, self.basis = "power", Basis.MODELLED
                self._millijoules = 0
                self._milliwatts = nvml.nvmlDeviceGetPowerUsage(self._handle)
        except nvml.NVMLError as error:
            raise self._failed(error) from error
        self._at = time.monotonic()
        self._sampled_us = time.time_ns() // 1000

    def since(self, ours: set[int]) -> tuple[_Triple, _Triple]:
        """Energy since the last reading [J], and the share of the processes that are `ours`. [1]

        Raises:
            MeterUnavailable: the card can no longer be read.
        """
        try:
            joules = self._counted() if self.how == "counter" else self._integrated()
            return joules, self._share(ours)
        except self._nvml.NVMLError as error:
            raise self._failed(error) from error

    def _counted(self) -> _Triple:
        now = self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        spent, self._millijoules = now - self._millijoules, now
        if spent < 0:
            raise MeterUnavailable(
                f"NVML card {self.index}",
                f"its counter fell to {now} mJ: the driver was loaded anew",
                "nothing is to be done: it counts again from here",
            )
        return (spent / _MILLI,) * 3

    def _integrated(self) -> _Triple:
        """Energy by the power at both ends; between them it may have been up to the limit."""
        now, at = self._nvml.nvmlDeviceGetPowerUsage(self._handle), time.monotonic()
        passed = at - self._at
        value = (now + self._milliwatts) / 2 / _MILLI * passed
        self._milliwatts, self._at = now, at
        limit = self._nvml.nvmlDeviceGetEnforcedPowerLimit(self._handle) / _MILLI * passed
        return value, 0.0, max(value, limit)

    def _share(self, ours: set[int]) -> _Triple:
        since_us, self._sampled_us = self._sampled_us, time.time_ns() // 1000
        on_it = {int(each.pid) for each in self._processes()}
        if not on_it - ours:
            return _ALL
        if not on_it & ours and all(Path(f"/proc/{pid}").exists() for pid in on_it):
            return _NONE
        used = self._utilisation(since_us, on_it)
        total = sum(used.values())
        if on_it & ours and total > 0:
            part = sum(used.get(pid, 0.0) for pid in ours) / total
            rest = 1.0 - part
            return part, part / (part + _PACE * rest), _PACE * part / (_PACE * part + rest)
        return 1.0 / len(on_it), 0.0, 1.0

    def _processes(self) -> list[Any]:
        nvml = self._nvml
        return [
            *nvml.nvmlDeviceGetComputeRunningProcesses(self._handle),
            *nvml.nvmlDeviceGetGraphicsRunningProcesses(self._handle),
        ]

    def _utilisation(self, since_us: int, on_it: set[int]) -> dict[int, float]:
        """SM utilisation by process since a moment, or over its life where accounting is on. [%]"""
        nvml, used = self._nvml, dict[int, float]()
        try:
            for sample in nvml.nvmlDeviceGetProcessUtilization(self._handle, since_us):
                pid = int(sample.pid)
                used[pid] = used.get(pid, 0.0) + float(sample.smUtil)
        except nvml.NVMLError:
            for pid in on_it:
                try:
                    told = nvml.nvmlDeviceGetAccountingStats(self._handle, pid)
                except nvml.NVMLError:
                    return {}
                used[pid] = float(told.gpuUtilization)
        return used

    def _refuse_mig(self) -> None:
        try:
            current = self._nvml.nvmlDeviceGetMigMode(self._handle)[0]
        except self._nvml.NVMLError:
            return  # a card that knows no MIG
        if current == self._nvml.NVML_DEVICE_MIG_ENABLE:
            raise MeterUnavailable(
                f"NVML card {self.index}",
                "it is split by MIG, and its counter is the whole card's: what one instance used "
                "is not told",
                "give the job a whole card, or name whole cards with devices=[...]",
            )

    def _failed(self, error: Exception) -> MeterUnavailable:
        return MeterUnavailable(
            f"NVML card {self.index}",
            f"it cannot be read ({error})",
            "see `nvidia-smi`; the window is booked with a gap until it answers again",
        )


def _text(name: str | bytes) -> str:
    """A name, which older libraries give as bytes."""
    return name.decode() if isinstance(name, bytes) else name
