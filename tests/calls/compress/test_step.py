"""The step: what is shortened in a call, what never is, and what the book says of it."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from lichen.calls.compress.expand import expand, resolved
from lichen.calls.compress.proof import PROVERS
from lichen.calls.compress.signs import signs
from lichen.calls.compress.step import Compress
from lichen.calls.exchange import Answer
from lichen.calls.forget import Forget
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.ledger.errors import UnprovenSaving
from lichen.testing.upstreams import chat_answer, chat_usage, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Exchange
    from lichen.testing.callers import House

    Build = Callable[..., House]

ROUTES = ({"compress": "lossless"},)


def rows(count: int = 60, seed: int = 3) -> str:
    """What a tool gives back."""
    draw = random.Random(seed)
    said = [
        {"id": n, "name": f"user {draw.randrange(999)}", "city": draw.choice(["Oslo", "Rome"])}
        for n in range(count)
    ]
    return json.dumps(said)


def conversation(*outputs: str, question: str = "Who lives in Rome?") -> dict[str, Any]:
    """A call after some tool calls."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": f"Be brief. {rows(20)}"},
        {"role": "user", "content": question},
    ]
    for number, output in enumerate(outputs):
        call = {"id": f"c{number}", "type": "function", "function": {"name": "f", "arguments": ""}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": output},
        ]
    return {"model": "gpt-4o", "messages": messages}


def sent(house: House, number: int = -1) -> list[dict[str, Any]]:
    """The messages that reached the upstream."""
    messages: list[dict[str, Any]] = orjson.loads(house.upstream.calls[number].body)["messages"]  # type: ignore[attr-defined]
    return messages


@pytest.mark.parametrize("at", [0, 1])
async def test_a_document_alone_in_a_message_is_a_table_where_the_user_says_words_beside_it(
    build: Build, at: int
) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    words = "Who  lives  in Rome?\n\n\nBe  brief."
    said = [{"role": "user", "content": words}]
    said.insert(at, {"role": "user", "content": rows()})

    await house.ask({"model": "gpt-4o", "messages": said})

    messages = sent(house)
    assert messages[1 - at]["content"] == words
    assert messages[at]["content"].startswith("<rows 60: id,name")
    assert json.loads(expand(messages[at]["content"])) == json.loads(rows())


async def test_lines_of_json_alone_in_a_message_are_a_table_where_words_follow(
    build: Build,
) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    lines = "\n".join(json.dumps(row) for row in json.loads(rows()))
    said = [{"role": "user", "content": text} for text in (lines, "Who lives in Rome?")]

    await house.ask({"model": "gpt-4o", "messages": said})

    assert sent(house)[0]["content"].startswith("<rows 60 lines: ")


@pytest.mark.parametrize(
    "said",
    [
        [("system", "Is this JSON well written?"), ("user", rows())],
        [("user", rows()), ("user", rows(seed=4))],
        [("user", "Hello."), ("assistant", "Hello."), ("user", rows())],
        [("user", rows()), ("assistant", "Rows."), ("user", "Which are in Rome?")],
        [("user", f"[sic]  see\n\n\n{'so  much ' * 60} {{x}}"), ("user", "Who is it?")],
    ],
)
async def test_a_document_to_which_the_user_says_no_words_goes_as_it_came(
    build: Build, said: list[tuple[str, str]]
) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    messages = [{"role": role, "content": text} for role, text in said]

    await house.ask({"model": "gpt-4o", "messages": messages})

    assert sent(house) == messages


async def test_a_document_alone_is_left_where_questions_are_to_stay_whole(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0}, compress={"question": "whole"})
    messages = [{"role": "user", "content": text} for text in (rows(), "Who lives in Rome?")]

    await house.ask({"model": "gpt-4o", "messages": messages})

    assert sent(house) == messages


