"""ExactCache: the same call again is answered from the store.

Deterministic calls (temperature 0, a seed, embeddings) are kept and answered by default. Sampled
ones are not: a regenerate button sends the same call and wants another answer; a rule with
`sampled = "reuse"` changes that, and the book counts what the policy withheld.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

from lichen.calls.exchange import Answer, Exchange
from lichen.calls.key import is_exact, key_of
from lichen.calls.level import level_of
from lichen.calls.resilience.standby import key_apart
from lichen.calls.upstreams import serving
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.answers import AnswerStore
    from lichen.calls.booking import Booker
    from lichen.calls.exchange import Onward, Record, Upstream
    from lichen.calls.rules import Rules
    from lichen.calls.steps import StepParts
    from lichen.calls.stored import Stored

_SECOND_US = 1_000_000
# The answers that stale-if-error speaks of, and Anthropic's "overloaded".
# Source: RFC 5861 §4; Anthropic API reference, "Errors" (529).
_FAILED = frozenset((500, 502, 503, 504, 529))
# Sampled calls remembered, to count what the policy withheld: the last so many, to twice that.
_SEEN = 32_768


def open_step(parts: StepParts) -> ExactCache:
    """The step, from what all steps are made from."""
    return ExactCache(
        parts.answers,
        parts.booker,
        parts.rules,
        upstream=lambda provider: _name(serving(parts.upstream, provider)),
        entry_limit=parts.entry_limit,
        standing_in=lambda provider: getattr(serving(parts.upstream, provider), "standing_in", ""),
    )


def _name(upstream: Upstream) -> str:
    return upstream.name or upstream.url


class ExactCache:
    """The step that answers identical calls; `at_once` is its way without waiting.

    `upstream` names whose answers a provider's are: another upstream has other keys. No answer
    longer than `entry_limit` [byte] is kept. `standing_in` names another upstream while that one
    answers a provider's calls.
    """

    def __init__(
        self,
        answers: AnswerStore,
        booker: Booker,
        rules: Rules,
        *,
        upstream: Callable[[str], str],
        entry_limit: float = 8e6,
        standing_in: Callable[[str], str] = lambda _provider: "",
    ) -> None:
        self._answers = answers
        self._booker = booker
        self._rules = rules
        self._upstream = lru_cache(maxsize=16)(upstream)
        self._entry_limit = entry_limit
        self._standing_in = standing_in
        # Until when an answer to a sampled call would have served.
        self._until: dict[int, int] = {}
        self._until_before: dict[int, int] = {}

    def admit(self, exchange: Exchange) -> None:
        """Find the rule and the key of an exchange; no key where no stored answer may serve."""
        call = exchange.call
        if call is None:
            return
        rule = self._rules.find(call.kind, call.model)
        exchange.rule = rule
        key = key_of(
            call,
            scope=exchange.tenant if rule.scope == "tenant" else "*",
            upstream=self._upstream(exchange.provider),
            target=exchange.target,
            headers=exchange.headers,
            level=level_of(call, rule, exchange.headers),
        )
        wishes = exchange.directives
        if call.deterministic or (rule.sampled == "reuse" and call.reusable):
            exchange.key = key
        elif key and call.reusable and not (wishes.no_store or wishes.no_cache):
            self._look_back(exchange, key, rule.ttl)

    def _look_back(self, exchange: Exchange, key: bytes, ttl: float) -> None:
        """Whether an answer to the same call would serve now, had the policy kept it."""
        mark = hash(key)  # eight bytes are enough to count by
        until_us = self._until.get(mark) or self._until_before.get(mark, 0)
        exchange.withheld = time.time_ns() // 1000 < until_us
        if exchange.withheld:
            return

        def answered(record: Record) -> None:
            if record.size > self._entry_limit:
                return
            self._until[mark] = time.time_ns() // 1000 + int(ttl * _SECOND_US)
            if len(self._until) >= _SEEN:
                self._until, self._until_before = {}, self._until

        exchange.on_answer = answered

    def fresh(self, exchange: Exchange, now_us: int, key: bytes = b"") -> Stored | None:
        """The stored answer that may serve this exchange now, under its own key or another."""
        wishes = exchange.directives
        if not exchange.key or wishes.no_store or wishes.no_cache:
            return None
        stored = self._answers.find(key or exchange.key)
        if stored is None or now_us >= stored.expires_us:
            return None
        age = (now_us - stored.stored_us) / _SECOND_US
        if wishes.max_age is not None and age > wishes.max_age:
            return None
        return stored

    def at_once(self, exchange: Exchange) -> tuple[int, bytes, bytes] | None:
        """Status, header block and body of a hit; None where the exchange must go onward."""
        if not exchange.key:
            return None
        now_us = time.time_ns() // 1000
        stored = self.fresh(exchange, now_us)
        if stored is None:
            return None
        return stored.status, self._booker.hit(stored, now_us, exchange.tenant), stored.body

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Answer from the store; where the upstream fails, from what is past its time."""
        if exchange.key and (hit := await self._hit(exchange)) is not None:
            return hit
        if exchange.directives.only_if_cached:
            raise UpstreamError(
                "no stored answer serves this call, and its Cache-Control says only-if-cached",
                status=504,
                code="only_if_cached",
            )
        call = exchange.call
        if exchange.key and not is_exact(exchange.body, call.fields if call is not None else None):
            exchange.key = b""
        if not exchange.key:
            return await onward(exchange)
        try:
            answer = await onward(exchange)
        except UpstreamError:
            if (stale := self._stale(exchange)) is not None:
                return stale
            raise
        if answer.status in _FAILED and (stale := self._stale(exchange)) is not None:
            return stale
        return answer

    async def _hit(self, exchange: Exchange) -> Answer | None:
        """The stored answer, wherever it is kept; None where there is none that serves."""
        now_us = time.time_ns() // 1000
        stored = (
            self.fresh(exchange, now_us)
            or await self._from_others(exchange, now_us)
            or await self._of_standby(exchange, now_us)
        )
        return None if stored is None else self._again(exchange, stored, now_us, "hit")

    async def _from_others(
        self, exchange: Exchange, now_us: int, key: bytes = b""
    ) -> Stored | None:
        """The answer that another machine's service keeps, where several share them."""
        wishes = exchange.directives
        asks_anew = wishes.no_store or wishes.no_cache
        if self._answers.remote is None or not exchange.key or asks_anew:
            return None
        found = await self._answers.fetch(key or exchange.key)
        return None if found is None else self.fresh(exchange, now_us, key)

    async def _of_standby(self, exchange: Exchange, now_us: int) -> Stored | None:
        """What another upstream answered, which serves only while it stands in."""
        other = self._standing_in(exchange.provider)
        if not other or not exchange.key:
            return None
        key = key_apart(exchange.key, other)
        return self.fresh(exchange, now_us, key) or await self._from_others(exchange, now_us, key)

    def _stale(self, exchange: Exchange) -> Answer | None:
        """A stored answer past its time, if the client or the rule takes one for a failure."""
        wishes = exchange.directives
        allowed = wishes.stale_if_error
        if allowed is None and exchange.rule is not None and not wishes.no_cache:
            allowed = exchange.rule.stale_if_error
        if not allowed or wishes.no_store:
            return None
        stored = self._answers.find(exchange.key)
        now_us = time.time_ns() // 1000
        if stored is None or now_us > stored.expires_us + allowed * _SECOND_US:
            return None
        return self._again(exchange, stored, now_us, "stale")

    def _again(self, exchange: Exchange, stored: Stored, now_us: int, source: str) -> Answer:
        notes = self._booker.hit_headers(stored, now_us, exchange.tenant)
        return Answer(stored.status, list(stored.headers), stored.body, source=source, notes=notes)
