"""Pausable: the pause protocol inside a training, in two lines.

    with lichen.pausable(save) as p:
        for step in steps:
            train(step)
            p.step()

    SIGUSR1   `save()` at the next step, then go on
    SIGTERM   `save()` at the next step, then exit with 75: resume me

A signal only leaves a mark; saving happens at `p.step()`, between two steps, where everything is
whole. Leaving the block at its end, with a mark that came after the last step, saves nothing: the
work is done.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable

# Source: sysexits.h, EX_TEMPFAIL; see lichen.train.green.executor.
_RESUME_ME = 75


class Pausable:
    """A training that can be paused; `save` writes its checkpoint.

    Outside `lichen run` it works all the same: signals come from whoever sends them. In a thread
    other than the main one Python hears no signals; then nothing is ever asked.
    """

    def __init__(self, save: Callable[[], object]) -> None:
        self._save = save
        self._before: dict[signal.Signals, Any] = {}
        self.checkpoint_asked = False
        self.pause_asked = False

    @property
    def resumed(self) -> bool:
        """Whether this is a job that ran before: load its checkpoint."""
        return os.environ.get("LICHEN_RESUME") == "1"

    @property
    def folder(self) -> Path | None:
        """Where checkpoints belong; None outside `lichen run`."""
        said = os.environ.get("LICHEN_CHECKPOINT_DIR")
        return Path(said) if said else None

    def __enter__(self) -> Self:
        """Hear the signals from now on."""
        if threading.current_thread() is threading.main_thread():
            for number, hear in (
                (signal.SIGUSR1, self._hear_checkpoint),
                (signal.SIGTERM, self._hear_pause),
            ):
                self._before[number] = signal.signal(number, hear)
        return self

    def __exit__(self, *_: object) -> None:
        """Hear them as before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def step(self) -> None:
        """Between two steps: do what was asked.

        Raises:
            SystemExit: it was asked to pause, and its checkpoint is written.
        """
        if self.pause_asked:
            self.pause()
        if self.checkpoint_asked:
            self.checkpoint_asked = False
            self._save()

    def pause(self) -> NoReturn:
        """Save, and exit so that the job is resumed later.

        Raises:
            SystemExit: always, with 75.
        """
        self._save()
        raise SystemExit(_RESUME_ME)

    def _hear_checkpoint(self, _number: int, _frame: object) -> None:
        self.checkpoint_asked = True

    def _hear_pause(self, _number: int, _frame: object) -> None:
        self.pause_asked = True


def pausable(save: Callable[[], object]) -> Pausable:
    """A training that can be paused: to be used in a `with`, `step()` after each step."""
    return Pausable(save)
