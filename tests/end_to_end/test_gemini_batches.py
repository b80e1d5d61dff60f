"""Calls of Gemini's clients that may wait a day go in a batch of Gemini's."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import types

from lichen.testing.deferring import Caller
from lichen.testing.gemini_batch_api import GeminiBatchApi
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from lichen.testing.deferring import Heard
    from lichen.testing.provider import ScriptedProvider
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Serve

MODEL = "gemini-2.5-flash"
TARGET = f"/v1beta/models/{MODEL}:generateContent"
AUTO = {"LICHEN_BATCH_PROVIDER": "auto", "LICHEN_BATCH_LEASE": "1s"}


def started(serve: Serve, upstream: ScriptedProvider) -> RunningService:
    return serve(environ={**AUTO, "LICHEN_GEMINI_UPSTREAM": upstream.url})


def left(caller: Caller, text: str, target: str = TARGET, **fields: Any) -> str:
    contents = [{"role": "user", "parts": [{"text": text}]}]
    heard = caller.ask(
        "POST",
        target,
        json.dumps({"contents": contents, **fields}).encode(),
        x_lichen_defer="25h",
        x_goog_api_key="AIza",
    )
    assert heard is not None
    assert heard.status == 202, heard.body
    return heard.headers["location"]


def fetched(caller: Caller, path: str) -> Heard:
    good = {"x_goog_api_key": "AIza"}
    return caller.until(lambda h: h.status not in (202, 404), "GET", f"{path}?wait=9", **good)


@pytest.mark.parametrize("how", [{}, {"keys": True}, {"in_file": True}])
def test_calls_that_may_wait_go_in_a_batch_of_geminis(
    how: dict[str, bool], serve: Serve, upstream: ScriptedProvider
) -> None:
    upstream.script = api = GeminiBatchApi(**how)
    service = started(serve, upstream)
    texts = ["one", "two", "bad", "slow", "three"]

    with closing(Caller(service)) as caller:
        paths = {text: left(caller, text) for text in texts}
        answers = {text: fetched(caller, path) for text, path in paths.items()}
    service.stop()
    booked = [e for e in service.entries() if e.figures.raw.get("provider_batch")]
    said = {
        text: types.GenerateContentResponse.model_validate_json(answers[text].body).text
        for text in ("one", "two", "three")
    }
    alone = [call for call in upstream.calls if call.target == TARGET]

    sent = sum(len(made["batch"]["inputConfig"]["requests"]["requests"]) for made in api.made)
    assert sent == 5
    assert said == {"one": "to one", "two": "to two", "three": "to three"}
    assert (answers["bad"].status, answers["slow"].status) == (400, 200)
    assert len(alone) == 1  # what failed within its batch
    assert b"slow" in alone[0].body
    assert len(booked) == 3
    for raw in (entry.figures.raw for entry in booked):
        assert str(raw["provider_batch"]).startswith("batches/b")
        assert 0 < float(raw["cost_usd"]) == pytest.approx(float(raw["cost_alone_usd"]) / 2)


def test_a_batch_is_made_as_googles_client_makes_it_and_read_by_it(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    upstream.script = api = GeminiBatchApi(keys=True)
    service = started(serve, upstream)
    asked = types.InlinedRequest(
        contents=[types.Content(role="user", parts=[types.Part(text="one")])],
        metadata={"key": "mine"},
    )

    with closing(Caller(service)) as caller:
        answer = fetched(caller, left(caller, "one"))
    [ours] = api.made
    options = types.HttpOptions(base_url=upstream.url)
    with closing(genai.Client(api_key="AIza", http_options=options)) as client:
        client.batches.create(model=MODEL, src=[asked], config={"display_name": "theirs"})
        job = client.batches.get(name="batches/b1")
    theirs = api.made[1]
    _unlike(ours["batch"], "displayName")
    _unlike(theirs["batch"], "displayName")
    for made in (ours, theirs):
        [request] = made["batch"]["inputConfig"]["requests"]["requests"]
        _unlike(request["metadata"], "key")

    assert answer.status == 200
    assert ours == theirs
    assert job.dest is not None
    assert job.dest.inlined_responses is not None
    assert job.dest.inlined_responses[0].response is not None
    assert job.dest.inlined_responses[0].response.text == "to one"


def _unlike(told: dict[str, Any], name: str) -> None:
    """Take out what is each one's own."""
    assert told.pop(name)


def test_a_kill_while_a_batch_runs_makes_no_second(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    upstream.script = api = GeminiBatchApi()
    service = started(serve, upstream)

    with closing(Caller(service)) as caller:
        paths = [left(caller, f"n{n}") for n in range(4)]
        until(lambda: api.made)
        service.kill()
        service.start()
        answers = [fetched(caller, path) for path in paths]

    assert {heard.status for heard in answers} == {200}
    assert sum(len(m["batch"]["inputConfig"]["requests"]["requests"]) for m in api.made) == 4


def test_what_gemini_takes_in_no_batch_goes_alone_and_keeps_no_other_from_one(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    upstream.script = api = GeminiBatchApi()
    service = started(serve, upstream)
    embed = f"/v1beta/models/{MODEL}:embedContent"
    content = {"parts": [{"text": "a"}]}

    with closing(Caller(service)) as caller:
        alone = fetched(caller, left(caller, "a", embed, content=content))
        batched = fetched(caller, left(caller, "b"))

    assert (alone.status, batched.status) == (200, 200)
    assert [call.target for call in upstream.calls].count(embed) == 1
    assert len(api.made) == 1
