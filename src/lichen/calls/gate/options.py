"""GateOptions: the section [gate] of the settings."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from lichen.calls.gate.budget import Budget
from lichen.calls.gate.rule import Rule
from lichen.calls.gate.small import Cascade
from lichen.calls.gate.tables import read_tables
from lichen.calls.option import read_by
from lichen.ledger.errors import MissingExtra


def _rules(value: object) -> tuple[Rule, ...]:
    """Rules, tried out, so that what is wrong with a pattern names the file it stands in."""
    from lichen.calls.gate.rulebook import made_ready  # noqa: PLC0415 (only where there are rules)

    rules = read_tables(Rule, "rule", value)
    for rule in rules:
        # A missing engine is said when the service starts: other verbs need no pattern.
        with suppress(MissingExtra):
            made_ready(rule)
    return rules


def _budgets(value: object) -> tuple[Budget, ...]:
    return read_tables(Budget, "budget", value)


def _cascades(value: object) -> tuple[Cascade, ...]:
    return read_tables(Cascade, "cascade", value)


@dataclass(frozen=True, slots=True)
class GateOptions:
    """Whether calls are needed at all: rules, budgets, and smaller models asked first.

    With `dry_run` nothing of it acts: it is counted what each would have done and spared.
    """

    dry_run: bool = False
    rule: tuple[Rule, ...] = field(default=(), repr=False, metadata=read_by(_rules))
    budget: tuple[Budget, ...] = field(default=(), repr=False, metadata=read_by(_budgets))
    cascade: tuple[Cascade, ...] = field(default=(), repr=False, metadata=read_by(_cascades))
