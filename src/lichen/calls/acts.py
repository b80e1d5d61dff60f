"""Acts: what the steps did to one call, and the line of the book that each of them gets.

    spared by a step = price(what would have reached the layer below it) − price(what did)

A step that changes a call (shortens it, sends it later, to another model) notes an `Act`, which can
undo the change. When the call is answered, what it took is known, and the acts are undone from the
innermost outwards. Each is credited with what it removed from what reached it, so the lines add up
to the whole and nothing counts twice. A step that made a call dearer gets a negative line.

Where the call's energy was measured, both prices of the token model are scaled to it, so that the
difference is of the same size as the entry it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.entry import ACROSS_ZONES, Baseline, Figures
from lichen.ledger.errors import UnprovenSaving
from lichen.ledger.footprint import Footprint
from lichen.ledger.proof import Proof
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry
    from lichen.ledger.pricing import Pricer

# How a line is priced, and priced again.
DIFFERENCE = "difference/1"
_NO_REQUEST = Work(0, "request")
_NOTHING = Footprint.zero()
_CLASSES = tuple(each.name for each in fields(Tokens))
# Two numbers made by one method from the same raw quantities differ by rounding alone.
_TOLERANCE = 1e-9


class Use(NamedTuple):
    """What a call takes from a layer on: which model, how many tokens, when [µs], on which grid."""

    model: str
    tokens: Tokens
    at_us: int
    zone: str


@dataclass(frozen=True, slots=True)
class Act:
    """What a step did: `undo` tells what would have reached the layer below without it.

    `method` names how that is known (such as "compressed/1"), for `lichen prove`; `raw` is what the
    proof needs; `gaps` are what could not be known.
    """

    strategy: str
    method: str
    undo: Callable[[Use], Use]
    raw: Mapping[str, float | str] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()


class Call(NamedTuple):
    """The call that lines belong to: its entry, its kind, and by how much measured beats model."""

    entry_id: str
    kind: str
    scale: float


def lines(acts: Sequence[Act], use: Use, call: Call, pricer: Pricer) -> list[Figures]:
    """One line per act, the innermost first. `use` is what the upstream took in the end."""
    made = []
    for depth, act in enumerate(reversed(acts)):
        before = act.undo(use)
        raw: dict[str, float | str] = {
            **act.raw,
            **_written("before", before),
            **_written("after", use),
            "scale": call.scale,
            "depth": depth,
        }
        footprint, gaps = _difference(pricer, before, use, call.scale)
        made.append(
            Figures(
                name=call.kind,
                strategy=act.strategy,
                work=_NO_REQUEST,
                footprint=_NOTHING,
                method=DIFFERENCE,
                factors=pricer.calls.factors,
                zone=use.zone,
                model=use.model,
                raw=raw,
                baseline=Baseline(
                    footprint, act.method, call.entry_id, _spared(before.tokens, use.tokens)
                ),
                gaps=(*act.gaps, *gaps),
            )
        )
        use = before
    return made


def reprice(figures: Figures, _sample: Entry, *, pricer: Pricer) -> Figures:
    """A line under today's factors; the same object where nothing changes."""
    baseline = figures.baseline
    assert baseline is not None
    before, after = _read("before", figures.raw), _read("after", figures.raw)
    footprint, gaps = _difference(pricer, before, after, float(figures.raw["scale"]))
    kept = tuple(gap for gap in figures.gaps if not gap.startswith(_OF_PRICES))
    now = replace(
        figures,
        factors=pricer.calls.factors,
        baseline=replace(baseline, footprint=footprint),
        gaps=kept + tuple(gap for gap in gaps if gap not in kept),
    )
    return figures if now == figures else now


_OF_PRICES = ("zone-assumed", "intensity-unavailable", "model-", ACROSS_ZONES)


