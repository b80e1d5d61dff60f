"""Memory: what became of texts before, so that it becomes the same again, and is not made twice.

Two things are remembered; those least recently asked for go first:

    shortened texts   by the hash of the text and of how it is shortened; bounded in bytes
    conversations     by the hash of all their texts up to one: how they were sent

A text that went out as it was (the holdout drew its conversation, a client asked for that or pinned
it, the gate was closed) is not shortened later: the provider may have it in its prompt cache, and a
prefix that changes is paid for again.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.compress.lossless import Made

# Calls of which it is known how they were sent: some 200 bytes each.
_CHAINS = 100_000
# How a conversation's texts were sent: drawn to be compared, as they came, shortened.
HELD, AS_IT_CAME, SHORTENED = "held", "as it came", "shortened"


class Memory:
    """Remembers up to so many bytes of texts. Safe among threads."""

    def __init__(self, size: float) -> None:
        self._most = size
        self._size = 0
        self._made: OrderedDict[tuple[bytes, ...], Made | None] = OrderedDict()
        self._sent: OrderedDict[bytes, str] = OrderedDict()
        self._lock = Lock()

    def made(self, key: tuple[bytes, ...], make: Callable[[], Made | None]) -> Made | None:
        """What a text became, made now if it never was; None where it stays as it is."""
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        made = make()
        with self._lock:
            self._forget(key)
            self._made[key] = made
            self._size += _size(made)
            while self._size > self._most and self._made:
                self._forget(next(iter(self._made)))
        return made

    def _forget(self, key: tuple[bytes, ...]) -> None:
        if key in self._made:
            self._size -= _size(self._made.pop(key))

    def how(self, chain: bytes) -> str:
        """How the texts up to the end of this chain were sent; empty where nobody knows."""
        with self._lock:
            known = self._sent.get(chain, "")
            if known:
                self._sent.move_to_end(chain)
            return known

    def sent(self, chain: bytes, how: str) -> None:
        """The texts up to the end of this chain go out so."""
        with self._lock:
            self._sent[chain] = how
            self._sent.move_to_end(chain)
            while len(self._sent) > _CHAINS:
                self._sent.popitem(last=False)

    def clear(self) -> int:
        """Forget every text; how many there were."""
        with self._lock:
            count = len(self._made)
            self._made.clear()
            self._size = 0
        return count


# What an entry takes beside its text: key, counts and links. [byte]
_AROUND = 400


def _size(made: Made | None) -> int:
    return _AROUND + (4 * len(made.text) if made is not None else 0)