async def test_what_a_tool_gave_is_sent_as_a_table_and_nothing_else_changes(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    asked = conversation(rows())

    heard = await house.ask(asked)

    messages = sent(house)
    assert messages[:-1] == asked["messages"][:-1]
    assert messages[-1]["content"].startswith("<rows 60: id,name")
    assert json.loads(expand(messages[-1]["content"])) == json.loads(rows())
    assert heard.answer_headers["x-lichen-compress"].startswith("lossless;before=")


async def test_without_a_route_that_asks_for_it_there_is_no_such_step(build: Build) -> None:
    house = build()

    await house.ask(conversation(rows()))

    assert sent(house) == conversation(rows())["messages"]
    assert "Compress" not in {type(step).__name__ for step in house.gateway.layers.steps}


async def test_earlier_turns_are_sent_in_the_same_bytes_whatever_follows(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    outputs = [rows(40, seed) for seed in range(5)]

    for turns in range(1, 6):
        await house.ask(conversation(*outputs[:turns]))

    for turns in range(1, 5):
        before, after = sent(house, turns - 1), sent(house, turns)
        assert after[: len(before)] == before


async def test_what_was_said_before_is_referred_to(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})

    await house.ask(conversation(rows(), "Nothing new.", rows()))

    messages = sent(house)
    assert messages[-1]["content"].startswith("<same as text 3, ")


async def test_what_was_sent_is_read_back_to_what_was_asked(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    asked = conversation(rows(), rows(50, 9), rows(), f"The same again:\n\n{rows(50, 9)}")

    await house.ask(asked)

    body = house.upstream.calls[-1].body  # type: ignore[attr-defined]
    sides = (OPENAI.read_call("chat.completions", b"", raw) for raw in (orjson.dumps(asked), body))
    asked_texts, sent_texts = ([t.text for t in OPENAI.view(call).texts] for call in sides)
    read_back = [expand(text) for text in resolved(sent_texts)]
    assert sum("<same as text" in text for text in sent_texts) == 2
    assert [json.loads(text) for text in read_back[2:5]] == list(map(json.loads, asked_texts[2:5]))
    last = [text.partition("\n\n") for text in (read_back[5], asked_texts[5])]
    assert last[0][0] == last[1][0] == "The same again:"
    assert json.loads(last[0][2]) == json.loads(last[1][2])


async def test_a_question_keeps_its_words_and_its_documents_are_tables(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    text = f"Here  are   rows:\n{rows()}\nWho  lives in   Rome? "

    await house.ask(conversation(question=text))
    await house.ask(conversation(question=rows()))

    told = sent(house, 0)[1]["content"]
    assert told.startswith("Here  are   rows:\n<rows 60: ")
    assert told.endswith("</rows>\nWho  lives in   Rome? ")
    assert sent(house, 1)[1]["content"] == rows()


async def test_a_held_conversation_stays_held_and_a_shortened_one_shortened(build: Build) -> None:
    outputs = [rows(40, seed) for seed in range(6)]
    house = build(route=ROUTES, holdout={"share": 0.5})

    for number in range(12):
        question = f"Question {number}: who lives in Rome?"
        for turns in range(1, 5):
            await house.ask(conversation(*outputs[:turns], question=question))

    arms = [
        ["<rows" in message["content"] for message in sent(house, at) if message["role"] == "tool"]
        for at in range(48)
    ]
    assert all(len({*arm}) == 1 for arm in arms)
    whole_conversations = [{arm[0] for arm in arms[at : at + 4]} for at in range(0, 48, 4)]
    assert all(len(arm) == 1 for arm in whole_conversations)
    assert {True, False} == set.union(*whole_conversations)


async def test_a_client_may_ask_for_none_and_the_conversation_stays_as_it_was_sent(
    build: Build,
) -> None:
    house = build(route=ROUTES, holdout={"share": 0})

    await house.ask(conversation(rows()), x_lichen_compress="off")
    await house.ask(conversation(rows(), rows(50, 9)))

    first, second = sent(house, 0), sent(house, 1)
    assert second[: len(first)] == first == conversation(rows())["messages"]
    assert second[-1]["content"].startswith("<rows 50")


async def test_the_book_says_what_was_spared_and_proves_it(build: Build) -> None:
    answer = chat_answer(usage=chat_usage(3000, 20))
    house = build(whole(answer), route=ROUTES, holdout={"share": 0})

    heard = await house.ask(conversation(rows()))

    house.book.flush()
    entries = list(house.book.store.entries())
    line = next(entry for entry in entries if entry.figures.strategy == "calls.compress")
    note = dict(
        part.split("=") for part in heard.answer_headers["x-lichen-compress"].split(";")[1:]
    )
    assert line.figures.baseline is not None
    assert line.figures.baseline.tokens.prefill == int(note["before"]) - int(note["after"])
    assert line.saving is not None
    assert line.saving.footprint.energy.value.amount > 0
    proof = PROVERS["compressed/1"](line, house.book)
    assert proof.holds, proof.steps
    assert "not kept" in proof.steps[-1]


async def test_a_shortened_call_names_the_line_that_proves_what_was_spared(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    shortened = await house.ask(conversation(rows()))
    plain = await house.ask(conversation("Nothing to shorten."))
    house.book.flush()

    with pytest.raises(UnprovenSaving, match="stands in lines of their own: prove") as told:
        house.book.prove(shortened.answer_headers["x-lichen-id"])
    with pytest.raises(UnprovenSaving, match="there is nothing to prove"):
        house.book.prove(plain.answer_headers["x-lichen-id"])

    line_id = str(told.value).split("prove ")[1].removesuffix(" (calls.compress)")
    line = house.book.store.entry(line_id)
    assert line is not None
    assert PROVERS["compressed/1"](line, house.book).holds


async def test_what_shortening_small_prompts_takes_is_booked_as_its_cost(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})

    before = time.process_time()
    for n in range(20):
        await house.ask(conversation(rows(60, n)))
    most = time.process_time() - before
    await house.gateway.layers.close()

    house.book.flush()
    costs = [e for e in house.book.store.entries() if e.figures.name == "cost"]
    spent = sum(float(each.figures.raw["cpu_seconds"]) for each in costs)
    assert {each.figures.strategy for each in costs} == {"calls.compress"}
    assert all(each.figures.work.amount == 0 and each.saving is None for each in costs)
    assert 0 < spent <= most
    assert len(costs) <= 1 + spent / 0.1
    assert house.gateway.layers.booker.steps.claimed() == pytest.approx(spent)


async def test_spared_tokens_in_a_cached_prefix_are_priced_as_cached(build: Build) -> None:
    cached = chat_usage(3000, 20, prompt_tokens_details={"cached_tokens": 2990})
    house = build(
        whole(chat_answer(usage=chat_usage(3000, 20))),
        whole(chat_answer(usage=cached)),
        route=ROUTES,
        holdout={"share": 0},
    )

    await house.ask(conversation(rows(), "Fine."))
    await house.ask(conversation(rows(), "Fine.", "More words of a tool."))

    lines = [
        entry.figures.baseline
        for entry in house.book.store.entries()
        if entry.figures.strategy == "calls.compress"
    ]
    fresh, read = sorted(
        (line for line in lines if line is not None), key=lambda line: line.tokens.cache_read
    )
    assert (fresh.tokens.cache_read, read.tokens.prefill) == (0, 0)
    assert fresh.tokens.prefill == read.tokens.cache_read > 0
    assert read.footprint.energy.value.amount < fresh.footprint.energy.value.amount


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"gpt-4o","temperature":0.2,"temperature":0.3,"messages":[{"role":"tool","content":%b}]}',
        b'{"model":"gpt-4o","seed":123456789012345678901234567890,"messages":[{"role":"tool","content":%b}]}',
        b'{"model":"gpt-4o","stop":"\\ud800","messages":[{"role":"tool","content":%b}]}',
    ],
)
async def test_a_body_that_cannot_be_written_anew_exactly_goes_as_it_came(
    build: Build, body: bytes
) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    given = body % orjson.dumps(rows())

    await house.ask(given)

    assert house.upstream.calls[0].body == given  # type: ignore[attr-defined]
    assert house.troubles == []


