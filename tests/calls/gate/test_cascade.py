"""A smaller model first: when it is trusted, what is given, what it costs, what is proved."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from lichen.calls.exchange import Answer, Exchange
from lichen.calls.gate.cascade import CascadeStep
from lichen.calls.gate.proof import PROVERS
from lichen.calls.gate.same import exact, overlapping
from lichen.calls.gate.small import Cascade
from lichen.calls.gate.trust import Said, Trust, mean_logprob
from lichen.ledger.errors import UpstreamError
from lichen.testing.upstreams import chat_answer, chat_frames, chat_usage

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.ledger.entry import Entry
    from lichen.testing.callers import House
    from tests.calls.gate.conftest import Gated

SMALL, LARGE = "gpt-4o-mini", "gpt-4o"
USAGE = chat_usage(read=40, written=30)
ON: dict[str, Any] = {
    "name": "mini",
    "model": LARGE,
    "small": SMALL,
    "explore": 0.8,
    "error": 0.1,
    "mode": "on",
}


def question(number: int, *, hard: bool) -> str:
    """A short question, which the small model gets right, or a long one, which it gets wrong."""
    return f"Spell {number} backwards." + " Think about each step of it." * (40 if hard else 0)


def chat(text: str, **fields: Any) -> dict[str, Any]:
    return {
        "model": LARGE,
        "temperature": 0,
        "messages": [{"role": "user", "content": text}],
        **fields,
    }


async def two_models(exchange: Exchange) -> Answer:
    """The large model is right; the small one is right about short questions alone."""
    fields = orjson.loads(exchange.body)
    text = fields["messages"][-1]["content"]
    right = text.split()[1][::-1]
    said = right if fields["model"] == LARGE or len(text) < 100 else f"{right}1"
    if fields.get("stream"):
        body = b"".join(chat_frames([said], usage=USAGE))
        return Answer(200, [(b"content-type", b"text/event-stream")], body)
    return Answer(200, [(b"content-type", b"application/json")], chat_answer(said, usage=USAGE))


def step_of(house: House) -> CascadeStep:
    return next(step for step in house.gateway.layers.steps if isinstance(step, CascadeStep))


async def settled(house: House) -> None:
    """Wait until no comparison is under way."""
    for task in list(step_of(house)._tasks):
        await task


async def taught(house: House, calls: int, *, hard: float = 0.3, seed: int = 7) -> int:
    """Send calls; how many answers of the small model that were given were wrong."""
    draw = random.Random(seed)
    wrong = 0
    for number in range(calls):
        text = question(number, hard=draw.random() < hard)
        heard = await house.ask(chat(text))
        await settled(house)
        if heard.answer_headers["x-lichen-cache"] == "cascade":
            content = heard.json["choices"][0]["message"]["content"]
            wrong += content != str(number)[::-1]
    return wrong


async def test_a_small_model_is_trusted_where_it_is_shown_to_be_right(gated: Gated) -> None:
    house = gated(two_models, gate={"cascade": [ON]})

    wrong = await taught(house, 450)
    step = step_of(house)
    given = step.littles[0].given

    assert step.littles[0].trust.is_certified
    assert given > 30
    assert wrong <= 0.1 * given
    assert house.troubles == []


async def test_a_small_model_that_is_often_wrong_is_never_trusted(gated: Gated) -> None:
    house = gated(two_models, gate={"cascade": [ON]})

    await taught(house, 120, hard=1.0)

    assert not step_of(house).littles[0].trust.is_certified
    assert step_of(house).littles[0].given == 0
    assert "no safe threshold" in str(step_of(house).panels())


async def test_in_shadow_mode_no_answer_of_the_small_model_is_given(gated: Gated) -> None:
    house = gated(two_models, gate={"cascade": [ON | {"mode": "shadow"}]})

    for number in range(160):
        heard = await house.ask(chat(question(number, hard=False)))
        assert heard.answer_headers["x-lichen-cache"] == "miss"
        await settled(house)
    step = step_of(house)
    await step.close()

    assert step.littles[0].trust.is_certified
    assert step.littles[0].given > 0
    dry = [e for e in house.entries if e.figures.strategy == "trial.dry.calls.gate:mini"]
    assert len(dry) == 1
    assert float(dry[0].figures.raw["joules"]) > 0


async def test_what_was_given_is_credited_against_the_large_model_and_proved(gated: Gated) -> None:
    house = gated(two_models, gate={"cascade": [ON]})
    await taught(house, 160, hard=0.0)
    await house.ask(chat(question(1234, hard=False)))
    while house.entries[-2].figures.model != SMALL or not house.entries[-2].figures.work.amount:
        await house.ask(chat(question(random.randrange(10**9), hard=False)))
    call, line = house.entries[-2:]

    proof = PROVERS["gate-cascade/1"](line, house.book)

    assert (call.figures.model, call.figures.strategy) == (SMALL, "none")
    assert line.figures.strategy == "calls.gate"
    assert line.figures.raw["before_model"] == LARGE
    assert line.saving is not None
    assert line.saving.footprint.energy.value.amount > 0
    assert proof.holds, proof.steps
    assert any("the bound, from the evidence" in step for step in proof.steps)

    forged = replace(line.figures, raw={**line.figures.raw, "error": 0.01})
    unproven = PROVERS["gate-cascade/1"](replace(line, figures=forged), house.book)
    assert not unproven.holds
    assert any(step.startswith("NOT so: its thresholds") for step in unproven.steps)


async def test_a_small_answer_that_was_not_given_is_booked_as_a_loss(gated: Gated) -> None:
    house = gated(two_models, gate={"cascade": [ON | {"explore": 1.0}]})

    await house.ask(chat(question(1, hard=True)))
    await settled(house)
    large, small = house.entries

    assert (large.figures.model, large.figures.work.amount) == (LARGE, 1)
    assert (small.figures.strategy, small.figures.model) == ("calls.gate", SMALL)
    assert (small.figures.work.amount, small.figures.baseline) == (0, None)
    assert small.figures.footprint.energy.value.amount > 0


async def test_the_trial_counts_a_small_answer_that_a_treated_call_took_in_vain(
    gated: Gated,
) -> None:
    house = gated(two_models, gate={"cascade": [ON]}, holdout={"share": 0.001})
    await taught(house, 450)
    trials = house.gateway.layers.booker.steps.trials
    new: list[Entry] = []
    number = 10**6
    while [entry.figures.model for entry in new] != [SMALL, LARGE]:
        trials.book()
        before, number = len(house.entries), number + 1
        await house.ask(chat(question(number, hard=True)))
        new = house.entries[before:]

    treated = trials._sums["calls.gate", False]
    took = [entry.figures.footprint.energy.value.in_joules for entry in new]

    assert treated.n == 1
    assert treated.joules == pytest.approx(sum(took))


async def test_a_first_sample_is_booked_where_the_second_fails(gated: Gated) -> None:
    small = 0

    async def act(exchange: Exchange) -> Answer:
        nonlocal small
        small += orjson.loads(exchange.body)["model"] == SMALL
        if small > 1:
            raise UpstreamError("it broke off", status=502, code="upstream_broke_off")
        return await two_models(exchange)

    house = gated(act, gate={"cascade": [ON | {"explore": 1.0, "samples": 2}]})

    await house.ask(chat(question(1, hard=False)))
    await settled(house)

    assert [entry.figures.model for entry in house.entries] == [LARGE, SMALL]


async def test_a_small_answer_is_never_kept_for_the_large_one(gated: Gated) -> None:
    house = gated(two_models, gate={"cascade": [ON]})
    await taught(house, 160, hard=0.0)

    for number in range(10**6, 10**6 + 40):
        first = await house.ask(chat(question(number, hard=False)))
        again = await house.ask(chat(question(number, hard=False)))
        if first.answer_headers["x-lichen-cache"] == "cascade":
            assert again.answer_headers["x-lichen-cache"] != "hit"


async def test_a_stream_of_the_small_model_is_given_as_a_stream(gated: Gated) -> None:
    house = gated(two_models, gate={"cascade": [ON]})
    await taught(house, 160, hard=0.0)

    for number in range(10**6, 10**6 + 40):
        heard = await house.ask(chat(question(number, hard=False), stream=True))
        if heard.answer_headers["x-lichen-cache"] == "cascade":
            assert heard.answer.endswith(b"data: [DONE]\n\n")
            return
    pytest.fail("no stream was given")


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"model": SMALL},
        {"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]},
    ],
)  # fmt: skip
async def test_calls_whose_answers_cannot_be_compared_are_left_alone(
    gated: Gated, fields: dict[str, Any]
) -> None:
    asked: list[str] = []

    async def act(exchange: Exchange) -> Answer:
        asked.append(orjson.loads(exchange.body)["model"])
        return Answer(200, [(b"content-type", b"application/json")], chat_answer())

    house = gated(act, gate={"cascade": [ON | {"explore": 1.0, "model": "*"}]})

    await house.ask(chat("Hello") | fields)
    await settled(house)

    assert len(asked) == 1


def test_what_was_learnt_outlives_a_restart(tmp_path: Path) -> None:
    table = Cascade("mini", small=SMALL, error=0.1)
    trust = Trust(table, tmp_path / "cascade")
    for number in range(90):
        verdict = trust.decide(Said(str(number), "How much?"))
        trust.learn(verdict, same=True, weight=1.0)
    trust.save()

    again = Trust(table, tmp_path / "cascade")
    other = Trust(Cascade("mini", small="another", error=0.1), tmp_path / "cascade")

    assert trust.is_certified
    assert again.is_certified
    assert not other.is_certified


def test_a_broken_file_is_learnt_anew(tmp_path: Path) -> None:
    (tmp_path / "cascade").write_text("{not json")

    assert not Trust(Cascade("mini", small=SMALL), tmp_path / "cascade").is_certified


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Paris.", "paris", True),
        ("Paris", "Not Paris", False),
        ("-5", "5", False),
        ("1.5", "15", False),
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}', True),
        ('{"a": 1}', '{"a": 2}', False),
        ("", "", True),
        ("!", "?", False),
    ],
)
def test_answers_are_the_same_word_for_word(one: str, other: str, *, same: bool) -> None:
    assert exact(one, other) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The capital of France is Paris.", "Paris is the capital of France.", True),
        ("It is 5 km to the north of Lund.", "It is 6 km to the north of Lund.", False),
        ("You can take it with milk.", "You can not take it with milk.", False),
        ("You can take it with milk.", "You can't take it with milk.", False),
        ("Apples are red.", "The moon is far away.", False),
    ],
)
def test_answers_overlap_where_words_and_numbers_do(one: str, other: str, *, same: bool) -> None:
    assert overlapping(one, other, 0.8) is same


@pytest.mark.parametrize(
    "text", ["", "  ", "I'm sorry, I cannot help with that.", "As an AI, I..."]
)
def test_a_model_that_gives_up_says_so(text: str) -> None:
    assert Said(text, "Why?").gives_up


def test_probabilities_are_read_where_they_are_given() -> None:
    rows = {"content": [{"logprob": -0.1}, {"logprob": -0.3}]}

    assert mean_logprob({"choices": [{"logprobs": rows}]}) == pytest.approx(-0.2)
    assert mean_logprob({"choices": [{"logprobs": None}]}) is None
    assert mean_logprob({"choices": "no"}) is None
