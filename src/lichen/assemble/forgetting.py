"""Forgetting put together: the ledger, answers here and shared, and what steps keep on disk.

Eraser(settings).forget(which)      erase, and note in the ledger that it was
… wait for services to hear …       they look every few seconds (lichen.serve.heeding)
Eraser(settings).finish(which)      erase what they had still to write; let no byte be found
"""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.assemble.books import open_store
from lichen.assemble.exchanges import answers_place, open_answers
from lichen.calls.steps import Place
from lichen.ledger.errors import InputError
from lichen.ledger.forgetting import Oblivion

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.answers import Remote
    from lichen.calls.forget import Forget
    from lichen.ledger.ports import Store
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
        erased = self._from_answers_and_steps(which)
        with closing(open_store(self._settings.ledger)) as store:
            before_us = None if which.before is None else which.before_us
            oblivion = Oblivion(which.tenant, which.contains, before_us)
            now_us = time.time_ns() // 1000
            erased.entries = _forgetful(store).forget(oblivion, at_us=now_us)
        return erased

    def finish(self, which: Forget) -> Erased:
        """Erase what services had still to write, and leave no byte of all that is gone."""
        erased = self._from_answers_and_steps(which)
        with closing(open_store(self._settings.ledger)) as store:
            _forgetful(store).seal()
        return erased

    def _from_answers_and_steps(self, which: Forget) -> Erased:
        settings, where = self._settings, answers_place(self._settings)
        if "://" not in where and not Path(where).exists():
            settings = settings.with_(cache="memory:")  # looking for answers makes no file
        with closing(open_answers(settings, self._warn)) as answers:
            erased = Erased(answers=answers.forget(which))
            if answers.remote is not None:
                erased.shared_answers = asyncio.run(_from_others(answers.remote, which))
        place = Place(self._settings.ledger, self._settings.state)
        for point in entry_points(group="lichen.forget"):
            erased.steps[point.name] = point.load()(place, which)
        return erased


async def _from_others(remote: Remote, which: Forget) -> int:
    try:
        return await remote.forget(which)
    finally:
        await remote.close()


def _forgetful(opened: Store) -> Any:
    store: Any = opened
    if not hasattr(store, "forget"):
        raise InputError(f"{type(store).__name__} does not forget: its maker has to say how")
    return store
