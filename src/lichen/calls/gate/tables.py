"""Tables: [[gate.rule]], [[gate.budget]] and [[gate.cascade]], read into frozen objects.

Each kind of table is a dataclass whose fields say how they are written (lichen.calls.option). What
is wrong is said with the number and name of the table, the field, and the way out; the settings put
the file's name before it.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lichen.calls.option import fields_of, read_field
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Table(Protocol):
    """A table read: its name, and what must hold among its fields."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def check(self) -> str:
        """What does not go together, with the way out; empty where all does."""
        ...


T = TypeVar("T", bound=Table)


def read_tables(kind: type[T], title: str, value: object) -> tuple[T, ...]:
    """The tables of a kind.

    Raises:
        InputError: one of them makes no sense.
    """
    if not isinstance(value, (list, tuple)) or not all(isinstance(r, (dict, kind)) for r in value):
        raise InputError(f"they are tables in lichen.toml, each begun with [[gate.{title}]]")
    made = tuple(
        row if isinstance(row, kind) else _read(kind, title, row, number)
        for number, row in enumerate(value, 1)
    )
    names = [table.name for table in made]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two [[gate.{title}]] are called {twice[0]!r}: give each its own name")
    return made


def _read(kind: type[T], title: str, row: Mapping[str, Any], number: int) -> T:
    known = fields_of(kind)
    who = f"[[gate.{title}]] {number}"
    if isinstance(row.get("name"), str):
        who += f" ({row['name']})"
    made: dict[str, Any] = {"name": f"{title}-{number}"}
    for raw_name, value in row.items():
        name = raw_name.replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise InputError(f"{who}: unknown {raw_name!r}: {hint}")
        made[name] = read_field(known[name], value, f"{who}: {name}")
    table = kind(**made)
    if wrong := table.check():
        raise InputError(f"{who}: {wrong}")
    return table
