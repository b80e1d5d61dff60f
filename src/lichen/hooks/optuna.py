"""Optuna: each trial a window, its energy and carbon beside its value.

    study.optimize(measured(objective), n_trials=50)
    study.best_trial.user_attrs["lichen_energy_j"]

Trials that run at the same time (n_jobs) share, and say so. A trial that is pruned or fails has
used its energy and done no work.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from lichen.hooks.quietly import quiet
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.book import Book

__all__ = ["measured"]


def measured(
    objective: Callable[..., Any], book: Book | None = None, *, name: str = "trial"
) -> Callable[..., Any]:
    """The objective, each call of it measured; `book` is the one of the settings by default.

    The trial gets the attributes lichen_energy_j [J] and lichen_carbon_g [gCO₂e].
    """
    held = {} if book is None else {"book": book}

    @functools.wraps(objective)
    def measured_objective(trial: Any) -> Any:
        window = None
        with quiet("opening a window"):
            if "book" not in held:
                from lichen.assemble import open as open_book  # noqa: PLC0415 (on use alone)

                held["book"] = open_book()
            window = held["book"].measure(name, work=Work(1, "trial"))
        if window is None:
            return objective(trial)
        try:
            with window:
                return objective(trial)
        finally:
            with quiet("telling of a window"):
                used = window.footprint
                trial.set_user_attr("lichen_energy_j", used.energy.value.in_joules)
                trial.set_user_attr("lichen_carbon_g", used.carbon.value.in_grams)

    return measured_objective
