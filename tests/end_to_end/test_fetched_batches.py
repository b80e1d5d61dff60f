"""Batches that clients make at the provider itself, by their official clients, through lichen."""

from __future__ import annotations

import gzip
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from anthropic import Anthropic
from anthropic.types.messages import MessageBatchIndividualResponse
from google import genai
from google.genai import types

import lichen
from lichen.ledger.tokens import Tokens
from lichen.testing.batch_results import (
    anthropic_failed,
    anthropic_line,
    gemini_batch,
    gemini_inline,
    gemini_line,
    lines,
    openai_failed,
    openai_line,
)
from lichen.testing.provider import by_kind
from lichen.testing.provider_answers import Reply
from lichen.testing.upstreams import chat_answer
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from openai import OpenAI

    from lichen.ledger.entry import Entry
    from lichen.testing.provider import Received, ScriptedProvider
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Connect, Serve

ASKED = b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {}}\n'
OUTPUT = lines(
    *(openai_line(f"n{n}", chat_answer(f"text {n}", model="gpt-4o")) for n in range(40)),
    openai_failed("late"),
)
ERRORS = lines(openai_failed("late"), openai_line("bad", b'{"error": {}}', status=400))
MESSAGES = lines(
    *(anthropic_line(f"n{n}", model="claude-opus-5") for n in range(9)),
    anthropic_failed("bad", "errored"),
    anthropic_failed("late", "expired"),
)
TOLD = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "ended"}
TOLD |= {"created_at": "2026-11-25T00:00:00Z", "expires_at": "2026-11-26T00:00:00Z"}
COUNTS = {"processing": 0, "succeeded": 9, "errored": 1, "canceled": 0, "expired": 1}
BATCH = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file-in",
    "completion_window": "24h",
    "status": "completed",
    "output_file_id": "file-out",
    "error_file_id": "file-err",
    "created_at": 1,
}


class Batches:
    """The three providers, as far as a batch of each goes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._whole: dict[str, bytes] = {
            "/v1/files": b'{"id": "file-in", "object": "file", "purpose": "batch", "bytes": 1,'
            b' "created_at": 1, "filename": "in.jsonl", "status": "processed"}',
            "/v1/batches": json.dumps({**BATCH, "status": "validating"}).encode(),
            "/v1/batches/batch_1": json.dumps(BATCH).encode(),
            "/v1/messages/batches": json.dumps(self._told("in_progress")).encode(),
            "/v1/messages/batches/msgbatch_1": json.dumps(self._told("ended")).encode(),
            "/v1/models/gemini-2.5-flash:batchGenerateContent": gemini_batch(done=False),
            "/v1/batches/b1": gemini_batch([gemini_inline(), {"error": {"code": 3}}]),
        }
        self._files = {
            "/v1/files/file-in/content": ASKED,
            "/v1/files/file-out/content": OUTPUT,
            "/v1/files/file-err/content": ERRORS,
            "/v1/messages/batches/msgbatch_1/results": MESSAGES,
            "/v1/files/f1:download": lines(gemini_line("a"), gemini_line("b")),
        }

    def _told(self, status: str) -> dict[str, Any]:
        where = f"{self._url}/v1/messages/batches/msgbatch_1/results"
        done = {"results_url": where} if status == "ended" else {}
        return {**TOLD, "processing_status": status, "request_counts": COUNTS, **done}

    def __call__(self, call: Received) -> Reply:
        path = call.target.partition("?")[0].replace("/v1beta/", "/v1/")
        if path in self._whole:
            return Reply(chunks=(self._whole[path],))
        if path in self._files:
            return self._file(self._files[path], call)
        return by_kind(call)

    def _file(self, content: bytes, call: Received) -> Reply:
        """In chunks, and compressed for whoever takes that, as the providers send them."""
        kind = [("content-type", "application/octet-stream")]
        if "gzip" in (call.header("accept-encoding") or ""):
            content = gzip.compress(content)
            kind.append(("content-encoding", "gzip"))
        places = range(0, len(content), 1000)
        return Reply(headers=tuple(kind), chunks=tuple(content[at : at + 1000] for at in places))


@pytest.fixture
def batches(upstream: ScriptedProvider) -> Batches:
    """The upstream with batches."""
    upstream.script = made = Batches(upstream.url)
    return made


def lines_of(service: RunningService, name: str, count: int) -> list[Entry]:
    """The entries of one batch's lines, once there are as many."""

    def found() -> list[Entry]:
        here = [e for e in service.entries() if e.figures.raw.get("provider_batch") == name]
        return here if len(here) >= count else []

    return until(found)


@pytest.mark.usefixtures("batches")
def test_a_batch_of_openais_is_booked_when_its_output_is_fetched(
    serve: Serve, connect: Connect
) -> None:
    service = serve()
    client = connect(service)

    file = client.files.create(file=("in.jsonl", ASKED), purpose="batch")
    made = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    done = client.batches.retrieve(made.id)
    asked = client.files.content(file.id).content
    output = [client.files.content(done.output_file_id or "").content for _ in range(3)]
    errors = client.files.content(done.error_file_id or "").content
    booked = lines_of(service, "file-out", 40)
    service.stop()

    assert (asked, output, errors) == (ASKED, [OUTPUT] * 3, ERRORS)
    [figures] = {entry.figures.model: entry.figures for entry in booked}.values()
    assert (figures.name, figures.model, figures.strategy) == ("chat.completions", "gpt-4o", "none")
    assert figures.tokens == Tokens(prefill=12, decode=5)
    assert figures.raw["price_share"] == 0.5
    assert "time-of-run-unknown" in figures.gaps
    assert len([e for e in service.entries() if e.figures.raw.get("provider_batch")]) == 40


