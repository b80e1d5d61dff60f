"""A training as windows: the whole run and, where wanted, each epoch inside it.

    run       its line holds what no epoch's line holds; its footprint is with all of them
    epochs    told no work, so that they count in the unit of the run

What the callbacks for Hugging Face, Lightning and Keras have in common. They add to their trainer's
logs, as best estimates:

    lichen_energy_j, lichen_carbon_g                what the run used       [J], [gCO₂e]
    lichen_epoch_energy_j, lichen_epoch_carbon_g    what an epoch used      [J], [gCO₂e]

A run that was paused has done no training run yet: the stretch in which it ends has. A trainer that
stops on an error may call nothing: what is open then is booked when the program ends.
"""

from __future__ import annotations

import atexit
import sys
from typing import TYPE_CHECKING, Any

from lichen.hooks.quietly import Windows, quiet
from lichen.ledger.errors import InputError
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Collection

    from lichen.ledger.book import Book
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.measuring import Measurement

__all__ = ["RUN", "TrainingRun"]

RUN = "training run"
# What a run's entry says where its trainer does not count what its work is to be counted in.
UNCOUNTED = "work-unknown"
# What the entry of a stretch says that ended to be resumed.
PAUSED = "paused"


class NeverEnded(Exception):  # noqa: N818 (named for what it is, in the ledger)
    """The program ended, and nobody had said that the training had."""


class TrainingRun:
    """One training after the other, each in a window; nothing that fails here reaches it.

    Attributes:
        per: the functional unit of its work.
        footprint: what the last one that ended used, all in; None before.

    Raises:
        InputError: `per` is no unit that this trainer counts in.
    """

    def __init__(
        self, book: Book | None, name: str, per: str, *, epochs: bool, counts: Collection[str]
    ) -> None:
        """Measure into a book, the settings' one by default; `counts` are units beside RUN."""
        if per not in (RUN, *counts):
            known = ", ".join(repr(unit) for unit in (RUN, *counts))
            raise InputError(f"this trainer's work is counted in one of {known}, got {per!r}")
        self.per, self._name, self._by_epoch = per, name, epochs
        self._whole = Windows(book, name, Work(0, per), sync=_device)
        self._epochs: Windows | None = None
        self.footprint: Footprint | None = None

    @property
    def is_open(self) -> bool:
        """Whether a training is being measured."""
        return self._whole.current is not None

    def begin(self) -> None:
        """A training begins; one that never ended is booked as such."""
        self.end(0, raised=NeverEnded)
        self._whole.open()
        if self._by_epoch and self.is_open:
            self._epochs = Windows(self._whole.book, f"{self._name}: epoch", None, sync=_device)
        atexit.register(self._at_exit)

    def begin_epoch(self) -> None:
        """An epoch begins."""
        if self._epochs is not None:
            self._epochs.open()

    def end_epoch(self) -> dict[str, float]:
        """An epoch ends: what to log of it; nothing where epochs are not measured."""
        closed = None if self._epochs is None else self._epochs.close()
        return _told(closed, "lichen_epoch")

    def end(
        self,
        done: float | None,
        *,
        paused: bool = False,
        raised: type[BaseException] | None = None,
    ) -> dict[str, float]:
        """The training ends, with so much work `done`, None being unknown: what to log of it."""
        atexit.unregister(self._at_exit)
        if self._epochs is not None:
            self._epochs.close(raised)
            self._epochs = None
        window = self._whole.current
        if window is not None:
            with quiet("telling the work of a training"):
                if paused:
                    window.gaps.append(PAUSED)
                    done = 0 if self.per == RUN else done
                if done is None:
                    window.gaps.append(UNCOUNTED)
                window.work = Work(max(done or 0, 0), self.per)
        closed = self._whole.close(raised)
        if closed is not None:
            with quiet("pricing a training"):
                self.footprint = closed.footprint
        return _told(closed, "lichen")

    def _at_exit(self) -> None:
        self.end(0, raised=NeverEnded)


def _told(window: Measurement | None, prefix: str) -> dict[str, float]:
    """The figures that go into a trainer's logs; none where they cannot be had. [J], [gCO₂e]"""
    if window is not None:
        with quiet("telling of a training"):
            used = window.footprint
            return {
                f"{prefix}_energy_j": used.energy.value.in_joules,
                f"{prefix}_carbon_g": used.carbon.value.in_grams,
            }
    return {}


def _device() -> None:
    """Wait for the card, if torch uses one: what it was given is done later."""
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        cuda.synchronize()
