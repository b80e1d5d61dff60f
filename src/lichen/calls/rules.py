"""Rules: what the user wants for calls of one kind, such as reusing sampled answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

from lichen.calls.option import TIMES, choices, share, unit


@dataclass(frozen=True, slots=True)
class RouteRule:
    """What differs for calls of one kind: `route` and `model` are globs, "*" matches all.

    `sampled` is "bypass" (a sampled call wants a new answer each time) or "reuse"; `scope` is
    "tenant" (only who paid for an answer gets it again) or "shared"; `ttl` is how long an answer
    serves [s]; `stale_if_error` how long past that, where the upstream fails [s]. `tool_calls` is
    "drop" (an answer that asks for a tool is not kept: what the tool gives may be another thing
    next time) or "keep"; `prompt_cache` is "auto" where prefixes may be marked for the provider to
    keep; `batch` is "embeddings" where those of many callers go to the upstream as one.

    `similar` is "off", "shadow" or "on": whether a like question's answer serves, with at most a
    share `error` of wrong ones among those given [1].

    `compress` is "off", "lossless" (prompts are written shorter, nothing is lost) or "lossy" (of a
    context what serves the question is selected).
    """

    route: str = "*"
    model: str = "*"
    sampled: str = field(default="bypass", metadata=choices("bypass", "reuse"))
    scope: str = field(default="tenant", metadata=choices("tenant", "shared"))
    ttl: float = field(default=86400.0, metadata=unit(TIMES))
    compress: str = field(default="off", metadata=choices("off", "lossless", "lossy"))
    similar: str = field(default="off", metadata=choices("off", "shadow", "on"))
    error: float = field(default=0.05, metadata=share(least=0.001, most=0.5))
    stale_if_error: float = field(default=0.0, metadata=unit(TIMES))
    tool_calls: str = field(default="drop", metadata=choices("drop", "keep"))
    prompt_cache: str = field(default="off", metadata=choices("off", "auto"))
    batch: str = field(default="off", metadata=choices("off", "embeddings"))


class Rules:
    """Rules in order of precedence; the first that matches holds."""

    def __init__(self, rules: tuple[RouteRule, ...]) -> None:
        self._rules = rules
        self.find = lru_cache(maxsize=1024)(self._find)

    def _find(self, kind: str, model: str) -> RouteRule:
        return next(
            (
                rule
                for rule in self._rules
                if fnmatchcase(kind, rule.route) and fnmatchcase(model, rule.model)
            ),
            RouteRule(),
        )

    def any(self, name: str, *unlike: object) -> bool:
        """Whether a rule says something for `name` that is none of these."""
        return any(getattr(rule, name) not in unlike for rule in self._rules)

    def longest(self, name: str, *unlike: object) -> float:
        """How long answers are kept at most where a rule says something else for `name` [s]."""
        said = (rule.ttl for rule in self._rules if getattr(rule, name) not in unlike)
        return max(said, default=0.0)
