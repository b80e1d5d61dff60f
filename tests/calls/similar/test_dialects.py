"""Questions of every provider are compared within its own calls, and never across."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from lichen.calls.exchange import Answer
from lichen.testing.anthropic_answers import anthropic_answer
from lichen.testing.callers import answered, request
from lichen.testing.desks import FIRST, SECOND, cache, topic
from lichen.testing.gemini_answers import gemini_answer
from lichen.testing.upstreams import response_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lichen.calls.exchange import Exchange
    from lichen.testing.desks import Desk

    OpenDesk = Callable[..., Awaitable[Desk]]


def claude(text: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {
        "model": "gpt-4o-mini",
        "max_tokens": 64,
        "messages": messages,
        "temperature": 0,
        **fields,
    }


def gemini(text: str, **fields: Any) -> dict[str, Any]:
    contents = [{"role": "user", "parts": [{"text": text}]}]
    return {"contents": contents, "generationConfig": {"temperature": 0}, **fields}


def response(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "input": text, "temperature": 0, **fields}


GEMINI = b"/v1beta/models/gpt-4o-mini:generateContent"
KINDS: dict[str, tuple[bytes, Callable[..., dict[str, Any]], dict[str, Any]]] = {
    "anthropic": (b"/v1/messages", claude, {"system": "Be curt."}),
    "gemini": (GEMINI, gemini, {"systemInstruction": {"parts": [{"text": "Be curt."}]}}),
    "responses": (b"/v1/responses", response, {"instructions": "Be curt."}),
}


async def expert(exchange: Exchange) -> Answer:
    """Answers in the provider's own shape."""
    asked = orjson.loads(exchange.body)
    text = f"Whoever wants to {topic(exchange.body.decode())} practises each day."
    path = exchange.target.partition("?")[0]
    for of_provider in (anthropic_answer, gemini_answer):
        if (made := of_provider(path, asked, text)) is not None:
            return Answer(200, [(b"content-type", b"application/json")], orjson.dumps(made[0]))
    return Answer(200, [(b"content-type", b"application/json")], response_answer(text))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_like_question_is_answered_in_every_dialect(open_desk: OpenDesk, kind: str) -> None:
    target, ask, otherwise = KINDS[kind]
    desk = await open_desk(expert)
    await desk.convince()

    async def asked(body: dict[str, Any]) -> str:
        heard = await answered(desk.house.gateway, request(body, target=target))
        await desk.settle()
        assert heard.status == 200, heard.answer
        return cache(heard)

    first = await asked(ask(FIRST.format("row")))
    again = await asked(ask(SECOND.format("row")))
    other = await asked(ask(SECOND.format("row"), **otherwise))

    assert (first, again, other) == ("miss", "similar", "miss")
