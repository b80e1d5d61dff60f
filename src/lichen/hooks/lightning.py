"""Lightning: a fit a window and, where wanted, each epoch inside it.

    hook = training_run(book)
    Trainer(callbacks=[hook]).fit(model, data)
    hook.footprint

The run's energy [J] and carbon [gCO₂e] go to the trainer's loggers; an epoch's are logged as the
model would, so that they stand in `trainer.callback_metrics` too.

Source: lightning.pytorch, Callback; logging is closed to `on_train_end`, so the loggers are told.
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
    book: Book | None = None,
    *,
    name: str = "training",
    per: str = RUN,
    epochs: bool = False,
    pause: Any = None,
) -> Any:
    """A `Callback`; `book` is the one of the settings by default.

    Work is counted in `per`: "training run" or "step" (optimiser steps of this fit). With `pause`,
    the callback of lichen.train.green.lightning, a run that it stopped counts once it was resumed
    and ended. `footprint` is what the last run used.

    Raises:
        MissingExtra: lightning is not installed.
        InputError: `per` is another unit.
    """
    try:
        from lightning.pytorch.callbacks import Callback  # noqa: PLC0415 (heavy, and on use alone)
    except ImportError as error:
        raise MissingExtra("training_run", "lightning", "lightning") from error

    class Run(_Events, Callback):  # type: ignore[misc]
        """Ours, and theirs for every event that we do not hear."""

    return Run(TrainingRun(book, name, per, epochs=epochs, counts=("step",)), pause)


class _Events:
    """Opens a window when a fit begins; closes it at its end, or at what broke it off."""

    def __init__(self, run: TrainingRun, pause: Any) -> None:
        self._run, self._pause = run, pause
        self._seen = 0

    @property
    def footprint(self) -> Footprint | None:
        """What the last run used; None before one ended."""
        return self._run.footprint

    def on_train_start(self, trainer: Any, _module: Any) -> None:
        """Open the run's window."""
        with quiet("beginning to measure a training"):
            self._seen = int(trainer.global_step)
            self._run.begin()

    def on_train_epoch_start(self, _trainer: Any, _module: Any) -> None:
        """Open an epoch's window."""
        with quiet("measuring an epoch"):
            self._run.begin_epoch()

    def on_train_epoch_end(self, _trainer: Any, pl_module: Any) -> None:
        """Close it, and log it."""
        with quiet("measuring an epoch"):
            for key, value in self._run.end_epoch().items():
                pl_module.log(key, value, rank_zero_only=True)

    def on_train_end(self, trainer: Any, _module: Any) -> None:
        """Close the run's window, and tell the loggers."""
        with quiet("ending to measure a training"):
            told = self._ended(trainer)
            for logger in trainer.loggers:
                logger.log_metrics(told, step=trainer.global_step)

    def on_exception(self, trainer: Any, _module: Any, exception: BaseException) -> None:
        """Close it: what was used was used, and the work was not done."""
        with quiet("ending to measure a training"):
            self._ended(trainer, type(exception))

    def _ended(self, trainer: Any, raised: type[BaseException] | None = None) -> dict[str, float]:
        done = 1 if self._run.per == RUN else int(trainer.global_step) - self._seen
        # Of several processes, each of which is measured, one counts the run.
        done *= bool(trainer.is_global_zero)
        paused = bool(getattr(self._pause, "paused", False))
        return self._run.end(done, paused=paused, raised=raised)