@pytest.mark.usefixtures("batches")
def test_results_booked_before_a_kill_are_not_booked_after_it(
    serve: Serve, connect: Connect
) -> None:
    service = serve(environ={"LICHEN_BATCH_LEASE": "1s"})

    assert output(connect(service)) == OUTPUT
    service.kill()
    service.start()
    assert output(connect(service)) == OUTPUT
    lines_of(service, "file-out", 40)
    service.stop()
    service.start()
    assert output(connect(service)) == OUTPUT
    service.stop()

    places = [e.figures.raw["batch_line"] for e in lines_of(service, "file-out", 40)]
    assert sorted(places) == list(range(1, 41))


@pytest.mark.usefixtures("batches")
def test_two_services_on_one_ledger_book_results_once(serve: Serve, connect: Connect) -> None:
    first, second = serve(), serve()

    for service in (first, second, first, second):
        assert output(connect(service)) == OUTPUT
    first.stop()
    second.stop()

    assert len(lines_of(first, "file-out", 40)) == 40


def output(client: OpenAI) -> bytes:
    """The output file, as the client gets it."""
    return client.files.content("file-out").content


@pytest.mark.usefixtures("batches")
def test_where_lichen_serves_the_batch_api_the_providers_own_files_are_read_too(
    serve: Serve, connect: Connect
) -> None:
    service = serve(environ={"LICHEN_BATCH_ENABLED": "on"})

    assert output(connect(service)) == OUTPUT

    assert len(lines_of(service, "file-out", 40)) == 40


def test_a_batch_that_lichen_serves_itself_is_not_booked_again_by_its_output(
    serve: Serve, connect: Connect
) -> None:
    service = serve(environ={"LICHEN_BATCH_ENABLED": "on", "LICHEN_BATCH_LEASE": "1s"})
    client = connect(service)
    asked = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    body = {"model": "m-own", "messages": [{"role": "user", "content": "x"}]}

    file = client.files.create(file=("in.jsonl", lines({**asked, "body": body})), purpose="batch")
    made = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    until(lambda: client.batches.retrieve(made.id).status == "completed", within=60)
    done = client.batches.retrieve(made.id)
    for _ in range(2):
        client.files.content(done.output_file_id or "")
    service.stop()

    used = [e for e in service.entries() if e.figures.model == "m-own" and e.figures.work.amount]
    assert len([e for e in used if e.figures.strategy == "none"]) == 1
    assert not [e for e in used if e.figures.raw.get("provider_batch")]


@pytest.mark.usefixtures("batches")
def test_a_batch_of_anthropics_is_booked_when_its_results_are_fetched_through_the_service(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    service = serve(environ={"LICHEN_ANTHROPIC_UPSTREAM": upstream.url})

    with Anthropic(base_url=service.url, api_key="sk-ant", max_retries=0) as claude:
        params: Any = {"model": "claude-opus-5", "max_tokens": 9, "messages": []}
        made = claude.messages.batches.create(requests=[{"custom_id": "n0", "params": params}])
        raw = claude.get(f"/v1/messages/batches/{made.id}/results", cast_to=str)
    said = [MessageBatchIndividualResponse.model_validate_json(line) for line in raw.splitlines()]
    booked = lines_of(service, "msgbatch_1", 9)
    service.stop()

    assert [one.result.type for one in said].count("succeeded") == len(booked) == 9
    assert {e.figures.model for e in booked} == {"claude-opus-5"}
    assert {e.figures.raw["price_share"] for e in booked} == {0.5}


@pytest.mark.usefixtures("batches")
def test_a_batch_of_anthropics_is_booked_in_the_process_that_reads_it(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    ledger = tmp_path / "book.db"

    for _ in range(2):
        with lichen.pipeline(ledger) as pipeline:
            claude = Anthropic(
                base_url=upstream.url, api_key="k", http_client=pipeline.client(), max_retries=0
            )
            said = [one.result.type for one in claude.messages.batches.results("msgbatch_1")]
    with lichen.open(ledger) as book:
        booked = list(book.store.entries())

    assert said.count("succeeded") == 9
    assert [e.figures.raw["batch_line"] for e in booked] == list(range(1, 10))


@pytest.mark.usefixtures("batches")
def test_batches_of_geminis_are_booked_with_their_results_within_or_in_a_file(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    service = serve(environ={"LICHEN_GEMINI_UPSTREAM": upstream.url})
    options = types.HttpOptions(base_url=service.url)
    gemini = genai.Client(api_key="AIza", http_options=options)

    made = gemini.batches.create(
        model="gemini-2.5-flash", src=[types.InlinedRequest(contents=types.Content())]
    )
    looks = [gemini.batches.get(name=made.name or "") for _ in range(3)]
    content = gemini.files.download(file="files/f1")
    within = lines_of(service, "batches/b1", 1)
    in_file = lines_of(service, "files/f1", 2)
    gemini.close()
    service.stop()

    dest = looks[-1].dest
    assert dest is not None
    assert len(dest.inlined_responses or ()) == 2
    assert content == lines(gemini_line("a"), gemini_line("b"))
    assert [e.figures.name for e in (*within, *in_file)] == ["generate_content"] * 3
    assert len([e for e in service.entries() if e.figures.raw.get("provider_batch")]) == 3


@pytest.mark.usefixtures("batches")
def test_a_part_of_the_results_is_booked_by_nobody_and_the_whole_then_is(
    serve: Serve, connect: Connect
) -> None:
    service = serve()
    where = f"{service.base_url}/files/file-out/content"

    with urllib.request.urlopen(where, timeout=30) as left:
        left.read(100)
    assert output(connect(service)) == OUTPUT
    booked = lines_of(service, "file-out", 40)
    service.stop()

    assert len(booked) == 40
