"""Forgetting: a tenant, words or all that is old taken out of the book, and no sum changed.

    entries    whose tenant is meant say "forgotten" instead; no two of them can be told apart
    figures    those of no other entries lose the hashes of prompt and answer, and say so; names and
               models that hold the words say "forgotten" instead
    rollups    a model whose name is gone from the figures is added to "forgotten"

Quantities, times and footprints stay, so that every sum is what it was; a model whose name is gone
is an unknown one when history is priced again. Everything happens in the one transaction the cursor
stands in. What was forgotten stands in a table of its own, which is how services hear of it.
"""

# Statements are put together from our own table and column names; values are always bound.
# ruff: noqa: S608

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lichen.ledger.entry import FORGOTTEN, FORGOTTEN_MARK, HASHES
from lichen.ledger.rollup import BASES, SUMS
from lichen.ledger.writing import add_to_rollups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lichen.ledger.entry import Entry
    from lichen.ledger.writing import Cursor

# Ids to a query.
_IDS = 500
_ROLLUP = ("period", "start", "strategy", "model", "unit", *SUMS, *BASES)
_MODEL = _ROLLUP.index("model")


@dataclass(frozen=True, slots=True)
class Oblivion:
    """What is to be forgotten of a book: of a tenant, holding words, before a time [µs].

    Where more than one is given, all must hold.
    """

    tenant: str = ""
    contains: str = ""
    before_us: int | None = None

    @property
    def which(self) -> tuple[str, list[Any]]:
        """The WHERE clause of the entries meant by tenant and time, and its values."""
        clauses, values = ["true"], list[Any]()
        if self.tenant:
            clauses.append("tenant = ?")
            values.append(self.tenant)
        if self.before_us is not None:
            clauses.append("start_us < ?")
            values.append(self.before_us)
        return " AND ".join(clauses), values

    def is_in(self, *texts: str) -> bool:
        """Whether one of the texts holds the words, in any case of letters."""
        wanted = self.contains.casefold()
        return any(wanted in text.casefold() for text in texts)

    def means(self, entry: Entry) -> bool:
        """Whether an entry is meant."""
        if self.tenant and entry.tenant != self.tenant:
            return False
        if self.before_us is not None and entry.start_us >= self.before_us:
            return False
        if self.contains:
            return self.is_in(entry.figures.name, entry.figures.model)
        return entry.tenant not in ("", FORGOTTEN)

    def without(self, entry: Entry) -> Entry:
        """An entry that is meant, without what is to be forgotten of it."""
        figures = entry.figures
        if self.contains:
            name = FORGOTTEN if self.is_in(figures.name) else figures.name
            model = FORGOTTEN if self.is_in(figures.model) else figures.model
            return replace(entry, figures=replace(figures, name=name, model=model))
        if any(name in figures.raw for name in HASHES):
            kept = {name: value for name, value in figures.raw.items() if name not in HASHES}
            figures = replace(figures, raw={**kept, FORGOTTEN_MARK: 1})
        return replace(entry, tenant=FORGOTTEN, figures=figures)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """One time something was forgotten. The tenant is named until all services have heard of it."""

    number: int
    at_us: int
    tenant: str
    contained: bool
    before_us: int | None

    @property
    def again(self) -> Oblivion:
        """The same once more, for what was still to be written then."""
        until_us = self.at_us + 1
        before_us = until_us if self.before_us is None else min(self.before_us, until_us)
        return Oblivion(tenant=self.tenant, before_us=before_us)


