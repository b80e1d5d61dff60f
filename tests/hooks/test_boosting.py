"""XGBoost and LightGBM, the real ones: a window a round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lichen.hooks.boosting import lightgbm_rounds, xgboost_rounds

if TYPE_CHECKING:
    from lichen import Book


@pytest.fixture(scope="module")
def data() -> tuple[Any, Any]:
    import numpy as np

    random = np.random.default_rng(1)
    given = random.normal(size=(200, 4))
    return given, (given[:, 0] > 0).astype(int)


def rounds(book: Book) -> float:
    book.flush()
    return book.summary().work.work


def test_xgboost_books_a_round_a_window(book: Book, data: tuple[Any, Any]) -> None:
    import xgboost

    given = xgboost.DMatrix(*data)

    xgboost.train({"nthread": 1}, given, num_boost_round=6, callbacks=[xgboost_rounds(book)])

    assert rounds(book) == 6
    assert book.sci(per="round").carbon.value.in_grams > 0


def test_xgboost_s_own_early_stop_goes_on_working(book: Book, data: tuple[Any, Any]) -> None:
    import xgboost

    given = xgboost.DMatrix(*data)
    stop = xgboost.callback.EarlyStopping(rounds=1, metric_name="rmse", min_delta=1e9)

    xgboost.train(
        {"nthread": 1},
        given,
        num_boost_round=50,
        evals=[(given, "train")],
        callbacks=[xgboost_rounds(book), stop],
        verbose_eval=False,
    )

    assert 0 < rounds(book) < 50


def test_lightgbm_books_a_round_a_window(book: Book, data: tuple[Any, Any]) -> None:
    import lightgbm

    given = lightgbm.Dataset(*data)
    params = {"verbosity": -1, "num_threads": 1}

    lightgbm.train(params, given, num_boost_round=6, callbacks=lightgbm_rounds(book))

    assert rounds(book) == 6


def test_lightgbm_s_own_early_stop_leaves_nothing_open(book: Book, data: tuple[Any, Any]) -> None:
    import lightgbm

    given = lightgbm.Dataset(*data)
    stop = lightgbm.early_stopping(1, verbose=False, min_delta=1e9)

    lightgbm.train(
        {"verbosity": -1, "num_threads": 1},
        given,
        num_boost_round=50,
        valid_sets=[given.create_valid(*data)],
        callbacks=[*lightgbm_rounds(book), stop],
    )

    assert 0 < rounds(book) < 50
    assert not book._measures()._apportioner.busy


def test_a_book_that_fails_stops_no_training(broken: Any, data: tuple[Any, Any]) -> None:
    import lightgbm
    import xgboost

    forest = xgboost.train(
        {"nthread": 1}, xgboost.DMatrix(*data), 3, callbacks=[xgboost_rounds(broken)]
    )
    params = {"verbosity": -1, "num_threads": 1}
    other = lightgbm.train(params, lightgbm.Dataset(*data), 3, callbacks=lightgbm_rounds(broken))

    assert forest.num_boosted_rounds() == other.num_trees() == 3
