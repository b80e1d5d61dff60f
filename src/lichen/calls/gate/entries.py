"""Entries: what the gate writes into the book, and says in the headers of its answers.

an answer      used 0, baseline = what the model would have used, estimated    "calls.gate"
a refusal      nothing: whether the client asks again otherwise, nobody knows
a dry rule     sums of what it would have spared, apart from all savings; see ledger/dry.py
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lichen.calls.gate.price import ESTIMATED, METHOD, UNMEASURED, instead, tokens_of
from lichen.calls.gate.refusal import FROM_GATE
from lichen.calls.gate.rulebook import folded
from lichen.calls.telling import avoided_headers, used_headers
from lichen.ledger.entry import Baseline, Entry, Figures
from lichen.ledger.footprint import Footprint
from lichen.ledger.quantities import Energy
from lichen.ledger.window import Work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.exchange import Exchange, Headers
    from lichen.calls.gate.outputs import Outputs
    from lichen.calls.gate.rule import Rule
    from lichen.calls.gate.rulebook import Met
    from lichen.calls.steps import StepParts

GATE = "calls.gate"
NOT_PRICED = "not-priced"
_REQUEST = Work(1, "request")
_NOTHING = Footprint.zero()
_ZERO = Energy.joules(0)


def mark(text: str) -> str:
    """The hash that stands in the book for a text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def rule_mark(rule: Rule) -> str:
    """The hash of all that a rule says, so that a proof knows whether it is the same rule."""
    return mark(repr(rule))


class Entries:
    """Writes the gate's entries."""

    def __init__(self, parts: StepParts, outputs: Outputs) -> None:
        self._parts = parts
        self._outputs = outputs

    def answered(
        self, exchange: Exchange, met: Met, body: bytes, entry: tuple[str | None, int]
    ) -> Headers:
        """Book a call that a rule answered, as an id at a time [µs]; the headers that say so.

        Where no entry can have an id, nothing is booked.
        """
        notes = [FROM_GATE, (b"x-lichen-gate", met.ready.rule.name.encode())]
        booker = self._parts.booker
        entry_id, now_us = entry
        if entry_id is None:
            return notes
        try:
            figures = self._figures(exchange, met, body, now_us)
            self._parts.book.add(Entry(entry_id, now_us, now_us, exchange.tenant, figures))
            if exchange.noted is not None:
                booker.steps.trials.note(exchange.noted.held, _ZERO)
        except Exception as error:  # noqa: BLE001 (the answer is at hand: it is given)
            booker.tell(error)
            return notes
        assert figures.baseline is not None
        met.ready.spared.add(figures.baseline.footprint.energy)
        notes.append((b"x-lichen-id", entry_id.encode()))
        return [*notes, *used_headers(_NOTHING), *avoided_headers(figures.baseline.footprint)]

    def _figures(self, exchange: Exchange, met: Met, body: bytes, now_us: int) -> Figures:
        call, rule = exchange.call, met.ready.rule
        assert call is not None
        upstream = self._parts.upstream
        model = upstream.model or call.model
        raw = {
            "rule": rule.name,
            "rule_hash": rule_mark(rule),
            "asks": rule.asks,
            "answer": hashlib.sha256(body).hexdigest()[:32],
            **self.length(exchange),
            **evidence(met),
        }
        pricer = self._parts.book.pricer
        made, gaps = instead(pricer, raw, model=model, zone=upstream.zone, at_us=now_us)
        assumed = () if raw["answers"] else ("output-assumed",)
        is_measured = upstream.share is None or self._outputs.measured
        unmeasured = () if is_measured else (UNMEASURED,)
        return Figures(
            name=call.kind,
            strategy=GATE,
            work=_REQUEST,
            footprint=_NOTHING,
            method=METHOD,
            factors=pricer.calls.factors,
            zone=upstream.zone,
            model=model,
            raw=raw,
            baseline=Baseline(made, METHOD, f"rule {rule.name}", tokens_of(raw)),
            gaps=(ESTIMATED, *assumed, *unmeasured, *gaps),
        )

    def length(self, exchange: Exchange) -> dict[str, float | str]:
        """The raw quantities of a call that no model has answered."""
        length = self._outputs.of(exchange)
        tokens = self._outputs.tokens(exchange, length.value)
        return {
            "read": tokens.prefill,
            "written": length.value,
            "written_low": length.low,
            "written_high": length.high,
            "answers": length.answers,
            "scale": self._outputs.scale,
            "scale_embodied": self._outputs.scale_embodied,
        }


def evidence(met: Met) -> Mapping[str, float | str]:
    """What lets a proof run the rule again: hashes of the question and of the rule's texts."""
    question = met.asked
    if question is None:
        return {}
    rule = met.ready.rule
    made: dict[str, float | str] = {"question": mark(folded(question.text))}
    if rule.exact:
        made["texts"] = " ".join(mark(folded(text)) for text in rule.exact)
    if rule.pattern:
        made["pattern"] = rule.pattern
    return made
