"""Index: questions by scope, their words and their vectors, in memory over what is kept.

A scope is looked into alone: no question of another tenant, model, conversation or setting is ever
compared. A question whose words are like nobody's gets no vector until one comes that is like it,
so that traffic without repeats is hardly ever embedded. The index is made again from what is kept
at each start.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from lichen.calls.similar.groups import Groups
from lichen.text.nearest import Nearest, small
from lichen.text.shingles import FirstLook, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lichen.calls.forget import Forget
    from lichen.calls.similar.kept import Kept, Question
    from lichen.ledger.ports import Embedder

# Neighbours that are compared word by word, and that tell of a question's surroundings.
_NEIGHBOURS = 10
# Questions without a vector that are given one because a new one is like them.
_CAUGHT_UP = 4
# The share of the oldest that goes when there are too many.
_BATCH = 100


class Match(NamedTuple):
    """A question that was answered before, and its cosine with the one that is asked, -1 … 1."""

    question: Question
    cosine: float


class _Shelf:
    """The questions of one scope."""

    def __init__(self, dimension: int) -> None:
        self.look, self.near = FirstLook(), Nearest(dimension)
        self.rows: dict[int, Question] = {}
        # Rows without a vector yet.
        self.waiting: set[int] = set()
        self._free: list[int] = []

    def add(self, question: Question) -> int:
        # The lowest free row, so that arrays stay short.
        row = heapq.heappop(self._free) if self._free else len(self.rows)
        self.rows[row] = question
        self.look.add(row, words(question.text))
        if question.vector is not None:
            self.near.add(row, question.vector)
        else:
            self.waiting.add(row)
        return row

    def remove(self, row: int) -> None:
        question = self.rows.pop(row)
        heapq.heappush(self._free, row)
        self.look.remove(row)
        self.waiting.discard(row)
        if question.vector is not None:
            self.near.remove(row)


class Index:
    """At most `most` questions. Of one thread: whoever made it."""

    def __init__(self, kept: Kept, dimension: int, most: int) -> None:
        self._kept = kept
        self._dimension, self._most = dimension, most
        self._shelves: dict[bytes, _Shelf] = {}
        self._places: OrderedDict[bytes, tuple[bytes, int]] = OrderedDict()
        self.groups = Groups()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def scopes(self) -> int:
        """How many scopes have a question."""
        return len(self._shelves)

    def load(self, now_us: int) -> None:
        """Take up what is kept."""
        self._kept.expire(now_us)
        for question in list(self._kept.questions()):
            self._place(question)
        self._make_room()

    def catch_up(self) -> bool:
        """Let go of what another process has erased; whether one has."""
        changed = self._kept.changed_outside()
        if changed:
            for key in self._places.keys() - self._kept.keys():
                self._unplace(key)
        return changed

    def like(self, scope: bytes, text: str) -> NDArray[np.int32] | Sequence[int] | None:
        """Rows of the scope that share enough words; empty where surely none is similar.

        None where it would take too many looks to say.
        """
        shelf = self._shelves.get(scope)
        if shelf is None:
            return []
        return shelf.look.like(words(text))

    def embed_waiting(
        self, scope: bytes, rows: NDArray[np.int32] | Sequence[int] | None, embedder: Embedder
    ) -> None:
        """Give vectors to some questions among the rows that have none yet."""
        shelf = self._shelves[scope]
        if rows is None or not shelf.waiting:
            return
        waiting = [int(row) for row in rows if row in shelf.waiting][-_CAUGHT_UP:]
        if not waiting:
            return
        vectors = embedder.embed([shelf.rows[row].text for row in waiting])
        for row, vector in zip(waiting, vectors, strict=True):
            question = shelf.rows[row]._replace(vector=small(vector))
            shelf.rows[row] = question
            shelf.waiting.discard(row)
            assert question.vector is not None
            shelf.near.add(row, question.vector)
            self._kept.put(question)

    def near(self, scope: bytes, vector: NDArray[np.float32], now_us: int) -> Iterator[Match]:
        """Questions of the scope nearest to a vector that have not expired, nearest first."""
        shelf = self._shelves.get(scope)
        for row, cosine in shelf.near.find(vector, _NEIGHBOURS) if shelf is not None else ():
            question = shelf.rows[row] if shelf is not None else None
            if question is not None and question.expires_us > now_us:
                yield Match(question, cosine)

    def owner(self, key: bytes) -> str | None:
        """Whose question stands under a key, None where none does."""
        scope, row = self._places.get(key, (b"", 0))
        shelf = self._shelves.get(scope)
        return shelf.rows[row].owner if shelf is not None else None

    def is_news(self, question: Question) -> bool:
        """Whether it is not known yet: neither it nor a later one of its owner under its key."""
        scope, row = self._places.get(question.key, (b"", 0))
        shelf = self._shelves.get(scope)
        if shelf is None:
            return True
        known = shelf.rows[row]
        return known.owner == question.owner and known.stored_us < question.stored_us

    def add(self, question: Question) -> None:
        """Take a question, in place of an older one under its key."""
        self._kept.put(question)
        self._place(question)
        self._make_room()

    def _place(self, question: Question) -> None:
        self._unplace(question.key)
        shelf = self._shelves.get(question.scope)
        if shelf is None:
            shelf = self._shelves[question.scope] = _Shelf(self._dimension)
        if not question.group:
            question = question._replace(group=question.key)
        self._places[question.key] = question.scope, shelf.add(question)
        self.groups.add(question)

    def _unplace(self, key: bytes) -> None:
        scope, row = self._places.pop(key, (b"", 0))
        shelf = self._shelves.get(scope)
        if shelf is not None:
            self.groups.add(shelf.rows[row], -1)
            shelf.remove(row)
            if not shelf.rows:
                del self._shelves[scope]

    def _make_room(self) -> None:
        over = len(self._places) - self._most
        if over > 0:
            self.remove(list(self._places)[: over + self._most // _BATCH])

    def remove(self, keys: list[bytes]) -> None:
        """Let questions go, here and where they are kept."""
        for key in keys:
            self._unplace(key)
        self._kept.drop(keys)

    def expire(self, now_us: int) -> None:
        """Let go of all whose time is over."""
        for key in [q.key for q in self._questions() if q.expires_us <= now_us]:
            self._unplace(key)
        self._kept.expire(now_us)

    def _questions(self) -> Iterator[Question]:
        for scope, row in self._places.values():
            yield self._shelves[scope].rows[row]

    def verified(self, key: bytes, *, correct: bool) -> None:
        """Count that a question's answer was verified."""
        if key not in self._places:
            return
        scope, row = self._places[key]
        rows = self._shelves[scope].rows
        had = rows[row]
        self.groups.add(had, -1)
        rows[row] = had._replace(
            was_right=had.was_right + correct, was_wrong=had.was_wrong + (not correct)
        )
        self.groups.add(rows[row])
        self._kept.put(rows[row])

    def forget(self, which: Forget) -> Iterator[int]:
        """Erase what is meant, questions and hits, page by page; how many, of each page."""
        for page in self._kept.erase(which):
            for key in page.keys:
                self._unplace(key)
            yield len(page.keys) + len(page.hits)
