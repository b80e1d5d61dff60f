"""Batches that clients make at the provider itself, by their official clients, through lichen."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from anthropic import Anthropic
from anthropic.types.messages import MessageBatchIndividualResponse
from google import genai
from google.genai import types

import lichen
from lichen.calls.batch.sqlite import SqliteDatabase
from lichen.ledger.sqlite import SqliteStore
from lichen.ledger.tokens import Tokens
from lichen.testing.batch_results import (
    gemini_line,
    lines,
)
from lichen.testing.provider_batches import ASKED, ERRORS, OUTPUT, ProviderBatches
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from openai import OpenAI

    from lichen.ledger.entry import Entry
    from lichen.testing.provider import ScriptedProvider
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Connect, Serve


@pytest.fixture
def batches(upstream: ScriptedProvider) -> ProviderBatches:
    """The upstream with batches."""
    upstream.script = made = ProviderBatches(upstream.url)
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


def test_a_kill_in_the_midst_of_booking_loses_no_line_and_doubles_none(
    serve: Serve, connect: Connect, batches: ProviderBatches
) -> None:
    many = 40_000
    batches.files["/v1/files/file-out/content"] = content = OUTPUT * (many // 40)
    service = serve(environ={"LICHEN_BATCH_LEASE": "1s"})

    assert output(connect(service)) == content
    store = SqliteStore(service.ledger)
    until(lambda: list(store.entries(newest=1)))
    service.kill()
    store.close()
    some = len(lines_of(service, "file-out", 1))
    service.start()
    assert output(connect(service)) == content
    until(lambda: len(lines_of(service, "file-out", 1)) >= many, within=90)
    service.stop()

    places = [e.figures.raw["batch_line"] for e in lines_of(service, "file-out", many)]
    assert 0 < some < many
    assert len(places) == len(set(places)) == many


def test_results_that_a_kill_left_unbooked_are_a_gap_that_the_next_start_counts_once(
    serve: Serve, connect: Connect, batches: ProviderBatches
) -> None:
    many = 40_000
    batches.files["/v1/files/file-out/content"] = content = OUTPUT * (many // 40)
    service = serve(environ={"LICHEN_BATCH_LEASE": "1s"})
    queue = SqliteDatabase(str(service.ledger))

    def claims() -> list[tuple[int, str]]:
        with queue.transaction() as cursor:
            cursor.execute("SELECT ended_us, owner FROM deferred_fetched")
            return cursor.fetchall()

    assert output(connect(service)) == content
    [(ended, _)] = until(claims)
    service.kill()
    service.start()
    counted = until(lambda: service.gaps().get("batch-results-not-booked"))
    until(lambda: claims() == [(0, "-")])
    service.stop()
    service.start()
    some = len(service.entries())
    assert output(connect(service)) == content
    until(lambda: claims()[0][0], within=90)
    service.stop()
    queue.close()

    assert (ended, counted) == (0, 1)
    assert some < many == len(lines_of(service, "file-out", many))
    assert service.gaps()["batch-results-not-booked"] == 1


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
def test_anthropics_client_fetches_results_through_lichen_by_the_address_it_is_told(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    service = serve(environ={"LICHEN_ANTHROPIC_UPSTREAM": upstream.url})

    with Anthropic(base_url=service.url, api_key="sk-ant", max_retries=0) as claude:
        told = claude.messages.batches.retrieve("msgbatch_1").results_url
        said = [one.result.type for one in claude.messages.batches.results("msgbatch_1")]
    booked = lines_of(service, "msgbatch_1", 9)
    service.stop()

    assert told == f"{service.url}/v1/messages/batches/msgbatch_1/results"
    assert said.count("succeeded") == len(booked) == 9


@pytest.mark.usefixtures("batches")
def test_the_providers_own_address_is_left_where_the_settings_say_so(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    environ = {"LICHEN_ANTHROPIC_UPSTREAM": upstream.url, "LICHEN_BATCH_RESULTS_URL": "off"}
    service = serve(environ=environ)

    with Anthropic(base_url=service.url, api_key="sk-ant", max_retries=0) as claude:
        told = claude.messages.batches.retrieve("msgbatch_1").results_url

    assert told == f"{upstream.url}/v1/messages/batches/msgbatch_1/results"


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
