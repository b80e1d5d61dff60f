"""Proof of the gate's savings, as far as they can be proved without the prompts.

The book holds no question. What is checked again: that an exact rule's texts hold the question, by
their hashes; that the claimed tokens are the entry's own raw quantities; that answers of that model
in the ledger are as long as claimed, by its roll-ups; and the price. What cannot be: that a pattern
matched a question nobody kept, and what the model would have said. A line says so.

Acts of the gate (a cap on n, a cut, a smaller model) are proved as all acts are, and by what they
claim of themselves; of a smaller model also the evidence on which it was trusted, run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls import acts
from lichen.calls.gate.price import METHOD, tokens_of
from lichen.calls.proof import prove_reuse
from lichen.calls.similar.certificate import run_again
from lichen.calls.similar.decision import CONFIDENCE, MARGIN
from lichen.ledger.entry import NONE
from lichen.ledger.proof import NOT_CHECKED, Proof, Prover
from lichen.ledger.rollup import Period

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.book import Book
    from lichen.ledger.entry import Entry, Figures
    from lichen.ledger.footprint import Footprint

CUT, CAPPED, CASCADE, REPEATED = "gate-cut/1", "gate-n/1", "gate-cascade/1", "gate-repeat/1"
_TOLERANCE = 1e-9
# The ledger's mean is of all tenants and kinds of calls, the claim of one: they differ somewhat.
_LEEWAY = 2.0


def prove_rule(entry: Entry, book: Book) -> Proof:
    """Run the evidence of an answer that a rule gave again."""
    figures, baseline = entry.figures, entry.figures.baseline
    assert baseline is not None
    again = book.pricer(figures, entry)
    claimed, found = entry.saving, again.saving
    assert claimed is not None
    assert found is not None
    raw = figures.raw
    checks = [
        (bool(raw.get("rule_hash")), f"rule {raw.get('rule')} answered, as {raw.get('rule_hash')}"),
        _rule_again(raw),
        (
            baseline.tokens == tokens_of(raw),
            (
                f"the tokens claimed are those estimated: {baseline.tokens.input} read, "
                f"{baseline.tokens.output} written ({raw.get('written_low')} to "
                f"{raw.get('written_high')}, from {raw.get('answers')} answers)"
            ),
        ),
        _as_long(figures, entry, book),
        (
            _same(claimed.footprint, found.footprint),
            (
                f"priced again by {figures.method}: claimed {claimed.footprint}, found "
                f"{found.footprint}"
            ),
        ),
    ]
    steps = tuple(line if good else f"NOT so: {line}" for good, line in checks)
    return Proof(entry, claimed, found, steps, all(good for good, _ in checks))


def _rule_again(raw: Mapping[str, float | str]) -> tuple[bool, str]:
    question = str(raw.get("question", ""))
    if "texts" in raw:
        held = question in str(raw["texts"]).split()
        return held, f"the question, by its hash {question}, is one of the rule's texts"
    if "pattern" in raw:
        return True, (
            f"{NOT_CHECKED}the pattern is {raw['pattern']!r}; its question is kept as "
            f"hash {question} only, so that it cannot be matched again"
        )
    return (
        True,
        f"{NOT_CHECKED}the rule asks for {raw.get('asks') or 'nothing more'}; no prompt is kept",
    )


def _as_long(figures: Figures, entry: Entry, book: Book) -> tuple[bool, str]:
    """Whether answers of the same model in the ledger are about as long as claimed."""
    rows = [
        row
        for row in book.store.totals(Period.DAY, until=entry.window.end)
        if row.model == figures.model and row.strategy.partition(".")[0] == NONE
    ]
    calls, written = sum(row.work.amount for row in rows), sum(row.tokens.output for row in rows)
    low, high = float(figures.raw["written_low"]), float(figures.raw["written_high"])
    if not float(figures.raw["answers"]):
        # Fewer than ten had been seen: a usual length stood in.
        told = f"a usual length is assumed, {figures.raw['written']} tokens ({low:g} to {high:g})"
        if not calls:
            return True, told
        mean = written / calls
        return low <= mean <= high, (
            f"{told}; the {calls:g} answers of {figures.model} in this ledger are {mean:.0f} "
            "tokens long on average"
        )
    if not calls:
        return False, f"answers of {figures.model} were seen, and none is in this ledger"
    mean = written / calls
    return low / _LEEWAY <= mean <= high * _LEEWAY, (
        f"{calls:g} answers of {figures.model} in this ledger are {mean:.0f} tokens long on "
        f"average; {low:g} to {high:g} are claimed"
    )


def _same(one: Footprint, other: Footprint) -> bool:
    pairs = ((one.energy, other.energy), (one.carbon, other.carbon))
    ends = ((getattr(a, n), getattr(b, n)) for a, b in pairs for n in ("value", "low", "high"))
    return all(
        abs(a.amount - b.amount) <= _TOLERANCE * max(abs(a.amount), abs(b.amount)) for a, b in ends
    )


def prove_act(entry: Entry, book: Book) -> Proof:
    """Run the evidence of a cap, a cut or a smaller model again.

    Raises:
        UnprovenSaving: the call it belongs to is not in this ledger.
    """
    proof = acts.prove(entry, book)
    raw = entry.figures.raw
    said = {
        "removed": f"the turns that were cut held about {raw.get('removed')} tokens (estimated)",
        "asked_n": f"{raw.get('asked_n')} answers were asked for and {raw.get('given_n')} allowed",
        "score": (
            f"the smaller model's answer scored {raw.get('score')}, at least the threshold "
            f"{raw.get('threshold')}, where {raw.get('wrong')} of {raw.get('verified')} compared "
            f"answers differed; the bound asked is {raw.get('error')}"
        ),
    }
    more = [line for name, line in said.items() if name in raw]
    sure = float(raw.get("score", 1)) >= float(raw.get("threshold", 0))
    if "score" in raw:
        good, line = _certified(raw)
        more.append(line if good else f"NOT so: {line}")
        sure = sure and good
    holds = proof.holds and sure
    return Proof(proof.entry, proof.claimed, proof.found, (*proof.steps, *more), holds)


def _certified(raw: Mapping[str, float | str]) -> tuple[bool, str]:
    """Whether the smaller model was shown to differ seldom enough, when it answered."""
    return run_again(
        str(raw.get("certificate", "")),
        delta=float(raw["error"]) * (1 - MARGIN),
        confidence=CONFIDENCE,
        threshold=float(raw["threshold"]),
    )


PROVERS: Mapping[str, Prover] = {
    METHOD: prove_rule,
    CUT: prove_act,
    CAPPED: prove_act,
    CASCADE: prove_act,
    REPEATED: prove_reuse,
}
