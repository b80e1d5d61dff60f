"""Proof of what marked prefixes spared.

marked-prefix/1   the same call with every input token read afresh: nothing would have been kept,
                  since the client had marked nothing
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls import acts
from lichen.calls.prefix.step import MARKED, MARKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry
    from lichen.ledger.proof import Proof, Prover


def prove(entry: Entry, book: Book) -> Proof:
    """Run the evidence of a marked prefix again.

    Raises:
        UnprovenSaving: the call it points to is not in this ledger.
    """
    proof = acts.prove(entry, book)
    baseline, raw = entry.figures.baseline, entry.figures.raw
    assert baseline is not None
    call = book.store.entry(baseline.evidence)
    assert call is not None
    after = sum(
        int(raw.get(f"after_{name}", 0)) for name in ("prefill", "cache_read", "cache_write")
    )
    checks = [
        (
            int(raw.get("before_prefill", 0)) == after
            and "before_cache_read" not in raw
            and "before_cache_write" not in raw,
            f"the baseline reads the same {after} input tokens, all of them afresh",
        ),
        (
            call.figures.raw.get(MARKS) == raw.get(MARKS),
            f"the call's own entry says that {raw.get(MARKS)} of its prefixes were marked",
        ),
    ]
    told = tuple(line if good else f"NOT so: {line}" for good, line in checks)
    holds = proof.holds and all(good for good, _ in checks)
    return replace(proof, steps=(*proof.steps, *told), holds=holds)


PROVERS: Mapping[str, Prover] = {MARKED: prove}
