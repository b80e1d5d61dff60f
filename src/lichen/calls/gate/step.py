"""Gate: the step that asks whether a call is needed at all.

    admit      caps and cuts the call, before its key is made
    at_once    a rule answers or refuses, within the function call that brought the request
    call       a repeated call shares an answer; budgets say no, or are charged by the call's toll

Budgets are looked at only for calls that neither a rule nor the exact store answered.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lichen.calls.booking import block
from lichen.calls.gate import change
from lichen.calls.gate.budgets import Budgets, Over
from lichen.calls.gate.count_tables import table_for
from lichen.calls.gate.counts import Counts
from lichen.calls.gate.dry import DryRuns
from lichen.calls.gate.entries import GATE, Entries
from lichen.calls.gate.fits import fits
from lichen.calls.gate.holds import Holds
from lichen.calls.gate.lengths import LengthFile
from lichen.calls.gate.outputs import Outputs
from lichen.calls.gate.refusal import by_rule, over_budget, warning
from lichen.calls.gate.repeat import Repeats
from lichen.calls.gate.rule import refusal_status
from lichen.calls.gate.rulebook import Met, Rulebook, meets
from lichen.calls.gate.shown import gauges, panels
from lichen.calls.gate.spending import Spending, listed
from lichen.calls.gate.toll import Sharing, Toll
from lichen.calls.tap import Tap
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.calls.exchange import Answer, Call, Exchange, Onward, Record, Stream
    from lichen.calls.forget import Forget
    from lichen.calls.gate.budgets import Claim, Line
    from lichen.calls.gate.options import GateOptions
    from lichen.calls.gate.rulebook import Ready
    from lichen.calls.steps import Layers, StepParts, WholeAnswer
    from lichen.ledger.panel import Panel

# Sources of answers that were computed for this call.
_ANSWERED = frozenset(("upstream", "cascade"))
# How often lengths of answers are kept. [s]
_KEPT_EVERY_S = 30.0
# Failures of an upstream after which nothing was computed for the call.
_NEVER_SENT = frozenset(("upstream_unreachable", "upstream_busy", "only_if_cached"))


class Gate:
    """Rules and budgets, as one step."""

    def __init__(
        self, parts: StepParts, rulebook: Rulebook, budgets: Budgets, out: Outputs
    ) -> None:
        self._file = LengthFile(parts.place.file("lengths"), parts.warn)
        self._file.load(out.lengths)
        self._saved = time.monotonic()
        self._parts = parts
        self.rulebook = rulebook
        self.budgets = budgets
        self.holds = Holds(budgets)
        self._outputs = out
        self._entries = Entries(parts, out)
        self.dry = DryRuns(parts)
        self._repeats = Repeats(parts.booker, parts.upstream.name or parts.upstream.url)
        self._sharing: Sharing | None = None
        self._has_repeats = any(ready.does == "share" for ready in rulebook.rules)

    def admit(self, exchange: Exchange) -> None:
        """Cap and cut a call."""
        call = exchange.call
        if call is None:
            return
        for ready in self.rulebook.pick(call.kind, call.model).changing:
            if meets(ready, exchange, call, None) is not None:
                self._change(ready, exchange, call)

    def _change(self, ready: Ready, exchange: Exchange, call: Call) -> None:
        does = change.cut if ready.does == "cut" else change.cap
        if not ready.is_dry:
            ready.met += does(exchange, call, ready.rule)
            return
        # On copies: what would have changed is seen, and nothing is.
        trial = replace(exchange, noted=None)
        if does(trial, replace(call), ready.rule):
            ready.met += 1
            exchange.on_done.append(lambda record, _body: self.dry.undone(ready, trial, record))

    def at_once(self, exchange: Exchange) -> WholeAnswer | None:
        """Status, header block and body where a rule answers or refuses."""
        call = exchange.call
        met = self.rulebook.ending(exchange, call) if call is not None else None
        if call is None or met is None or met.ready.does == "share":
            return None
        ready = met.ready
        if ready.does == "answer" and not fits(call):
            return None
        if ready.is_dry:
            ready.met += 1
            if ready.does == "answer":
                exchange.on_done.append(lambda record, _body: self.dry.spared(ready, record))
            return None
        if ready.does != "answer":
            ready.met += 1
            status = refusal_status(ready.rule)
            headers, body = by_rule(call, met, status)
            return status, block(headers), body
        return self._answered(exchange, call, met)

    def _answered(self, exchange: Exchange, call: Call, met: Met) -> WholeAnswer | None:
        rule = met.ready.rule
        if not rule.always and self._parts.holdout.keeps(GATE, exchange):
            return None
        met.ready.met += 1
        now_us = time.time_ns() // 1000
        entry_id = self._parts.booker.new_id(now_us)
        told = call.dialect.answer_with(call, met.text, entry_id or "")
        notes = self._entries.answered(exchange, met, told.body, (entry_id, now_us))
        return 200, block([(b"content-type", told.content_type), *notes]), told.body

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Share the answer of a call that this one repeats; else charge it and send it onward."""
        call = exchange.call
        if call is None:
            return await onward(exchange)
        met = self.rulebook.ending(exchange, call) if self._has_repeats else None
        if met is None or met.ready.does != "share" or not (key := self._repeats.key(exchange)):
            return await self._charged(exchange, call, onward)
        ready = met.ready
        if ready.is_dry:
            if self._repeats.would_share(key, ready.rule.repeat):
                ready.met += 1
                exchange.on_done.append(lambda record, _body: self.dry.spared(ready, record))
            return await self._charged(exchange, call, onward)
        again = await self._repeats.again(exchange, key, ready)
        if again is not None:
            return again

        async def charged(first: Exchange) -> Answer:
            return await self._charged(first, call, onward)

        return await self._repeats.first(exchange, key, charged, ready.rule.repeat)

    def joined(self, layers: Layers) -> None:
        """Find who lets identical calls share one: which of them is made, is known there."""
        below = layers.steps[layers.steps.index(self) + 1 :]
        self._sharing = next((step for step in below if isinstance(step, Sharing)), None)

    async def _charged(self, exchange: Exchange, call: Call, onward: Onward) -> Answer:
        # One that waited was charged when it was taken in.
        is_charged = exchange.toll is not None or not self.budgets.purses
        lines = [] if is_charged else self.budgets.lines(exchange)
        sharing = self._sharing
        if not lines or sharing is None or not sharing.may_share(exchange):
            return await self._claimed(call, lines, exchange, onward)
        # Refused where nothing is left only once nobody on the way had an answer at hand.
        exchange.toll = toll = Toll(partial(self._claimed, call, lines))
        answer = await onward(exchange)
        if not toll.paid and answer.source in _ANSWERED:
            # A step of others made the call, past all that share: it is charged all the same.
            self._settle(self.budgets.charge(lines, exchange.provider), answer)
        return answer

    async def _claimed(
        self, call: Call, lines: Sequence[Line], exchange: Exchange, onward: Onward
    ) -> Answer:
        claim = self.budgets.claim(lines, exchange.provider)
        if isinstance(claim, Over):
            return over_budget(call, claim, self.budgets.left(claim))
        if claim is None:
            answer = await onward(exchange)
            self._outputs.note(exchange, answer)
            return answer
        exchange.charge = claim
        try:
            answer = await onward(exchange)
        except UpstreamError as error:
            claim.settle(None) if error.code in _NEVER_SENT else claim.keep()
            raise
        except BaseException:
            claim.keep()
            raise
        self._outputs.note(exchange, answer)
        self._settle(claim, answer)
        return answer

    def _settle(self, claim: Claim, answer: Answer) -> None:
        """Charge what a call took, now or when its stream has ended."""
        for line, used in self.budgets.warnings(claim)[:1]:
            answer.notes.append(warning(line, used, time.time()))
        # What came from a store, or from a call that another paid for, took nothing of this one's.
        record = answer.record if answer.ok and answer.source in _ANSWERED else None
        if answer.stream is None or record is None:
            claim.settle(record)
        else:
            answer.stream = _Charged(answer.stream, claim, record)

    async def start(self) -> None:
        """Read what budgets were charged before."""
        if self.budgets.purses:
            self.budgets.counts.start()

    async def tend(self) -> None:
        """Book what dry rules saw, and keep how long answers were."""
        self.dry.tend()
        self._outputs.learn_all()
        if time.monotonic() - self._saved >= _KEPT_EVERY_S:
            await self._keep()

    async def _keep(self) -> None:
        """Keep how long answers were, in a thread."""
        self._outputs.learn_all()
        had, self._saved = self._outputs.lengths, time.monotonic()
        if had.changed:
            had.changed = False
            await asyncio.to_thread(self._file.save, had.state())

    async def close(self) -> None:
        """Keep what budgets were charged, what dry rules saw, and how long answers were."""
        self.budgets.counts.close()
        self.dry.book()
        await self._keep()

    async def forget(self, which: Forget) -> int:
        """Let go of the answers held for repeated calls, and of lengths that are meant; how many.

        Answers held are few and live for seconds, so that all go. Budgets keep their counts, which
        hold a hash and a number: who could erase them could spend anew.
        """
        gone = self._repeats.clear() + self._outputs.lengths.forget(which)
        await self._keep()
        return gone

    async def reread(self) -> None:
        """Words were erased that are told to nobody, and models' names may hold them."""
        self._outputs.lengths.clear()
        await self._keep()

    def gauges(self) -> Mapping[str, float]:
        """Calls that rules met and budgets refused, and what is left of budgets."""
        return gauges(self)

    def panels(self) -> Sequence[Panel]:
        """Rules, dry runs and budgets, as tables."""
        return panels(self)

    def wrong(self) -> list[str]:
        """What is wrong; empty where all is well."""
        return self.budgets.counts.wrong


class _Charged(Tap):
    """A stream whose call is charged what it took once it has ended, however it ends."""

    def __init__(self, stream: Stream, claim: Claim, record: Record) -> None:
        super().__init__(stream)
        self._claim, self._record = claim, record

    def finished(self) -> None:
        self._claim.settle(self._record)

    def cut(self) -> None:
        self._claim.settle(self._record)


def make_step(parts: StepParts, options: GateOptions) -> Gate:
    """The step, from what the settings say."""
    rules, budgets = options.rule, options.budget
    if options.dry_run:
        rules = tuple(replace(rule, mode="dry") for rule in rules)
        budgets = tuple(replace(budget, mode="dry") for budget in budgets)
    outputs = Outputs(parts.book.pricer.calls)
    spending = Spending(parts, outputs, listed)
    table = table_for(parts.place) if budgets else None
    counts = Counts(table, parts.warn)
    return Gate(
        parts, Rulebook(rules), Budgets(budgets, counts, spending, parts.book.note_gap), outputs
    )
