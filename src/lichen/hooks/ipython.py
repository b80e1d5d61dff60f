"""IPython and Jupyter: what a line or a cell used.

    %load_ext lichen.hooks.ipython
    %measure model.fit(X, y)               one line
    %%measure training                     a cell, under a name

The entry goes into the ledger of the settings (or LICHEN_LEDGER); one line is shown below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.hooks.quietly import quiet

if TYPE_CHECKING:
    from lichen.ledger.book import Book
    from lichen.ledger.measuring import Measurement

__all__ = ["load_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """Add the magic to a shell; IPython calls it at %load_ext."""
    shell.register_magic_function(_Magic(shell).measure, "line_cell", "measure")


class _Magic:
    """The magic, with the book it opened."""

    def __init__(self, shell: Any, book: Book | None = None) -> None:
        self._shell, self._book = shell, book

    def measure(self, line: str, cell: str | None = None) -> Any:
        """Run a line or a cell, and say what it used."""
        name, code = (
            (line.strip() or "line", line) if cell is None else (line.strip() or "cell", cell)
        )
        window: Measurement | None = None
        with quiet("opening a window"):
            window = self._opened().measure(name)
        if window is None:
            return self._shell.run_cell(code).result
        with window:
            done = self._shell.run_cell(code)
            window.gaps += ["raised"] * (not done.success)
        with quiet("telling of a window"):
            entry = window.entry
            assert entry is not None
            used = window.footprint
            seconds = float(entry.figures.raw["seconds"])
            print(f"{name} · {seconds:.2f} s · {used.energy} · {used.carbon}")  # noqa: T201 (shown)
        return done.result if cell is None else None

    def _opened(self) -> Book:
        if self._book is None:
            from lichen.assemble import open as open_book  # noqa: PLC0415 (on use alone)

            self._book = open_book()
        return self._book