class Forgetting:
    """Forgets in the transaction of a cursor."""

    def __init__(self, cursor: Cursor, which: Oblivion) -> None:
        self._cursor = cursor
        self._which = which

    def run(self) -> int:
        """Forget; how many entries say less now."""
        clause, values = self._which.which
        if self._which.contains:
            return self._forget_words(clause, values)
        clause, values = f"{clause} AND tenant NOT IN ('', ?)", [*values, FORGOTTEN]
        figures = self._only_of(clause, values)
        [(count,)] = self._rows(f"SELECT count(*) FROM entries WHERE {clause}", values)
        self._cursor.execute(f"UPDATE entries SET tenant = ? WHERE {clause}", [FORGOTTEN, *values])
        self._forget_hashes(figures)
        return int(count)

    def _only_of(self, clause: str, values: list[Any]) -> set[int]:
        """Figures that these entries have, and no others but those forgotten already."""
        mine = self._rows(f"SELECT DISTINCT figures FROM entries WHERE {clause}", values)
        others = self._rows(
            f"SELECT DISTINCT figures FROM entries WHERE NOT ({clause}) AND tenant <> ?",
            [*values, FORGOTTEN],
        )
        return {number for (number,) in mine} - {number for (number,) in others}

    def _forget_hashes(self, figures: set[int]) -> None:
        changed = []
        for number, _, _, raw in self._texts_of(self._with_repriced(figures)):
            said = json.loads(raw) if raw else {}
            if any(name in said for name in HASHES):
                kept = {name: value for name, value in said.items() if name not in HASHES}
                changed.append((json.dumps({**kept, FORGOTTEN_MARK: 1}), number))
        self._cursor.executemany("UPDATE figures SET raw = ? WHERE id = ?", changed)

    def _forget_words(self, clause: str, values: list[Any]) -> int:
        """Take the words out of names and models of the figures."""
        which = self._which
        figures = self._only_of(clause, values)
        found = [
            (number, name, model)
            for number, name, model, _ in self._texts_of(self._with_repriced(figures))
            if which.is_in(name, model)
        ]
        changes = [
            (
                FORGOTTEN if which.is_in(name) else name,
                FORGOTTEN if which.is_in(model) else model,
                n,
            )
            for n, name, model in found
        ]
        self._cursor.executemany("UPDATE figures SET name = ?, model = ? WHERE id = ?", changes)
        self._merge_rollups({model for _, _, model in found if which.is_in(model)})
        return self._entries_of({number for number, _, _ in found} & figures)

    def _merge_rollups(self, models: set[str]) -> None:
        for model in sorted(models):
            if self._rows("SELECT 1 FROM figures WHERE model = ? LIMIT 1", [model]):
                continue  # others use that name: it is not theirs alone
            columns = ", ".join(_ROLLUP)
            rows = self._rows(f"SELECT {columns} FROM rollups WHERE model = ?", [model])
            self._cursor.execute("DELETE FROM rollups WHERE model = ?", [model])
            merged = [(*row[:_MODEL], FORGOTTEN, *row[_MODEL + 1 :]) for row in rows]
            add_to_rollups(self._cursor, merged)

    def _with_repriced(self, figures: set[int]) -> set[int]:
        """These figures and those that replaced them."""
        found = set(figures)
        for part in _parts(figures):
            marks = ", ".join("?" * len(part))
            query = f"SELECT new FROM repriced WHERE old IN ({marks})"
            found |= {number for (number,) in self._rows(query, part)}
        return found

    def _texts_of(self, figures: set[int]) -> Iterator[tuple[int, str, str, str | None]]:
        for part in _parts(figures):
            marks = ", ".join("?" * len(part))
            yield from self._rows(
                f"SELECT id, name, model, raw FROM figures WHERE id IN ({marks})", part
            )

    def _entries_of(self, figures: set[int]) -> int:
        count = 0
        for part in _parts(figures):
            marks = ", ".join("?" * len(part))
            query = f"SELECT count(*) FROM entries WHERE figures IN ({marks})"
            count += self._rows(query, part)[0][0]
        return count

    def _rows(self, query: str, values: list[Any]) -> list[Any]:
        self._cursor.execute(query, values)
        return self._cursor.fetchall()


def _parts(numbers: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(numbers)
    for at in range(0, len(ordered), _IDS):
        yield ordered[at : at + _IDS]


def forgotten_of(row: Sequence[Any]) -> Forgotten:
    """What a row of `schema.FORGOTTEN_ROWS` says."""
    number, at_us, tenant, contained, before_us = row
    return Forgotten(number, at_us, tenant, bool(contained), before_us)
