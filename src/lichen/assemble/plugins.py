"""Plugins: what entry points name. Built-ins and strangers come in by the same door."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lichen.ledger.errors import InputError


def plugin(group: str, name: str) -> Any:
    """What an installed package registers under a name.

    Raises:
        InputError: none does; with the names there are.
    """
    return found(group, name).load()


def found(group: str, name: str) -> EntryPoint:
    """The same, not loaded yet.

    Raises:
        InputError: as `plugin`.
    """
    known = {point.name: point for point in entry_points(group=group)}
    if name not in known:
        raise InputError(
            f"nothing installed provides {name!r} in {group}: known are {', '.join(sorted(known))}"
        )
    return known[name]
