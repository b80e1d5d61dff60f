"""After: what is done once the upstream's own answer to a question is there, beside the calls.

The stored answer that was, or would have been, given is compared with it; the outcome teaches the
decider. Where the exact cache kept the new answer, its question is kept for others. No call waits
for any of it, and what goes wrong is told and breaks nobody.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lichen.calls.similar.hit import SIMILAR
from lichen.calls.similar.judge import is_whole
from lichen.calls.similar.kept import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lichen.calls.exchange import Exchange, Record
    from lichen.calls.similar.decision import Verdict
    from lichen.calls.similar.learners import Learner, Learners
    from lichen.calls.similar.looker import Look, Looker
    from lichen.calls.similar.others import Others
    from lichen.calls.similar.scope import Asked
    from lichen.calls.similar.worth import Worth
    from lichen.calls.steps import StepParts
    from lichen.calls.stored import Stored
    from lichen.ledger.ports import Embedder
    from lichen.text.embeddings import EmbedderThread

# CPU time that is booked in one entry, and how often what was learnt is kept. [s]
_BOOKED_S = 0.5
_KEPT_EVERY_S = 2.0


@dataclass(slots=True)
class Case:
    """A call that was looked at: what came of it, until the upstream's own answer is there."""

    exchange: Exchange
    asked: Asked
    look: Look
    learner: Learner | None = None
    verdict: Verdict | None = None
    stored: Stored | None = None


class After:
    """Learns and keeps; `looker` is None until what was kept is taken up, and once it is closed.

    `watts` is a busy core's power: what learning takes is charged to the step's worth. [W]
    """

    def __init__(
        self, parts: StepParts, thread: EmbedderThread, learners: Learners, worth: Worth
    ) -> None:
        self.watts = 0.0
        self._parts, self._thread = parts, thread
        self._learners, self._worth = learners, worth
        # Questions are kept by all who share a file; of what deciders learnt the last would win.
        self._keeps = parts.options("similar").keep != "file" or parts.place.alone()
        self.looker: Looker | None = None
        self.others: Others | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._booked_s = 0.0
        self._kept_at = 0.0
        self._keeping: asyncio.TimerHandle | None = None
        # Answers that serve nobody: cut off, calling a tool, or not come whole.
        self.unfit = 0

    def came(self, case: Case, record: Record, body: bytes) -> None:
        """The upstream's own answer is there: learn from it, and keep the question for others.

        The task begins in a later turn of the loop: by then the answer is kept, or it is not.
        """
        self.later(self._learn(case, record, body))

    async def _learn(self, case: Case, record: Record, body: bytes) -> None:
        call, looker = case.exchange.call, self.looker
        if looker is None or call is None:
            return
        whole = bool(body) and is_whole(call, body)
        self.unfit += not whole
        served = False
        if case.verdict is not None and case.learner is not None and case.stored is not None:
            served = await self._verify(case, record, body if whole else b"")
        question = self._for_others(case, record) if whole else None
        if question is not None:
            if served and case.look.found is not None:
                question = question._replace(group=case.look.found.question.group)
            taken = question
            await self._charged(lambda _: looker.take(taken))
            if self.others is not None:
                await self.others.tell(taken)
        if time.monotonic() - self._kept_at >= _KEPT_EVERY_S:
            await self.keep_learnt()
        else:
            self.keep_soon()
        self.book_cost()

    async def _verify(self, case: Case, record: Record, body: bytes) -> bool:
        """Teach the decider whether the stored answer served; whether it did."""
        assert case.learner is not None
        assert case.verdict is not None
        correct = await self._judged(case, body)
        spared_j = record.reading.energy.value.in_joules if record.reading is not None else 0.0
        learning = case.learner.standing.threshold is None
        rule = case.exchange.rule
        # In shadow mode nothing is given, so that all outcomes are known and none stands for more.
        weight = 1.0 if rule is not None and rule.similar == "shadow" else None
        case.learner.learn(case.verdict, correct=correct, spared_j=spared_j, weight=weight)
        if correct and learning:
            self._worth.spared(spared_j)
        return correct

    async def _judged(self, case: Case, body: bytes) -> bool:
        """Whether the stored answer says what the upstream's own says; no answer says nothing."""
        call, stored, looker = case.exchange.call, case.stored, self.looker
        assert call is not None
        assert stored is not None
        assert looker is not None
        if not body:
            await self._charged(lambda _: looker.failed(stored.key))
            return False
        one = call.dialect.answer_text(call.kind, stored.body)
        other = call.dialect.answer_text(call.kind, body)
        return bool(await self._charged(lambda _: looker.judge(one, other, stored.key)))

    def _for_others(self, case: Case, record: Record) -> Question | None:
        """The question, if the exact cache kept this very answer; None where it serves nobody."""
        stored = self._parts.answers.find(case.exchange.key)
        if stored is None or stored.origin.entry_id != record.entry_id or not case.look.fits:
            return None
        asked = case.asked
        return Question(
            stored.key,
            asked.scope,
            asked.owner,
            record.entry_id,
            asked.question,
            case.look.vector,
            stored.stored_us,
            stored.expires_us,
        )

    def keep_soon(self) -> None:
        """Keep what deciders learnt within seconds, even if no call comes any more."""
        if self._keeping is None and self._keeps and self.looker is not None:
            left = max(0.0, self._kept_at + _KEPT_EVERY_S - time.monotonic())
            self._keeping = asyncio.get_running_loop().call_later(left, self._keep_now)

    def _keep_now(self) -> None:
        self.later(self.keep_learnt())

    async def keep_learnt(self) -> None:
        """Keep what deciders learnt since last time."""
        self._kept_at, looker = time.monotonic(), self.looker
        if self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None
        states = [(learner.name, learner.state()) for learner in self._learners.dirty]
        if states and looker is not None and self._keeps:
            await self._charged(lambda _: looker.learn(states))

    async def _charged(self, work: Callable[[Embedder], Any]) -> Any:
        """Something in the thread, its CPU time set against what the step spares."""
        made, seconds = await self._thread.timed(work)
        self._worth.spent(seconds * self.watts)
        return made

    def book_cost(self, *, least_s: float = _BOOKED_S) -> None:
        """Book the thread's CPU time as used by this strategy, once there is enough of it. [s]"""
        spent = self._thread.cpu_seconds - self._booked_s
        if spent > least_s:
            self._booked_s += spent
            self._parts.booker.steps.cost(SIMILAR, spent)

    def later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside the calls."""

        async def done() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001 (no call waits for it)
                self._parts.booker.tell(error)

        task = asyncio.get_running_loop().create_task(done())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait for all that goes on."""
        while self._tasks:
            await asyncio.wait(self._tasks)
