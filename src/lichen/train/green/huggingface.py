"""Hugging Face Trainer: a callback that checkpoints when asked, and stops to be resumed.

    callback = pause_callback()
    trainer = Trainer(..., callbacks=[callback])
    trainer.train(resume_from_checkpoint=get_last_checkpoint(args.output_dir))
    exit_if_paused(callback)

The callback asks the Trainer to save by its own `should_save`, so that what it saves is what the
Trainer can resume from; then to stop. Source: transformers, TrainerCallback, TrainerControl and
trainer_utils.get_last_checkpoint.
"""

from __future__ import annotations

from typing import Any

from lichen.ledger.errors import MissingExtra
from lichen.train.green.pausable import Pausable

_RESUME_ME = 75


def pause_callback() -> Any:
    """A `TrainerCallback` that keeps the pause protocol; `paused` says whether it stopped early.

    Raises:
        MissingExtra: transformers is not installed.
    """
    try:
        from transformers import TrainerCallback  # noqa: PLC0415 (heavy, and on use only)
    except ImportError as error:
        raise MissingExtra("pause_callback", "transformers", "huggingface") from error

    class PauseCallback(TrainerCallback):  # type: ignore[misc]
        """Saves at SIGUSR1; saves and stops at SIGTERM."""

        def __init__(self) -> None:
            self._asked = Pausable(_nothing)
            self.paused = False

        def on_train_begin(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
            """Hear the signals while it trains."""
            self._asked.__enter__()

        def on_step_end(self, _args: Any, _state: Any, control: Any, **_: Any) -> Any:
            """Between two steps: do what was asked."""
            if self._asked.pause_asked:
                control.should_save = control.should_training_stop = self.paused = True
            elif self._asked.checkpoint_asked:
                self._asked.checkpoint_asked = False
                control.should_save = True
            return control

        def on_train_end(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
            """Hear them as before."""
            self._asked.__exit__()

    return PauseCallback()


def exit_if_paused(callback: Any) -> None:
    """Exit with 75 if the callback stopped the training, so that the job is resumed.

    Raises:
        SystemExit: it did.
    """
    if callback.paused:
        raise SystemExit(_RESUME_ME)


def _nothing() -> None:
    """The Trainer saves by itself."""
