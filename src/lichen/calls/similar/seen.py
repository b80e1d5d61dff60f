"""Seen: what is kept of similar questions, for whoever looks at the file without a service.

A report reads what was learnt, a proof both questions of a hit; `erase` forgets. None of them makes
a file where there is none.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import orjson

from lichen.calls.similar.kept import Given, Kept, Question, question_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.calls.forget import Forget


class Hit(NamedTuple):
    """A hit as it is kept: both questions, and the embedder of their vectors."""

    given: Given
    question: Question
    embedder: str


class Learnt(NamedTuple):
    """What one decider knows: the model, the error asked for, and what came of its verdicts.

    `would` counts answers it would have given in shadow mode, `given` those it gave, `withheld`
    those that the holdout left alone; of those that were compared with the upstream's own,
    `checked`, so many were `wrong`. `says` is its standing.
    """

    model: str
    delta: float
    would: int
    given: int
    withheld: int
    checked: int
    wrong: int
    says: str


def _read(path: Path) -> sqlite3.Connection | None:
    if not path.is_file():
        return None
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    except sqlite3.Error:
        return None


def hit(path: Path, entry: str) -> Hit | None:
    """What is kept of a hit; None where it is not, or no longer."""
    db = _read(path)
    if db is None:
        return None
    with closing(db):
        try:
            given = db.execute(
                "SELECT text, matched FROM hits WHERE entry = ?", (entry,)
            ).fetchone()
            if given is None:
                return None
            row = db.execute("SELECT * FROM questions WHERE key = ?", given[1:]).fetchone()
            named = db.execute("SELECT value FROM about WHERE name = 'embedder'").fetchone()
        except sqlite3.Error:
            return None
    if row is None or named is None:
        return None
    return Hit(Given(*given), question_of(row), named[0])


def learnt(path: Path) -> list[Learnt]:
    """What deciders learnt, those with the most evidence first; none where nothing is kept."""
    db = _read(path)
    if db is None:
        return []
    with closing(db):
        try:
            rows = db.execute("SELECT name, state FROM learners").fetchall()
            made = [_learnt(name, orjson.loads(state)) for name, state in rows]
        except (sqlite3.Error, orjson.JSONDecodeError, LookupError, ValueError, TypeError):
            return []
    return sorted(made, key=lambda each: -each.checked)


def _learnt(name: str, state: dict[str, object]) -> Learnt:
    _, model, delta = name.split("\n")
    counts, decider = state["counts"], state["decider"]
    assert isinstance(counts, list)
    assert isinstance(decider, dict)
    would, checked, wrong, withheld = (int(n) for n in counts)
    given, says = int(decider["counts"][0]), str(state["standing"])
    return Learnt(model, float(delta), would, given, withheld, checked, wrong, says)


def erase(path: Path | None, which: Forget, warn: Callable[[object], None]) -> int:
    """Erase questions and hits that are meant; how many. It takes time: not for an event loop."""
    if path is None or not path.is_file():
        return 0
    with closing(Kept(path, None, warn)) as kept:
        return sum(len(page.keys) + len(page.hits) for page in kept.erase(which))
