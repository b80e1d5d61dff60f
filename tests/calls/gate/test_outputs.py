"""Outputs: what a budget expects of a call is what was learnt, within the last few answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.calls.directives import NO_WISHES
from lichen.calls.exchange import Answer, Exchange, Record
from lichen.calls.gate.outputs import Outputs
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.ledger.tokens import Tokens
from lichen.meter.tokens import TokenMeter

if TYPE_CHECKING:
    from collections.abc import Iterable

BODY = b'{"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": "Hello"}]}'


@pytest.fixture
def exchange() -> Exchange:
    call = OPENAI.read_call("chat.completions", b"/v1/chat/completions", BODY)
    return Exchange("POST", "/v1/chat/completions", [], BODY, "t", 0, NO_WISHES, call)


def answer(outputs: Outputs, exchange: Exchange, lengths: Iterable[int]) -> None:
    for length in lengths:
        record = Record("0" * 16, "m", 0, "WORLD", tokens=Tokens(prefill=9, decode=length))
        outputs.note(exchange, Answer(200, [], b"", source="upstream", record=record))


def test_before_any_answer_a_budget_expects_what_is_assumed(exchange: Exchange) -> None:
    outputs = Outputs(TokenMeter())

    assert outputs.value(exchange) == outputs.of(exchange).value == 214


def test_a_budget_expects_the_mean_as_soon_as_ten_answers_came(exchange: Exchange) -> None:
    outputs = Outputs(TokenMeter())
    answer(outputs, exchange, [40] * 10)

    assert outputs.value(exchange) == 40


def test_a_budget_lags_by_a_few_answers_and_no_more(exchange: Exchange) -> None:
    outputs = Outputs(TokenMeter())
    answer(outputs, exchange, [40] * 10)
    outputs.value(exchange)

    answer(outputs, exchange, [400] * 31)
    behind = outputs.value(exchange)
    answer(outputs, exchange, [400])
    caught_up = outputs.value(exchange)

    assert behind == 40
    assert caught_up == outputs.of(exchange).value == round((400 + 32 * 400) / 42)


def test_a_budget_expects_no_more_than_the_call_allows(exchange: Exchange) -> None:
    outputs = Outputs(TokenMeter())
    answer(outputs, exchange, [4000] * 10)

    assert outputs.value(exchange) == 500


def test_what_a_call_reads_is_learnt_by_its_bytes(exchange: Exchange) -> None:
    outputs = Outputs(TokenMeter())
    answer(outputs, exchange, [40])

    assert outputs.tokens(exchange, 7) == Tokens(prefill=9, decode=7)


def test_answers_that_failed_are_not_waited_for(exchange: Exchange) -> None:
    outputs = Outputs(TokenMeter())
    for _ in range(100):
        record = Record("0" * 16, "m", 0, "WORLD", sound=False)
        outputs.note(exchange, Answer(500, [], b"", source="upstream", record=record))
        outputs.note(exchange, Answer(200, [], b"", source="upstream", record=record))

    outputs.learn_all()

    assert not outputs._open
    assert not outputs._come


def test_a_stream_is_learnt_from_once_it_has_ended(exchange: Exchange) -> None:
    outputs, records = Outputs(TokenMeter()), []
    for _ in range(10):
        records.append(Record("0" * 16, "m", 0, "WORLD"))
        outputs.note(exchange, Answer(200, [], b"", source="upstream", record=records[-1]))

    outputs.learn_all()
    before = outputs.value(exchange)
    for record in records:
        record.tokens = Tokens(prefill=9, decode=40)
    outputs.learn_all()

    assert (before, outputs.value(exchange)) == (214, 40)


def test_streams_that_go_on_are_not_looked_at_for_each_call(exchange: Exchange) -> None:
    outputs = Outputs(TokenMeter())
    answer(outputs, exchange, [40] * 10)
    looks: list[str] = []

    class Going(Record):
        """A record that tells when it is looked at."""

        def __getattribute__(self, name: str) -> object:
            looks.append(name)
            return super().__getattribute__(name)

    for _ in range(64):
        record = Going("0" * 16, "m", 0, "WORLD")
        outputs.note(exchange, Answer(200, [], b"", source="upstream", record=record))
    outputs.of(exchange)  # what came last is looked at once
    looks.clear()
    for _ in range(10):
        outputs.value(exchange)
        outputs.of(exchange)

    assert looks == []
