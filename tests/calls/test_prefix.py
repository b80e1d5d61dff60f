"""Prefix: a provider is asked to keep what comes again, where that pays, and nothing is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.exchange import Answer, Exchange
from lichen.calls.prefix.memory import Memory, Seen
from lichen.calls.prefix.proof import prove
from lichen.calls.prefix.step import STRATEGY
from lichen.calls.prefix.worth import Known, choose, gain
from lichen.calls.providers.anthropic.dialect import ANTHROPIC
from lichen.calls.providers.marks import Edge
from lichen.calls.providers.prices import price_of
from lichen.testing.anthropic_answers import message, message_usage
from lichen.testing.upstreams import ScriptedUpstream, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.providers.prices import Price
    from lichen.ledger.tokens import Tokens
    from lichen.testing.callers import House

    Build = Callable[..., House]

MESSAGES = b"/v1/messages"
MODEL = "claude-haiku-4-5-20251001"
# 6,000 tokens or so, more than that model's 4,096.
MANUAL = "Answer from this manual. " + "Turn the left valve before the right one. " * 600
TOOL = {"name": "look", "description": "d" * 20_000, "input_schema": {"type": "object"}}


def ask(text: str, *, system: Any = MANUAL, model: str = MODEL, **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": text}]
    return {"model": model, "max_tokens": 64, "system": system, "messages": turns, **more}


def price() -> Price:
    found = price_of("anthropic", MODEL)
    assert found is not None
    return found


class KeepingProvider:
    """Answers as a provider that keeps what is marked, and counts its tokens by the byte."""

    def __init__(self) -> None:
        self.kept: set[bytes] = set()
        self.bodies: list[dict[str, Any]] = []

    async def __call__(self, exchange: Exchange) -> Answer:
        fields = orjson.loads(exchange.body)
        self.bodies.append(fields)
        marked = ANTHROPIC.marks
        assert marked is not None
        plain = without_marks(fields)
        edges = marked.edges(plain)
        total = edges[-1].size // 4
        ends = [e for e in edges if has_mark(fields, e)]
        read = max((e.size // 4 for e in ends if e.digest in self.kept), default=0)
        written = max((e.size // 4 for e in ends), default=read) - read
        self.kept |= {edge.digest for edge in ends}
        usage = message_usage(total - read - written, 5, kept=written, cached=read)
        return Answer(200, [(b"content-type", b"application/json")], message("Ok.", usage=usage))


def without_marks(value: Any) -> Any:
    """A body as it would be without marks: a block made to carry one is a text again."""
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], dict) and "cache_control" in value[0]:
            block = value[0]
            if set(block) == {"type", "text", "cache_control"}:
                return block["text"]
        return [without_marks(part) for part in value]
    if isinstance(value, dict):
        return {n: without_marks(part) for n, part in value.items() if n != "cache_control"}
    return value


def has_mark(fields: dict[str, Any], edge: Edge) -> bool:
    value: Any = fields
    for name in edge.path:
        value = value[name]
    block = value[-1] if isinstance(value, list) else value
    return isinstance(block, dict) and "cache_control" in block


def marks_in(fields: Any) -> int:
    return orjson.dumps(fields).count(b'"cache_control"')


async def test_nothing_is_marked_unless_a_rule_asks_for_it(build: Build) -> None:
    upstream = ScriptedUpstream(KeepingProvider())
    house = build(upstream=upstream)
    bodies = [orjson.dumps(ask(f"question {n}"), option=orjson.OPT_INDENT_2) for n in range(3)]

    for body in bodies:
        await house.ask(body, target=MESSAGES)

    assert [exchange.body for exchange in upstream.calls] == bodies


async def test_instructions_that_come_again_are_marked_read_and_booked(build: Build) -> None:
    provider = KeepingProvider()
    house = build(provider, route=({"prompt_cache": "auto"},), holdout={"share": 0})

    for n in range(4):
        await house.ask(ask(f"question {n}"), target=MESSAGES)

    assert [marks_in(body) for body in provider.bodies] == [0, 1, 1, 1]
    calls = [e.figures for e in house.entries if e.figures.strategy == "none"]
    assert [call.tokens.cache_read > 6000 for call in calls] == [False, False, True, True]
    lines = [e.saving for e in house.entries if e.figures.strategy == STRATEGY]
    spared = [line.footprint.energy.value.in_wh for line in lines if line is not None]
    assert spared[0] <= 0 < spared[1]
    assert sum(spared) > 0


async def test_its_lines_are_proved(build: Build) -> None:
    house = build(KeepingProvider(), route=({"prompt_cache": "auto"},), holdout={"share": 0})
    for n in range(3):
        await house.ask(ask(f"question {n}"), target=MESSAGES)

    lines = [entry for entry in house.entries if entry.figures.strategy == STRATEGY]

    assert lines
    assert all(prove(entry, house.book).holds for entry in lines)


async def test_nothing_is_moved_changed_or_left_out(build: Build) -> None:
    provider = KeepingProvider()
    house = build(provider, route=({"prompt_cache": "auto"},), holdout={"share": 0})
    asked = [ask(f"question {n}", tools=[TOOL], new_field={"z": 1, "a": [2.5]}) for n in range(3)]

    for fields in asked:
        await house.ask(fields, target=MESSAGES)

    assert marks_in(provider.bodies[-1]) == 2
    for sent, fields in zip(provider.bodies, asked, strict=True):
        assert orjson.dumps(without_marks(sent)) == orjson.dumps(fields)


@pytest.mark.parametrize(
    "asked",
    [
        ask("x", system=[{"type": "text", "text": MANUAL, "cache_control": {"type": "ephemeral"}}]),
        ask("x", cache_control={"type": "ephemeral"}),
        ask("x", system="Short."),
        ask("x", model="claude-nobody-knows"),
    ],
    ids=["marked by the client", "automatic", "too short", "no price"],
)
async def test_what_is_the_clients_or_does_not_pay_goes_as_it_came(
    build: Build, asked: dict[str, Any]
) -> None:
    upstream = ScriptedUpstream(whole(message()))
    house = build(upstream=upstream, route=({"prompt_cache": "auto"},), holdout={"share": 0})
    body = orjson.dumps(asked, option=orjson.OPT_INDENT_2)

    for _ in range(3):
        await house.ask(body, target=MESSAGES)

    assert {exchange.body for exchange in upstream.calls} == {body}


async def test_a_body_that_cannot_be_written_again_without_loss_goes_as_it_came(
    build: Build,
) -> None:
    upstream = ScriptedUpstream(whole(message()))
    house = build(upstream=upstream, route=({"prompt_cache": "auto"},), holdout={"share": 0})
    body = orjson.dumps(ask("x"))[:-1] + b',"big":123456789012345678901234567890}'

    for _ in range(3):
        await house.ask(body, target=MESSAGES)

    assert {exchange.body for exchange in upstream.calls} == {body}


async def test_other_dialects_go_byte_for_byte(build: Build) -> None:
    upstream = ScriptedUpstream(whole(b"{}"))
    house = build(upstream=upstream, route=({"prompt_cache": "auto"},), holdout={"share": 0})
    turns = [{"role": "system", "content": MANUAL}, {"role": "user", "content": "x"}]
    body = orjson.dumps({"model": "gpt-4o-mini", "messages": turns}, option=orjson.OPT_INDENT_2)

    for _ in range(3):
        await house.ask(body)

    assert {exchange.body for exchange in upstream.calls} == {body}


async def test_another_tenants_prefix_is_not_thought_to_be_held(build: Build) -> None:
    provider = KeepingProvider()
    house = build(provider, route=({"prompt_cache": "auto"},), holdout={"share": 0})

    for key in ("sk-one", "sk-two", "sk-three"):
        await house.ask(ask("x"), target=MESSAGES, key=key)

    assert [marks_in(body) for body in provider.bodies] == [0, 0, 0]


async def test_a_conversation_that_goes_on_is_kept_up_to_its_last_turn(build: Build) -> None:
    provider = KeepingProvider()
    house = build(provider, route=({"prompt_cache": "auto"},), holdout={"share": 0})
    turns: list[dict[str, Any]] = []
    for n in range(6):
        turns.append({"role": "user", "content": f"turn {n}: " + "word " * 2000})
        await house.ask(ask("") | {"messages": list(turns)}, target=MESSAGES)
        turns.append({"role": "assistant", "content": "Ok."})

    assert has_mark(provider.bodies[-1], Edge("turn", ("messages", 10, "content"), b"", 0))
    assert all(marks_in(body) <= 4 for body in provider.bodies)
    last = house.entries[-1].figures if house.entries[-1].figures.strategy == "none" else None
    read = [e.figures.tokens.cache_read for e in house.entries if e.figures.strategy == "none"]
    assert last is None or last.tokens.cache_read == read[-1]
    assert read[-1] > read[2] >= 0


async def test_a_provider_that_keeps_nothing_teaches_that_its_minimum_is_higher(
    build: Build,
) -> None:
    upstream = ScriptedUpstream(whole(message(usage=message_usage(6500, 5))))
    house = build(upstream=upstream, route=({"prompt_cache": "auto"},), holdout={"share": 0})

    for n in range(5):
        await house.ask(ask(f"question {n}"), target=MESSAGES)

    assert [marks_in(orjson.loads(exchange.body)) for exchange in upstream.calls] == [0, 1, 0, 0, 0]


async def test_a_call_held_out_goes_as_it_came_and_is_counted(build: Build) -> None:
    provider = KeepingProvider()
    house = build(provider, route=({"prompt_cache": "auto"},), holdout={"share": 0.5})

    for n in range(40):
        await house.ask(ask(f"question {n}"), target=MESSAGES)

    marked = sum(marks_in(body) > 0 for body in provider.bodies)
    assert 5 < marked < 35


def test_what_never_came_again_is_not_expected_to() -> None:
    now = [0.0]
    memory = Memory(300.0, lambda: now[0])

    first = memory.saw("t", "system", b"one")

    assert memory.again("t", "system", first) == 0.0
    assert memory.again("t", "system", memory.saw("t", "system", b"one")) >= 1.0
    now[0] = 301.0
    late = memory.saw("t", "system", b"one")
    assert late.times == 1


def test_a_write_alone_is_a_loss_and_a_read_a_gain() -> None:
    edge = Edge("system", ("system",), b"", 40_000)

    written = gain([Known(edge, Seen(0.0), 10_000, 0.0, held=False)], 0, price(), linear)
    read = gain([Known(edge, Seen(0.0), 10_000, 0.0, held=True)], 10_000, price(), linear)

    assert written.usd == pytest.approx(-10_000 * 0.25e-6)
    assert read.usd == pytest.approx(10_000 * 0.9e-6)
    assert not written.pays
    assert read.pays


def linear(tokens: Tokens) -> float:
    return tokens.prefill + 1.01 * tokens.cache_write + 0.05 * tokens.cache_read


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 20), st.booleans()), max_size=9))
def test_what_is_marked_pays_and_is_never_more_than_four(
    drawn: list[tuple[int, float, bool]],
) -> None:
    known = [
        Known(Edge("turn", (n,), b"", tokens * 4), Seen(0.0), tokens, again, held=held)
        for n, (tokens, again, held) in enumerate(sorted(drawn))
    ]

    chosen = choose(known, price(), linear, 4)

    assert len(chosen) <= 4
    if chosen:
        held = max((one.tokens for one in known if one.held), default=0)
        assert gain(known[: known.index(chosen[-1]) + 1], held, price(), linear).pays
