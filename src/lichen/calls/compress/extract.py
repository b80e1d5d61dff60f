"""Extract: placeholder."""
from __future__ import annotations


class Extract:
    def __init__(self, embedder) -> None: ...
