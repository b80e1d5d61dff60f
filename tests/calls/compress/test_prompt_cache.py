"""A provider's prompt cache goes on serving: the failure that others had, and that lichen has not.

LiteLLM's issues 2438 and 39519 tell of prompts rewritten between calls: each rewriting broke the
provider's prefix cache, and calls came 2 to 7 times as dear.

Source: OpenAI, "Prompt caching" (prefixes of 1,024 tokens and more, in steps of 128); Anthropic,
"Prompt caching" (a cached token costs 0.1 of a fresh one), 2026-11.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.calls.compress.compressor import Shortening
from lichen.calls.compress.conversation import Conversation
from lichen.calls.compress.memory import Memory
from lichen.calls.compress.options import CompressOptions
from lichen.calls.compress.prompt import changes
from lichen.calls.exchange import Answer
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.testing.upstreams import chat_answer, chat_usage
from lichen.text.tokens import tokenizer_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Exchange
    from lichen.testing.callers import House

    Build = Callable[..., House]

TOKENIZER = tokenizer_for("gpt-4o")
CACHED_PRICE = 0.1


class CachingProvider:
    """A provider that keeps prefixes: a script for an upstream that counts what it charges."""

    def __init__(self) -> None:
        self.charged = 0.0
        self._known: set[str] = set()

    async def __call__(self, exchange: Exchange) -> Answer:
        """Answer, and charge what was not in the cache in full."""
        said = [orjson.dumps(m).decode() for m in orjson.loads(exchange.body)["messages"]]
        total = sum(map(TOKENIZER.count, said))
        cached, prefix, length = 0, "", 0
        for message in said:
            prefix += message
            length += TOKENIZER.count(message)
            if prefix in self._known:
                cached = length
            self._known.add(prefix)
        cached = cached // 128 * 128 if cached >= 1024 else 0
        self.charged += total - cached + CACHED_PRICE * cached
        usage = chat_usage(total, 20, prompt_tokens_details={"cached_tokens": cached})
        return Answer(200, [(b"content-type", b"application/json")], chat_answer(usage=usage))


def output(turn: int) -> str:
    """What a tool gives back: rows on every turn, words on some."""
    draw = random.Random(turn)
    rows = [
        {"id": n, "path": f"src/part{draw.randrange(50)}.py", "size": draw.randrange(9999)}
        for n in range(80)
    ]
    return json.dumps(rows) if turn % 3 else "Done. " + "All of it went well. " * 60


def turns(count: int = 15) -> list[list[dict[str, Any]]]:
    """The messages of each call of a long conversation with a tool."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You are careful. " * 300},
        {"role": "user", "content": "Clean up the repository."},
    ]
    calls = []
    for turn in range(count):
        called = {"id": f"c{turn}", "type": "function", "function": {"name": "f", "arguments": ""}}
        messages = [
            *messages,
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "tool_call_id": f"c{turn}", "content": output(turn)},
        ]
        calls.append(messages)
    return calls


def rewritten(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a compressor makes that fits all history to the newest turn, as the issues tell."""
    cut = 20 * len(messages)
    return [
        {**message, "content": message["content"][cut:]} if message["role"] == "tool" else message
        for message in messages
    ]


async def charged(build: Build, calls: list[list[dict[str, Any]]], **settings: Any) -> float:
    """What a conversation costs, in fresh tokens."""
    provider = CachingProvider()
    house = build(provider, **settings)
    for messages in calls:
        await house.ask({"model": "gpt-4o", "messages": messages})
    return provider.charged


async def test_lichen_is_not_dearer_where_a_rewriting_compressor_is(build: Build) -> None:
    plain = await charged(build, turns())
    broken = await charged(build, [rewritten(messages) for messages in turns()])
    lichen = await charged(build, turns(), route=({"compress": "lossless"},), holdout={"share": 0})

    assert broken > 2 * plain  # with fewer tokens sent
    assert lichen < 0.75 * plain


async def test_history_is_collapsed_where_that_pays_and_else_not(build: Build) -> None:
    route: dict[str, Any] = {"route": ({"compress": "lossless"},), "holdout": {"share": 0}}
    long = turns(48)

    kept = await charged(build, long, **route)
    often = await charged(build, long, **route, compress={"history": "collapse", "recent": 2})
    seldom = await charged(build, long, **route, compress={"history": "collapse", "recent": 12})

    assert often <= kept  # most times the prefix would have cost more than was spared
    assert seldom < kept


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["user", "assistant", "tool"]),
            st.integers(0, 6).map(output) | st.text(max_size=80),
        ),
        min_size=2,
        max_size=8,
    )
)
def test_what_is_sent_of_earlier_turns_never_depends_on_later_ones(
    said: list[tuple[str, str]],
) -> None:
    messages = [{"role": role, "content": text} for role, text in said]

    def sent(count: int) -> list[Any]:
        body = orjson.dumps({"model": "gpt-4o", "messages": messages[:count]})
        call = OPENAI.read_call("chat.completions", b"", body)
        memory = Memory(1e6)
        given = Conversation(memory, call, "t").places
        made = changes(given, Shortening(TOKENIZER, CompressOptions(), memory))
        fields = OPENAI.with_texts(call.fields, {change.path: change.text for change in made})
        whole: list[Any] = fields["messages"]
        return whole

    for count in range(1, len(said)):
        # What the user says in several messages before the model speaks is sent at once.
        if not said[count - 1][0] == said[count][0] == "user":
            assert sent(len(said))[:count] == sent(count)
