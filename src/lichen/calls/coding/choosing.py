"""Choosing: how a client takes an answer, and whether it is worth compressing.

Source: RFC 9110 §12.5.3 (Accept-Encoding: weights, "*", and what was not named).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from lichen.calls.coding.codecs import available, decoded, encoded, named

if TYPE_CHECKING:
    from lichen.calls.coding.options import CodingOptions
    from lichen.calls.exchange import Headers

_CODED = b"content-encoding:"
# An answer that shrinks by less than this goes as it is.
_WORTH = 0.9


class Coding:
    """Reads what clients compressed, and compresses for those that take it.

    `most` bounds a body that was decoded. [byte]
    """

    def __init__(self, options: CodingOptions, most: float) -> None:
        self._most = most
        # From so many bytes on an answer may be compressed.
        self.least = options.answers or float("inf")

    def read(self, headers: Headers, body: bytes) -> tuple[Headers, bytes] | None:
        """Headers and body as if they had come plain; None where they cannot be read here.

        Raises:
            BodyTooLargeError: the body stands for more than may be taken.
            InputError: it is not what it calls itself.
        """
        given = [value for name, value in headers if name == b"content-encoding"]
        name = named(given[0]) if len(given) == 1 else ""
        if not name:
            return None
        plain = [pair for pair in headers if pair[0] != b"content-encoding"]
        return plain, decoded(name, body, self._most)

    def answer(self, headers: Headers, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Header block and body of an answer as this client takes it."""
        if _CODED in head.lower():
            return head, body
        wished = b",".join([value for name, value in headers if name == b"accept-encoding"])
        name = chosen(wished)
        varies = head + b"vary: accept-encoding\r\n"
        if not name:
            return varies, body
        made = encoded(name, body)
        if len(made) > _WORTH * len(body):
            return varies, body
        return varies + b"content-encoding: %b\r\n" % name.encode(), made


@lru_cache(maxsize=256)
def chosen(wished: bytes) -> str:
    """The coding that a client takes and we like best; empty where it wants none of ours."""
    weights: dict[str, float] = {}
    for part in wished.decode("latin-1").lower().split(","):
        name, _, told = part.partition(";")
        weights[name.strip()] = _weight(told)
    offered = {name: weights.get(name, weights.get("*", 0.0)) for name in available()}
    plain = weights.get("identity", 0.0)
    # `available` is in the order of our own liking, and the first of the heaviest is taken.
    best = max(offered, key=lambda name: offered[name])
    return best if offered[best] > 0 and offered[best] >= plain else ""


def _weight(told: str) -> float:
    name, _, value = told.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
