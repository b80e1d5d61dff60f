"""Rulebook: which rule a call meets, found in a few microseconds where it meets none.

Rules are sorted by the calls they are for once per kind and model. What is left is looked at in
their order; all exact texts are found by one look-up and all patterns by one pass over the text.
Rules that cap or cut a call all act; of those that end it (answer, refuse, share) the first does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from lichen.calls.gate.asked import Asked, asked
from lichen.calls.gate.fits import project_of
from lichen.calls.gate.meeting import TESTS
from lichen.calls.gate.pattern import Pattern, PatternSet
from lichen.calls.gate.template import Template
from lichen.ledger.dry import DrySums
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from lichen.calls.exchange import Call, Exchange
    from lichen.calls.gate.meeting import Test
    from lichen.calls.gate.rule import Rule


@dataclass(slots=True)
class Ready:
    """A rule made ready: its patterns and templates compiled, and what it has done so far."""

    rule: Rule
    asks: str
    does: str
    pattern: Pattern | None
    template: Template | None
    today: Callable[[], date] | None
    # Its test, and whether it is for whoever calls: looked up once.
    test: Test
    everyone: bool
    # Counts since the start, for gauges and panels.
    met: int = 0
    spared: DrySums = field(default_factory=DrySums)

    @property
    def is_dry(self) -> bool:
        """Whether it only tells what it would do."""
        return self.rule.mode == "dry"


@dataclass(slots=True)
class Picked:
    """The rules for calls of one kind and model."""

    changing: tuple[Ready, ...] = ()
    ending: tuple[Ready, ...] = ()
    # By folded text, the places in `ending` of rules with that exact text.
    exact: dict[str, list[int]] = field(default_factory=dict)
    # A question longer than that, or one that begins otherwise, equals none of them. [character]
    longest: int = 0
    begins: set[str] = field(default_factory=set)
    patterns: PatternSet | None = None
    # The place in `ending` of each pattern in the set.
    places: tuple[int, ...] = ()
    # Places of rules that are looked at for every call.
    always: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Met:
    """A rule that a call meets, and what it says to fill its template with."""

    ready: Ready
    groups: Mapping[str, str]
    asked: Asked | None

    @property
    def text(self) -> str:
        """The answer in words."""
        template = self.ready.template
        return template.filled(self.groups) if template is not None else self.groups["result"]


class Rulebook:
    """Rules in their order.

    Raises:
        InputError: a pattern or a template makes no sense; names the rule.
        MissingExtra: a pattern needs google-re2.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        # Every call meets a rule for repeated ones, the first included: it is looked at last.
        ready = [made_ready(rule) for rule in rules]
        self.rules = tuple(sorted(ready, key=lambda each: each.does == "share"))
        self.pick = lru_cache(maxsize=1024)(self._pick)

    def _pick(self, kind: str, model: str) -> Picked:
        rows = [
            ready
            for ready in self.rules
            if fnmatchcase(kind, ready.rule.route) and fnmatchcase(model, ready.rule.model)
        ]
        changing = tuple(ready for ready in rows if ready.does in ("cap", "cut"))
        # What is too long even when cut is refused.
        ending = tuple(
            ready
            for ready in rows
            if ready.does != "cap" and not (ready.does == "cut" and ready.is_dry)
        )
        picked = Picked(changing, ending)
        patterns, always = [], []
        for place, ready in enumerate(ending):
            if ready.pattern is not None:
                patterns.append((place, ready.pattern))
            elif ready.asks != "exact":
                always.append(place)
            for text in ready.rule.exact:
                picked.exact.setdefault(folded(text), []).append(place)
                picked.begins.add(folded(text)[:1])
                picked.longest = max(picked.longest, 2 * len(text) + 64)
        if patterns:
            picked.patterns = PatternSet([pattern for _, pattern in patterns])
        picked.places = tuple(place for place, _ in patterns)
        picked.always = tuple(always)
        return picked

    def ending(self, exchange: Exchange, call: Call) -> Met | None:
        """The first rule that the call meets and that ends it; a dry one where no other does."""
        picked = self.pick(call.kind, call.model)
        if not picked.ending:
            return None
        question = asked(call)
        dry = None
        for place in _candidates(picked, question):
            ready = picked.ending[place]
            groups = meets(ready, exchange, call, question)
            if groups is None:
                continue
            met = Met(ready, groups, question)
            if not ready.is_dry:
                return met
            dry = dry or met
        return dry


def _candidates(picked: Picked, question: Asked | None) -> Sequence[int]:
    """Places of the rules that the question may meet, in their order."""
    if question is None:
        return picked.always
    exact: Sequence[int] = ()
    # White space may make a text longer than the one it equals, but hardly twice as long.
    text = question.text
    if picked.exact and len(text) <= picked.longest and text[:1].casefold()[:1] in picked.begins:
        exact = picked.exact.get(folded(text), ())
    found = picked.patterns.matching(text) if picked.patterns is not None else ()
    if not exact and not found:
        return picked.always
    return sorted({*picked.always, *exact, *(picked.places[number] for number in found)})


def meets(
    ready: Ready, exchange: Exchange, call: Call, question: Asked | None
) -> Mapping[str, str] | None:
    """What a call says to the template of a rule that is for it; None where it does not meet it."""
    if not ready.everyone and not _is_for(ready.rule, exchange):
        return None
    return ready.test(ready, exchange, call, question)


def _is_for(rule: Rule, exchange: Exchange) -> bool:
    if rule.tenant != "*" and not fnmatchcase(exchange.payer or exchange.tenant, rule.tenant):
        return False
    return rule.project == "*" or fnmatchcase(project_of(exchange), rule.project)


def folded(text: str) -> str:
    """A text as exact rules compare it: case, and white space around and inside, do not count."""
    return " ".join(text.split()).casefold()


def made_ready(rule: Rule) -> Ready:
    """A rule compiled.

    Raises:
        InputError: its pattern or template makes no sense.
        MissingExtra: its pattern needs google-re2.
    """
    try:
        pattern = Pattern(rule.pattern) if rule.pattern else None
    except InputError as error:
        raise InputError(f"[[gate.rule]] {rule.name}: pattern {rule.pattern!r}: {error}") from None
    known = pattern.groups if pattern is not None else _KNOWN.get(rule.asks, frozenset())
    written = rule.answer or rule.refuse
    try:
        template = Template(written, known) if written else None
    except InputError as error:
        field_name = "answer" if rule.answer else "refuse"
        raise InputError(f"[[gate.rule]] {rule.name}: {field_name}: {error}") from None
    today = _today(rule.zone) if rule.zone else None
    everyone = rule.tenant == rule.project == "*"
    return Ready(rule, rule.asks, rule.does, pattern, template, today, TESTS[rule.asks], everyone)


# What a template may name beside a pattern's groups.
_KNOWN = {"longer": frozenset(("tokens", "limit")), "local": frozenset(("result",))}


def _today(zone: str) -> Callable[[], date]:
    place = ZoneInfo(zone)
    return lambda: datetime.now(place).date()