async def test_fields_that_nobody_knows_stay(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    asked = {**conversation(rows()), "x_new": {"b": [1.5, None], "a": "ü"}, "seed": 7}

    await house.ask(asked)

    said = orjson.loads(house.upstream.calls[0].body)  # type: ignore[attr-defined]
    assert list(said) == list(asked)
    assert {n: v for n, v in said.items() if n != "messages"} == {
        n: v for n, v in asked.items() if n != "messages"
    }


async def test_an_embedding_is_never_shortened(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    asked = {"model": "text-embedding-3-small", "input": f"See:\n{rows()}\nWhat is it?"}

    await house.ask(asked, target=b"/v1/embeddings")

    assert orjson.loads(house.upstream.calls[0].body) == asked  # type: ignore[attr-defined]


async def test_a_route_whose_answers_are_worse_turns_itself_off_and_says_so(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lichen.calls.compress.watch._WAIT_S", 0.0)

    async def worse_where_shortened(exchange: Exchange) -> Answer:
        bad = b"<rows" in exchange.body
        text = "The context does not mention it." if bad else "Ada lives in Rome."
        return Answer(200, [(b"content-type", b"application/json")], chat_answer(text))

    house = build(worse_where_shortened, route=ROUTES, holdout={"share": 0.3})

    for number in range(120):
        await house.ask(conversation(rows(), question=f"Who lives in Rome? Ask {number}."))

    [step] = [each for each in house.gateway.layers.steps if isinstance(each, Compress)]
    await step.close()
    told = sent(house)[-1]["content"]
    assert told == rows()
    assert step.gauges()["lichen_compress_closed_routes"] == 1
    [panel] = step.panels()
    assert panel.rows[0][0] == "* * lossless"
    assert panel.rows[0][-1].startswith("turned itself off 20")
    assert any("another word in [compress] rearm" in str(trouble) for trouble in house.troubles)
    gaps = [gap.what for gap in house.book.store.gaps()]
    assert (
        "shorter prompts turned themselves off: answers were worse on route '* * lossless'" in gaps
    )


async def test_a_user_s_word_on_an_answer_counts(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    heard = await house.ask(conversation(rows()))
    entry_id = heard.answer_headers["x-lichen-id"]

    await house.ask(conversation("fine"), x_lichen_feedback=f"bad {entry_id}", key="sk-two")
    await house.ask(conversation("fine"), x_lichen_feedback=f"bad {entry_id}")

    [step] = [each for each in house.gateway.layers.steps if isinstance(each, Compress)]
    await step.close()
    assert "1 of 1" in step.panels()[0].rows[0][3]


async def test_what_is_remembered_of_texts_is_erased_with_all_else(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    await house.ask(conversation(rows()))
    [step] = [each for each in house.gateway.layers.steps if isinstance(each, Compress)]

    assert step.forget(Forget(contains="user")) > 0
    assert step.forget(Forget(contains="user")) == 0


async def test_a_compressor_that_fails_leaves_the_call_as_it_came(build: Build) -> None:
    house = build(route=ROUTES, holdout={"share": 0})
    [step] = [each for each in house.gateway.layers.steps if isinstance(each, Compress)]

    def broken(*_: object) -> None:
        raise RuntimeError("no memory")

    step._memory.made = broken  # type: ignore[method-assign, assignment]
    await house.ask(conversation(rows()))

    assert sent(house) == conversation(rows())["messages"]
    assert [str(trouble) for trouble in house.troubles] == ["no memory"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ada lives in Rome.", ()),
        ("", ("empty",)),
        ("The provided context does not mention Rome.", ("refused",)),
        ("I'm sorry, I cannot find that.", ("refused",)),
        ("I couldn't determine who it was.", ("refused",)),
    ],
)
def test_signs_of_a_bad_answer_are_seen(text: str, found: tuple[str, ...]) -> None:
    call = OPENAI.read_call("chat.completions", b"", orjson.dumps(conversation()))

    assert signs(call, chat_answer(text)) == found


def test_json_that_was_asked_for_and_did_not_come_is_a_sign() -> None:
    asked = {**conversation(), "response_format": {"type": "json_object"}}
    call = OPENAI.read_call("chat.completions", b"", orjson.dumps(asked))

    assert signs(call, chat_answer('{"who": "Ada"}')) == ()
    assert signs(call, chat_answer('{"who": "Ad')) == ("misshapen",)


def test_an_answer_that_was_cut_is_a_sign() -> None:
    call = OPENAI.read_call("chat.completions", b"", orjson.dumps(conversation()))
    choice = {"index": 0, "message": {"content": "Ada"}, "finish_reason": "length"}

    assert signs(call, chat_answer(choices=[choice])) == ("cut",)


async def test_what_a_client_of_anthropic_pinned_is_left_and_what_follows_is_shortened(
    build: Build,
) -> None:
    house = build(route=ROUTES, holdout={"share": 0})

    def asked(*, pinned: bool) -> dict[str, Any]:
        mark = {"cache_control": {"type": "ephemeral"}} if pinned else {}
        return {
            "model": "claude-sonnet-4-5",
            "max_tokens": 100,
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": rows(), **mark}]},
                {"role": "assistant", "content": "Well?"},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": rows(50, 8)},
                        {"type": "text", "text": "Who lives in Rome?"},
                    ],
                },
            ],
        }

    # Later calls without the mark begin with the same texts, which the provider has by now.
    for pinned in (True, False):
        await house.ask(asked(pinned=pinned), target=b"/v1/messages")

    for number in (0, 1):
        messages = sent(house, number)
        assert messages[0]["content"][0]["text"] == rows()
        assert messages[2]["content"][0]["text"].startswith("<rows 50: ")
        assert messages[2]["content"][1]["text"] == "Who lives in Rome?"


async def test_a_client_that_wants_its_prompt_as_it_is_gets_no_answer_to_a_shorter_one(
    build: Build,
) -> None:
    house = build(
        whole(chat_answer("short")), whole(chat_answer("long")), route=ROUTES, holdout={"share": 0}
    )
    asked = {**conversation("fine"), "temperature": 0}
    await house.ask(asked)

    plain = await house.ask(asked, x_lichen_compress="off")

    assert plain.answer_headers["x-lichen-cache"] == "miss"
    assert b"long" in plain.answer
