"""Drafts: entries whose rows are made as they come, 64 at a time.

Whoever puts the last of them spends the tenths of a millisecond that takes. Made all at once by the
thread that writes, they would hold the interpreter for milliseconds, and be put off its core
meanwhile, and every call under way would wait: docs/decisions/0019-rows-made-as-entries-come.md.

A draft counts on rows of figures that were written before it. Where the store has let go of what
was written (`since` is no longer its count), the entries are drafted anew.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from lichen.ledger.ids import to_int
from lichen.ledger.rollup import MINUTE_US, Sums
from lichen.ledger.writing import FigureRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lichen.ledger.entry import Entry, Figures

# Figures already written that an entry may still point to; older ones are written again. They are
# let go one by one, as they came: freeing thousands at once takes milliseconds.
_KNOWN_FIGURES = 2048
# Entries drafted at once: one by one, each pays for code that has gone cold in between.
_AT_ONCE = 64
# No store ever counts so far: what is drafted so is drafted anew.
_SPOILT = -1


class Draft(list["Entry"]):
    """Entries, and beside them the rows that say the same."""

    def __init__(self, since: int) -> None:
        super().__init__()
        self.since = since
        self.drafted = 0
        self.rows: list[Any] = []
        self.figures = FigureRows()
        self.sums = Sums()


class Drafts:
    """Makes drafts one after another; `since` tells how often the store has let go of figures.

    To be written in the order they were begun. Not safe to share among threads.
    """

    def __init__(self, since: Callable[[], int]) -> None:
        self._since = since
        self._at = _SPOILT
        self._open: Draft | None = None
        # By the figures' identity, which holds while they are kept here.
        self._known: OrderedDict[int, tuple[Figures, int]] = OrderedDict()

    def begin(self) -> Draft:
        """A draft with nothing in it; the one before it is finished and takes no more.

        So no draft counts on a row of one that comes after it, and may never be written.
        """
        if self._open is not None:
            self.finish(self._open)
        now = self._since()
        if now != self._at:
            self._at = now
            self._known.clear()
        self._open = Draft(now)
        return self._open

    def of(self, entries: Iterable[Entry]) -> Draft:
        """A draft of these entries.

        Raises:
            InputError: an entry holds what no row can.
        """
        draft = self.begin()
        draft += entries
        self._make(draft, draft)
        self._open = None
        return draft

    def add(self, draft: Draft, entry: Entry) -> None:
        """Add an entry to the draft that was begun last."""
        assert draft is self._open
        draft.append(entry)
        if len(draft) - draft.drafted >= _AT_ONCE:
            self.finish(draft)

    def finish(self, draft: Draft) -> None:
        """Make the rows that are missing. What no row can hold is found out when it is written."""
        if draft.since == _SPOILT:
            return
        try:
            self._make(draft, draft[draft.drafted :])
            draft.drafted = len(draft)
        except Exception:  # noqa: BLE001 (whoever puts an entry never hears of it)
            draft.since = self._at = _SPOILT
            self._known.clear()

    def _make(self, draft: Draft, entries: Iterable[Entry]) -> None:
        rows, sums, known = draft.rows, draft.sums, self._known
        for entry in entries:
            said, start_us = entry.figures, entry.start_us
            had = known.get(id(said)) or self._kept(draft, said)
            rows += (to_int(entry.id), start_us, entry.end_us, entry.tenant, had[1])
            sums.add(start_us // MINUTE_US, said)

    def _kept(self, draft: Draft, said: Figures) -> tuple[Figures, int]:
        """Figures with a row of their own from here on, and its number."""
        made = said, draft.figures.add(said)
        if len(self._known) >= _KNOWN_FIGURES:
            self._known.popitem(last=False)
        self._known[id(said)] = made
        return made
