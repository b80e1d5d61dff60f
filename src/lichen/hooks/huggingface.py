"""Hugging Face Trainer: a training run a window and, where wanted, each epoch inside it.

    hook = training_run(book)
    trainer = Trainer(..., callbacks=[hook])
    trainer.train().metrics["lichen_energy_j"]

The run's energy [J] and carbon [gCO₂e] stand in the metrics of `train`, in `state.log_history` and
in the last log; an epoch's in the log that follows it. The Trainer calls its own reporters before
added callbacks; so that they get the figures too, put this one first:
`trainer.callback_handler.callbacks.insert(0, hook)`.

Source: transformers, TrainerCallback and Trainer._finalize_training.
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

# The metric by which the last log of a training is known.
_LAST = "train_loss"


def training_run(
    book: Book | None = None,
    *,
    name: str = "training",
    per: str = RUN,
    epochs: bool = False,
    pause: Any = None,
) -> Any:
    """A `TrainerCallback`; `book` is the one of the settings by default.

    Work is counted in `per`: "training run", "step" (optimiser steps of this call) or "token"
    (input tokens, which the Trainer counts with `include_num_input_tokens_seen`). With `pause`, the
    callback of lichen.train.green.huggingface, a run that it stopped counts once it was resumed
    and ended. `footprint` is what the last run used.

    Raises:
        MissingExtra: transformers is not installed.
        InputError: `per` is another unit.
    """
    try:
        from transformers import TrainerCallback  # noqa: PLC0415 (heavy, and on use alone)
    except ImportError as error:
        raise MissingExtra("training_run", "transformers", "huggingface") from error

    class Run(_Events, TrainerCallback):  # type: ignore[misc]
        """Ours, and theirs for every event that we do not hear."""

    return Run(TrainingRun(book, name, per, epochs=epochs, counts=("step", "token")), pause)


class _Events:
    """Opens a window when a training begins; closes it at its last log, or its end."""

    def __init__(self, run: TrainingRun, pause: Any) -> None:
        self._run, self._pause = run, pause
        self._seen = 0
        self._fresh: dict[str, float] = {}

    @property
    def footprint(self) -> Footprint | None:
        """What the last run used; None before one ended."""
        return self._run.footprint

    def on_train_begin(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Open the run's window."""
        with quiet("beginning to measure a training"):
            self._fresh = {}
            self._seen = _count(args, state, self._run.per) or 0
            self._run.begin()

    def on_epoch_begin(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """Open an epoch's window."""
        with quiet("measuring an epoch"):
            self._run.begin_epoch()

    def on_epoch_end(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """Close it; the next log has its figures."""
        with quiet("measuring an epoch"):
            self._fresh.update(self._run.end_epoch())

    def on_log(self, args: Any, state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
        """Add what ended since the last log."""
        with quiet("telling of a training"):
            if logs is None or not self._run.is_open:
                return
            if _LAST in logs:
                self._fresh.update(self._ended(args, state))
            fresh, self._fresh = self._fresh, {}
            logs.update(fresh)
            if state.log_history:
                state.log_history[-1].update(fresh)

    def on_train_end(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Close what the last log did not."""
        with quiet("ending to measure a training"):
            self._ended(args, state)

    def _ended(self, args: Any, state: Any) -> dict[str, float]:
        counted = _count(args, state, self._run.per)
        done = 1 if self._run.per == RUN else None if counted is None else counted - self._seen
        # Of several processes, each of which is measured, one counts: the counts are of all.
        if not state.is_world_process_zero:
            done = 0
        return self._run.end(done, paused=bool(getattr(self._pause, "paused", False)))


def _count(args: Any, state: Any, per: str) -> int | None:
    """What the Trainer has counted so far, in steps or tokens; None where it does not."""
    if per != "token":
        return int(state.global_step)
    if args.include_num_input_tokens_seen in ("no", False):
        return None
    return int(state.num_input_tokens_seen)
