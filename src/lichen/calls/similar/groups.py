"""Groups: questions whose answers were verified to serve one another, and their record together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.calls.similar.kept import Question


class Groups:
    """Counts by group: how often answers of its questions were right and wrong, and how many."""

    def __init__(self) -> None:
        self._right: Counter[bytes] = Counter()
        self._wrong: Counter[bytes] = Counter()
        self._size: Counter[bytes] = Counter()

    def add(self, question: Question, sign: int = 1) -> None:
        """Count a question in, or with a sign of -1 out."""
        group = question.group
        self._right[group] += sign * question.was_right
        self._wrong[group] += sign * question.was_wrong
        self._size[group] += sign
        if not self._size[group]:
            del self._right[group], self._wrong[group], self._size[group]

    def of(self, question: Question) -> tuple[int, int, int]:
        """Right, wrong and size of a question's group."""
        group = question.group
        return self._right[group], self._wrong[group], max(1, self._size[group])
