"""Looker: everything about questions that takes time, in the embedder's thread alone.

    words → (none is like it: done) → vector → neighbours → guards → features

It owns the index and what is kept; the step asks it and goes on with other calls meanwhile.
"""

from __future__ import annotations

import time
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from lichen.calls.similar.appended import appended
from lichen.calls.similar.facts import Facts, plain, read
from lichen.calls.similar.guards import compare
from lichen.calls.similar.index import Index
from lichen.calls.similar.judge import agree
from lichen.calls.similar.kept import Kept, Question
from lichen.calls.similar.kinds import kind_of
from lichen.calls.similar.neighbours import History, Neighbour, around
from lichen.calls.similar.verify import Verifier
from lichen.text.nearest import small

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from lichen.calls.forget import Forget
    from lichen.calls.similar.index import Match
    from lichen.calls.similar.kept import Given
    from lichen.calls.similar.kinds import Kind
    from lichen.calls.similar.scope import Asked
    from lichen.ledger.ports import Embedder
    from lichen.text.nearest import Small

# Below this cosine two questions are never taken for like ones, as where the prior was fitted:
# benchmarks/similar. [1]
_NEAR = 0.8
# Texts whose facts are remembered.
_READ = 4096
# Questions taken between two looks for what has expired.
_SWEEP = 1000


def apart(one: str, other: str, facts: Callable[[str], Facts] = read) -> str | None:
    """What tells two questions apart, None where nothing does that is known here.

    `facts` may remember what it has read.
    """
    if one == other:
        return None
    if appended(one, other, facts):
        return "appended"
    here, there = facts(one), facts(other)
    reason = compare(here, there)
    if reason == "language" and plain(one) == plain(other):
        reason = compare(here, there, foreign=True)
    return reason


class Look(NamedTuple):
    """What a look found.

    `found` is the nearest question that no guard tells apart, with its cosine, None where there is
    none; `features` measure it, `kind` says what it is one of. `vector` is the question's own, None
    where nobody needed it yet. `fits` says whether the question may be kept for others.
    """

    why: str
    found: Match | None = None
    features: tuple[float, ...] = ()
    vector: Small | None = None
    fits: bool = True
    kind: Kind | None = None


class Looker:
    """Finds, takes and judges. Of one thread: whoever made it.

    Raises:
        MissingExtra: the embedder's packages are not installed.
    """

    def __init__(
        self, path: Path | None, most: int, embedder: Embedder, warn: Callable[[object], None]
    ) -> None:
        self._embedder = embedder
        self._kept = Kept(path, embedder.name, warn)
        self._index = Index(self._kept, embedder.dimension, most)
        self._taken = 0
        # The same neighbours come again and again.
        self._facts = lru_cache(maxsize=_READ)(read)
        self._verifier = Verifier(self._facts)
        # By outcome: how looks ended, guards by their names.
        self.counts: Counter[str] = Counter()
        self._index.load(time.time_ns() // 1000)

    def look(self, asked: Asked) -> Look:
        """Look for a question that the asked one is like."""
        found = self._look(asked)
        self.counts[found.why] += 1
        return found

    def _look(self, asked: Asked) -> Look:
        index, embedder = self._index, self._embedder
        self.catch_up()
        rows = index.like(asked.scope, asked.question)
        if rows is not None and not len(rows):
            return Look("nothing like it")
        if not embedder.is_whole(asked.question):
            return Look("too long", fits=False)
        index.embed_waiting(asked.scope, rows, embedder)
        (vector,) = embedder.embed([asked.question])
        near = [
            (match, apart(match.question.text, asked.question, self._facts))
            for match in index.near(asked.scope, vector, time.time_ns() // 1000)
            if match.cosine >= _NEAR
        ]
        found = next((match for match, guard in near if guard is None), None)
        if found is None:
            return Look(near[0][1] or "" if near else "nothing near", vector=small(vector))
        stored = found.question
        kind = kind_of(stored.text, asked.question, stored.group, self._facts)
        features = self._features(found, near, asked)
        return Look("found", found, features, small(vector), kind=kind)

    def _features(
        self, found: Match, near: Sequence[tuple[Match, str | None]], asked: Asked
    ) -> tuple[float, ...]:
        stored = found.question
        record = self._index.groups.of(stored)
        beside = [
            Neighbour(match.cosine, match.question.group, guard is not None)
            for match, guard in near
        ]
        return self._verifier.features(
            stored.text,
            asked.question,
            cosine=found.cosine,
            history=History(stored.was_right, stored.was_wrong, *record),
            around=around(beside),
        )

    def take(self, question: Question) -> None:
        """Keep a question for others."""
        if question.vector is None and not self._embedder.is_whole(question.text):
            return
        self._index.add(question)
        self._taken += 1
        if self._taken % _SWEEP == 0:
            self._index.expire(time.time_ns() // 1000)

    def hear(self, owner: str, questions: Sequence[Question], gone: Sequence[bytes]) -> int:
        """Take in what another process told of an owner's questions; how many were news."""
        now_us = time.time_ns() // 1000
        self._index.remove([key for key in gone if self._index.owner(key) == owner])
        news = [
            question
            for question in questions
            if question.expires_us > now_us and self._index.is_news(question)
        ]
        for question in news:
            self.take(question)
        return len(news)

    def lost(self, key: bytes) -> None:
        """Its answer is no longer there."""
        self._index.remove([key])

    def judge(self, one: str, other: str, key: bytes) -> bool:
        """Whether two answers say the same; counted for the question of the first."""
        correct = agree(one, other, self._embedder)
        self._index.verified(key, correct=correct)
        return correct

    def failed(self, key: bytes) -> None:
        """The upstream's own answer could not be given again: the stored one was wrong."""
        self._index.verified(key, correct=False)

    def give(self, entry: str, owner: str, given: Given, expires_us: int) -> None:
        """Remember what was asked at a hit, for its proof."""
        self._kept.give(entry, owner, given, time.time_ns() // 1000, expires_us)

    def learnt(self) -> Mapping[str, Mapping[str, Any]]:
        """What deciders had learnt."""
        return self._kept.learners()

    def learn(self, states: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Keep what deciders learnt."""
        for name, state in states:
            self._kept.learn(name, state)

    def catch_up(self) -> None:
        """Let go of what another process erased."""
        if self._index.catch_up():
            self._facts.cache_clear()

    def forget(self, which: Forget) -> Iterator[int]:
        """Erase questions and hits that are meant, page by page; how many, of each page.

        What is looked for between two pages may still be what goes with a later one, so that what
        was read is let go at the end.
        """
        yield from self._index.forget(which)
        self._facts.cache_clear()

    def size(self) -> tuple[int, int]:
        """Questions and scopes."""
        return len(self._index), self._index.scopes

    def close(self) -> None:
        """Close what is kept."""
        self._kept.close()
