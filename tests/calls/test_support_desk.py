"""The demo's prompts: as many, as repeated and as short as the demo and its README promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "src" / "lichen" / "cli" / "support_desk.jsonl"


@pytest.fixture(scope="module")
def calls() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def test_every_call_has_an_id_of_its_own_and_all_its_fields(calls: list[dict[str, Any]]) -> None:
    fields = {"id", "messages", "temperature", "max_tokens", "stream"}

    assert len({call["id"] for call in calls}) == len(calls) == 92
    assert all(set(call) == fields for call in calls)


def test_the_desk_is_asked_the_same_things_again(calls: list[dict[str, Any]]) -> None:
    fixed = [json.dumps(call["messages"]) for call in calls if call["temperature"] == 0]

    assert len(fixed) == 89
    assert len(set(fixed)) == 31


def test_some_calls_are_sampled_and_some_streamed(calls: list[dict[str, Any]]) -> None:
    assert sum(call["temperature"] > 0 for call in calls) == 3
    assert sum(call["stream"] for call in calls) == 24


def test_a_prompt_is_always_asked_in_the_same_way(calls: list[dict[str, Any]]) -> None:
    ways: dict[str, set[tuple[Any, ...]]] = {}
    for call in calls:
        way = (call["temperature"], call["max_tokens"], call["stream"])
        ways.setdefault(json.dumps(call["messages"]), set()).add(way)

    assert all(len(each) == 1 for each in ways.values())


def test_all_prompts_share_one_system_prompt(calls: list[dict[str, Any]]) -> None:
    assert {call["messages"][0]["role"] for call in calls} == {"system"}
    assert len({call["messages"][0]["content"] for call in calls}) == 1


def test_answers_are_short_enough_for_a_slow_machine(calls: list[dict[str, Any]]) -> None:
    assert all(call["max_tokens"] <= 48 for call in calls)
    assert all(sum(len(m["content"]) for m in call["messages"]) < 900 for call in calls)
