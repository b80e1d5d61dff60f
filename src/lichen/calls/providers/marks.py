"""Marks: what a dialect offers in which a call says itself which prefix is to be kept.

Most providers keep what they see; a dialect of such a one has no marks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.calls.providers.view import Path


class Edge(NamedTuple):
    """Where a prefix may end.

    `kind` is what it ends with: "tools", "system" or "turn". `digest` is the hash of all up to
    there, `size` its length as JSON. [byte]
    """

    kind: str
    path: Path
    digest: bytes
    size: int


class Marks(Protocol):
    """How prefixes are marked: at most `most` in a call, each kept for `life_s` from its last use.

    [s]
    """

    @property
    def most(self) -> int:
        """Marks that a call may have."""
        ...

    @property
    def life_s(self) -> float:
        """How long a prefix is kept from its last use. [s]"""
        ...

    def are_placed(self, fields: Mapping[str, Any]) -> bool:
        """Whether the client has marked something itself: then nobody else does."""
        ...

    def edges(self, fields: Mapping[str, Any]) -> list[Edge]:
        """Where a prefix may end, in the order in which a prompt is read."""
        ...

    def put(self, fields: Mapping[str, Any], edges: Sequence[Edge]) -> dict[str, Any]:
        """The fields with these edges marked, and nothing moved."""
        ...
