"""Quietly: windows that a framework opens and closes by calling back, and that break nothing.

A framework that stops on an error may never call the closing hook: the next window that is opened
closes the one left open, and `close` may be called when nothing is open.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.book import Book
    from lichen.ledger.measuring import Measurement
    from lichen.ledger.window import Work

__all__ = ["Windows", "quiet"]

_log = logging.getLogger("lichen")


class quiet:  # noqa: N801 (it reads as what it does, as contextlib.suppress does)
    """Log what goes wrong in the body, and go on: the run that is measured does."""

    def __init__(self, what: str) -> None:
        """Name `what` is left out where it goes wrong."""
        self._what = what

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        """Keep an error to the log; what stops the program goes on."""
        if kind is None or not issubclass(kind, Exception):
            return False
        _log.warning("%s went wrong and is left out", self._what, exc_info=True)
        return True


class Windows:
    """Windows of one kind, one after the other.

    Attributes:
        book: where they are booked; the one of the settings, once one was opened, by default.
        current: the one that is open, if any.
    """

    def __init__(
        self,
        book: Book | None,
        name: str,
        work: Work | None,
        *,
        sync: Callable[[], object] | None = None,
    ) -> None:
        self.book, self._name, self._work, self._sync = book, name, work, sync
        self.current: Measurement | None = None

    def open(self) -> None:
        """Begin the next window."""
        self.close()
        with quiet("opening a window"):
            if self.book is None:
                from lichen.assemble import open as open_book  # noqa: PLC0415 (on use alone)

                self.book = open_book()
            self.current = self.book.measure(self._name, work=self._work, sync=self._sync)
            self.current.__enter__()

    def close(self, raised: type[BaseException] | None = None) -> Measurement | None:
        """End the window that is open, if any, and give it; what `raised` did no work."""
        window, self.current = self.current, None
        if window is not None:
            with quiet("closing a window"):
                window.__exit__(raised, None, None)
        return window
