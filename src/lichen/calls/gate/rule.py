"""Rule: one [[gate.rule]] as it is written: for which calls, what it asks of them, what it does.

which calls     route, model, tenant, project (globs), turns, system
asks of them    exact | pattern | empty | repeat | longer | local     one of these, or none
does            answer | refuse | cut | max_tokens and n              what goes with it
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lichen.calls.gate.pattern import LONGEST
from lichen.calls.kinds import kinds
from lichen.calls.option import TIMES, choices, read_by, unit, whole

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
LOCAL = ("arithmetic", "dates")
# Seconds within which a repeated call is one call; an answer that long in memory is a cache's.
_LONGEST_REPEAT_S = 300.0
# Source: RFC 9110 §15.5 (client errors); 429 is the budgets' own.
_STATUSES = range(400, 500)
_ASKS = ("exact", "pattern", "empty", "repeat", "longer", "local")
_DOES = ("answer", "refuse", "cut", "max_tokens", "n")
# What may be done where something is asked; the first is what is done unless another is named.
_GOES_WITH = {
    "exact": ("answer", "refuse"),
    "pattern": ("answer", "refuse"),
    "empty": ("refuse", "answer"),
    "repeat": (),
    "longer": ("refuse", "cut"),
    "local": ("answer",),
    "": ("answer", "refuse", "max_tokens", "n"),
}


def _texts(value: object) -> tuple[str, ...]:
    """One text, or a list of them."""
    rows = (value,) if isinstance(value, str) else value
    if not isinstance(rows, (list, tuple)) or not rows or not all(isinstance(r, str) for r in rows):
        raise ValueError('it is a text or a list of texts, such as ["ping", "hello"]')
    if any(len(row) > LONGEST for row in rows):
        raise ValueError(f"a text is at most {LONGEST} characters long")
    return tuple(rows)


def _local(value: object) -> tuple[str, ...]:
    names = _texts(value)
    for name in names:
        if name not in LOCAL:
            raise ValueError(f"what can be answered here: {', '.join(LOCAL)}")
    return names


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as written. Times in seconds, lengths in tokens.

    `mode` is "on" or "dry": a dry rule changes nothing and books what it would have spared.
    `always` keeps a rule's calls out of the holdout. `zone` names the time zone of "today".
    """

    name: str = ""
    route: str = field(default="*", metadata=kinds())
    model: str = "*"
    tenant: str = "*"
    project: str = "*"
    turns: str = field(default="first", metadata=choices("first", "any"))
    system: str = field(default="any", metadata=choices("any", "none"))
    exact: tuple[str, ...] = field(default=(), metadata=read_by(_texts))
    pattern: str = ""
    empty: bool = False
    repeat: float = field(default=0.0, metadata=unit(TIMES, above_zero=True))
    longer: int = field(default=0, metadata=whole(1))
    local: tuple[str, ...] = field(default=(), metadata=read_by(_local))
    answer: str = ""
    refuse: str = ""
    status: int = field(default=0, metadata=whole(_STATUSES[0], _STATUSES[-1]))
    cut: bool = False
    max_tokens: int = field(default=0, metadata=whole(1))
    n: int = field(default=0, metadata=whole(1))
    zone: str = ""
    mode: str = field(default="on", metadata=choices("on", "dry"))
    always: bool = False

    @property
    def asks(self) -> str:
        """What it asks of a call; empty where it asks nothing."""
        return next((name for name in _ASKS if getattr(self, name)), "")

    @property
    def does(self) -> str:
        """What it does: answer, refuse, cut, cap, or share the answer of a repeated call."""
        named = [name for name in _DOES if getattr(self, name)]
        if not named:
            return {"empty": "refuse", "repeat": "share", "longer": "refuse"}.get(
                self.asks, "answer"
            )
        return "cap" if named[0] in ("max_tokens", "n") else named[0]

    def check(self) -> str:
        """What does not go together, with the way out; empty where all does."""
        asks = [name for name in _ASKS if getattr(self, name)]
        does = [name for name in _DOES if getattr(self, name)]
        if len(asks) > 1:
            return f"it asks for {' and '.join(asks)}: write a rule for each"
        allowed = _GOES_WITH["".join(asks)]
        for name in does:
            if name not in allowed:
                known = ", ".join(allowed) or "nothing more: the first call's answer is shared"
                return f"{name} does not go with {asks[0] if asks else 'no condition'}: {known}"
        if not does and (not asks or asks[0] in ("exact", "pattern")):
            return f"it does nothing: give answer{' or' if asks else ','} refuse" + (
                "" if asks else ", max_tokens or n"
            )
        return self._check_details(does)

    def _check_details(self, does: list[str]) -> str:
        if "answer" in does and "refuse" in does:
            return "it cannot both answer and refuse: leave one out"
        if "cut" in does and "refuse" in does:
            return "it cannot both cut and refuse: leave one out"
        if self.repeat > _LONGEST_REPEAT_S:
            return (
                f"repeat is at most {_LONGEST_REPEAT_S:g} s: for longer, use a [[route]] with reuse"
            )
        if self.status and self.does != "refuse":
            return "status goes with refuse: leave it out"
        if self.status == 429:  # noqa: PLR2004 (HTTP)
            return "429 is for budgets, and clients send such a call again: take 400, 403 or 413"
        return check_name(self.name) or (check_zone(self.zone) if self.zone else "")


def check_name(name: str) -> str:
    """What is wrong with a table's name, which stands in headers and metrics; empty where fine."""
    if _NAME.fullmatch(name):
        return ""
    return f"name {name!r} must be 1 to 64 letters, digits, points, dashes and underscores"


def check_zone(zone: str) -> str:
    """What is wrong with the name of a time zone; empty where fine."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return (
            f"no time zone is called {zone!r}: take a name such as Europe/Stockholm (where the "
            "system has no time zones at all: pip install tzdata)"
        )
    return ""


def refusal_status(rule: Rule) -> int:
    """The status of a refusal: what the rule says, else what fits."""
    return rule.status or (413 if rule.asks == "longer" else 400)
