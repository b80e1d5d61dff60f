"""scikit-learn: an estimator whose every fit is a window.

    model = Measured(RandomForestClassifier(), book)
    GridSearchCV(model, {"estimator__max_depth": [3, 9]}).fit(X, y)      a window for each fit

It is a meta-estimator: it clones, takes parameters and predicts as the estimator inside does. The
book is no parameter of the model: copies share it, and one that is sent to another process leaves
it behind; what that process uses counts in its parent's window, as any child's does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone

from lichen.hooks.quietly import Windows
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from lichen.ledger.book import Book

__all__ = ["Measured"]


class Measured(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator, measured while it is fitted.

    Attributes:
        estimator: what is fitted; its copy that was, is `estimator_`.
    """

    def __init__(self, estimator: Any, book: Book | None = None) -> None:
        """Measure the fits of `estimator` into a book, the one of the settings by default."""
        self.estimator = estimator
        self.book = book

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:  # noqa: N803 (scikit-learn's name)
        """Fit a copy of the estimator, in a window whose work is its samples."""
        name = f"fit {type(self.estimator).__name__}"
        windows = Windows(self.book, name, Work(_samples(X), "sample"))
        if not getattr(self, "_elsewhere", False):
            windows.open()
        try:
            self.estimator_ = clone(self.estimator).fit(X, y, **params)
        except BaseException as error:
            windows.close(type(error))
            raise
        windows.close()
        return self

    def __getattr__(self, name: str) -> Any:
        """What the fitted estimator has: predict, classes_, feature_importances_, ..."""
        if name.startswith("__") or name in ("estimator", "estimator_", "book", "_elsewhere"):
            raise AttributeError(name)
        fitted = self.__dict__.get("estimator_", self.__dict__.get("estimator"))
        return getattr(fitted, name)

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """The estimator and its parameters; not the book."""
        params: dict[str, Any] = super().get_params(deep)
        return {key: value for key, value in params.items() if not key.startswith("book")}

    def __sklearn_clone__(self) -> Measured:
        """A copy that is not fitted, with the same book."""
        made = Measured(clone(self.estimator), self.book)
        if getattr(self, "_elsewhere", False):
            made._elsewhere = True
        return made

    def __sklearn_tags__(self) -> Any:
        """What kind of estimator it is: the inner one's kind."""
        return self.estimator.__sklearn_tags__()

    def __getstate__(self) -> dict[str, Any]:
        """Without the book, which stays in its process."""
        return {**self.__dict__, "book": None, "_elsewhere": True}


def _samples(X: Any) -> float:  # noqa: N803 (scikit-learn's name)
    """How many samples; 0 where it cannot be told."""
    shape = getattr(X, "shape", None)
    if shape:
        return float(shape[0])
    return float(len(X)) if hasattr(X, "__len__") else 0.0
