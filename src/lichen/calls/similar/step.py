"""Similar: the step that answers a question with a like one's answer, where that is safe.

    off      the step does nothing
    shadow   every call goes upstream; what would have been answered is compared with what came
    on       an answer is given where the decider accepts it; a share of those, and all others, go
             upstream, and what comes teaches the decider

Only calls that the exact cache could not answer come here. What takes time runs in the embedder's
thread; while too much of it waits, calls go on without a look.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from lichen.calls.exchange import Answer
from lichen.calls.forget import Forget
from lichen.calls.similar import hit, seen
from lichen.calls.similar.after import After, Case
from lichen.calls.similar.forgetting import forget_looked
from lichen.calls.similar.hit import SIMILAR, Decision
from lichen.calls.similar.kept import Given
from lichen.calls.similar.learners import Learners
from lichen.calls.similar.looker import Looker
from lichen.calls.similar.others import others
from lichen.calls.similar.scope import asked
from lichen.calls.similar.show import Shown, busy_watts
from lichen.calls.similar.worth import Worth
from lichen.calls.upstreams import serving
from lichen.ledger.quantities import Energy
from lichen.text.embeddings import EmbedderThread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.calls.exchange import Exchange, Onward
    from lichen.calls.similar.decision import Verdict
    from lichen.calls.similar.kept import Question
    from lichen.calls.similar.learners import Learner
    from lichen.calls.similar.looker import Look
    from lichen.calls.similar.options import SimilarOptions
    from lichen.calls.steps import StepParts
    from lichen.calls.stored import Stored
    from lichen.ledger.panel import Panel

# Looks that may wait for the thread; at 5 ms each that is a sixth of a second.
_WAITING = 32
_SECOND_US = 1_000_000


class Similar:
    """The step. Made by `open_step` where a route asks for it.

    Raises:
        MissingExtra: the embedder's packages are not installed.
    """

    def __init__(self, parts: StepParts, options: SimilarOptions) -> None:
        self._parts, self._options = parts, options
        self._path = parts.place.file("similar") if options.keep == "file" else None
        embedder = parts.embedder()
        self._thread = EmbedderThread(lambda: embedder)
        self._looker: Looker | None = None
        self._learners = Learners(options.explore)
        self._worth = Worth(options.window)
        self._after = After(parts, self._thread, self._learners, self._worth)
        self._others = others(parts, options, self._thread, embedder)
        self._after.others = self._others
        self._starting: asyncio.Task[None] | None = None
        self._waiting = 0
        self._fault = ""
        self._shown = Shown(self._learners, self._worth, self._thread, busy_watts(parts))
        self._after.watts = self._shown.watts

    # The step's life.

    async def start(self) -> None:
        """Take up what is kept; calls go on without a look until it is there."""
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._load())

    async def ready(self) -> None:
        """Wait until what is kept is taken up, or cannot be."""
        await self.start()
        assert self._starting is not None
        await asyncio.wait([self._starting])

    async def settle(self) -> None:
        """Wait for what goes on beside the calls: learning, keeping."""
        await self._after.settle()

    async def _load(self) -> None:
        parts, most, path = self._parts, self._options.entries, self._path
        try:
            looker = await self._thread.do(
                lambda embedder: Looker(path, most, embedder, parts.warn)
            )
            self._learners.load(await self._thread.do(lambda _: looker.learnt()))
        except Exception as error:  # noqa: BLE001 (calls go on without it)
            self._fault = f"similar questions cannot be looked for: {error}"
            parts.warn(self._fault)
            return
        self._looker = self._after.looker = self._shown.looker = looker
        if self._others is not None:
            self._others.looker = looker

    async def close(self) -> None:
        """Finish what runs, keep what was learnt, book what it cost; closing twice is fine."""
        if self._starting is not None:
            await asyncio.wait([self._starting])
        if self._others is not None:
            await self._others.close()
        await self.settle()
        looker, self._looker = self._looker, None
        if looker is not None:
            await self._after.keep_learnt()
            self._after.looker = None
            await self._thread.do(lambda _: looker.close())
        self._thread.close()
        self._after.book_cost(least_s=0.0)

    def gauges(self) -> Mapping[str, float]:
        """What it tells Prometheus."""
        told = self._others.gauges() if self._others is not None else {}
        return {**self._shown.gauges(), **told}

    def panels(self) -> Sequence[Panel]:
        """What it shows on the dashboard."""
        return self._shown.panels(self._after.unfit)

    def wrong(self) -> Sequence[str]:
        """What keeps it from looking, if anything."""
        return [self._fault] if self._fault else []

    async def forget(self, which: Forget) -> int:
        """Erase questions and hits that are meant, beside the calls; how many."""
        looker = self._looker
        self._learners.forget(which)
        if looker is None:
            return await asyncio.to_thread(seen.erase, self._path, which, self._parts.warn)
        return await forget_looked(self._thread, looker, which)

    async def reread(self) -> None:
        """Let go of what another process erased, beside the calls."""
        looker = self._looker
        if looker is None:
            return
        if self._path is not None:
            await self._thread.do(lambda _: looker.catch_up())
            return
        # What the words were is told to nobody, and no file says what was erased: all may be it.
        await forget_looked(self._thread, looker, Forget(before=datetime.now(UTC)))

    def learner(self, owner: str, model: str, delta: float) -> Learner:
        """What was learnt of a tenant's calls to a model, on a bound that was asked for."""
        return self._learners.of(owner, model, delta)

    # A call.

    def passes(self, exchange: Exchange) -> bool:
        """Whether no like question is looked for: such a call never comes here."""
        return exchange.rule is None or exchange.rule.similar == "off"

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Answer from a like question where that is safe; else pass onward, and learn from it."""
        try:
            case = await self._looked(exchange)
            answer = await self._answer(case) if case is not None else None
        except Exception as error:  # noqa: BLE001 (the call goes on as if nobody had looked)
            self._parts.booker.tell(error)
            case = answer = None
        if answer is not None:
            return answer
        if case is not None:
            exchange.on_done.append(partial(self._after.came, case))
        return await onward(exchange)

    async def _looked(self, exchange: Exchange) -> Case | None:
        """What a look found, None where the call is not one for it, or there is no time."""
        await self.start()
        looker, now = self._looker, time.monotonic()
        rule = exchange.rule
        assert rule is not None
        if looker is None or (rule.similar == "on" and self._worth.is_off(now)):
            return None
        upstream = serving(self._parts.upstream, exchange.provider)
        question = asked(exchange, upstream.name or upstream.url)
        if question is None:
            return None
        if self._others is not None:
            self._others.notice(question.owner)
        if self._waiting >= _WAITING:
            self._shown.busy += 1
            return None
        self._waiting += 1
        look: Look
        try:
            look, seconds = await self._thread.timed(lambda _: looker.look(question))
        finally:
            self._waiting -= 1
        self._worth.looked(now, seconds * self._shown.watts)
        self._after.book_cost()
        return Case(exchange, question, look)

    async def _answer(self, case: Case) -> Answer | None:
        """A like question's answer, where it is there, accepted, and may be given."""
        exchange, match = case.exchange, case.look.found
        rule = exchange.rule
        assert rule is not None
        if match is None or match.question.owner != case.asked.owner:
            return None
        stored = await self._there(match.question)
        if stored is None:
            self._after.later(self._lost(match.question))
        if stored is None or not _may_serve(exchange, stored):
            return None
        # Where a route shares answers, evidence is still each tenant's own: none floods another's.
        learner = self._learners.of(exchange.tenant, self._model_of(exchange), rule.error)
        case.stored, case.learner = stored, learner
        case.verdict = verdict = learner.decider.decide(case.look.features, case.look.kind)
        if rule.similar == "shadow":
            learner.would += verdict.accept or verdict.explore
            self._shadow(exchange, verdict)
            return None
        if not verdict.accept:
            return None
        if self._parts.holdout.keeps(SIMILAR, exchange):
            learner.withhold()
            return None
        return self._given(case, Decision.of(match, verdict, learner))

    async def _there(self, question: Question) -> Stored | None:
        """The answer to a like question, here or where services share theirs."""
        answers, now_us = self._parts.answers, time.time_ns() // 1000
        stored = answers.find(question.key)
        if stored is None or now_us >= stored.expires_us:
            stored = await answers.fetch(question.key)
        # Whoever can write to the shared cache can write a line that leads to another's answer.
        whose = ("", question.owner)
        if stored is None or (question.owner != "*" and stored.tenant not in whose):
            return None
        return stored if now_us < stored.expires_us else None

    async def _lost(self, question: Question) -> None:
        """Let go of a question whose answer is nowhere."""
        looker = self._looker
        if self._others is not None and not await self._others.lost(question):
            return
        if looker is not None:
            await self._thread.do(lambda _: looker.lost(question.key))

    def _shadow(self, exchange: Exchange, verdict: Verdict) -> None:
        """Note in the call's own entry what would have been answered."""
        answers = verdict.accept or verdict.explore
        exchange.raw["similar"] = "would-answer" if answers else "would-ask"
        exchange.raw["similar_score"] = verdict.score

    def _given(self, case: Case, decision: Decision) -> Answer:
        exchange, stored, looker = case.exchange, case.stored, self._looker
        assert stored is not None
        assert looker is not None
        assert case.learner is not None
        parts = self._parts
        entry_id, notes, figures = hit.book((parts.book, parts.booker), exchange, stored, decision)
        parts.booker.steps.trials.note(exchange.held, Energy.joules(0))
        if figures.baseline is not None:
            self._worth.spared(figures.baseline.footprint.energy.value.in_joules)
        self._shown.hits += 1
        case.learner.gave()
        self._after.keep_soon()
        if entry_id is not None:
            given = Given(case.asked.question, decision.match.question.key)
            owner, until = case.asked.owner, stored.expires_us
            self._after.later(self._thread.do(lambda _: looker.give(entry_id, owner, given, until)))
        return Answer(
            stored.status, list(stored.headers), stored.body, source="similar", notes=notes
        )

    def _model_of(self, exchange: Exchange) -> str:
        call = exchange.call
        answers = serving(self._parts.upstream, exchange.provider).model
        return answers or (call.model if call is not None else "")


def _may_serve(exchange: Exchange, stored: Stored) -> bool:
    """Whether the caller takes stored answers, and so old ones.

    One that may be given nothing is no evidence for those that may: callers choose it, and no lot.
    """
    most = exchange.directives.max_age
    if exchange.directives.no_cache:
        return False
    return most is None or time.time_ns() // 1000 - stored.stored_us <= most * _SECOND_US
