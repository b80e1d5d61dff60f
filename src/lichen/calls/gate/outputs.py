"""Outputs: how long answers have been so far, to say how long one that was not asked for would be.

    output  the mean length of calls of the same tenant, kind and model, and nine in ten of them
            (lichen.calls.gate.lengths)
    input   bytes of the call × mean tokens read per byte

Where a tenant has had fewer than ten answers, those of all tenants count, then those of all
models; where nobody has had any, an assumed length stands, wide, and a gap says so.

Source: lengths of answers are about log-normal: Zheng et al., "LMSYS-Chat-1M" (arXiv 2309.11998),
whose answers have 214.5 tokens on average (Table 1).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from lichen.calls.gate.lengths import Length, Lengths
from lichen.calls.gate.meeting import BYTES_PER_TOKEN
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lichen.calls.exchange import Answer, Exchange, Record
    from lichen.ledger.ports import CallMeter

    # What an answer used, its kind and model, its tenant, and the bytes that came. [byte]
    _Noted = tuple[Record, tuple[str, str], str, int]

# Source: LMSYS-Chat-1M, Table 1 (mean); ends ours: a word, and a long page.
_ASSUMED = (1, 214, 1500)
# Streams whose tokens are not known yet.
_WAITING = 1024
# Answers learnt from at once: many take a third of the time that each takes by itself.
_AT_ONCE = 32


class Outputs:
    """Learns from answers as they come: of whole ones when asked, of streams every few answers."""

    def __init__(self, calls: CallMeter) -> None:
        self._calls = calls
        self.lengths = Lengths()
        # Those that came since answers were last learnt from, and streams that still went on then.
        self._come: list[_Noted] = []
        self._open: deque[_Noted] = deque(maxlen=_WAITING)

    def note(self, exchange: Exchange, answer: Answer) -> None:
        """An upstream's answer goes back; a stream's tokens are read when it has ended."""
        call, record = exchange.call, answer.record
        if record is None or call is None or not answer.ok or answer.source != "upstream":
            return
        of = (call.kind, call.model)
        self._come.append((record, of, exchange.tenant, len(exchange.body)))
        if len(self._come) >= _AT_ONCE:
            self.learn_all()

    def of(self, exchange: Exchange) -> Length:
        """How long the answer to a call would be. [token]"""
        self.learn()
        assert exchange.call is not None
        had = self.lengths.of(exchange.call.kind, exchange.call.model, exchange.tenant)
        return self._bounded(had or Length(*_ASSUMED, 0), exchange)

    def value(self, exchange: Exchange) -> int:
        """The value of `of` alone, as every call under a budget asks for it. [token]

        What came within the last few answers may not be in it.
        """
        call = exchange.call
        assert call is not None
        had = self.lengths.value(call.kind, call.model, exchange.tenant)
        if had is None:
            return self.of(exchange).value
        limit = call.dialect.limit(call)
        return min(limit, had) if limit else had

    @staticmethod
    def _bounded(length: Length, exchange: Exchange) -> Length:
        """No answer is longer than the call allows."""
        assert exchange.call is not None
        limit = exchange.call.dialect.limit(exchange.call)
        if not limit:
            return length
        low, value, high = (min(limit, tokens) for tokens in length[:3])
        return Length(low, value, high, length.answers)

    def tokens(self, exchange: Exchange, written: int) -> Tokens:
        """What a call would read, estimated by its bytes, and write."""
        if not self.lengths.read[1]:
            self.learn()
        tokens, size = self.lengths.read
        ratio = tokens / size if size else 1 / BYTES_PER_TOKEN
        return Tokens(prefill=max(1, round(len(exchange.body) * ratio)), decode=written)

    @property
    def scale(self) -> float:
        """Measured over modelled energy, where the upstream is metered; else 1."""
        self.learn()
        had = self.lengths
        return had.measured / had.modelled if had.modelled else 1.0

    @property
    def scale_embodied(self) -> float:
        """The same of embodied carbon: what is held here is other hardware than is modelled."""
        self.learn()
        had = self.lengths
        return had.held / had.modelled_held if had.modelled_held else 1.0

    @property
    def measured(self) -> bool:
        """Whether a call has been measured yet, so that `scale` is known."""
        self.learn()
        return bool(self.lengths.modelled)

    def learn_all(self) -> None:
        """Learn of streams too that have ended since, by a look at each that was open."""
        went, self._open = self._open, deque(maxlen=_WAITING)
        self._learn(went)
        self.learn()

    def learn(self) -> None:
        """Read the tokens of answers that came since and have ended."""
        if self._come:
            came, self._come = self._come, []
            self._learn(came)

    def _learn(self, answers: Iterable[_Noted]) -> None:
        for noted in answers:
            record, of, tenant, size = noted
            if record.tokens is None:
                if record.sound:
                    self._open.append(noted)
                continue
            if "tokens-estimated" in record.gaps or not record.tokens.output:
                continue
            if record.cpu_seconds is not None and record.reading is not None:
                modelled = self._calls.read(record.model, record.tokens)
                self.lengths.modelled += modelled.energy.value.in_joules
                self.lengths.measured += record.reading.energy.value.in_joules
                self.lengths.modelled_held += modelled.embodied.value.amount
                self.lengths.held += record.reading.embodied.value.amount
            self.lengths.read[0] += record.tokens.input
            self.lengths.read[1] += size
            self.lengths.add(*of, tenant, record.tokens.output, record.started_us)
