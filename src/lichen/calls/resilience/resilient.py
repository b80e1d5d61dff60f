"""Resilient: an upstream with retries, a breaker and a standby around it.

    breaker open?          held back: 503, or 429 in a storm of 429, with Retry-After
    refused, may repeat    a pause with jitter, or as long as the upstream asks, then once more
    tries spent            the standby, where there is one; else the last answer as it came

A call's time is bounded as a whole: no pause and no further try outlasts it. Lists, look-ups and
files ask no model for anything: they pass as they came.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from lichen.calls.body import whole_of
from lichen.calls.resilience.breaker import Breaker, BreakerOpen, Storms, Trip
from lichen.calls.resilience.outcome import gap_of, held_back, is_mendable, judged, wait_of
from lichen.calls.resilience.retry import Budget, jittered, may_repeat, repeats_itself
from lichen.ledger.errors import NotAsked, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.exchange import Answer, Exchange, Upstream
    from lichen.calls.resilience.standby import Standby

# A storm is told by fewer refusals than an outage, since each says what it is.
_STORM = Trip(most=0.5, least=10, hold=1.0)
# What it tells Prometheus; lichen.operate.watch.gauge_words says what each is.
GAUGES = (
    "lichen_upstream_retries_total",
    "lichen_upstream_held_back_total",
    "lichen_upstream_fallbacks_total",
    "lichen_upstream_breaker_open",
    "lichen_upstream_breaker_opened_total",
    "lichen_upstream_storms",
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is tried for one call.

    `retries` after the first try; pauses begin at `first` [s] and end at `longest` [s]; no longer
    wait is waited for, even where the upstream asks for it. The whole call has `total` [s]. An
    answer must begin within `patience` [s]; 0: within `total`.
    """

    retries: int = 2
    first: float = 0.25
    longest: float = 5.0
    total: float = 600.0
    patience: float = 0.0


