"""Entry: one line of the book. What was used, and what would have been used instead.

    saving = baseline − used        may be negative: a loss is shown as plainly as a gain

An `Entry` says when and for whom; its `Figures` say what. Many entries share one `Figures` (a
thousand hits on one stored answer), which is what makes a line cheap to write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from lichen.ledger.errors import UnprovenSaving
from lichen.ledger.ids import new_id
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Window, Work, from_microseconds, microseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.footprint import Footprint

NOTHING: Mapping[str, float | str] = MappingProxyType({})

# An entry whose strategy is OWN is lichen's own consumption: it makes every saving net.
OWN = "lichen"
# An entry whose strategy is NONE was answered as it came, by the upstream.
NONE = "none"
# An entry whose strategy is WINDOW is a window that was measured, of a program or of a command.
WINDOW = "none.measured"
# Strategies that begin with TRIAL hold the sums of a holdout's arms (trial.py); no total has them.
TRIAL = "trial."
# A gap: the baseline is of another grid than what was used, and how far the errors of two grids go
# together is not known.
ACROSS_ZONES = "interval-across-zones"

# What stands where a tenant, a name or a model stood that was forgotten on request.
FORGOTTEN = "forgotten"
# Raw values that are hashes of what was asked and answered, and the one that says they are gone.
HASHES = ("call", "answer")
FORGOTTEN_MARK = "forgotten"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What would have been used without the strategy.

    `method` names how that is known (such as "stored-call/1"), `evidence` points to what
    `lichen prove` re-runs, `tokens` are the raw quantity it was priced from.

    Raises:
        UnprovenSaving: method or evidence is empty.
    """

    footprint: Footprint
    method: str
    evidence: str
    tokens: Tokens = field(default_factory=Tokens)

    def __post_init__(self) -> None:
        """A baseline that cannot be shown is none."""
        if not self.method or not self.evidence:
            raise UnprovenSaving(
                f"a baseline needs a method and evidence to re-run, got method {self.method!r} and "
                f"evidence {self.evidence!r}"
            )


@dataclass(frozen=True, slots=True)
class Saving:
    """Baseline minus used. Negative where the strategy cost more than it spared."""

    footprint: Footprint
    method: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What an entry says: work, footprint, and the raw quantities it was priced from.

    `method` names the way the footprint was made (such as "tokens/1"), `factors` the version of
    the tables it used; together with `tokens`, `raw` and `zone` they let history be priced again.
    `gaps` are what could not be known, by name.
    """

    name: str
    strategy: str
    work: Work
    footprint: Footprint
    method: str
    factors: str
    zone: str
    model: str = ""
    tokens: Tokens = field(default_factory=Tokens)
    raw: Mapping[str, float | str] = field(default_factory=lambda: NOTHING)
    baseline: Baseline | None = None
    gaps: tuple[str, ...] = ()

    @property
    def saving(self) -> Saving | None:
        """Baseline minus used, None where no strategy claims one.

        Both sides are priced by the entry's own method and factors, so their errors are shared;
        but not those of two grids, where the gap `ACROSS_ZONES` is named: the interval of
        operational carbon is then the widest there can be.
        """
        if self.baseline is None:
            return None
        instead = self.baseline.footprint
        is_across = ACROSS_ZONES in self.gaps
        return Saving(
            (instead.minus_across if is_across else instead.minus_shared)(self.footprint),
            self.baseline.method,
            self.baseline.evidence,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the book: an id, a time [µs since 1970], a tenant (a hash) and its figures."""

    id: str
    start_us: int
    end_us: int
    tenant: str
    figures: Figures

    @classmethod
    def of(cls, window: Window, figures: Figures, *, tenant: str = "") -> Entry:
        """An entry for a window, with an id of its own."""
        start = microseconds(window.start)
        return cls(new_id(start), start, microseconds(window.end), tenant, figures)

    @property
    def window(self) -> Window:
        """When and in which zone."""
        return Window(
            from_microseconds(self.start_us), from_microseconds(self.end_us), self.figures.zone
        )

    @property
    def saving(self) -> Saving | None:
        """What the strategy spared, None where none claims one."""
        return self.figures.saving
