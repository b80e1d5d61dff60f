"""Others: questions that services which share a cache tell one another of, by a log a tenant.

    told     a line in the log of whose question it is, once its answer is in the shared cache
    heard    the logs of tenants that ask here, from where they were left off, by one task
    gone     a question whose answer nobody has; all of a tenant's, when that is forgotten

Each process has an index of its own and goes on with it alone where the shared cache is lost: then
nothing is told (others could not fetch the answer) and the task looks again now and then. Evidence
is not shared: outcomes are those of one decider's own scores, so that every process certifies its
own error before it answers.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lichen.calls.forget import Forget
from lichen.calls.shared.index import START
from lichen.calls.similar.forgetting import forget_looked
from lichen.calls.similar.told import UNREADABLE, maker, read, written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.calls.answers import AnswerStore
    from lichen.calls.shared.index import Forgotten, Heard, Line, SharedIndex
    from lichen.calls.similar.kept import Question
    from lichen.calls.similar.looker import Looker
    from lichen.calls.similar.options import SimilarOptions
    from lichen.calls.steps import StepParts
    from lichen.ledger.ports import Embedder
    from lichen.text.embeddings import EmbedderThread

# Tenants whose logs are followed; the one that did not ask for longest is let go.
_MOST = 256
# How long one look for news waits at the server; a new tenant's log is followed no later. [s]
_LISTEN_S = 1.0
# Between two tries while the shared cache is lost. [s]
_REST_S = 0.5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def others(
    parts: StepParts, options: SimilarOptions, thread: EmbedderThread, embedder: Embedder
) -> Others | None:
    """Those who share a cache with this process; None where it shares none, or no question.

    `keep = "memory"` says that no question leaves the process.
    """
    remote, ttl = parts.answers.remote, parts.rules.longest("similar", "off")
    if remote is None or options.keep == "memory" or ttl <= 0:
        return None
    log = remote.index("similar", ttl=ttl)
    return Others(log, parts, thread, embedder) if log is not None else None


class Others:
    """Tells and hears. `looker` is None until the index is there, and once it is closed."""

    def __init__(
        self, log: SharedIndex, parts: StepParts, thread: EmbedderThread, embedder: Embedder
    ) -> None:
        self._log = log
        self._answers: AnswerStore = parts.answers
        self._warn = parts.warn
        self._thread, self._by = thread, maker(embedder)
        self.looker: Looker | None = None
        self._places: OrderedDict[str, str] = OrderedDict()
        self._forgotten_place = START
        self._following: asyncio.Task[None] | None = None
        self._fault = ""
        self._told = self._heard = self._unreadable = 0

    def notice(self, owner: str) -> None:
        """Calls of an owner come here: follow its log from now on. Never waits."""
        self._places.setdefault(owner, START)
        self._places.move_to_end(owner)
        if len(self._places) > _MOST:
            self._places.popitem(last=False)
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._follow())

    async def tell(self, question: Question) -> None:
        """Tell of a question, once its answer is where others can fetch it."""
        if self._answers.remote is not None:
            await self._answers.remote.landed(question.key)
        line = written(question, self._by)
        self._told += await self._log.append(question.owner, question.key, line)

    async def lost(self, question: Question) -> bool:
        """The answer to a question is not here: tell the others; whether it is nowhere.

        While the shared cache is lost nobody can say that.
        """
        if not self._log.is_up or await self._answers.fetch(question.key) is not None:
            return False
        return await self._log.bury(question.owner, question.key)

    async def _follow(self) -> None:
        while True:
            try:
                heard = await self._log.listen(self._places, self._forgotten_place, wait=_LISTEN_S)
                if heard is not None:
                    await self._take_in(heard)
                    self._fault = ""
                    continue
            except Exception as error:  # noqa: BLE001 (it spares calls only: it is tried again)
                if not self._fault:
                    self._fault = f"what other services said of questions is not used: {error}"
                    self._warn(self._fault)
            await asyncio.sleep(_REST_S)

    async def _take_in(self, heard: Heard) -> None:
        for owner, lines in heard.lines.items():
            if owner in self._places:
                # Before they are read: a line that breaks us does so once.
                self._places[owner] = heard.places[owner]
                await self._hear(owner, lines)
        for each in heard.forgotten:
            await self._let_go(each)
        self._forgotten_place = heard.forgotten_place

    async def _hear(self, owner: str, lines: Sequence[Line]) -> None:
        last = {line.key: line for line in lines}
        added = [
            question
            for line in last.values()
            if not line.buried and (question := self._read(owner, line)) is not None
        ]
        # Whoever has the answer can go on giving it.
        gone = [
            key for key, line in last.items() if line.buried and self._answers.find(key) is None
        ]
        looker = self.looker
        if looker is not None and (added or gone):
            self._heard += await self._thread.do(lambda _: looker.hear(owner, added, gone))

    def _read(self, owner: str, line: Line) -> Question | None:
        try:
            return read(owner, line.key, line.payload, self._by)
        except UNREADABLE as error:
            if not self._unreadable:
                self._warn(f"a question that another service told of cannot be used: {error}")
            self._unreadable += 1
            return None

    async def _let_go(self, which: Forgotten) -> None:
        until = _EPOCH + timedelta(microseconds=which.before_us)
        meant, looker = Forget(tenant=which.tenant, before=until), self.looker
        if looker is not None:
            await forget_looked(self._thread, looker, meant)

    def gauges(self) -> Mapping[str, float]:
        """What it tells Prometheus."""
        return {
            "lichen_similar_told_total": self._told,
            "lichen_similar_heard_total": self._heard,
            "lichen_similar_unreadable_total": self._unreadable,
        }

    async def close(self) -> None:
        """Follow no more."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        self.looker = None
