"""Cascade: a smaller model is asked first, and trusted where it is shown to be right.

    not trusted yet   the large model answers; a share of calls asks the small one too, afterwards
                      and unseen, and compares
    trusted           the small one is asked first; an answer above the threshold is given, others
                      go to the large model, which teaches

Until a threshold is certified at the asked share of wrong answers nothing is ever given, and with
`mode = "shadow"`, the default, not after that either: it is counted what would have been. It stands
within the shared calls and outside the store, so that equal calls at once ask once, and an answer
of the small model is never kept for the large one's.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from lichen.calls.acts import Act, Use
from lichen.calls.exchange import Answer
from lichen.calls.gate.asked import asked
from lichen.calls.gate.asking import Asker
from lichen.calls.gate.dry import DryRuns
from lichen.calls.gate.entries import GATE
from lichen.calls.gate.proof import CASCADE
from lichen.calls.gate.same import alike
from lichen.calls.gate.trust import Trust
from lichen.calls.keeping import lasting
from lichen.ledger.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lichen.calls.exchange import Call, Exchange, Onward, Record, Upstream
    from lichen.calls.gate.asking import Small
    from lichen.calls.gate.options import GateOptions
    from lichen.calls.gate.small import Cascade
    from lichen.calls.similar.decision import Verdict
    from lichen.calls.steps import StepParts

# Comparisons under way at once, and outcomes between two times that what was learnt is kept.
_MOST, _SAVE_EVERY = 8, 64


@dataclass(slots=True)
class Little:
    """One cascade at work."""

    table: Cascade
    asker: Asker
    trust: Trust
    alike: Callable[[str, str], bool]
    asked: int = 0
    given: int = 0
    compared: int = 0


class CascadeStep:
    """Asks smaller models first; `draw` gives numbers evenly in [0, 1)."""

    def __init__(
        self,
        parts: StepParts,
        littles: Sequence[Little],
        closers: Sequence[Upstream],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._parts, self.littles, self._draw = parts, tuple(littles), draw
        self._closers = closers
        self._dry = DryRuns(parts)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Ask the small model where it is trusted, else the large one."""
        call = exchange.call
        little = self._find(call) if call is not None else None
        question = asked(call) if call is not None and little is not None else None
        if call is None or little is None or question is None or not _is_eligible(call):
            return await onward(exchange)
        if little.table.mode == "shadow" or not little.trust.is_certified:
            if self._draw() < little.table.explore:
                exchange.on_done.append(
                    lambda record, body: self._compare(
                        little, exchange, question.text, record, body
                    )
                )
            return await onward(exchange)
        if self._parts.holdout.keeps(GATE, exchange):
            return await onward(exchange)
        little.asked += 1
        small = await little.asker.ask(exchange, call, question.text)
        if small is None:
            return await onward(exchange)
        return await self._decided(little, exchange, call, small, onward)

    async def _decided(
        self, little: Little, exchange: Exchange, call: Call, small: Small, onward: Onward
    ) -> Answer:
        """Give the small model's answer, or ask the large one and learn."""
        if not small.said.gives_up:
            verdict = little.trust.decide(small.said)
            if verdict.accept:
                return self._given(little, exchange, call, small, verdict)

            def hear(_record: Record, body: bytes) -> None:
                text = call.dialect.answer_text(call.kind, body)
                if text:
                    self._learn(little, verdict, same=little.alike(small.said.text, text))

            exchange.on_done.append(hear)
        little.asker.lost(exchange, small)
        return await onward(exchange)

    def _given(
        self, little: Little, exchange: Exchange, call: Call, small: Small, verdict: Verdict
    ) -> Answer:
        little.given += 1
        little.trust.decider.gave()
        standing, large = little.trust.decider.standing, self._parts.upstream
        clone, record = small.exchange, small.record
        if exchange.noted is not None:
            clone.held.update(exchange.noted.held)
            clone.took_beside(exchange.noted.beside)
        clone.acts.append(
            Act(
                GATE,
                CASCADE,
                partial(_by, model=large.model or call.model, zone=large.zone),
                {
                    "cascade": little.table.name,
                    "score": verdict.score,
                    "threshold": standing.threshold or 1.0,
                    "verified": standing.verified,
                    "wrong": standing.wrong,
                    "error": little.table.error,
                    "certificate": little.trust.decider.certificate(),
                },
                ("same-tokens-assumed",),
            )
        )
        notes = [
            (b"x-lichen-gate", little.table.name.encode()),
            (b"x-lichen-id", record.entry_id.encode()),
            *self._parts.booker.upstream(clone, record),
        ]
        answer = small.answer
        headers = lasting(answer.headers)
        return Answer(
            answer.status, headers, answer.body, source="cascade", record=record, notes=notes
        )

    def _compare(
        self, little: Little, exchange: Exchange, question: str, record: Record, body: bytes
    ) -> None:
        """The large model has answered: ask the small one the same, unseen."""
        call = exchange.call
        text = call.dialect.answer_text(call.kind, body) if call is not None and body else ""
        if not text or len(self._tasks) >= _MOST:
            return
        work = self._compared(little, exchange, question, record, text)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _compared(
        self, little: Little, exchange: Exchange, question: str, record: Record, text: str
    ) -> None:
        assert exchange.call is not None
        small = await little.asker.ask(exchange, exchange.call, question)
        if small is None:
            return
        little.asker.lost(exchange, small)
        if small.said.gives_up:
            return
        verdict = little.trust.decide(small.said)
        if verdict.accept and little.table.mode == "shadow":
            little.given += 1
            self._would(little, record, small.record)
        same = little.alike(small.said.text, text)
        self._learn(little, verdict, same=same, weight=1.0)

    def _would(self, little: Little, large: Record, small: Record) -> None:
        """Count what an answer of the small model would have spared."""
        if large.tokens is not None and small.tokens is not None:
            calls = self._parts.book.pricer.calls
            instead = calls.read(large.model, large.tokens).energy
            self._dry.add(
                little.table.name,
                instead.minus_shared(calls.read(small.model, small.tokens).energy),
            )

    def _learn(
        self, little: Little, verdict: Verdict, *, same: bool, weight: float | None = None
    ) -> None:
        little.compared += 1
        little.trust.learn(verdict, same=same, weight=weight)
        if little.compared % _SAVE_EVERY == 0:
            little.trust.save()

    def _find(self, call: Call) -> Little | None:
        for little in self.littles:
            table = little.table
            if fnmatchcase(call.kind, table.route) and fnmatchcase(call.model, table.model):
                return little if call.model != table.small else None
        return None

    def tend(self) -> None:
        """Book what shadow mode saw."""
        self._dry.tend()

    async def close(self) -> None:
        """End comparisons under way, and keep what was learnt."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._dry.book()
        for little in self.littles:
            await asyncio.to_thread(little.trust.save)
        for closer in self._closers:
            await closer.close()

    def gauges(self) -> Mapping[str, float]:
        """Calls that smaller models were asked, gave, and were compared on."""
        return {
            "lichen_gate_cascade_asked_calls_total": float(
                sum(each.asked for each in self.littles)
            ),
            "lichen_gate_cascade_given_calls_total": float(
                sum(each.given for each in self.littles)
            ),
            "lichen_gate_cascade_compared_calls_total": float(
                sum(x.compared for x in self.littles)
            ),
        }

    def panels(self) -> Sequence[Panel]:
        """How far each smaller model is trusted, and by what."""
        columns = ("cascade", "mode", "asked first", "given", "compared", "trust")
        rows = tuple(_row(little) for little in self.littles)
        note = (
            "In shadow mode `given` counts answers that would have been given; no answer is, until "
            "its share of wrong ones is shown to be below the bound."
        )
        return [Panel("Smaller models first", columns, rows, note)]


def _row(little: Little) -> tuple[str, ...]:
    table = little.table
    counts = (f"{little.asked:,}", f"{little.given:,}", f"{little.compared:,}")
    return table.name, table.mode, *counts, str(little.trust.decider.standing)


def _by(use: Use, model: str, zone: str) -> Use:
    return use._replace(model=model, zone=zone)


def _is_eligible(call: Call) -> bool:
    """Whether answers of two models to this call can be compared: words in, one answer of words."""
    view = call.dialect.view(call)
    if view.answers != 1 or view.tools or call.kind in call.dialect.embeds:
        return False
    return not any(turn.others for turn in view.turns)


def make_cascade(parts: StepParts, options: GateOptions) -> CascadeStep:
    """The step, from what the settings say.

    Raises:
        InputError: an upstream's address makes no sense.
    """
    from lichen.calls.upstream import HttpUpstream  # noqa: PLC0415 (only where one is configured)

    littles: list[Little] = []
    closers: list[Upstream] = []
    for written in options.cascade:
        table = replace(written, mode="shadow") if options.dry_run else written
        elsewhere = None
        if table.upstream:
            zone = table.upstream_zone or "WORLD"
            elsewhere = HttpUpstream(table.upstream, zone=zone, key=table.key)
            closers.append(elsewhere)
        compare = alike(table)
        trust = Trust(table, parts.place.file("cascade"))
        littles.append(Little(table, Asker(parts, table, elsewhere, compare), trust, compare))
    return CascadeStep(parts, littles, closers)
