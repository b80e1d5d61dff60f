"""Proof of the savings of calls: look the stored call up, and price it again.

An exact hit claims that a call made once would have been made again; a call that waited for another
claims that it would have been made beside it. The evidence is that call's entry: answered by the
upstream before, the same canonical key, model and answer, and a footprint that today's factors give
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.booking import SHARED_CALL, STORED_CALL, WITHHELD
from lichen.ledger.entry import FORGOTTEN_MARK, NONE
from lichen.ledger.errors import UnprovenSaving
from lichen.ledger.proof import Proof, Prover

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.ledger.book import Book
    from lichen.ledger.entry import Baseline, Entry
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.quantities import Quantity

# Two numbers made by one method from the same raw quantities differ by rounding alone.
_TOLERANCE = 1e-9
_HASHES = {
    "call": "both calls have one canonical hash",
    "matched": "its canonical hash is that of the like question's call",
}
# As lichen.calls.metered writes it.
TOKENS_ESTIMATED = "tokens-estimated"


def prove_reuse(entry: Entry, book: Book) -> Proof:
    """Run the evidence of a hit or of a shared call again.

    Raises:
        UnprovenSaving: the call it points to is not in this ledger.
    """
    return prove_given(entry, book, named="call")


def prove_given(
    entry: Entry, book: Book, *, named: str, more: Sequence[tuple[bool, str]] = ()
) -> Proof:
    """Run the evidence of an answer that was given again, and `more` that was checked already.

    `named` is the raw quantity that names the call whose answer it was.

    Raises:
        UnprovenSaving: the call it points to is not in this ledger.
    """
    figures, baseline = entry.figures, entry.figures.baseline
    assert baseline is not None
    source = _evidence(entry, baseline, book)
    again, source_again = book.pricer(figures, entry), book.pricer(source.figures, source)
    assert again.baseline is not None
    claimed, found = entry.saving, again.saving
    assert claimed is not None
    assert found is not None
    checks = (
        *_same_call(entry, source, named),
        check(
            source.figures.tokens == baseline.tokens,
            f"the stored call's tokens are those claimed: {baseline.tokens.input} read, "
            f"{baseline.tokens.output} written{_how_known(source)}",
        ),
        check(
            _same(source.figures.footprint.energy.value, baseline.footprint.energy.value),
            f"its energy is the baseline's: {baseline.footprint.energy}",
        ),
        check(
            _close(source.figures.footprint, source_again.footprint),
            f"its entry, priced again by {source.figures.method}, is as it stands: "
            f"{source_again.footprint}",
        ),
        check(
            _close(claimed.footprint, found.footprint),
            f"the saving, priced again by {figures.method}: claimed {claimed.footprint}, found "
            f"{found.footprint}",
        ),
        *(check(*each) for each in more),
    )
    steps = (_source_line(source), *(line for _, line in checks))
    return Proof(entry, claimed, found, steps, all(good for good, _ in checks))


def _evidence(entry: Entry, baseline: Baseline, book: Book) -> Entry:
    """The call whose answer was given again, where both still say what they were about."""
    source = book.store.entry(baseline.evidence)
    if source is None:
        raise UnprovenSaving(
            f"entry {entry.id} points to call {baseline.evidence}, which is not in this ledger: "
            "it was written elsewhere or lost at a hard stop"
        )
    for one in (entry, source):
        if FORGOTTEN_MARK in one.figures.raw:
            raise UnprovenSaving(
                f"what entry {one.id} was about was forgotten on request (lichen forget): its "
                "figures stand as they were booked, and nobody can show any more that the two "
                "calls were the same"
            )
    return source


def _how_known(source: Entry) -> str:
    if TOKENS_ESTIMATED not in source.figures.gaps:
        return ""
    return "; both are estimates, since the upstream reported none"


def _source_line(source: Entry) -> str:
    figures = source.figures
    when = source.window.start.isoformat(timespec="seconds")
    return (
        f"the evidence is call {source.id} of {when}: {figures.name} by {figures.model}, "
        f"{figures.footprint}"
    )


def _same_call(entry: Entry, source: Entry, named: str) -> list[tuple[bool, str]]:
    """Whether the source was answered by the upstream, before, and was this very call."""
    claimed, paid = entry.figures, source.figures
    told, kept = claimed.raw, paid.raw
    return [
        check(
            paid.strategy in (NONE, WITHHELD) and paid.work.amount > 0,
            f"that call was answered by the upstream: strategy {paid.strategy!r}",
        ),
        check(
            source.start_us <= entry.end_us,
            f"it was made before: {source.window.start.isoformat(timespec='seconds')}",
        ),
        check(
            (claimed.name, claimed.model, claimed.zone) == (paid.name, paid.model, paid.zone),
            f"both are {claimed.name} by {claimed.model} in {claimed.zone}",
        ),
        check(
            bool(told.get(named)) and told.get(named) == kept.get("call"),
            f"{_HASHES.get(named, named)}: {told.get(named, 'none')}",
        ),
        check(
            bool(told.get("answer")) and told.get("answer") == kept.get("answer"),
            f"the answer given again is the answer that was paid for: {told.get('answer', 'none')}",
        ),
    ]


def check(good: object, line: str) -> tuple[bool, str]:
    """A line of a proof, and whether it holds."""
    return bool(good), line if good else f"NOT so: {line}"


def _close(one: Footprint, other: Footprint) -> bool:
    pairs = ((one.energy, other.energy), (one.carbon, other.carbon))
    return all(
        _same(a.value, b.value) and _same(a.low, b.low) and _same(a.high, b.high) for a, b in pairs
    )


def _same(one: Quantity, other: Quantity) -> bool:
    return abs(one.amount - other.amount) <= _TOLERANCE * max(abs(one.amount), abs(other.amount))


PROVERS: Mapping[str, Prover] = {STORED_CALL: prove_reuse, SHARED_CALL: prove_reuse}
