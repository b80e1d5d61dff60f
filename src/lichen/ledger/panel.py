"""Panel: a small table that a part of lichen shows of itself, for whoever draws pages."""

from __future__ import annotations

from typing import NamedTuple


class Panel(NamedTuple):
    """A title, the names of the columns, rows of as many texts, and a sentence that explains.

    Texts are plain: whoever draws them escapes them. They hold no prompt and no credential.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
