"""Cascade: one [[gate.cascade]] as it is written: which calls, which smaller model, how sure."""

from __future__ import annotations

from dataclasses import dataclass, field

from lichen.calls.gate.rule import check_name
from lichen.calls.kinds import kinds
from lichen.calls.option import TIMES, choices, share, unit, whole


@dataclass(frozen=True, slots=True)
class Cascade:
    """A smaller or local model that is asked first.

    `small` is its name; `upstream` where it is served, the service's own upstream if empty; `key`
    its credential there, `upstream_zone` its grid zone. An answer of it is given only where its
    share of answers that differ from the large model's is shown to be below `error`, at confidence
    95 %. A share `explore` of calls asks both, to learn. `samples` 2 asks the small model twice and
    trusts it by whether it agrees with itself. `same` says when two answers are one: "exact" words
    and numbers, or "overlap" of words of at least `overlap`, with the same numbers.
    """

    name: str = ""
    route: str = field(default="chat.completions", metadata=kinds())
    model: str = "*"
    small: str = ""
    upstream: str = ""
    upstream_zone: str = ""
    key: str = field(default="", repr=False)
    error: float = field(default=0.05, metadata=share(least=0.001, most=0.5))
    explore: float = field(default=0.1, metadata=share())
    samples: int = field(default=1, metadata=whole(1, 2))
    same: str = field(default="exact", metadata=choices("exact", "overlap"))
    overlap: float = field(default=0.8, metadata=share(least=0.5))
    timeout: float = field(default=60.0, metadata=unit(TIMES, above_zero=True))
    mode: str = field(default="shadow", metadata=choices("shadow", "on"))

    def check(self) -> str:
        """What does not go together, with the way out; empty where all does."""
        if not self.small:
            return "it names no smaller model: give small"
        if self.mode == "on" and not self.explore:
            return "it can never learn: give explore, such as 0.05"
        if not self.upstream and (self.key or self.upstream_zone):
            return "key and upstream_zone go with upstream: give it, or leave them out"
        return check_name(self.name)
