"""Template: an answer with gaps that a pattern's named groups fill.

    "We open at nine in {city}."        {{ and }} stand for braces

There are no formats, attributes or indices in the braces: what a client wrote goes into a text and
nowhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class Template:
    """A text whose gaps bear names of `known`.

    Raises:
        InputError: a brace stands alone, or a gap has an unknown name.
    """

    def __init__(self, written: str, known: Collection[str]) -> None:
        self._parts: list[tuple[str, str]] = []
        at = 0
        for found in _PIECE.finditer(written):
            text = written[at : found.start()]
            at = found.end()
            self._parts.append((text + _brace(found, known), found[1] or ""))
        self._tail = written[at:]

    def filled(self, groups: Mapping[str, str]) -> str:
        """The text with its gaps filled."""
        said = [text + (groups.get(name, "") if name else "") for text, name in self._parts]
        return "".join(said) + self._tail


def _brace(found: re.Match[str], known: Collection[str]) -> str:
    """The brace that a piece stands for; empty where it is a gap with a known name."""
    piece = found[0]
    if piece in ("{{", "}}"):
        return piece[0]
    if found[1] is None:
        raise InputError(f"a single {piece} at {found.start()}: write {piece * 2} for a brace")
    if found[1] not in known:
        names = ", ".join(sorted(known)) or "none: a pattern names them, as in (?P<city>\\w+)"
        raise InputError(f"{piece} is no group of this rule; there are {names}")
    return ""
