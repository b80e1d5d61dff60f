"""Weighing: a shorter prompt goes out where that is cheaper, and a user can see why."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.compress.conversation import Conversation
from lichen.calls.compress.memory import AS_IT_CAME
from lichen.calls.compress.memory import Memory as Sent
from lichen.calls.compress.prompt import Change
from lichen.calls.compress.weighing import Prompt, Weighed, Weighing
from lichen.calls.directives import NO_WISHES
from lichen.calls.exchange import Exchange
from lichen.calls.joint import NOTHING
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.providers.prices import price_of
from lichen.calls.rules import Rules
from lichen.text.tokens import tokenizer_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.providers.prices import Price
    from lichen.ledger.pricing import Pricer
    from lichen.ledger.tokens import Tokens
    from lichen.testing.callers import House
    from lichen.text.tokens import Tokenizer

    Build = Callable[..., House]

ROUTES = ({"compress": "lossless"},)
WORDS = [
    "the",
    "house",
    "by",
    "sea",
    "has",
    "an",
    "old",
    "door",
    "and",
    "two",
    "rooms",
    "where",
    "they",
    "keep",
    "all",
    "of",
    "that",
    "was",
    "left",
    "from",
    "our",
    "last",
    "long",
    "summer",
    "there",
    "before",
    "rain",
    "came",
    "over",
    "hills",
]
ROWS = json.dumps([{"id": n, "name": f"user {n}", "city": "Oslo"} for n in range(90)])


def asked(model: str = "gpt-4o") -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return {
        "model": model,
        "messages": [
            {"role": "user", "content": "Who lives in Rome?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": ROWS},
        ],
    }


def prompt(pricer: Pricer, model: str = "gpt-4o-mini", **known: Any) -> Prompt:
    def energy(tokens: Tokens) -> float:
        return pricer.calls.read(model, tokens).energy.value.in_wh

    about: dict[str, Any] = {
        "tokens": 1200,
        "known": 0,
        "written": 100,
        "held": 0.0,
        "again": 0.0,
        "keeps": True,
        "marks": False,
        "price": price_of("openai", model),
        "energy": energy,
    }
    return Prompt(**{**about, **known})


def spared(before: int, after: int) -> list[Change]:
    return [Change(("messages", 0, "content"), "", before, after)]


def weighing(pricer: Pricer, told: list[object], prices: Any = price_of) -> Weighing:
    return Weighing(pricer, Rules(()), told.append, prices)


def test_a_prompt_too_short_to_be_kept_once_shortened_goes_as_it_came_where_it_comes_again(
    pricer: Pricer,
) -> None:
    changes = spared(500, 300)

    once = prompt(pricer).decided(changes).best
    often = prompt(pricer, again=15.0).decided(changes).best
    longer = prompt(pricer, again=15.0, tokens=4000).decided(changes).best

    assert once.shorten != NOTHING
    assert often.shorten == NOTHING
    assert longer.shorten != NOTHING


def test_what_is_held_is_left_and_what_is_new_is_shortened(pricer: Pricer) -> None:
    best = prompt(pricer, tokens=9000, known=8000, held=1.0, again=5.0).decided(spared(500, 100))

    assert best.best.name == "shorten tail"


async def test_a_user_can_see_what_was_weighed(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})

    heard = await house.ask(asked())

    raw = house.book.store.entry(heard.answer_headers["x-lichen-id"]).figures.raw  # type: ignore[union-attr]
    best, other = str(raw["ways"]).split(" | ")
    assert raw["way"] == "shorten all"
    assert best.startswith("shorten all: ")
    assert other.startswith("as it is: ")
    assert best.endswith(" USD")
    assert other.endswith(" USD")


async def test_without_a_price_energy_decides_and_the_book_says_so(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})

    heard = await house.ask(asked("a-model-of-this-house"))

    house.book.flush()
    call_id = heard.answer_headers["x-lichen-id"]
    lines = [e for e in house.book.store.entries() if e.figures.strategy == "calls.compress"]
    call = house.book.store.entry(call_id)
    assert call is not None
    assert call.figures.raw["way"] == "shorten all"
    assert "USD" not in str(call.figures.raw["ways"])
    assert "price-unknown" in lines[0].figures.gaps


def test_a_broken_price_table_leaves_the_decision_to_energy(pricer: Pricer) -> None:
    def broken(_provider: str, _model: str, _read: int = 0, /) -> Price | None:
        raise ValueError("row 7: no number")

    told: list[object] = []
    body = json.dumps(asked()).encode()
    call = OPENAI.read_call("chat.completions", b"/v1/chat/completions", body)
    exchange = Exchange("POST", "/v1/chat/completions", [], body, "one", 0, NO_WISHES, call=call)

    made = weighing(pricer, told, broken).prompt(exchange, call, Conversation(Sent(1e6), call, ""))

    assert made.price is None
    assert made.decided(spared(500, 300)).best.shorten != NOTHING
    assert "row 7" in str(told[0])


def test_a_conversation_that_goes_on_is_expected_to_go_on(pricer: Pricer) -> None:
    weigh, sent = weighing(pricer, []), Sent(1e6)
    fields = asked()
    found = []
    for turn in range(6):
        fields["messages"] = [*fields["messages"], {"role": "user", "content": f"And {turn}?"}]
        body = json.dumps(fields).encode()
        call = OPENAI.read_call("chat.completions", b"/v1/chat/completions", body)
        exchange = Exchange("POST", "/", [], body, "one", 0, NO_WISHES, call=call)
        talk = Conversation(sent, call, "")
        found.append(weigh.prompt(exchange, call, talk))
        talk.goes(AS_IT_CAME)

    assert (found[0].known, found[0].held, found[0].again) == (0, 0.0, 0.0)
    assert found[-1].held == 1.0
    assert found[-1].known > 0.9 * found[-1].tokens
    assert found[-1].again > found[1].again > 0


class Halves:
    """Keeps `Compressor`: the first half of a text."""

    name = "halves"

    def compress(self, text: str, question: str, keep: float, tokenizer: Tokenizer) -> str:
        assert question
        assert tokenizer.count(text)
        return text[: int(len(text) * keep)]


@pytest.mark.parametrize(("seconds", "is_worth_it"), [(1e-5, True), (1e3, False)])
def test_a_text_is_selected_from_where_that_takes_less_than_it_spares(
    pricer: Pricer, seconds: float, *, is_worth_it: bool
) -> None:
    weigh = weighing(pricer, [])
    weighed = Weighed(Halves(), weigh, prompt(pricer, tokens=4000))
    text = "a word " * 1000
    tokenizer = tokenizer_for("gpt-4o-mini")

    first = weighed.compress(text, "why?", 0.5, tokenizer)
    weigh.took(1000, seconds)
    then = weighed.compress(text, "why?", 0.5, tokenizer)

    assert len(first) == len(text) // 2
    assert (len(then) < len(text)) is is_worth_it


async def test_a_short_conversation_among_long_ones_goes_as_it_came_and_stays_so(
    build: Build,
) -> None:
    house, draw = build(route=ROUTES, holdout={"share": 0}), random.Random(5)
    fields = asked()
    for turn in range(25):
        fields["messages"] = [*fields["messages"], {"role": "user", "content": f"And {turn}?"}]
        await house.ask(fields)
    short = asked()
    short["messages"][0]["content"] = "Who lives in Bergen?"
    notes = [{"id": n, "note": " ".join(draw.sample(WORDS, 16))} for n in range(38)]
    short["messages"][2]["content"] = json.dumps(notes)
    assert 1024 * 4 < len(json.dumps(short)) < 1024 * 6

    heard = await house.ask(short)
    short["messages"] = [*short["messages"], {"role": "user", "content": "And in Rome?"}]
    await house.ask(short)

    first, then = (json.loads(call.body)["messages"] for call in house.upstream.calls[-2:])  # type: ignore[attr-defined]
    entry = house.book.store.entry(heard.answer_headers["x-lichen-id"])
    assert first == short["messages"][:-1]
    assert then == short["messages"]
    assert entry is not None
    assert entry.figures.raw["way"] == "as it is"
    assert "x-lichen-compress" not in heard.answer_headers