def prove(entry: Entry, book: Book) -> Proof:
    """Run the evidence of a line again: the call it belongs to, and both prices.

    What the step itself claims (that these tokens were removed, that this was the other model) is
    proved by the step's own prover, which may begin with this one.

    Raises:
        UnprovenSaving: the call it points to is not in this ledger.
    """
    figures, baseline = entry.figures, entry.figures.baseline
    assert baseline is not None
    call = book.store.entry(baseline.evidence)
    if call is None:
        raise UnprovenSaving(
            f"entry {entry.id} belongs to call {baseline.evidence}, which is not in this ledger: "
            "it was written elsewhere or lost at a hard stop"
        )
    again = book.pricer(figures, entry)
    claimed, found = entry.saving, again.saving
    assert claimed is not None
    assert found is not None
    depth = int(figures.raw["depth"])
    checks = (
        (call.figures.work.amount > 0, f"call {call.id} was answered: {call.figures.footprint}"),
        _starts_there(_read("after", figures.raw), call, depth),
        (
            _same(claimed.footprint, found.footprint),
            f"priced again: claimed {claimed.footprint}, found {found.footprint}",
        ),
    )
    steps = tuple(line if good else f"NOT so: {line}" for good, line in checks)
    return Proof(entry, claimed, found, steps, all(good for good, _ in checks))


def _starts_there(after: Use, call: Entry, depth: int) -> tuple[bool, str]:
    """Whether the line starts from what the call took, or from what other steps left of it."""
    if depth:
        inner = "1 step" if depth == 1 else f"{depth} steps"
        return True, f"it starts from what {inner} below left, whose lines have their own proofs"
    figures = call.figures
    instead = figures.baseline.tokens if figures.baseline is not None else Tokens()
    took = figures.tokens if figures.tokens.total else instead
    told = f"{took.input} tokens read, {took.output} written by {figures.model or 'no name'}"
    return (
        (after.model, after.tokens) == (figures.model, took),
        f"the call took what the line starts from: {told}",
    )


def _same(one: Footprint, other: Footprint) -> bool:
    pairs = ((one.energy, other.energy), (one.carbon, other.carbon))
    ends = ((getattr(a, n), getattr(b, n)) for a, b in pairs for n in ("value", "low", "high"))
    return all(
        abs(a.amount - b.amount) <= _TOLERANCE * max(abs(a.amount), abs(b.amount)) for a, b in ends
    )


def _difference(
    pricer: Pricer, before: Use, after: Use, scale: float
) -> tuple[Footprint, tuple[str, ...]]:
    had, gaps = _priced(pricer, before, scale)
    has, more = _priced(pricer, after, scale)
    across = before.zone != after.zone
    made = had.minus_across(has) if across else had.minus_shared(has)
    named = (*gaps, *more, *((ACROSS_ZONES,) if across else ()))
    return made, tuple(dict.fromkeys(named))


def _priced(pricer: Pricer, use: Use, scale: float) -> tuple[Footprint, tuple[str, ...]]:
    if not use.tokens.total:
        return _NOTHING, ()
    read = pricer.calls.read(use.model, use.tokens)
    return pricer.footprint(read.times(scale), use.zone, use.at_us)


def _spared(before: Tokens, after: Tokens) -> Tokens:
    """The tokens not computed, class by class; what grew counts as none."""
    return Tokens(*(max(0, getattr(before, n) - getattr(after, n)) for n in _CLASSES))


def _written(side: str, use: Use) -> dict[str, float | str]:
    made: dict[str, float | str] = {
        f"{side}_model": use.model,
        f"{side}_at_us": use.at_us,
        f"{side}_zone": use.zone,
    }
    for name in _CLASSES:
        if amount := getattr(use.tokens, name):
            made[f"{side}_{name}"] = amount
    return made


def _read(side: str, raw: Mapping[str, float | str]) -> Use:
    tokens = Tokens(*(int(raw.get(f"{side}_{name}", 0)) for name in _CLASSES))
    return Use(
        str(raw[f"{side}_model"]), tokens, int(raw[f"{side}_at_us"]), str(raw[f"{side}_zone"])
    )
