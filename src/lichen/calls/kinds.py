"""Kinds: what calls ask for, by the words that rules and the book use for it."""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from lichen.calls.option import read_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.option import Reader

# As the doors of the providers have them; a test holds the two together.
KINDS = (
    "batch_embed_contents",
    "chat.completions",
    "completions",
    "embed_content",
    "embeddings",
    "generate_content",
    "messages",
    "responses",
)


def kinds() -> Mapping[str, Reader]:
    """A kind of call, or a pattern with * that some kind meets: a slip would meet none."""
    return read_by(_read)


def _read(value: object) -> str:
    text = str(value).strip()
    if not isinstance(value, str) or not any(fnmatchcase(kind, text) for kind in KINDS):
        near = difflib.get_close_matches(text, KINDS, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"{hint}it is one of {', '.join(KINDS)}, or a pattern such as chat*")
    return text
