"""Keras: a fit a window and, where wanted, each epoch inside it.

    hook = training_run(book)
    history = model.fit(x, y, callbacks=[hook]).history
    history["lichen_energy_j"]

The run's energy [J] and carbon [gCO₂e] stand in the history, once for the run; an epoch's in its
logs, and so in the history, the progress bar and whatever else is told of an epoch.

Source: keras, Callback and CallbackList, which passes one dictionary of logs to all callbacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.hooks.quietly import quiet
from lichen.hooks.training import RUN, TrainingRun
from lichen.ledger.errors import MissingExtra

if TYPE_CHECKING:
    from lichen.ledger.book import Book
    from lichen.ledger.footprint import Footprint

__all__ = ["training_run"]


def training_run(
    book: Book | None = None, *, name: str = "training", per: str = RUN, epochs: bool = False
) -> Any:
    """A `keras.callbacks.Callback`; `book` is the one of the settings by default.

    Work is counted in `per`: "training run" or "step" (batches). `footprint` is what the last run
    used.

    Raises:
        MissingExtra: Keras is not installed, or has no back end.
        InputError: `per` is another unit.
    """
    try:
        from keras.callbacks import Callback  # noqa: PLC0415 (heavy, and on use alone)
    except ImportError as error:
        raise MissingExtra("training_run", "keras and a back end for it", "keras") from error

    class Run(_Events, Callback):  # type: ignore[misc]
        """Ours, and theirs for every event that we do not hear."""

    return Run(TrainingRun(book, name, per, epochs=epochs, counts=("step",)))


class _Events:
    """Opens a window when a fit begins; closes it at its end."""

    model: Any  # Keras sets it

    def __init__(self, run: TrainingRun) -> None:
        super().__init__()
        self._run = run
        self._steps = self._last = 0

    @property
    def footprint(self) -> Footprint | None:
        """What the last run used; None before one ended."""
        return self._run.footprint

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 (Keras' name)
        """Open the run's window."""
        with quiet("beginning to measure a training"):
            self._steps = self._last = 0
            self._run.begin()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Open an epoch's window."""
        with quiet("measuring an epoch"):
            self._run.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Count: `batch` is the place of the last one done in its epoch."""
        self._last = batch + 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Close the epoch's window, and log it."""
        with quiet("measuring an epoch"):
            self._steps, self._last = self._steps + self._last, 0
            told = self._run.end_epoch()
            if logs is not None:
                logs.update(told)

    def on_train_end(self, logs: Any = None) -> None:
        """Close the run's window, and write it into the history."""
        with quiet("ending to measure a training"):
            told = self._run.end(1 if self._run.per == RUN else self._steps)
            if logs is not None:
                logs.update(told)
            for key, value in told.items():
                self.model.history.history[key] = [value]
