"""Compress: shorter prompts. Lossless first, selection by choice, and what watches over both.

exact_json   JSON read and written with nothing lost
table        arrays of like objects, their keys written once
space        what may not be touched, and white space that carries nothing
lossless     a text with fewer tokens that says the same
expand       the way back
"""

from __future__ import annotations

from lichen.calls.compress.expand import expand
from lichen.calls.compress.lossless import shorten

__all__ = ["expand", "shorten"]
