"""Learnt files: small JSON files in which steps keep what they learnt, whole or not at all.

Nothing but learning is lost with one, so that one that is missing or broken reads as empty.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read(path: Path | None) -> dict[str, Any]:
    """What is kept; empty where nothing is, or nothing that can be read."""
    if path is None or not path.is_file():
        return {}
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if type(held) is dict else {}


def write(path: Path, held: Mapping[str, Any]) -> None:
    """Keep it, readable by its owner alone, in place of what was kept.

    Raises:
        OSError: it cannot be written; what was kept is still there.
    """
    beside = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Before anything is in it.
        beside.touch(mode=0o600)
        beside.write_text(json.dumps(held), encoding="utf-8")
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
