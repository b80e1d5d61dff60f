"""Optuna, the real one: a window a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lichen.hooks.optuna import measured
from lichen.testing.meters import spin

if TYPE_CHECKING:
    from lichen import Book


@pytest.fixture
def study() -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))


def objective(trial: Any) -> float:
    """Busy for a moment."""
    import optuna

    spin(0.02)
    x: float = trial.suggest_float("x", -1, 1)
    if trial.number == 1:
        raise optuna.TrialPruned
    if trial.number == 2:
        raise ValueError("a trial that fails")
    return x * x


def test_each_trial_is_a_window_with_its_energy_beside_its_value(book: Book, study: Any) -> None:
    study.optimize(measured(objective, book), n_trials=5, catch=(ValueError,))

    book.flush()
    entries = list(book.store.entries())
    assert [entry.figures.work.amount for entry in entries] == [1, 0, 0, 1, 1]
    assert all(trial.user_attrs["lichen_energy_j"] > 0 for trial in study.trials)
    assert all(trial.user_attrs["lichen_carbon_g"] > 0 for trial in study.trials)
    assert book.sci(per="trial").work.amount == 3


def test_trials_side_by_side_say_that_they_share(book: Book, study: Any) -> None:
    def busy(trial: Any) -> float:
        spin(0.1)
        return float(trial.suggest_float("x", -1, 1))

    study.optimize(measured(busy, book), n_trials=4, n_jobs=2)

    book.flush()
    assert any("window-shared" in entry.figures.gaps for entry in book.store.entries())


def test_a_book_that_fails_stops_no_study(broken: Any, study: Any) -> None:
    study.optimize(measured(lambda trial: trial.suggest_float("x", 0, 1), broken), n_trials=2)

    assert len(study.trials) == 2
