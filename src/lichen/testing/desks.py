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
from lichen.calls.similar.kinds import REGIONS, Kind
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
# Other wordings, each another change of words: one change is one piece of evidence.
SECONDS = tuple(
    f"How {may} I learn to {{}} {so}well?"
    for so in ("", "very ", "really ", "so ")
    for may in ("could", "do", "may", "must", "should", "might", "shall", "would", "will")
)

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
    """A house with the step, and ways to teach it; `error` is its route's."""

    def __init__(self, house: House, *, error: float) -> None:
        self.house, self.error = house, error
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
        learner = self.step.learner(tenant, model, self.error)
        alike = (0.0,) * len(FEATURES)
        for n in range(_PLENTY):
            kind = Kind(n % len(REGIONS), b"edit %d" % n, b"group %d" % n)
            learner.learn(learner.decider.decide(alike, kind), correct=True, spared_j=0.0)

    async def teach(self, verbs: Sequence[str] | None = None, **how: Any) -> None:
        """Ask both wordings of each, so that evidence comes together."""
        for verb, second in zip(verbs or VERBS[:-1], SECONDS, strict=False):
            await self.ask(chat(FIRST.format(verb)), **how)
            await self.ask(chat(second.format(verb)), **how)


def cache(heard: HeardRequest) -> str:
    """Where its answer came from."""
    return heard.answer_headers["x-lichen-cache"]
