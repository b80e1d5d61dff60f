"""Lightning: a callback that checkpoints when asked, and stops to be resumed.

    callback = pause_callback(folder)
    trainer = Trainer(..., callbacks=[callback])
    trainer.fit(model, ckpt_path=callback.resume_from)
    exit_if_paused(callback)

Source: lightning.pytorch, Callback and Trainer.save_checkpoint, Trainer.should_stop.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lichen.ledger.errors import MissingExtra
from lichen.train.green.pausable import Pausable

_RESUME_ME = 75
_NAME = "lichen.ckpt"


def pause_callback(folder: str | Path | None = None) -> Any:
    """A `Callback` that keeps the pause protocol; checkpoints go to the folder, or the job's own.

    Raises:
        MissingExtra: lightning is not installed.
    """
    try:
        from lightning.pytorch.callbacks import Callback  # noqa: PLC0415 (heavy, and on use only)
    except ImportError as error:
        raise MissingExtra("pause_callback", "lightning", "lightning") from error

    class PauseCallback(Callback):  # type: ignore[misc]
        """Saves at SIGUSR1; saves and stops at SIGTERM."""

        def __init__(self) -> None:
            super().__init__()
            self._asked = Pausable(_nothing)
            self.paused = False
            self._path = Path(folder or self._asked.folder or ".") / _NAME

        @property
        def resume_from(self) -> str | None:
            """The checkpoint to go on from; None at a first start."""
            return str(self._path) if self._asked.resumed and self._path.exists() else None

        def on_train_start(self, _trainer: Any, _module: Any) -> None:
            """Hear the signals while it trains."""
            self._asked.__enter__()

        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            """Between two steps: do what was asked."""
            asked = self._asked
            if (asked.pause_asked and not self.paused) or asked.checkpoint_asked:
                trainer.save_checkpoint(self._path)
            asked.checkpoint_asked = False
            trainer.should_stop = self.paused = asked.pause_asked or trainer.should_stop

        def on_train_end(self, _trainer: Any, _module: Any) -> None:
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
