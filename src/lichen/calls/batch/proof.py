"""Proof of what calls that could wait spared.

deferred/1   E · (I when it arrived − I when it ran): the call would have run when it arrived
gathered/1   nothing is claimed: the tokens are the same, and what a provider spares by reading
             many inputs at once is not known to anyone outside
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lichen.calls import acts
from lichen.calls.batch.late import ARRIVED, DEFERRED, WHICH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry
    from lichen.ledger.proof import Proof, Prover

GATHERED = "gathered/1"
_SECOND_US = 1_000_000


def prove_deferred(entry: Entry, book: Book) -> Proof:
    """Run the evidence of a delay again: when the call arrived, when it ran, both intensities.

    Raises:
        UnprovenSaving: the call it points to is not in this ledger.
    """
    proof = acts.prove(entry, book)
    baseline, raw = entry.figures.baseline, entry.figures.raw
    assert baseline is not None
    call = book.store.entry(baseline.evidence)
    assert call is not None
    arrived, ran = int(raw[ARRIVED]), call.start_us
    later = (ran - arrived) / _SECOND_US
    checks = [
        (
            arrived <= ran,
            f"it arrived at {_at(arrived)}, ran at {_at(ran)} UTC, {later:,.0f} s later",
        ),
        (
            call.figures.raw.get(WHICH) == raw.get(WHICH)
            and call.figures.raw.get(ARRIVED) == raw[ARRIVED],
            f"the call's own entry says that it was {raw.get(WHICH)}, which arrived then",
        ),
        (
            int(raw["before_at_us"]) == arrived,
            "the baseline is the same call on the grid of its arrival",
        ),
    ]
    told = tuple(line if good else f"NOT so: {line}" for good, line in checks)
    holds = proof.holds and all(good for good, _ in checks)
    return replace(proof, steps=(*proof.steps, *told), holds=holds)


def prove_gathered(entry: Entry, book: Book) -> Proof:
    """See that a gathered call claims nothing, and say what is not known.

    Raises:
        UnprovenSaving: the call it points to is not in this ledger.
    """
    proof = acts.prove(entry, book)
    many = entry.figures.raw.get("gathered", "?")
    told = (
        f"{many} calls went as one; each read the tokens it would have read alone, so that none is "
        "claimed; what the provider spared by it is not known"
    )
    return replace(proof, steps=(*proof.steps, told))


def _at(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us / _SECOND_US, UTC).strftime("%F %T")


PROVERS: Mapping[str, Prover] = {DEFERRED: prove_deferred, GATHERED: prove_gathered}
