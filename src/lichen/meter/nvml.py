"""The NVML meter: energy of NVIDIA cards, from the counter in each.

    E = Σ over cards of Δe · s

e  the card's energy since its driver was loaded                 [mJ]
s  this process's share of the card since the last reading       [1]  (lichen.meter.nvml_card)

Cards are those that CUDA_VISIBLE_DEVICES shows this process, in the order of NVML (PCI), or those
given. A card split by MIG has one counter for all its instances, so what one of them used cannot be
told: it is a typed failure, not a guess. The counter moves about every 100 ms: a window shorter
than a second is coarse.

Work is put on a card and done later. Whoever wants a window to hold the work that was asked for in
it gives `sync` (such as torch.cuda.synchronize), which waits for the card before it is read.

Source: NVIDIA, NVML API Reference, nvmlDeviceGetTotalEnergyConsumption; arXiv
2312.02741 (the counter, not the power reading: that one samples a quarter of the time on A100 and
H100); docs/method/process.md.
"""

from __future__ import annotations

import importlib
import os
import time
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import MeterUnavailable, to_install
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Energy
from lichen.meter.nvml_card import Card

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["NvmlMeter"]

_DRIVER = "install NVIDIA's driver, or leave it: where there is no NVIDIA card nothing is missed"


class NvmlMeter:
    """Energy of this process on NVIDIA cards; keeps `lichen.ledger.ports.Meter`.

    Attributes:
        method: how it reads, for the ledger.
        factors: which cards it reads and how, for the ledger.
        covers: what of the machine it reads.
        held_seconds: card-seconds held by this process since the meter was made. [s]
        why: what was found, for people.
    """

    method = "nvml/1"
    basis = Basis.MEASURED
    covers = frozenset({"gpu"})
    within_s = None

    def __init__(
        self,
        devices: Sequence[int] | None = None,
        *,
        nvml: Any = None,
        sync: Callable[[], object] | None = None,
        pids: Callable[[], set[int]] | None = None,
    ) -> None:
        """Read these cards from now on, by NVML's index; `pids` are the processes that are ours.

        Raises:
            MeterUnavailable: no NVML, no driver, no card, or a card split by MIG.
        """
        self._nvml = _started(nvml)
        self._sync = sync
        self._pids = pids or (lambda: {os.getpid()})
        chosen = _visible(self._nvml) if devices is None else list(devices)
        if not chosen:
            raise MeterUnavailable(
                "NVML", "no card is visible to this process", "see CUDA_VISIBLE_DEVICES"
            )
        self.cards = [Card(self._nvml, index) for index in chosen]
        told = ", ".join(f"{card.index} {card.name} by {card.how}" for card in self.cards)
        self.factors = f"nvml:{'+'.join(f'{card.index}:{card.how}' for card in self.cards)}"
        self.why = f"card {told}"
        self.held_seconds = 0.0
        self._at = time.monotonic()
        self._joules = [0.0, 0.0, 0.0]
        self._basis = max(card.basis for card in self.cards)

    def read(self) -> Estimate[Energy]:
        """Energy since the meter was made, this process's share of it. [J]

        Raises:
            MeterUnavailable: a card can no longer be read.
        """
        if self._sync is not None:
            self._sync()
        now = time.monotonic()
        passed, self._at = now - self._at, now
        ours, failed = self._pids(), None
        for card in self.cards:  # each is read, so that all count again from here
            try:
                joules, share = card.since(ours)
            except MeterUnavailable as error:
                failed = error
                continue
            self.held_seconds += passed * share[0]
            if share != (1.0, 1.0, 1.0):
                self._basis = max(self._basis, Basis.MODELLED)
            for end in range(3):
                self._joules[end] += joules[end] * share[end]
        if failed is not None:
            raise failed
        value, low, high = self._joules
        return Estimate(
            Energy.joules(value),
            Energy.joules(min(low, value)),
            Energy.joules(max(high, value)),
            self._basis,
        )


def _started(nvml: Any) -> Any:
    """NVML, started.

    Raises:
        MeterUnavailable: it is not installed, or finds no driver.
    """
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError as error:
            raise MeterUnavailable(
                "NVML",
                "NVIDIA's library for Python is not installed",
                f"{to_install('nvml')}; without an NVIDIA card nothing is missed",
            ) from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise MeterUnavailable("NVML", f"it does not start ({error})", _DRIVER) from error
    return nvml


def _visible(nvml: Any) -> list[int]:
    """The cards this process may use, by NVML's index.

    Raises:
        MeterUnavailable: they cannot be listed, or one is an instance of a card split by MIG.
    """
    try:
        every = list(range(nvml.nvmlDeviceGetCount()))
        wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
        if wanted is None or wanted.strip().lower() == "all":
            return every
        chosen = []
        for word in (each.strip() for each in wanted.split(",")):
            if word.startswith("MIG-"):
                raise _split(word)
            if word.startswith("GPU-"):
                handle = nvml.nvmlDeviceGetHandleByUUID(word)
                chosen.append(int(nvml.nvmlDeviceGetIndex(handle)))
            elif word.isdigit() and int(word) in every:
                chosen.append(int(word))
            else:
                break  # as CUDA does: what follows a device that is not there is not seen
    except nvml.NVMLError as error:
        raise MeterUnavailable("NVML", f"its cards cannot be listed ({error})", _DRIVER) from error
    return chosen


def _split(which: str) -> MeterUnavailable:
    """What to say of an instance of a card."""
    return MeterUnavailable(
        f"NVML card {which}",
        "it is split by MIG, and its counter is the whole card's: what one instance used is not "
        "told",
        "give the job a whole card, or read the whole card on the host and share it by instance",
    )
