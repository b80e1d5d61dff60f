"""Answers to like questions: given where evidence allows it, told, booked, and only then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lichen.calls.similar.bets import upper
from lichen.calls.similar.proof import prove
from lichen.calls.similar.step import Similar
from lichen.ledger.errors import InputError, MissingExtra
from lichen.settings import load
from lichen.testing.desks import FIRST, SECOND, VERBS, cache, chat, expert
from lichen.testing.upstreams import chat_frames, streamed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lichen.calls.exchange import Answer, Exchange
    from lichen.testing.callers import House
    from lichen.testing.desks import Desk

    OpenDesk = Callable[..., Awaitable[Desk]]


async def test_a_like_question_is_answered_once_evidence_allows_it(open_desk: OpenDesk) -> None:
    desk = await open_desk()
    await desk.teach()
    paid = await desk.ask(chat(FIRST.format("row")))
    before = desk.count

    heard = await desk.ask(chat(SECOND.format("row")))

    assert (heard.status, cache(heard)) == (200, "similar")
    assert heard.answer == paid.answer
    assert desk.count == before
    said = heard.answer_headers["x-lichen-similar"]
    assert said.startswith(paid.answer_headers["x-lichen-id"])
    assert said.endswith("; error=0.3")
    assert "x-lichen-avoided-energy-wh" in heard.answer_headers


async def test_without_evidence_nothing_is_given(open_desk: OpenDesk) -> None:
    desk = await open_desk()

    await desk.ask(chat(FIRST.format("row")))
    heard = await desk.ask(chat(SECOND.format("row")))

    assert cache(heard) == "miss"
    assert desk.count == 2


async def test_shadow_answers_nothing_and_measures_what_it_would_have_answered(
    open_desk: OpenDesk,
) -> None:
    desk = await open_desk(rule={"similar": "shadow"})
    await desk.teach()
    before = desk.count

    heard = [await desk.ask(chat(each.format("row"))) for each in (FIRST, SECOND)]

    assert [cache(each) for each in heard] == ["miss", "miss"]
    assert desk.count == before + 2
    assert desk.house.last.figures.raw["similar"] == "would-answer"
    gauges = desk.step.gauges()
    assert gauges["lichen_similar_verified"] >= gauges["lichen_similar_would_be_hits"] > 0
    assert gauges["lichen_similar_wrong"] == 0
    (panel,) = desk.step.panels()
    row = dict(zip(panel.columns, panel.rows[0], strict=True))
    assert (row["model"], row["says"]) == ("gpt-4o-mini", "answers")
    assert (row["given"], row["held out"]) == ("0", "0")


async def test_in_shadow_mode_an_explored_outcome_weighs_no_more_than_any_other(
    open_desk: OpenDesk,
) -> None:
    # All outcomes are known there, so that one which the lot would send upstream stands for itself.
    learnt = []
    for explore in (0.001, 0.5):
        desk = await open_desk(rule={"similar": "shadow", "error": 0.5}, explore=explore)
        await desk.teach()
        learnt.append(desk.step.learner(desk.house.last.tenant, "gpt-4o-mini", desk.error))

    seldom, often = learnt

    assert often.decider.standing.explored > seldom.decider.standing.explored
    assert often.weights == pytest.approx(seldom.weights)


async def test_what_the_holdout_left_alone_does_not_count_as_given(open_desk: OpenDesk) -> None:
    desk = await open_desk(holdout={"share": 0.5})
    await desk.convince()

    heard = []
    for verb in VERBS:
        await desk.ask(chat(FIRST.format(verb)))
        heard.append(cache(await desk.ask(chat(SECOND.format(verb)))))

    (panel,) = desk.step.panels()
    row = dict(zip(panel.columns, panel.rows[0], strict=True))
    gauges = desk.step.gauges()
    assert int(row["given"]) == gauges["lichen_similar_hits_total"] == heard.count("similar") > 0
    assert int(row["held out"]) == gauges["lichen_similar_withheld"] > 0


async def test_a_call_that_takes_no_stored_answer_is_no_evidence_for_those_that_do(
    open_desk: OpenDesk,
) -> None:
    desk = await open_desk()
    await desk.convince()
    await desk.ask(chat(FIRST.format("row")))
    (before,) = desk.step.panels()

    await desk.ask(chat(SECOND.format("row")), cache_control="no-cache")

    (after,) = desk.step.panels()
    assert after.rows == before.rows


async def test_shadow_counts_a_would_be_answer_that_the_upstream_contradicts(
    open_desk: OpenDesk,
) -> None:
    async def moody(exchange: Exchange) -> Answer:
        answer = await expert(exchange)
        if desk.count % 2:
            answer.body = answer.body.replace(b"practises each day", b"never practises")
        return answer

    desk = await open_desk(moody, rule={"similar": "shadow"})
    await desk.convince()

    for verb in VERBS[:5]:
        await desk.ask(chat(FIRST.format(verb)))
        await desk.ask(chat(SECOND.format(verb)))

    (panel,) = desk.step.panels()
    wrong = desk.step.gauges()["lichen_similar_wrong"]
    assert wrong > 0
    assert int(panel.rows[0][6]) >= wrong


async def test_answers_that_turn_out_wrong_end_the_answering(open_desk: OpenDesk) -> None:
    async def changed(exchange: Exchange) -> Answer:
        answer = await expert(exchange)
        if SECOND[:9].encode() in exchange.body:
            answer.body = answer.body.replace(b"finds a teacher and practises", b"needs no teacher")
        return answer

    desk = await open_desk(changed, explore=1.0, rule={"error": 0.1})
    await desk.convince()
    (before,) = desk.step.panels()
    for verb in VERBS:
        await desk.ask(chat(FIRST.format(verb)))
        await desk.ask(chat(SECOND.format(verb)))

    (after,) = desk.step.panels()

    assert before.rows[0][-1] == "answers"
    assert after.rows[0][-1] == "no safe threshold yet"


async def test_an_explored_answer_goes_to_the_upstream_and_teaches(open_desk: OpenDesk) -> None:
    desk = await open_desk(explore=1.0)
    await desk.convince()

    await desk.ask(chat(FIRST.format("row")))
    heard = await desk.ask(chat(SECOND.format("row")))

    assert cache(heard) == "miss"
    assert desk.step.gauges()["lichen_similar_verified"] >= 1


async def test_a_held_out_call_passes_untouched(open_desk: OpenDesk) -> None:
    desk = await open_desk(holdout={"share": 0.5})
    await desk.convince()

    given = []
    for verb in VERBS:
        await desk.ask(chat(FIRST.format(verb)))
        given.append(cache(await desk.ask(chat(SECOND.format(verb)))))
    desk.house.gateway.layers.booker.steps.trials.book()

    assert {"similar", "miss"} == set(given)
    arms = [e for e in desk.house.entries if e.figures.strategy.startswith("trial.")]
    assert len(arms) == 2


async def test_a_stream_is_answered_with_a_stream(open_desk: OpenDesk) -> None:
    desk = await open_desk(streamed(*chat_frames()))
    await desk.convince()
    paid = await desk.ask(chat(FIRST.format("row"), stream=True))

    heard = await desk.ask(chat(SECOND.format("row"), stream=True))

    assert cache(heard) == "similar"
    assert heard.answer == paid.answer
    assert heard.answer_headers["content-type"] == "text/event-stream"


async def test_a_hit_is_an_entry_with_a_baseline_and_its_proof_holds(open_desk: OpenDesk) -> None:
    desk = await open_desk()
    await desk.convince()
    await desk.ask(chat(FIRST.format("row")))
    heard = await desk.ask(chat(SECOND.format("row")))

    entry_id = heard.answer_headers["x-lichen-id"]
    proof = desk.house.book.prove(entry_id)

    assert proof.holds, proof.steps
    assert proof.entry.figures.strategy == "calls.similar"
    assert proof.entry.saving is not None
    assert any("verified outcomes" in line and "were wrong" in line for line in proof.steps)
    assert any("the bound, from the evidence" in line for line in proof.steps)
    assert "the questions are no longer kept here: not compared again" in proof.steps


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        # As few were wrong as none, and yet too few were looked at to say so.
        (
            {"threshold": 0.679179, "certificate": "0 0.679179:9/9/0 | |"}
            | {"verified": 9, "wrong": 0, "bound": upper(0, 9)},
            "NOT so: at threshold 0.679179 the evidence does not show that fewer than 30 %",
        ),
        ({"certificate": ""}, "NOT so: the evidence of its threshold cannot be read"),
        ({"delta": 0.05}, "NOT so: its thresholds are not those of a chain in their order"),
        ({"threshold": 0.5}, "NOT so: it was certified at threshold"),
    ],
)
async def test_a_hit_whose_bound_was_not_below_what_was_asked_is_not_proved(
    open_desk: OpenDesk, changes: dict[str, float | str], said: str
) -> None:
    desk = await open_desk()
    await desk.convince()
    await desk.ask(chat(FIRST.format("row")))
    await desk.ask(chat(SECOND.format("row")))
    # What looking cost is booked by the same strategy, where the machine is slow between the two.
    entry = next(
        e for e in desk.house.entries if e.figures.strategy == "calls.similar" and e.saving
    )
    forged = replace(entry.figures, raw={**entry.figures.raw, **changes})

    proof = prove(replace(entry, figures=forged), desk.house.book)

    assert not proof.holds
    assert any(line.startswith(said) for line in proof.steps), proof.steps


async def test_what_looking_costs_is_booked_as_used_by_it_and_not_again(
    open_desk: OpenDesk,
) -> None:
    desk = await open_desk()
    for verb in VERBS:
        await desk.ask(chat(FIRST.format(verb)))
    await desk.close()

    costs = [e for e in desk.house.entries if e.figures.name == "cost"]

    spent = sum(float(e.figures.raw["cpu_seconds"]) for e in costs)
    assert {e.figures.strategy for e in costs} == {"calls.similar"}
    assert all(e.figures.work.amount == 0 and e.saving is None for e in costs)
    assert spent == pytest.approx(desk.step.gauges()["lichen_similar_cpu_seconds_total"])
    assert desk.house.gateway.layers.booker.steps.claimed() == pytest.approx(spent)


@pytest.mark.parametrize("at_once", [8, 32])
async def test_looks_at_once_are_each_charged_once(open_desk: OpenDesk, at_once: int) -> None:
    desk = await open_desk()
    await desk.convince()
    step = desk.step
    watts, before, spent_before = step._shown.watts, step._worth.cost_j, step._thread.cpu_seconds

    wordings = (FIRST, SECOND)
    calls = [chat(wordings[n % 2].format(VERBS[n // 2 % 16])) for n in range(at_once)]
    await asyncio.gather(*(desk.house.ask(call) for call in calls))
    await desk.settle()

    charged = (step._worth.cost_j - before) / watts
    spent = step._thread.cpu_seconds - spent_before
    # What is charged is what was spent, and not as many times as there were looks at once.
    assert 0.5 * spent < charged <= 1.05 * spent


async def test_more_looks_than_can_wait_are_left_out_and_the_calls_go_on(
    open_desk: OpenDesk,
) -> None:
    desk = await open_desk()
    await desk.convince()
    calls = [chat(f"{FIRST.format('row')} Variant {n}") for n in range(100)]

    heard = await asyncio.gather(*(desk.house.ask(call) for call in calls))
    await desk.settle()

    assert {each.status for each in heard} == {200}
    assert desk.step.gauges()["lichen_similar_looks_left_out_total"] == 100 - 32


async def test_a_question_like_nobodys_is_never_embedded(open_desk: OpenDesk) -> None:
    desk = await open_desk()
    texts = ["Rowing boats", "Quantum chromodynamics", "Бухгалтерия", "sourdough starter", "税金"]

    for text in texts:
        await desk.ask(chat(text))

    assert desk.step.gauges()["lichen_similar_looks_without_embedding_total"] == len(texts)
    assert desk.step.gauges()["lichen_similar_questions"] == len(texts)


async def test_nothing_asks_for_it_and_nothing_is_there(build: Callable[..., House]) -> None:
    house = build(expert)

    assert not any(isinstance(step, Similar) for step in house.gateway.layers.steps)


async def test_a_missing_embedder_is_told_at_the_start_with_the_way_out(
    build: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lichen.text.embeddings._MODEL", ("no_such_package", "model.onnx"))

    with pytest.raises(MissingExtra, match=r"\.\[similar\]"):
        build(expert, route=({"similar": "shadow"},))


def test_what_a_route_may_say_of_it_is_checked() -> None:
    with pytest.raises(InputError, match="off, shadow, on"):
        load(environ={}, route=({"similar": "maybe"},))
    with pytest.raises(InputError, match=r"share from 0\.001 to 0\.5"):
        load(environ={}, route=({"error": "90%"},))

    made = load(environ={"LICHEN_SIMILAR_KEEP": "memory"}, route=({"error": "2%"},))

    assert (made.rules[0].error, made.similar.keep) == (0.02, "memory")
