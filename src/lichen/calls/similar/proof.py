"""Proof of a similar hit: the call it stands on, and the decision made again.

What is checked of the decision, from the entry alone: the score is what its features and weights
give; it reached the certified threshold; the evidence on which that was certified shows, worked out
again, an error among hits below what was asked; the bound at one look is what the counts give.
While question and like question are kept, the guards and the features are made again from the
texts; once they have expired or were forgotten, the proof says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.proof import prove_given
from lichen.calls.similar import seen
from lichen.calls.similar.bets import upper
from lichen.calls.similar.certificate import run_again, run_kinds_again
from lichen.calls.similar.combine import Combiner
from lichen.calls.similar.decision import VERSION
from lichen.calls.similar.hit import SIMILAR_CALL
from lichen.calls.similar.looker import apart
from lichen.calls.similar.verify import FEATURES, OF_RECORD, Verifier
from lichen.ledger.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.similar.seen import Hit
    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry
    from lichen.ledger.proof import Proof, Prover

_TOLERANCE = 1e-6
# A cosine is worked out from bytes, and again from floats.
_ROUNDING = 0.01


def prove(entry: Entry, book: Book) -> Proof:
    """Run the evidence of an answer to a like question again.

    Raises:
        UnprovenSaving: the call it points to is not in this ledger.
    """
    more = [*_decided(entry.figures.raw), *_compared(entry, book)]
    return prove_given(entry, book, named="matched", more=more)


def _decided(raw: Mapping[str, float | str]) -> list[tuple[bool, str]]:
    """The decision, from what the entry says of it."""
    if raw.get("decider") != VERSION:
        return [(False, f"the decision was made by decider {raw.get('decider')}: not known here")]
    features, weights = _numbers(raw["features"]), _numbers(raw["weights"])
    score = Combiner(weights).score(features)
    verified, wrong = int(raw["verified"]), int(raw["wrong"])
    delta, bound = float(raw["delta"]), float(raw["bound"])
    confidence, threshold = float(raw["confidence"]), float(raw["threshold"])
    told = f"at one look at most {100 * bound:.2f} % are, with {100 * confidence:g} % confidence"
    certificate = str(raw.get("certificate", ""))
    asked = {"delta": delta, "confidence": confidence, "threshold": threshold}
    return [
        (
            abs(score - float(raw["score"])) < _TOLERANCE,
            f"the score made again from {len(features)} features: {score:.6g}",
        ),
        (score >= threshold - _TOLERANCE, f"it reached the certified threshold {threshold:.6g}"),
        (
            abs(upper(wrong, verified, confidence) - bound) < _TOLERANCE,
            f"{wrong} of {verified} verified outcomes at that threshold were wrong: {told}",
        ),
        run_again(certificate, **asked),
        run_kinds_again(certificate, **asked),
        (
            verified > 0 and wrong / verified <= delta,
            f"the share seen is within the {100 * delta:g} % asked for",
        ),
    ]


def _numbers(written: float | str) -> tuple[float, ...]:
    return tuple(float(number) for number in str(written).split())


def _compared(entry: Entry, book: Book) -> list[tuple[bool, str]]:
    """The two questions, compared again where they are still kept."""
    path = book.file("similar")
    hit = seen.hit(path, entry.id) if path is not None else None
    if hit is None:
        return [(True, "the questions are no longer kept here: not compared again")]
    guard = apart(hit.question.text, hit.given.text)
    return [
        (guard is None, "no guard tells the two questions apart" if guard is None else guard),
        *_measured(entry, hit),
    ]


def _measured(entry: Entry, hit: Hit) -> list[tuple[bool, str]]:
    """The features, worked out again."""
    cosine = _cosine(hit)
    if cosine is None:
        return [(True, "their embedder is not installed here: not measured again")]
    claimed = _numbers(entry.figures.raw["features"])
    found = Verifier().features(hit.question.text, hit.given.text, cosine=cosine)
    off = [
        name
        for name, one, other in zip(FEATURES, claimed, found, strict=True)
        if name not in OF_RECORD and abs(one - other) > _ROUNDING
    ]
    said = f"their features, measured again, are those claimed; cosine {cosine:.4f}"
    return [(not off, said if not off else f"features differ: {', '.join(off)}")]


def _cosine(hit: Hit) -> float | None:
    from lichen.text.embeddings import MiniLm  # noqa: PLC0415 (only where it is needed)

    try:
        embedder = MiniLm()
    except MissingExtra:
        return None
    if embedder.name != hit.embedder:
        return None
    one, other = embedder.embed([hit.question.text, hit.given.text])
    return float(one @ other)


PROVERS: Mapping[str, Prover] = {SIMILAR_CALL: prove}
