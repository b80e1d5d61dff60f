"""scikit-learn, the real one: a window a fit, and otherwise the estimator itself."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lichen import Book


@pytest.fixture(scope="module")
def data() -> tuple[Any, Any]:
    from sklearn.datasets import load_iris

    found = load_iris()
    return found.data, found.target


def test_a_fit_is_a_window_whose_work_is_its_samples(book: Book, data: tuple[Any, Any]) -> None:
    from sklearn.tree import DecisionTreeClassifier

    from lichen.hooks.sklearn import Measured

    model = Measured(DecisionTreeClassifier(random_state=1), book).fit(*data)

    book.flush()
    [entry] = book.store.entries()
    assert entry.figures.name == "fit DecisionTreeClassifier"
    assert (entry.figures.work.amount, entry.figures.work.unit) == (150, "sample")
    assert (model.predict(data[0]) == data[1]).mean() == model.score(*data) == 1.0
    assert list(model.classes_) == [0, 1, 2]


def test_a_search_measures_each_fit(book: Book, data: tuple[Any, Any]) -> None:
    from sklearn.model_selection import GridSearchCV
    from sklearn.tree import DecisionTreeClassifier

    from lichen.hooks.sklearn import Measured

    model = Measured(DecisionTreeClassifier(random_state=1), book)
    search = GridSearchCV(model, {"estimator__max_depth": [1, 3]}, cv=3).fit(*data)

    book.flush()
    assert len(list(book.store.entries())) == 2 * 3 + 1
    assert search.best_params_ == {"estimator__max_depth": 3}
    assert search.best_score_ > 0.9


def test_a_model_travels_without_its_book(book: Book, data: tuple[Any, Any]) -> None:
    from sklearn.tree import DecisionTreeClassifier

    from lichen.hooks.sklearn import Measured

    model = Measured(DecisionTreeClassifier(random_state=1), book).fit(*data)

    again = pickle.loads(pickle.dumps(model))

    assert again.book is None
    assert (again.predict(data[0]) == model.predict(data[0])).all()
    again.fit(*data)
    book.flush()
    assert len(list(book.store.entries())) == 1


def test_a_fit_that_fails_is_measured_and_fails(book: Book) -> None:
    from sklearn.tree import DecisionTreeClassifier

    from lichen.hooks.sklearn import Measured

    with pytest.raises(ValueError, match="does not match"):
        Measured(DecisionTreeClassifier(), book).fit([[1.0], [2.0]], [1])

    book.flush()
    [entry] = book.store.entries()
    assert entry.figures.work.amount == 0
    assert entry.figures.raw["raised"] == "ValueError"


def test_a_book_that_fails_stops_no_fit(broken: Any, data: tuple[Any, Any]) -> None:
    from sklearn.tree import DecisionTreeClassifier

    from lichen.hooks.sklearn import Measured

    assert Measured(DecisionTreeClassifier(), broken).fit(*data).score(*data) == 1.0
