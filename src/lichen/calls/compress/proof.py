"""Proof of a shorter prompt: what the book can still show of it.

The line says how many tokens the texts had before and after, by which tokenizer, and the hash of
what was sent; the call's own entry has the same hash. Both prices are made again. The texts are not
kept, so their tokens cannot be counted again here: who has them can, by `lichen.text.tokens`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls import acts
from lichen.calls.compress.act import METHOD
from lichen.ledger.errors import UnprovenSaving

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry
    from lichen.ledger.proof import Proof, Prover


def prove(entry: Entry, book: Book) -> Proof:
    """Run the evidence of a shorter prompt again.

    Raises:
        UnprovenSaving: the call it points to is not in this ledger.
    """
    proof = acts.prove(entry, book)
    baseline = entry.figures.baseline
    assert baseline is not None
    call = book.store.entry(baseline.evidence)
    if call is None:  # gone since a moment ago
        raise UnprovenSaving(f"call {baseline.evidence} is not in this ledger any more")
    raw = entry.figures.raw
    before, after = int(raw["tokens_before"]), int(raw["tokens_after"])
    sent = call.figures.raw.get("compressed")
    spared, texts = baseline.tokens.input, int(raw["texts"])
    checks = (
        (
            bool(raw["sent"]) and raw["sent"] == sent,
            f"the call was sent with the shortened texts: {sent or 'none'}",
        ),
        (
            0 <= after < before and spared == before - after,
            (
                f"{texts} {'text' if texts == 1 else 'texts'} had {before:,} tokens and went "
                f"with {after:,} by "
                f"{raw['tokenizer']}: {spared:,} fewer, which is what is claimed"
            ),
        ),
    )
    told = [line if good else f"NOT so: {line}" for good, line in checks]
    if ways := call.figures.raw.get("ways"):
        told.append(f"weighed before it was sent: {ways}")
    told.append("the texts are not kept: their tokens are as counted then, and not counted again")
    holds = proof.holds and all(good for good, _ in checks)
    return replace(proof, steps=(*proof.steps, *told), holds=holds)


PROVERS: Mapping[str, Prover] = {METHOD: prove}
