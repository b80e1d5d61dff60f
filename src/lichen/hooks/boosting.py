"""XGBoost and LightGBM: each boosting round a window.

    xgboost.train(..., callbacks=[xgboost_rounds(book)])
    lightgbm.train(..., callbacks=lightgbm_rounds(book))

A round is one more tree (or one for each class), so SCI per round says what the next one costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.hooks.quietly import Windows
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.book import Book

__all__ = ["lightgbm_rounds", "xgboost_rounds"]

_ROUND = Work(1, "round")
# LightGBM calls in this order: we are first after a round, before early stopping ends it all.
_FIRST = -1000


def xgboost_rounds(book: Book | None = None, *, name: str = "xgboost") -> Any:
    """A callback for XGBoost; `book` is the one of the settings by default.

    Raises:
        ModuleNotFoundError: XGBoost is not installed.
    """
    from xgboost.callback import TrainingCallback  # noqa: PLC0415 (on use alone)

    windows = Windows(book, name, _ROUND)

    class Rounds(TrainingCallback):
        """Opens a window before a round and closes it after."""

        def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
            """Open; never stop the training."""
            windows.open()
            return False

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
            """Close; never stop the training."""
            windows.close()
            return False

        def after_training(self, model: Any) -> Any:
            """Close what a stopped round left open."""
            windows.close()
            return model

    return Rounds()


def lightgbm_rounds(
    book: Book | None = None, *, name: str = "lightgbm"
) -> list[Callable[[Any], None]]:
    """Callbacks for LightGBM; `book` is the one of the settings by default."""
    windows = Windows(book, name, _ROUND)

    def before(_env: Any) -> None:
        windows.open()

    def after(_env: Any) -> None:
        windows.close()

    before.before_iteration = True  # type: ignore[attr-defined]
    before.order = after.order = _FIRST  # type: ignore[attr-defined]
    return [before, after]
