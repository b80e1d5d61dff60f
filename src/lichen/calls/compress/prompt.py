"""Prompt: which texts of a call are shortened, and which are left to the character.

    instructions, what the model said     left alone
    pinned by the client (cache_control)  left alone
    the words of a question               left alone; documents of JSON beside them are shortened
    a document alone in a user's message  shortened if another message of the user says words to it
    what tools gave back, other parts     shortened

A text's new bytes depend on it and on the texts before it, never on what follows: what was sent
once is sent in the same bytes again, and the provider's prompt cache goes on serving it. A question
is the last text of its turn, whatever turns follow. What the user says in several messages before
the model speaks is sent at once, so that a document there may belong to words that follow it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

import orjson

from lichen.calls.compress.lossless import is_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lichen.calls.providers.view import Path, Turn, View

CONTEXT, QUESTION, DOCUMENT, LEFT = "context", "question", "document", "left"


@dataclass(frozen=True, slots=True)
class Place:
    """One text of a call: what it is for, the question it serves, and the hash of all up to it.

    `turn` counts how often the model has spoken before it.
    """

    path: Path
    text: str
    use: str
    question: str
    chain: bytes
    turn: int
    role: str
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One text that was shortened: from where, to what, and by how many tokens.

    `end` is where it ends, as a share of the prompt that is sent, by characters.
    """

    path: Path
    text: str
    before: int
    after: int
    end: float = 1.0


class Shortener(Protocol):
    """Makes one text shorter; called in the order of the texts."""

    def left(self, place: Place) -> None:
        """This text goes on as it is."""
        ...

    def shortened(self, place: Place) -> Change | None:
        """What becomes of it; None where it goes on as it is."""
        ...


def places(view: View, who: bytes) -> Iterator[Place]:
    """The texts of a call in their order. `who` tells two conversations apart from the start."""
    chain = blake2b(who, digest_size=16).digest()
    chain = _chained(chain, orjson.dumps(view.tools, default=str, option=orjson.OPT_SORT_KEYS))
    for text in view.system:
        chain = _chained(chain, text.text.encode("utf-8", "surrogatepass"))
        yield Place(text.path, text.text, LEFT, "", chain, 0, "system", text.pinned)
    question, number = "", 0
    spoken = _spoken(view.turns)
    for turn, has_words in zip(view.turns, spoken, strict=True):
        number += turn.role == "assistant"
        if turn.role == "user":
            question = turn.texts[-1].text if turn.texts else question
        for text in turn.texts:
            chain = _chained(chain, text.text.encode("utf-8", "surrogatepass"))
            use = CONTEXT
            if text.pinned or turn.role == "assistant":
                use = LEFT
            elif turn.role == "user" and text is turn.texts[-1]:
                use = DOCUMENT if has_words and is_document(text.text) else QUESTION
            yield Place(text.path, text.text, use, question, chain, number, turn.role, text.pinned)


def _spoken(turns: Sequence[Turn]) -> Iterator[bool]:
    """Of each turn, whether the user says words in it or in those of the user's right beside it."""
    for role, together in groupby(turns, key=lambda turn: turn.role):
        run = list(together)
        said = [text.text for turn in run for text in turn.texts] if role == "user" else []
        words = any(text.strip() and not is_document(text) for text in said)
        yield from (words for _ in run)


def _chained(chain: bytes, more: bytes) -> bytes:
    return blake2b(chain + more, digest_size=16).digest()


def changes(places: Sequence[Place], shortener: Shortener, sent_before: int = 0) -> list[Change]:
    """What is shortened, in the order of the texts; the first `sent_before` go on as they are."""
    made: list[Change] = []
    sent: list[int] = []
    for number, place in enumerate(places):
        change = None
        if place.use == LEFT or number < sent_before:
            shortener.left(place)
        else:
            change = shortener.shortened(place)
        if change is not None:
            made.append(change)
        sent.append(len(place.text if change is None else change.text))
    return _ended(made, places, sent)


def _ended(made: list[Change], places: Sequence[Place], sent: list[int]) -> list[Change]:
    """The same changes, each with where it ends in what is sent."""
    if not made:
        return made
    total = sum(sent) or 1
    by_path = {change.path: change for change in made}
    ended: list[Change] = []
    at = 0
    for place, length in zip(places, sent, strict=True):
        at += length
        if (change := by_path.get(place.path)) is not None:
            ended.append(replace(change, end=at / total))
    return ended
