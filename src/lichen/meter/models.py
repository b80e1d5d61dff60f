"""Models: how many parameters a model has, by the names its users call it.

The registry `models.csv` is frozen from a named version of ecologits by `tools/freeze_models.py`.
A name is looked up as it stands, then without what does not change the model (a provider's prefix,
a date, a quantisation); then by the parameter count it may state itself ("SmolLM2-135M"); then by
its family, as wide as the family; then as the whole registry. What had to be assumed is a gap.

Source: ecologits 0.11.3, data/models.json (MPL-2.0; facts only).
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UNKNOWN = "model-unknown"

# What a name may end in without naming another model: dates, snapshots, quantisations, formats.
ENDINGS = re.compile(
    r"(?:[-@:_.](?:20\d\d-?\d\d-?\d\d|\d\d-\d\d"
    # Month and day; year and month.
    r"|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|2[2-9](?:0[1-9]|1[0-2])"
    r"|v\d+(?:[.:]\d+)*|latest|preview|exp|free"
    r"|instruct|chat|it|gguf|awq|gptq|fp8|fp16|bf16|f16|f32|i?q\d(?:_[a-z0-9]+)*|int[48]|[48]bit"
    r"|thinking|online)|\[[^\]]*\])$"
)
# Where a name comes from: "us.anthropic.claude-…", "ft:gpt-4o:org::id".
REGIONS = re.compile(r"^(?:(?:us|eu|apac|global)\.)?(?:anthropic|mistral|meta|cohere|openai)\.")
FINE_TUNED = re.compile(r"^ft:([^:]+):.*$")
# "8x7B", "17B-128E", "135M" or "1.7b", and the active part of "235B-A22B".
EXPERTS = re.compile(r"(?<![a-z0-9.])(\d+)x(\d+(?:\.\d+)?)b(?![a-z0-9])")
EACH = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b-(\d+)e(?![a-z0-9])")
COUNT = re.compile(r"(?<![a-z0-9.])(?:(\d+(?:\.\d+)?)b|(\d{2,}(?:\.\d+)?)m)(?![a-z0-9])")
ACTIVE = re.compile(r"(?<![a-z0-9.])a(\d+(?:\.\d+)?)b(?![a-z0-9])")
PIECES = re.compile(r"[a-z]+|\d+")
# No provider's name is longer; what is sent to us may be. [characters]
LONGEST = 200
# Source: Mistral AI, "Mixtral of experts" (arXiv 2401.04088): of 8 experts 2 are active, and since
# attention is shared 8x7B has 46.7 of 56 billion parameters, 12.9 of them active. [1]
SHARED = 0.8
ACTIVE_EXPERTS = (1, 2)


@dataclass(frozen=True, slots=True)
class Size:
    """Total and active parameters of a model, each between two ends. [billion]"""

    total_low: float
    total_high: float
    active_low: float
    active_high: float

    def at(self, share: float) -> tuple[float, float]:
        """Total and active parameters at `share` of the way, in logarithms. [billion]"""
        return (
            self.total_low * (self.total_high / self.total_low) ** share,
            self.active_low * (self.active_high / self.active_low) ** share,
        )

    def smallest(self) -> Size:
        """Its lower end."""
        return Size(self.total_low, self.total_low, self.active_low, self.active_low)

    def middle(self) -> Size:
        """The middle of the way, in logarithms."""
        total, active = self.at(0.5)
        return Size(total, total, active, active)

    def largest(self) -> Size:
        """Its upper end."""
        return Size(self.total_high, self.total_high, self.active_high, self.active_high)


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model: its size, how that is known, and what is missing."""

    name: str
    size: Size
    flags: tuple[str, ...] = ()
    source: str = "its name"
    gaps: tuple[str, ...] = ()


def widest(models: Iterable[Model]) -> Size:
    """The size that spans all of them."""
    sizes = [model.size for model in models]
    return Size(
        min(size.total_low for size in sizes),
        max(size.total_high for size in sizes),
        min(size.active_low for size in sizes),
        max(size.active_high for size in sizes),
    )


def plain(name: str) -> str:
    """A name without what does not change the model."""
    name = FINE_TUNED.sub(r"\1", name.strip().lower()[:LONGEST]).removesuffix(".gguf")
    name = REGIONS.sub("", name.rsplit("/", 1)[-1])
    while (shorter := ENDINGS.sub("", name)) != name:
        name = shorter
    return name


def stated(name: str) -> Size | None:
    """The size a plain name states itself, if it does. [billion]"""
    if found := EXPERTS.search(name):
        experts, each = int(found[1]), float(found[2])
        fewest, most = (count * each for count in ACTIVE_EXPERTS)
        size = Size(experts * each * SHARED, experts * each, fewest, most)
    elif found := EACH.search(name):
        active, experts = float(found[1]), int(found[2])
        size = Size(active, experts * active, active, active)
    elif found := COUNT.search(name):
        total = float(found[1]) if found[1] else float(found[2]) / 1000
        active = min(float(some[1]), total) if (some := ACTIVE.search(name)) else total
        size = Size(total, total, active, active)
    else:
        return None
    return size if size.active_low > 0 else None


def pieces(name: str) -> tuple[str, ...]:
    """The words and numbers of a plain name."""
    return tuple(PIECES.findall(plain(name)))


class Registry:
    """The frozen models, by every name they go by."""

    def __init__(self, models: Mapping[str, Model], version: str) -> None:
        """Hold `models` by their names as written, frozen from `version`."""
        self.version = version
        self.models = models
        self._exact = {name.lower(): model for name, model in models.items()}
        self._short: dict[str, Model] = {}
        self._plain: dict[str, list[Model]] = {}
        for name, model in models.items():
            self._short.setdefault(name.lower().rsplit("/", 1)[-1], model)
            self._plain.setdefault(plain(name), []).append(model)
        self._pieces = [(pieces(name), model) for name, model in models.items()]

    def find(self, name: str) -> Model:
        """What is known of the model called `name`; never nothing."""
        known = self._known(name)
        if known:
            return known
        if size := stated(plain(name)):
            return Model(name, size)
        return self._family(name)

    def _known(self, name: str) -> Model | None:
        lower = name.strip().lower()
        found = self._exact.get(lower) or self._short.get(lower.rsplit("/", 1)[-1])
        if found:
            return found
        same = self._plain.get(plain(name), [])
        # Another date of a model that changed its size is not that model.
        return same[0] if len({model.size for model in same}) == 1 else None

    def _family(self, name: str) -> Model:
        words = pieces(name)
        for length in range(len(words), 0, -1):
            kin = [model for some, model in self._pieces if some[:length] == words[:length]]
            if kin and words[0].isalpha():
                shown = "-".join(words[:length])
                return Model(
                    name, widest(kin), source=self.version, gaps=(f"{UNKNOWN}:family={shown}",)
                )
        return Model(name, widest(self.models.values()), source=self.version, gaps=(UNKNOWN,))


@cache
def registry() -> Registry:
    """The registry as frozen."""
    table = files("lichen.meter") / "models.csv"
    models: dict[str, Model] = {}
    version = ""
    for row in csv.DictReader(table.read_text("utf-8").splitlines()):
        size = Size(
            float(row["total_low"]),
            float(row["total_high"]),
            float(row["active_low"]),
            float(row["active_high"]),
        )
        version = row["source"]
        flags = tuple(filter(None, row["flags"].split("|")))
        for name in (row["name"], *filter(None, row["aliases"].split("|"))):
            models[name] = Model(row["name"], size, flags, version)
    return Registry(models, version)
