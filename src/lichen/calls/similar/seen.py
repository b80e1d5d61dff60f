"""Seen: what is kept of similar questions, for whoever looks at the file without a service.

A report reads what was learnt, a proof both questions of a hit; `erase` forgets. None of them makes
a file where there is none.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from lichen.calls.similar.decision import Decider
from lichen.calls.similar.kept import Given, Kept, Question, question_of
from lichen.calls.similar.kinds import REGIONS
from lichen.calls.similar.learners import Learner
from lichen.calls.similar.verify import PRIOR

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
    those that the holdout left alone. Of `verified`, those at the score from which it answers or
    soonest would that were compared with the upstream's own, so many were `wrong`: at most `bound`
    [1] of all, with 95 % confidence. `stands` says in a word whether it answers, `says` in a line.
    """

    model: str
    delta: float
    would: int
    given: int
    withheld: int
    verified: int
    wrong: int
    bound: float
    stands: str
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
    return sorted(made, key=lambda each: -each.verified)


def _learnt(name: str, state: dict[str, Any]) -> Learnt:
    """What a learner's state says: its decider is asked, so that it says what the service does."""
    owner, model, delta = name.split("\n")
    learner = Learner(
        owner, model, float(delta), Decider(float(delta), prior=PRIOR, regions=len(REGIONS))
    )
    learner.restore(state)
    now = learner.standing
    return Learnt(
        model,
        learner.delta,
        learner.would,
        learner.given,
        learner.withheld,
        now.verified,
        now.wrong,
        now.bound,
        now.word,
        str(now),
    )


def erase(path: Path | None, which: Forget, warn: Callable[[object], None]) -> int:
    """Erase questions and hits that are meant; how many. It takes time: not for an event loop."""
    if path is None or not path.is_file():
        return 0
    with closing(Kept(path, None, warn)) as kept:
        return sum(len(page.keys) + len(page.hits) for page in kept.erase(which))
