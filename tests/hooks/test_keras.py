"""Keras 3, the real one, on torch: a linear model."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from lichen.hooks.keras import training_run
from lichen.ledger.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from lichen import Book

_NEEDS = ("torch", "keras")
pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, _NEEDS)), reason=f"needs {', '.join(_NEEDS)}")
]
_STEPS = 6


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What fits a linear model for two epochs of three batches, and gives its history."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    import keras
    import numpy as np

    assert keras.backend.backend() == "torch"
    given = np.ones((12, 4), dtype="float32")

    def run(*callbacks: Any, epochs: int = 2) -> Any:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(optimizer="sgd", loss="mse")
        return model.fit(
            given, given[:, :1], batch_size=4, epochs=epochs, verbose=0, callbacks=list(callbacks)
        ).history

    return run


def entries(book: Book) -> list[Any]:
    book.flush()
    return [entry.figures for entry in book.store.entries()]


def test_a_fit_is_one_window_and_its_figures_stand_in_the_history(book: Book, fit: Any) -> None:
    hook = training_run(book)

    history = fit(hook)

    [figures] = entries(book)
    assert (figures.work.amount, figures.work.unit) == (1, "training run")
    assert history["lichen_energy_j"] == [figures.footprint.energy.value.in_joules]
    assert history["lichen_carbon_g"] == [figures.footprint.carbon.value.in_grams]
    assert hook.footprint == figures.footprint


def test_epochs_are_windows_inside_it_and_stand_in_the_history(book: Book, fit: Any) -> None:
    hook = training_run(book, epochs=True, per="step")

    history = fit(hook)

    lines = entries(book)
    assert len(history["lichen_epoch_energy_j"]) == 2
    total = sum(line.footprint.energy.value.in_joules for line in lines)
    assert total == pytest.approx(history["lichen_energy_j"][0])
    assert sum(history["lichen_epoch_energy_j"]) < total
    assert book.sci(per="step").work.amount == _STEPS


def test_each_fit_counts_its_own_steps(book: Book, fit: Any) -> None:
    hook = training_run(book, per="step")

    fit(hook, epochs=1)
    fit(hook, epochs=3)

    assert [line.work.amount for line in entries(book)] == [3, 9]


def test_what_fails_in_accounting_never_reaches_the_run(ailing: Any, fit: Any) -> None:
    history = fit(training_run(ailing, epochs=True))

    assert len(history["loss"]) == 2


def test_an_unknown_unit_is_refused_before_anything_runs(book: Book) -> None:
    with pytest.raises(InputError, match="'training run', 'step', got 'token'"):
        training_run(book, per="token")


def test_without_keras_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras.callbacks", None)

    with pytest.raises(MissingExtra, match=r"-e '\.\[keras\]'"):
        training_run()
