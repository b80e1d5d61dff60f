"""The language of a text, as far as stop words and scripts tell: English, another, or unknown.

Source: ours. Meant to refuse, not to identify: what is not surely English is not judged further.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from lichen.calls.similar.words import table, words

if TYPE_CHECKING:
    from collections.abc import Collection

_SHORT: Final = 6
_LATIN_ENDS: Final = "\u024f"


def scripts(text: str) -> set[str]:
    """Scripts of the letters beyond Latin, by the first word of their Unicode names."""
    letters = {char for char in text if char > _LATIN_ENDS and char.isalpha()}
    return {unicodedata.name(char, "?").partition(" ")[0] for char in letters} - {"LATIN"}


def language(said: Collection[str], others: Collection[str] = ()) -> tuple[str, int]:
    """The language of a text's words, and how many of them are surely English.

    "en"; another code where its stop words are more; "?" where nothing tells, or `others`, scripts
    beyond Latin, stand in it.
    """
    held = set(said)
    english = len(held & words("english"))
    if others:
        return "?", english
    if 2 * english < len(held):
        for code, stops in table().foreign.items():
            if len(held & stops) > max(english, 1):
                return code, english
    return ("en" if english or len(held) <= _SHORT else "?"), english
