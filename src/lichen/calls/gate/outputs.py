"""Outputs: how long answers have been so far, to say how long one that was not asked for would be.

    value   mean tokens written by calls of the same tenant, kind and model
    low     exp(μ − 1.645 σ)        of the logarithms of those counts: nine answers of ten lie
    high    exp(μ + 1.645 σ)        between the two if lengths are log-normal
    input   bytes of the call × mean tokens read per byte

Where a tenant has had fewer than `_LEAST` answers, those of all tenants count, then those of all
models; where nobody has had any, an assumed length stands, wide, and a gap says so.

Source: lengths of answers are about log-normal: Zheng et al., "LMSYS-Chat-1M" (arXiv 2309.11998),
whose answers have 214.5 tokens on average (Table 1).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING, NamedTuple

from lichen.calls.gate.rulebook import BYTES_PER_TOKEN
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from lichen.calls.exchange import Answer, Exchange, Record
    from lichen.ledger.ports import CallMeter

# Two-sided 90 % of a normal distribution.
_Z = 1.645
# Answers before a mean is taken for one.
_LEAST = 10
# Source: LMSYS-Chat-1M, Table 1 (mean); ends ours: a word, and a long page.
_ASSUMED = (1, 214, 1500)
# Classes of calls remembered, and answers whose tokens are not known yet.
_MOST, _WAITING = 4096, 1024


class Length(NamedTuple):
    """Tokens that an answer would have had, its 90 % interval, and from how many answers."""

    low: int
    value: int
    high: int
    answers: int


@dataclass(slots=True)
class _Sums:
    n: int = 0
    tokens: int = 0
    logs: float = 0.0
    squares: float = 0.0

    def add(self, tokens: int) -> None:
        logarithm = log(max(1, tokens))
        self.n += 1
        self.tokens += tokens
        self.logs += logarithm
        self.squares += logarithm**2

    @property
    def length(self) -> Length:
        mean = self.logs / self.n
        spread = sqrt(max(0.0, self.squares / self.n - mean**2))
        value = max(1, round(self.tokens / self.n))
        low, high = exp(mean - _Z * spread), exp(mean + _Z * spread)
        return Length(min(value, max(1, int(low))), value, max(value, int(high) + 1), self.n)


class Outputs:
    """Learns from answers as they come; costs a call nothing but an append."""

    def __init__(self, calls: CallMeter) -> None:
        self._calls = calls
        self._sums: dict[tuple[str, ...], _Sums] = {}
        self._read = [0, 0]  # tokens read, bytes they came in
        self._measured = self._modelled = 0.0  # joules of the same calls
        self._waiting: deque[tuple[Record, tuple[str, str], str, int]] = deque(maxlen=_WAITING)

    def note(self, exchange: Exchange, answer: Answer) -> None:
        """An upstream's answer goes back; a stream's tokens are read when it has ended."""
        call, record = exchange.call, answer.record
        if record is not None and call is not None and answer.source == "upstream":
            of = (call.kind, call.model)
            self._waiting.append((record, of, exchange.tenant, len(exchange.body)))

    def of(self, exchange: Exchange) -> Length:
        """How long the answer to a call would be. [token]"""
        self._learn()
        assert exchange.call is not None
        kind, model = exchange.call.kind, exchange.call.model
        for key in ((kind, model, exchange.tenant), (kind, model), (kind,)):
            had = self._sums.get(key)
            if had is not None and had.n >= _LEAST:
                return self._bounded(had.length, exchange)
        return self._bounded(Length(*_ASSUMED, 0), exchange)

    @staticmethod
    def _bounded(length: Length, exchange: Exchange) -> Length:
        """No answer is longer than the call allows."""
        assert exchange.call is not None
        limit = exchange.call.dialect.view(exchange.call).limit
        if not limit:
            return length
        low, value, high = (min(limit, tokens) for tokens in length[:3])
        return Length(low, value, high, length.answers)

    def tokens(self, exchange: Exchange, written: int) -> Tokens:
        """What a call would read, estimated by its bytes, and write."""
        self._learn()
        tokens, size = self._read
        ratio = tokens / size if size else 1 / BYTES_PER_TOKEN
        return Tokens(prefill=max(1, round(len(exchange.body) * ratio)), decode=written)

    @property
    def scale(self) -> float:
        """Measured over modelled energy, where the upstream is metered; else 1."""
        self._learn()
        return self._measured / self._modelled if self._modelled else 1.0

    def _learn(self) -> None:
        """Read the tokens of answers that have ended since."""
        for _ in range(len(self._waiting)):
            record, of, tenant, size = self._waiting.popleft()
            if record.tokens is None:
                if record.sound:
                    self._waiting.append((record, of, tenant, size))
                continue
            if "tokens-estimated" in record.gaps or not record.tokens.output:
                continue
            if record.cpu_seconds is not None and record.reading is not None:
                modelled = self._calls.read(record.model, record.tokens)
                self._modelled += modelled.energy.value.in_joules
                self._measured += record.reading.energy.value.in_joules
            self._read[0] += record.tokens.input
            self._read[1] += size
            for key in ((*of, tenant), of, of[:1]):
                if key not in self._sums and len(self._sums) >= _MOST:
                    self._sums.clear()
                self._sums.setdefault(key, _Sums()).add(record.tokens.output)
