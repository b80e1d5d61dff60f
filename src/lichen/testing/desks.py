"""Desks: a house that gets questions in several wordings, and an upstream that knows their topics.

desk = Desk(house)
await desk.teach()
heard = await desk.ask(chat("How could I learn to row well?"))
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.exchange import Answer
from lichen.calls.similar.step import Similar
from lichen.calls.similar.verify import FEATURES
from lichen.testing.provider_answers import Reply
from lichen.testing.upstreams import ScriptedUpstream, chat_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.exchange import Exchange
    from lichen.testing.callers import HeardRequest, House
    from lichen.testing.provider import Received

# Two wordings of one question about each.
_WORDS = """
    swim ski juggle knit paint draw sing dance cook bake type fish sail surf climb garden weld skate
    solder fence box wrestle hike ride drive whittle sew crochet meditate sculpt yodel row
"""
VERBS = tuple(_WORDS.split())
# Outcomes after which any bound a test asks for is certified.
_PLENTY = 240
FIRST, SECOND = "How can I learn to {} well?", "How could I learn to {} well?"

# What `lichen.toml` says for a service whose answers serve like questions after some evidence.
RULES = """
[[route]]
similar = "on"
error = 0.4

[holdout]
share = 0

[similar]
explore = 0.001
"""


def chat(text: str, **fields: Any) -> dict[str, Any]:
    """A call that asks that, at temperature 0."""
    messages = [{"role": "user", "content": text}]
    return {"model": "gpt-4o-mini", "messages": messages, "temperature": 0, **fields}


def topic(text: str) -> str:
    """The verb that a text is about."""
    words = text.lower().replace("?", " ").split()
    return next((word for word in words if word in VERBS), "nothing I know")


async def expert(exchange: Exchange) -> Answer:
    """Answers by the topic of the last message alone."""
    content = orjson.loads(exchange.body)["messages"][-1]["content"]
    text = content if isinstance(content, str) else content[-1]["text"]
    body = chat_answer(f"Whoever wants to {topic(text)} finds a teacher and practises each day.")
    return Answer(200, [(b"content-type", b"application/json")], body)


def clerk(call: Received) -> Reply:
    """Answers by the topic of the last message alone, as a provider that is a server."""
    verb = topic(json.loads(call.body)["messages"][-1]["content"])
    return Reply(chunks=(chat_answer(f"Whoever wants to {verb} practises each day."),))


class Desk:
    """A house with the step, and ways to teach it; `error` and `scope` are its route's."""

    def __init__(self, house: House, *, error: float, scope: str = "tenant") -> None:
        self.house, self.error, self.scope = house, error, scope
        self._closed = False
        (self.step,) = [s for s in house.gateway.layers.steps if isinstance(s, Similar)]

    async def open(self) -> None:
        """Start, and wait until what was kept is taken up."""
        await self.house.gateway.layers.start()
        await self.step.ready()

    async def close(self) -> None:
        """End the steps; closing twice is fine."""
        if not self._closed:
            self._closed = True
            await self.house.gateway.layers.close()

    @property
    def count(self) -> int:
        """Calls that reached the upstream."""
        assert isinstance(self.house.upstream, ScriptedUpstream)
        return self.house.upstream.count

    async def ask(self, body: dict[str, Any], **how: Any) -> HeardRequest:
        """Ask, and wait until what is learnt from the answer is learnt."""
        heard = await self.house.ask(body, **how)
        await self.settle()
        return heard

    async def settle(self) -> None:
        """Wait for what goes on beside the calls."""
        await asyncio.sleep(0)
        await self.step.settle()

    async def convince(self, model: str = "gpt-4o-mini", key: str = "sk-one") -> None:
        """Give a tenant's decider for a model all the evidence it needs, and more, at once."""
        await self.ask(chat("Who am I?", model=model), key=key)
        (tenant,) = {entry.tenant for entry in self.house.entries[-1:]}
        owner = tenant if self.scope == "tenant" else "*"
        learner = self.step.learner(owner, model, self.error)
        alike = (0.0,) * len(FEATURES)
        for _ in range(_PLENTY):
            learner.learn(learner.decider.decide(alike), correct=True, spared_j=0.0)

    async def teach(self, verbs: Sequence[str] | None = None, **how: Any) -> None:
        """Ask both wordings of each, so that evidence comes together."""
        for verb in verbs or VERBS[:-1]:
            await self.ask(chat(FIRST.format(verb)), **how)
            await self.ask(chat(SECOND.format(verb)), **how)


def cache(heard: HeardRequest) -> str:
    """Where its answer came from."""
    return heard.answer_headers["x-lichen-cache"]
