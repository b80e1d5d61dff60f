"""Uses: what the lines of one batch's results used, held until all of them have passed.

A use takes 72 bytes: place, kind, model, gap and five counts of tokens. A batch of 100,000 lines
holds 7 MB until it is booked.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS = 9
# Models of one batch: all lines have one, or a few; beyond that they go by none.
_NAMES = 1024


@dataclass(frozen=True, slots=True)
class Use:
    """What one answered line used; `gap` says why that is not known."""

    kind: str
    model: str
    tokens: Tokens | None = None
    gap: str = ""


class Uses:
    """The uses of one batch, in the order of their lines; `model` is for lines that name none."""

    def __init__(self) -> None:
        self._packed = array("q")
        self._names: list[str] = [""]
        self._numbers = {"": 0}
        self.model = ""

    def add(self, place: int, use: Use) -> None:
        """Hold the use of the line at a place, from 1."""
        tokens = use.tokens or Tokens()
        named = [self._number(name) for name in (use.kind, use.model, use.gap)]
        counts = (
            tokens.prefill,
            tokens.cache_read,
            tokens.cache_write,
            tokens.decode,
            tokens.reasoning,
        )
        self._packed.extend((place, *named, *counts))

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            if len(self._names) >= _NAMES:
                return 0
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def __len__(self) -> int:
        return len(self._packed) // _FIELDS

    def __iter__(self) -> Iterator[tuple[int, Use]]:
        packed, names = self._packed, self._names
        for at in range(0, len(packed), _FIELDS):
            place, kind, model, gap, *counts = packed[at : at + _FIELDS]
            tokens = None if gap else Tokens(*counts)
            yield place, Use(names[kind], names[model] or self.model, tokens, names[gap])
