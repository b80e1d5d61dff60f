"""lichen: AI software that lives on less energy and carbon, and proves it.

meter/    E · reads energy
grid/     I · reads the grid
plan/     when, where and how many: pure functions over signals
ledger/   the book: what every piece of work used and what it avoided, SCI = (E × I + M) / R
calls/    strategy 1 · calling LLM APIs: a drop-in gateway
train/    strategy 3 · from scratch: start, pause and resume a training when the grid is clean
operate/  strategy 4 · the whole stack: the dashboard and the metrics
hooks/    where other people's frameworks call: pytest, IPython, Optuna, scikit-learn, trainers
serve     the service: gateway and dashboard on one port
assemble  open(): puts meters, grids and stores together

    book = lichen.open("lichen.db", zone="SE-SE3")
    with book.measure("fit", work=Work(1, "training run")): fit()
    print(book.saving(strategy="calls"), book.sci(per="request"))

Importing this package imports the standard library only, and of lichen only what is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lichen.assemble import open, pipeline  # noqa: A004 (lichen.open reads as what it is)
    from lichen.ledger.book import Book
    from lichen.ledger.entry import Baseline, Entry, Figures, Saving
    from lichen.ledger.errors import LichenError
    from lichen.ledger.estimate import Basis, Estimate
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.quantities import Carbon, CarbonIntensity, Energy, Money, Power, Water
    from lichen.ledger.sci import SCI
    from lichen.ledger.signal import GridSignal
    from lichen.ledger.tokens import Tokens
    from lichen.ledger.window import Reserved, Window, Work
    from lichen.train.green.pausable import pausable

__version__ = "0.1.0"

_HOMES = {
    "Baseline": "ledger.entry",
    "Basis": "ledger.estimate",
    "Book": "ledger.book",
    "Carbon": "ledger.quantities",
    "CarbonIntensity": "ledger.quantities",
    "Energy": "ledger.quantities",
    "Entry": "ledger.entry",
    "Estimate": "ledger.estimate",
    "Figures": "ledger.entry",
    "Footprint": "ledger.footprint",
    "GridSignal": "ledger.signal",
    "LichenError": "ledger.errors",
    "Money": "ledger.quantities",
    "Power": "ledger.quantities",
    "Reserved": "ledger.window",
    "SCI": "ledger.sci",
    "Saving": "ledger.entry",
    "Tokens": "ledger.tokens",
    "Water": "ledger.quantities",
    "Window": "ledger.window",
    "Work": "ledger.window",
    "open": "assemble",
    "pausable": "train.green.pausable",
    "pipeline": "assemble",
}

__all__ = [
    "SCI",
    "Baseline",
    "Basis",
    "Book",
    "Carbon",
    "CarbonIntensity",
    "Energy",
    "Entry",
    "Estimate",
    "Figures",
    "Footprint",
    "GridSignal",
    "LichenError",
    "Money",
    "Power",
    "Reserved",
    "Saving",
    "Tokens",
    "Water",
    "Window",
    "Work",
    "open",
    "pausable",
    "pipeline",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lichen' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lichen.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
