"""Rules: which calls are answered, refused or left alone, and what the book says of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from lichen.calls.gate.proof import PROVERS
from lichen.calls.gate.step import Gate
from lichen.ledger.dry import dry_runs
from lichen.ledger.quantities import Energy
from lichen.ledger.trial import trials
from lichen.testing.callers import request
from lichen.testing.shares import CpuShare
from lichen.testing.upstreams import ScriptedUpstream, chat_answer, chat_usage, whole
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from lichen.testing.callers import House
    from tests.calls.gate.conftest import Gated

HOURS = {
    "name": "hours",
    "pattern": r"(?i)^hours in (?P<city>\w+)\??$",
    "answer": "Nine in {city}.",
}
PING = {"name": "ping", "exact": ["ping", "are you there?"], "answer": "pong"}


def chat(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **fields}


def count(house: House) -> int:
    assert isinstance(house.upstream, ScriptedUpstream)
    return house.upstream.count


def gate_of(house: House) -> Gate:
    return next(step for step in house.gateway.layers.steps if isinstance(step, Gate))


@pytest.mark.parametrize(
    ("written", "asked"), [("ßa", "SSA"), ("Straße", " STRASSE\n"), ("İx", "i̇X"), ("", " ")]
)
async def test_an_exact_rule_is_met_whatever_the_case_of_its_first_letter(
    gated: Gated, written: str, asked: str
) -> None:
    house = gated(gate={"rule": [{"exact": ["other", written], "answer": "pong"}]})

    heard = await house.ask(chat(asked))

    assert heard.answer_headers["x-lichen-cache"] == "gate"


async def test_an_exact_rule_answers_without_a_call_and_without_a_task(gated: Gated) -> None:
    house = gated(gate={"rule": [PING]})
    made = request(chat("  Are you  THERE?"))

    answering = house.gateway.handle(made)

    assert answering is None
    assert ChatCompletion.model_validate(made.json).choices[0].message.content == "pong"
    assert made.answer_headers["x-lichen-cache"] == "gate"
    assert made.answer_headers["x-lichen-gate"] == "ping"
    assert count(house) == 0


@pytest.mark.parametrize(
    ("target", "body", "name"),
    [
        (b"/v1/chat/completions", chat("ping"), "id"),
        (b"/v1/completions", {"model": "m", "prompt": "ping"}, "id"),
        (b"/v1/responses", {"model": "m", "input": "ping"}, "id"),
        (b"/v1/messages", chat("ping", max_tokens=5), "id"),
        (
            b"/v1beta/models/m:generateContent",
            {"contents": [{"role": "user", "parts": [{"text": "ping"}]}]},
            "responseId",
        ),
    ],
)
async def test_the_body_of_an_answer_names_the_entry_that_the_header_names(
    gated: Gated, target: bytes, body: dict[str, Any], name: str
) -> None:
    house = gated(gate={"rule": [PING]})

    heard = await house.ask(body, target=target)

    entry = heard.answer_headers["x-lichen-id"]
    assert heard.json[name].rpartition("-")[2].rpartition("_")[2] == entry
    assert house.last.id == entry


async def test_a_pattern_fills_its_template(gated: Gated) -> None:
    house = gated(gate={"rule": [HOURS]})

    heard = await house.ask(chat("Hours in Lund?"))

    assert heard.json["choices"][0]["message"]["content"] == "Nine in Lund."


async def test_a_response_is_answered_in_its_own_shape(gated: Gated) -> None:
    house = gated(gate={"rule": [HOURS]})

    heard = await house.ask({"model": "gpt-4o", "input": "hours in Lund"}, target=b"/v1/responses")

    assert Response.model_validate(heard.json).output_text == "Nine in Lund."


@pytest.mark.parametrize(
    "other",
    [
        chat("ping", n=2),
        chat("ping", response_format={"type": "json_object"}),
        chat("ping", logprobs=True),
        chat("ping", tools=[{"type": "function"}], tool_choice="required"),
        chat("ping", modalities=["text", "audio"]),
        chat("ping pong"),
        {**chat("x"), "messages": [
            {"role": "user", "content": "Shall I?"},
            {"role": "assistant", "content": "Shall you what?"},
            {"role": "user", "content": "ping"},
        ]},
        {**chat("x"), "messages": [{"role": "user", "content": [
            {"type": "text", "text": "ping"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        ]}]},
        {**chat("x"), "messages": [{"role": "assistant", "content": "ping"}]},
        {**chat("x"), "messages": []},
        {**chat("x"), "messages": "ping"},
        {"model": "m"},
    ],
)  # fmt: skip
async def test_a_call_that_is_not_the_question_alone_goes_to_the_model(
    gated: Gated, other: dict[str, Any]
) -> None:
    house = gated(gate={"rule": [PING]})

    await house.ask(other)

    assert count(house) == 1


async def test_instructions_and_a_rule_for_any_turn_do_not_keep_a_rule_from_answering(
    gated: Gated,
) -> None:
    house = gated(gate={"rule": [{**PING, "turns": "any"}]})
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "ping"},
    ]

    await house.ask(chat("x") | {"messages": turns})

    assert count(house) == 0


@pytest.mark.parametrize(
    ("only", "asked"),
    [
        ({"model": "gpt-4*"}, {"model": "o3"}),
        ({"route": "responses"}, {}),
        ({"tenant": "0123456789abcdef"}, {}),
        ({"project": "shop"}, {}),
    ],
)
async def test_a_rule_is_for_the_calls_it_names_alone(
    gated: Gated, only: dict[str, str], asked: dict[str, str]
) -> None:
    house = gated(gate={"rule": [PING | only]})

    await house.ask(chat("ping") | asked)

    assert count(house) == 1


async def test_a_rule_hears_the_tenant_and_the_project(gated: Gated) -> None:
    house = gated(gate={"rule": [{**PING, "project": "shop"}]})

    await house.ask(chat("ping"), x_lichen_project="shop")
    tenant = house.last.tenant
    again = gated(gate={"rule": [{**PING, "tenant": tenant}]})
    await again.ask(chat("ping"))

    assert (count(house), count(again)) == (0, 0)


async def test_the_first_rule_that_is_met_holds(gated: Gated) -> None:
    any_word = {"pattern": r"^\w+$", "answer": "a word"}

    first = await gated(gate={"rule": [any_word, PING]}).ask(chat("ping"))
    second = await gated(gate={"rule": [PING, any_word]}).ask(chat("ping"))

    assert b'"a word"' in first.answer
    assert b'"pong"' in second.answer


async def test_sums_and_dates_are_answered_only_where_a_rule_says_so(gated: Gated) -> None:
    local = {"local": ["arithmetic", "dates"], "answer": "It is {result}."}
    house, other = gated(gate={"rule": [local]}), gated(gate={"rule": [PING]})

    heard = await house.ask(chat("What is 12 * 7?"))
    day = await house.ask(chat("What day of the week is 2024-02-29?"))
    await other.ask(chat("What is 12 * 7?"))

    assert b"It is 84." in heard.answer
    assert b"It is Thursday." in day.answer
    assert count(other) == 1


async def test_a_rule_for_calls_without_instructions_leaves_others_alone(gated: Gated) -> None:
    house = gated(gate={"rule": [{"local": "arithmetic", "system": "none"}]})
    turns = [{"role": "system", "content": "Answer in roman numerals."}]

    await house.ask(chat("x") | {"messages": [*turns, *chat("2 + 2")["messages"]]})

    assert count(house) == 1


async def test_an_empty_question_is_refused_in_the_providers_shape(gated: Gated) -> None:
    house = gated(gate={"rule": [{"empty": True}]})

    heard = await house.ask(chat(" \n "))

    assert heard.status == 400
    assert heard.answer_headers["x-lichen-cache"] == "gate"
    assert heard.json["error"]["code"] == "gate_empty"
    assert count(house) == 0
    assert house.entries == []


async def test_a_call_that_is_too_long_is_refused(gated: Gated) -> None:
    house = gated(gate={"rule": [{"longer": 100, "refuse": "{tokens} of {limit}"}]})

    short = await house.ask(chat("word " * 60))
    long = await house.ask(chat("word " * 100))

    assert short.status == 200
    assert (long.status, long.json["error"]["message"]) == (413, "125 of 100")
    assert long.answer_headers["x-lichen-cache"] == "gate"


async def test_a_rule_may_shut_a_model_to_all(gated: Gated) -> None:
    house = gated(gate={"rule": [{"model": "o3-pro*", "refuse": "ask for gpt-4o", "status": 403}]})

    heard = await house.ask(chat("Hello") | {"model": "o3-pro-2025"})

    assert (heard.status, heard.json["error"]["message"]) == (403, "ask for gpt-4o")


async def test_an_answer_is_booked_with_an_estimated_baseline_and_says_so(gated: Gated) -> None:
    house = gated(gate={"rule": [PING]})

    await house.ask(chat("ping"))
    figures = house.last.figures

    assert (figures.strategy, figures.work.amount) == ("calls.gate", 1)
    assert figures.footprint.energy.value == Energy.joules(0)
    assert {"baseline-estimated", "output-assumed"} <= set(figures.gaps)
    assert figures.baseline is not None
    energy = figures.baseline.footprint.energy
    assert energy.high.in_joules > 100 * energy.low.in_joules > 0
    assert "ping" not in str(figures.raw).replace("'rule': 'ping'", "")


async def test_the_baseline_is_as_long_as_answers_have_been(gated: Gated) -> None:
    usage = chat_usage(read=20, written=40)
    house = gated(whole(chat_answer(usage=usage)), gate={"rule": [PING]})
    for number in range(12):
        await house.ask(chat(f"Tell me about {number}."))

    await house.ask(chat("ping"))
    figures = house.last.figures

    assert figures.baseline is not None
    assert figures.baseline.tokens.decode == 40
    assert figures.raw["answers"] == 12
    assert "output-assumed" not in figures.gaps


async def test_a_baseline_by_a_measured_model_is_a_gap_until_a_call_of_it_was_measured(
    gated: Gated,
) -> None:
    act = whole(chat_answer(usage=chat_usage(read=20, written=40)))
    upstream = ScriptedUpstream(act, share=CpuShare(), model="local")
    house = gated(upstream=upstream, gate={"rule": [PING]})

    await house.ask(chat("ping"))
    before = house.last
    await house.ask(chat("Tell me about lichens."))
    await house.ask(chat("ping"))
    after = house.last

    assert "upstream-not-measured-yet" in before.figures.gaps
    assert "upstream-not-measured-yet" not in after.figures.gaps
    assert PROVERS["gate/1"](after, house.book).holds


async def test_a_baseline_by_a_measured_model_carries_the_embodied_carbon_of_its_own_hardware(
    gated: Gated,
) -> None:
    act = whole(chat_answer(usage=chat_usage(read=20, written=40)))
    upstream = ScriptedUpstream(act, share=CpuShare(), model="local")
    house = gated(upstream=upstream, gate={"rule": [PING]})
    for number in range(12):
        await house.ask(chat(f"Tell me about {number}."))
    asked = house.last.figures.footprint

    await house.ask(chat("ping"))
    baseline = house.last.figures.baseline

    # Each call took one second of this machine's CPU; a rule's answer spares one like them.
    assert baseline is not None
    made = baseline.footprint
    for spared, used in ((made.energy, asked.energy), (made.embodied, asked.embodied)):
        assert spared.value.amount == pytest.approx(used.value.amount, rel=0.2)


async def test_no_answer_is_supposed_longer_than_the_call_allows(gated: Gated) -> None:
    house = gated(gate={"rule": [PING]})

    await house.ask(chat("ping", max_tokens=7))

    assert house.last.figures.raw["written"] == house.last.figures.raw["written_high"] == 7


@pytest.mark.parametrize("question", ["ping", "hours in Lund", "2 + 2"])
async def test_a_saving_is_proved_as_far_as_it_can_be(gated: Gated, question: str) -> None:
    house = gated(gate={"rule": [PING, HOURS, {"local": "arithmetic"}]})
    for number in range(12):
        await house.ask(chat(f"Tell me about {number}."))
    await house.ask(chat(question))

    proof = PROVERS["gate/1"](house.last, house.book)

    assert proof.holds, proof.steps
    assert any("12 answers of gpt-4o-mini in this ledger" in line for line in proof.steps)
    # Of an exact text a hash is kept, of what a pattern met or what was worked out nothing.
    unchecked = [line for line in proof.steps if line.startswith("not checked: ")]
    assert len(unchecked) == (question != "ping")


async def test_a_saving_claimed_for_another_question_is_not_proved(gated: Gated) -> None:
    from dataclasses import replace

    house = gated(gate={"rule": [PING]})
    await house.ask(chat("ping"))
    entry = house.last
    forged = replace(entry.figures, raw={**entry.figures.raw, "question": "0" * 32})

    proof = PROVERS["gate/1"](replace(entry, figures=forged), house.book)

    assert not proof.holds
    assert any(line.startswith("NOT so: the question") for line in proof.steps)


async def test_a_dry_rule_changes_nothing_and_counts_what_it_would_have_spared(
    gated: Gated,
) -> None:
    house = gated(gate={"rule": [{**PING, "mode": "dry"}]})

    heard = await house.ask(chat("ping"))
    gate = gate_of(house)
    energy = house.entries[0].figures.footprint.energy
    used = energy.value
    (panel,) = gate.panels()
    await gate.close()

    assert heard.json["choices"][0]["message"]["content"] == "Hello."
    assert gate.gauges()["lichen_gate_dry_calls_total"] == 1
    assert gate.gauges()["lichen_gate_dry_energy_joules_total"] == pytest.approx(used.in_joules)
    dry = house.last.figures
    assert (dry.strategy, dry.baseline, dry.work.amount) == ("trial.dry.calls.gate:ping", None, 0)
    assert dry.raw["joules"] == pytest.approx(used.in_joules)
    assert panel.rows[0][-1] == f"would have spared {energy}"
    assert energy.low < used
    assert not house.book.summary().work.saved.energy.value.amount


async def test_a_report_has_a_dry_run_soon_though_no_more_calls_come(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lichen.calls.steps.TEND_S", 0.001)
    monkeypatch.setattr("lichen.calls.gate.dry._EVERY_US", 1000)
    house = gated(gate={"rule": [{**PING, "mode": "dry"}]})
    await house.gateway.layers.start()

    await house.ask(chat("ping"))
    found = await asyncio.to_thread(until, lambda: dry_runs(house.entries))
    await house.gateway.layers.close()

    assert {name: had.n for name, had in found.items()} == {"calls.gate:ping": 1}


async def test_a_dry_gate_makes_every_rule_dry(gated: Gated) -> None:
    house = gated(gate={"dry_run": True, "rule": [PING, {"empty": True}]})

    await house.ask(chat("ping"))
    await house.ask(chat(""))

    assert count(house) == 2


async def test_held_out_calls_go_to_the_model_and_are_measured(gated: Gated) -> None:
    house = gated(gate={"rule": [PING]}, holdout={"share": 0.5})
    for _ in range(40):
        await house.ask(chat("ping"))

    house.gateway.layers.booker.steps.trials.book()
    held, treated = trials(house.entries)[0].held, trials(house.entries)[0].treated

    assert held.n + treated.n == 40
    assert held.n == count(house) > 0
    assert treated.joules == 0 < held.joules


async def test_a_rule_that_must_always_answer_is_never_held_out(gated: Gated) -> None:
    house = gated(gate={"rule": [{**PING, "always": True}]}, holdout={"share": 0.5})

    for _ in range(40):
        await house.ask(chat("ping"))

    assert count(house) == 0


async def test_nothing_configured_is_no_step(gated: Gated) -> None:
    house = gated(gate={})

    assert not any(isinstance(step, Gate) for step in house.gateway.layers.steps)


async def test_panels_and_gauges_show_no_prompt_and_no_tenant(gated: Gated) -> None:
    house = gated(gate={"rule": [HOURS], "budget": [{"tokens": 1000}]})
    await house.ask(chat("hours in Lund"))
    await house.ask(chat("Hello"))

    shown = str(gate_of(house).panels()) + str(gate_of(house).gauges())

    assert "Lund" not in shown
    assert house.last.tenant not in shown
    assert "answer" in shown
