"""Checkup of where answers are kept, and what steps learn: in memory, in files, or shared."""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.cli.reading import shown
from lichen.cli.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.settings import Settings


def cache(settings: Settings) -> Iterator[Row]:
    """Where answers are kept, and whether a cache that is shared can be reached."""
    from lichen.assemble.exchanges import answers_place

    where = answers_place(settings)
    if where == "memory:":
        yield Row("cache", "ok", "answers are kept in memory and forgotten at the end")
    elif "://" in where:
        yield _shared(settings, shown(where).partition("?")[0])
    elif Path(where).exists():
        size = Path(where).stat().st_size / 1e6
        yield Row("cache", "ok", f"{where} · {size:.1f} of {settings.cache_size / 1e6:.0f} MB")
    else:
        yield Row("cache", "ok", f"{where} is not there yet: `lichen serve` makes it")


def _shared(settings: Settings, where: str) -> Row:
    from lichen.assemble import open_answers
    from lichen.ledger.errors import LichenError

    told: list[str] = []

    async def reach() -> None:
        with closing(open_answers(settings, lambda message: told.append(str(message)))) as answers:
            if answers.remote is not None:
                await answers.remote.start()
                await answers.remote.close()

    try:
        asyncio.run(reach())
    except LichenError as error:
        return Row("cache", "broken", str(error))
    if told:
        return Row(
            "cache",
            "unavailable",
            told[0],
            "see that the server runs, and that address, password and certificate are right",
        )
    return Row("cache", "ok", f"{where} · shared with other services, and answers")


def state(settings: Settings) -> Iterator[Row]:
    """Whether what steps learn outlives a stop."""
    from lichen.assemble import learnt_in_memory
    from lichen.calls.steps import Place

    path = Place(settings.ledger, settings.state).file("similar")
    lost = learnt_in_memory(settings)
    if lost:
        told = f"{', '.join(lost)}: in memory, and lost at each stop"
        yield Row("learnt state", "unavailable", told, "name a folder for it: LICHEN_STATE")
    elif path is None:
        yield Row("learnt state", "ok", "nothing that is learnt would be lost at a stop")
    elif settings.state and path.parent.is_dir() and not os.access(path.parent, os.W_OK):
        mend = "give another folder with --state or LICHEN_STATE"
        yield Row("learnt state", "broken", f"{path.parent} cannot be written by this user", mend)
    else:
        yield _kept(path)


def _kept(path: Path) -> Row:
    """That what steps learn is kept, and by whom: of several processes one keeps it."""
    from lichen.calls.learning import learner_at

    folder = "this folder" if path.parent == Path() else path.parent
    told, who = f"what steps learn is kept in {folder}", learner_at(path.with_suffix(".learning"))
    if who is None:
        return Row("learnt state", "ok", told)
    others = "any other service there learns in memory, and loses that at its stop"
    mend = "give each a folder of its own: LICHEN_STATE"
    return Row("learnt state", "ok", f"{told} by process {who}; {others}", mend)
