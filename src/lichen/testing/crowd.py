"""Crowd: many tenants who ask the same few things at once, and whether each got their own answer.

    crowd = Crowd(seed=1)
    house = ...                       a gateway whose upstream answers with `own_answer`
    outcome = await crowd.ask([house.gateway], calls=20_000)
    assert outcome.foreign == outcome.wrong == 0

The upstream writes into its answer who asked and what. So an answer that shows another credential
is foreign, and one to another question, or sampled otherwise, is wrong. Tenants show like secrets
in unlike headers and several at once; they ask whole and as streams, with and without temperature,
with every Cache-Control there is, some at the same time and some leave before they are answered.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.exchange import CREDENTIALS, Answer
from lichen.testing.callers import HeardRequest, answered
from lichen.testing.upstreams import ScriptedStream, chat_answer, chat_chunk, chat_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.exchange import Exchange, Headers
    from lichen.calls.gateway import Gateway

_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream")
# Those who ask at the same time.
_ABREAST = 24
_WISHES = ("", "", "", "", "", "no-store", "no-cache", "max-age=0", "max-age=60", "only-if-cached")
_NAMES = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")


@dataclass(slots=True)
class Outcome:
    """How many calls were answered and how; foreign and wrong are what must be 0."""

    calls: int = 0
    answered: int = 0
    reused: int = 0
    left: int = 0
    foreign: int = 0
    wrong: int = 0


def _mark(headers: Headers, fields: dict[str, Any]) -> tuple[bytes, bytes]:
    """Who asks and what, as it stands in an answer."""
    who = b"&".join(b"%b=%b" % pair for pair in headers if pair[0] in CREDENTIALS)
    about = {name: value for name, value in fields.items() if name != "stream"}
    what = orjson.dumps(about, option=orjson.OPT_SORT_KEYS).hex().encode()
    return b"<%b>" % who.hex().encode(), b"[%b]" % what


async def own_answer(exchange: Exchange) -> Answer:
    """What the crowd's upstream answers: who asked, and what; as a stream where one is wanted."""
    fields = orjson.loads(exchange.body)
    text = b"".join(_mark(exchange.headers, fields)).decode()
    await asyncio.sleep(0)
    if not fields.get("stream"):
        return Answer(200, [_JSON], chat_answer(text))
    frames = [chat_chunk(text, usage=None), chat_chunk("", choices=[], usage=chat_usage())]
    return Answer(200, [_EVENTS], stream=ScriptedStream([*frames, b"data: [DONE]\n\n"]))


class Crowd:
    """Tenants and questions drawn from a seed."""

    def __init__(self, seed: int, *, tenants: int = 24, questions: int = 24) -> None:
        self._random = random.Random(seed)  # noqa: S311 (a test, and the same for the same seed)
        self._tenants = [self._credentials(n // len(_NAMES)) for n in range(tenants)]
        self._questions = [self._fields(n) for n in range(questions)]

    def _credentials(self, secret: int) -> Headers:
        """Headers of one tenant: another header with the same secret is another tenant."""
        value = b"Bearer k%d" % secret if self._random.random() < 0.5 else b"k%d" % secret  # noqa: PLR2004
        names = self._random.sample(_NAMES, k=self._random.choice((1, 1, 1, 2)))
        return [(name, value) for name in names]

    def _fields(self, number: int) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "model": self._random.choice(("small", "large")),
            "messages": [{"role": "user", "content": f"question {number // 4}"}],
            "temperature": self._random.choice((0, 0, 0, 1)),
        }
        if number % 3 == 0:
            fields["seed"] = number % 2
        return fields

    async def ask(self, gateways: Sequence[Gateway], *, calls: int) -> Outcome:
        """Ask so many times, each time one of the gateways."""
        outcome = Outcome()
        while outcome.calls < calls:
            size = min(_ABREAST, calls - outcome.calls)
            await asyncio.gather(*(self._one(gateways, outcome) for _ in range(size)))
            outcome.calls += size
        return outcome

    async def _one(self, gateways: Sequence[Gateway], outcome: Outcome) -> None:
        draw = self._random
        credentials, fields = draw.choice(self._tenants), dict(draw.choice(self._questions))
        if draw.random() < 0.2:  # noqa: PLR2004
            fields["stream"] = True
        headers = [_JSON, *credentials]
        if wish := draw.choice(_WISHES):
            headers.append((b"cache-control", wish.encode()))
        draw.shuffle(headers)
        made = HeardRequest(orjson.dumps(fields), headers=headers)
        asking = asyncio.ensure_future(answered(draw.choice(gateways), made))
        if draw.random() < 0.02:  # noqa: PLR2004
            await asyncio.sleep(0)
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
            outcome.left += 1
        await asyncio.wait((asking,))
        self._judge(made, credentials, fields, outcome)

    def _judge(
        self, made: HeardRequest, credentials: Headers, fields: dict[str, Any], outcome: Outcome
    ) -> None:
        if not made.chunks or made.status != 200:  # noqa: PLR2004 (HTTP)
            return
        outcome.answered += 1
        outcome.reused += b"x-lichen-cache: miss" not in made.head
        in_order = [pair for pair in made.headers if pair in credentials]
        who, what = _mark(in_order, fields)
        said = made.answer
        outcome.foreign += who not in said
        outcome.wrong += what not in said
