"""Doors: which paths speak a dialect, and to whom they lead.

/v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings      OpenAI
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lichen.calls.providers.openai.dialect import OPENAI

if TYPE_CHECKING:
    from lichen.calls.providers.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Door:
    """What a path leads to.

    `dialect` is how its calls and errors are written, `provider` whose upstream answers, `kind`
    what a POST to it asks for; empty where it asks for nothing that lichen can read.
    """

    dialect: Dialect
    provider: str
    kind: str = ""


# Paths whose calls lichen reads, as they come most often: one look-up finds them.
DOORS: dict[bytes, Door] = {
    b"/v1/chat/completions": Door(OPENAI, "openai", "chat.completions"),
    b"/v1/responses": Door(OPENAI, "openai", "responses"),
    b"/v1/completions": Door(OPENAI, "openai", "completions"),
    b"/v1/embeddings": Door(OPENAI, "openai", "embeddings"),
}
_OTHER = Door(OPENAI, "openai")


def door_of(target: bytes) -> Door:
    """The door of a request's target."""
    return DOORS.get(target) or DOORS.get(target.partition(b"?")[0]) or _OTHER