class Resilient:
    """Keeps the `Upstream` port around another upstream.

    `trip` is when the breaker opens, None: never. `shares_key` says that all tenants use one key at
    the upstream, so that its limits are everybody's.
    """

    def __init__(
        self,
        upstream: Upstream,
        bounds: Bounds,
        trip: Trip | None,
        *,
        standby: Standby | None = None,
        shares_key: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.url, self.zone = upstream.name, upstream.url, upstream.zone
        self.model, self.share = upstream.model, upstream.share
        # Whether calls go with lichen's own key, whatever their callers show.
        self.holds_key = bool(getattr(upstream, "holds_key", False))
        self._upstream, self._bounds, self._standby = upstream, bounds, standby
        self._clock = clock
        self._breaker = Breaker(trip, clock) if trip is not None else None
        self._storms = Storms(_STORM, clock)
        self._shares_key = shares_key
        self._budget = Budget()
        self.retries = self.refused = self.fallbacks = 0

    @property
    def standing_in(self) -> str:
        """The standby's name while calls go to it at once; empty else."""
        is_open = self._breaker is not None and self._breaker.is_open
        return self._standby.name if self._standby is not None and is_open else ""

    def gauges(self) -> Mapping[str, float]:
        """What was done so far, for the metrics."""
        breaker = self._breaker
        told = (
            self.retries,
            self.refused,
            self.fallbacks,
            float(breaker is not None and breaker.is_open),
            breaker.opened if breaker is not None else 0,
            self._storms.open,
        )
        return dict(zip(GAUGES, told, strict=True))

    async def send(self, exchange: Exchange) -> Answer:
        """The upstream's answer, or the standby's.

        Raises:
            NotAsked: the breaker is open.
            UpstreamError: no answer could be had.
        """
        if exchange.call is None:
            return await self._upstream.send(exchange)
        self._budget.earn()
        ends = self._clock() + self._bounds.total
        first: Answer | UpstreamError | None = None
        if self._is_calm:
            # Nearly every call: nothing is open, and nothing need be looked up or told.
            try:
                first = await _asked(self._upstream, exchange)
            except UpstreamError as error:
                first = error
            else:
                if first.ok:
                    self._came_well()
                    return first
            self._note_first(exchange, first)
        outcome = await self._tried(exchange, ends, first)
        if self._standby is not None and is_mendable(outcome):
            answer = await self._instead(self._standby, exchange, outcome, ends)
            outcome = outcome if answer is None else answer
        if isinstance(outcome, UpstreamError):
            raise outcome
        return outcome

    async def close(self) -> None:
        """Close the connections, the standby's too."""
        await self._upstream.close()
        if self._standby is not None:
            await self._standby.upstream.close()

    @property
    def _is_calm(self) -> bool:
        """Whether no breaker is open, no storm is known, and no answer must begin soon."""
        is_open = self._breaker is not None and self._breaker.is_open
        return not (is_open or self._storms.any or self._bounds.patience)

    def _came_well(self) -> None:
        if self._breaker is not None:
            self._breaker.note(ok=True, probe=False)

    def _note_first(self, exchange: Exchange, outcome: Answer | UpstreamError) -> None:
        """Tell the breakers of a try that they were not asked about."""
        if self._breaker is not None:
            ok, wait = judged(outcome, is_storm=False), wait_of(outcome)
            self._breaker.note(ok=ok, probe=False, wait=wait)
        self._look_for_storm(exchange, outcome)

    def _look_for_storm(self, exchange: Exchange, outcome: Answer | UpstreamError) -> None:
        """Remember who was told to slow down, where nothing was remembered of them."""
        if judged(outcome, is_storm=True) is False:
            storm = self._storms.begin(self._whose(exchange))
            storm.note(ok=False, probe=False, wait=wait_of(outcome))

    def _whose(self, exchange: Exchange) -> tuple[str, str]:
        """Whose limit a call counts against: a credential and a model."""
        model = exchange.call.model if exchange.call is not None else ""
        return "" if self._shares_key else exchange.tenant, model

    async def _tried(
        self, exchange: Exchange, ends: float, first: Answer | UpstreamError | None
    ) -> Answer | UpstreamError:
        """What came of the upstream, after all tries; the first may have been made."""
        tries = 0
        while True:
            outcome = first or await self._once(exchange, None if tries == 0 else ends)
            first = None
            tries += not isinstance(outcome, NotAsked)
            pause = self._pause(exchange, outcome, tries, ends)
            if pause is None:
                break
            self.retries += 1
            await asyncio.sleep(pause)
        if tries > 1:
            exchange.raw["attempts"] = tries
        return outcome

    async def _once(self, exchange: Exchange, ends: float | None) -> Answer | UpstreamError:
        """One try, and its word to the breakers."""
        storm = self._storms.find(self._whose(exchange))
        passed: list[tuple[Breaker, bool]] = []
        outcome: Answer | UpstreamError | None = None
        try:
            if self._breaker is not None:
                passed.append((self._breaker, self._breaker.admit()))
            if storm is not None:
                passed.append((storm, storm.admit()))
            outcome = await self._answer(exchange, ends)
        except BreakerOpen as held:
            self.refused += 1
            is_storm = len(passed) == (self._breaker is not None)
            return held_back(held.wait, is_storm=is_storm)
        finally:
            for circuit, probe in passed:
                ok = judged(outcome, is_storm=circuit is storm)
                circuit.note(ok=ok, probe=probe, wait=wait_of(outcome))
        if storm is None:
            self._look_for_storm(exchange, outcome)
        return outcome

    async def _answer(self, exchange: Exchange, ends: float | None) -> Answer | UpstreamError:
        """The upstream's answer, an error's body whole, or why there is none.

        A first try has no end of its own: the upstream's own timeout bounds it.
        """
        left = self._bounds.patience
        if ends is not None:
            left = min(left or inf, ends - self._clock())
        try:
            if not left:
                return await _asked(self._upstream, exchange)
            async with asyncio.timeout(left):
                return await _asked(self._upstream, exchange)
        except UpstreamError as error:
            return error
        except TimeoutError:
            return UpstreamError(
                f"the upstream began no answer within {left:.3g} s; send the call again",
                status=504,
                code="upstream_timeout",
            )

    def _pause(
        self, exchange: Exchange, outcome: Answer | UpstreamError, tries: int, ends: float
    ) -> float | None:
        """How long to wait before the next try [s]; None where there is to be none."""
        bounds = self._bounds
        if not 0 < tries <= bounds.retries or not may_repeat(outcome) or repeats_itself(exchange):
            return None
        asked = wait_of(outcome)
        if asked is None:
            pause = jittered(tries - 1, first=bounds.first, longest=bounds.longest)
        elif asked > bounds.longest:
            return None
        else:
            # All that were refused at once would else come back at once.
            pause = asked + jittered(0, first=bounds.first, longest=bounds.longest)
        if self._clock() + pause >= ends or not self._budget.spend():
            return None
        return pause

    async def _instead(
        self, standby: Standby, exchange: Exchange, outcome: Answer | UpstreamError, ends: float
    ) -> Answer | None:
        """The standby's answer; None where it has none, and the upstream's failure is told."""
        put, left = standby.put(exchange), ends - self._clock()
        if put is None or left <= 0:
            return None
        try:
            async with asyncio.timeout(left):
                answer = await standby.send(put, gap_of(outcome))
                if not answer.ok:
                    answer.body = await whole_of(answer)
        except (UpstreamError, TimeoutError) as error:
            why = str(error) or "it took too long"
            standby.warn(f"the fallback upstream gave no answer: {why}")
            return None
        if not answer.ok:
            standby.warn(f"the fallback upstream answered {answer.status}: see resilience.fallback")
            return None
        self.fallbacks += 1
        return answer


async def _asked(upstream: Upstream, exchange: Exchange) -> Answer:
    answer = await upstream.send(exchange)
    if not answer.ok:
        answer.body = await whole_of(answer)
    return answer
