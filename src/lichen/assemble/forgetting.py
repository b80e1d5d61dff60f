"""Forgetting put together: the ledger, answers here and shared, and whatever the steps hold.

Eraser(settings).forget(which)      erase, and note in the ledger that it was
… wait for services to hear …       they look every few seconds (lichen.serve.heeding)
Eraser(settings).finish(which)      erase what they had still to write; let no byte be found
"""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.assemble.books import open_book
from lichen.assemble.exchanges import answers_place, open_answers, open_layers
from lichen.ledger.errors import InputError, UpstreamError
from lichen.ledger.forgetting import Oblivion

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.answers import AnswerStore
    from lichen.calls.exchange import Answer, Exchange, Share
    from lichen.calls.forget import Forget
    from lichen.ledger.book import Book
    from lichen.settings import Settings


@dataclass
class Erased:
    """How much was erased: lines of the ledger, answers here and shared, pieces by step."""

    entries: int = 0
    answers: int = 0
    shared_answers: int = 0
    steps: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: Erased) -> Erased:
        """Both together."""
        names = {**self.steps, **other.steps}
        return Erased(
            self.entries + other.entries,
            self.answers + other.answers,
            self.shared_answers + other.shared_answers,
            {name: self.steps.get(name, 0) + other.steps.get(name, 0) for name in names},
        )


class _Nobody:
    """An upstream for steps that are opened to forget: nothing is asked of it."""

    name = url = zone = model = ""
    share: Share | None = None

    async def send(self, exchange: Exchange) -> Answer:  # noqa: ARG002 (the port's signature)
        """Nobody answers."""
        raise UpstreamError("nothing is asked while forgetting")

    async def close(self) -> None:
        """Nothing to release."""


class Eraser:
    """Erases what settings name; a service may run meanwhile.

    Raises:
        InputError: the ledger is in memory, or its store does not forget.
        LichenError: something that is to be erased cannot be reached; say it again then.
    """

    def __init__(self, settings: Settings, warn: Callable[[object], None]) -> None:
        self._settings = settings
        self._warn = warn

    def forget(self, which: Forget) -> Erased:
        """Erase everywhere, and note in the ledger that it was."""
        with open_book(self._settings) as book:
            erased = self._from_answers_and_steps(which, book)
            store = _forgetful(book)
            before_us = None if which.before is None else which.before_us
            oblivion = Oblivion(which.tenant, which.contains, before_us)
            erased.entries = store.forget(oblivion, at_us=time.time_ns() // 1000)
        return erased

    def finish(self, which: Forget) -> Erased:
        """Erase what services had still to write, and leave no byte of all that is gone."""
        with open_book(self._settings) as book:
            erased = self._from_answers_and_steps(which, book)
            _forgetful(book).seal()
        return erased

    def _from_answers_and_steps(self, which: Forget, book: Book) -> Erased:
        where = answers_place(self._settings)
        is_file = "://" not in where
        settings = self._settings
        if is_file and not Path(where).exists():
            settings = settings.with_(cache="memory:")  # looking for answers makes no file
        with closing(open_answers(settings, self._warn)) as answers:
            erased = Erased(answers=answers.forget(which))
            erased.shared_answers, erased.steps = asyncio.run(
                self._from_others(which, book, answers)
            )
        return erased

    async def _from_others(
        self, which: Forget, book: Book, answers: AnswerStore
    ) -> tuple[int, dict[str, int]]:
        layers = open_layers(self._settings, _Nobody(), book, answers, self._warn)
        try:
            shared = 0 if answers.remote is None else await answers.remote.forget(which)
            return shared, layers.forget(which)
        finally:
            await layers.close()


def _forgetful(book: Book) -> Any:
    store: Any = book.store
    if not hasattr(store, "forget"):
        raise InputError(f"{type(store).__name__} does not forget: its maker has to say how")
    return store
