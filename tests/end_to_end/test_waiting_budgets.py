"""Calls that wait and budgets: charged when taken in, settled at their end, through kills too."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.gate.count_tables import SqliteCounts
from lichen.testing.deferring import Caller, Counted, Heard, Killed
from lichen.testing.deferring import fetch as fetched_by_many
from lichen.testing.deferring import leave as left_by_many
from lichen.testing.provider_answers import failure
from lichen.testing.service import RunningService
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.testing.postgres import PostgresServer
    from lichen.testing.provider import Received, ScriptedProvider
    from lichen.testing.provider_answers import Reply
    from tests.end_to_end.conftest import Connect, Serve

SOON = {"LICHEN_BATCH_LEASE": "1s"}
BUDGET = """
[holdout]
share = 0

[[gate.budget]]
name = "team"
tokens = 1000
per = "month"
each = "all"
"""
# Each project has its own; the estimate of a call is about 230 tokens.
PROJECTS = BUDGET.replace('"all"', '"project"')


def charged(service: RunningService) -> float:
    """What stands in all budgets, as it is kept on disk. [token]"""
    counts = SqliteCounts(service.ledger.with_name(service.ledger.name + ".gate"))
    try:
        return sum(counts.merge({}, 0).values())
    finally:
        counts.close()


def busy(seconds: int) -> Callable[[Received], Reply]:
    """An upstream that has no room for so long: calls go on waiting."""
    return lambda _: failure(503, retry_after=f"{seconds}")


def leave(service: RunningService, text: str, span: str = "6h", **headers: str) -> Heard:
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "max_tokens": 200}
    # Of all texts some may share an answer, and some may not.
    asked |= {"model": "m", "temperature": len(text) % 2}
    body = json.dumps(asked).encode()
    with closing(Caller(service)) as caller:
        heard = caller.ask("POST", "/v1/chat/completions", body, x_lichen_defer=span, **headers)
    assert heard is not None
    return heard


def leave_until_refused(service: RunningService, **headers: str) -> list[Heard]:
    """Those that were taken in before a budget was over."""
    taken: list[Heard] = []
    while (heard := leave(service, f"call {len(taken)}", **headers)).status == 202:
        taken.append(heard)
        assert len(taken) < 20
    assert heard.status == 429
    assert "over budget" in heard.body.decode()
    return taken


def told(tmp_path: Path, table: str = BUDGET) -> None:
    (tmp_path / "lichen.toml").write_text(table)


def fetched(service: RunningService, heard: Heard) -> Heard:
    with closing(Caller(service)) as caller:
        path = f"{heard.headers['location']}?wait=9"
        return caller.until(lambda h: h.status not in (202, 404), "GET", path)


def test_a_caller_cannot_leave_more_than_its_budget_has_room_for_through_a_kill(
    serve: Serve, tmp_path: Path, upstream: ScriptedProvider
) -> None:
    told(tmp_path)
    upstream.script = busy(3600)
    service = serve(environ=SOON)

    taken = leave_until_refused(service)
    until(lambda: charged(service) > 800)
    service.kill()
    service.start()
    refused = leave(service, "one more")
    with closing(Caller(service)) as caller:
        caller.ask("DELETE", taken[0].headers["location"])
    until(lambda: charged(service) < 800)
    again = leave(service, "one more")

    assert 3 <= len(taken) <= 5
    assert (refused.status, again.status) == (429, 202)


@pytest.mark.postgres
def test_two_services_on_one_ledger_share_what_is_left_for_what_waits(
    postgres: PostgresServer, tmp_path: Path, upstream: ScriptedProvider
) -> None:
    upstream.script = busy(3600)
    table = BUDGET.replace("team", tmp_path.name)
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        told(folder, table)
    given: Any = {"upstream": upstream.url, "ledger": postgres.dsn, "environ": SOON}

    with RunningService(folders[0], **given) as one, RunningService(folders[1], **given) as two:
        taken = leave_until_refused(one)
        time.sleep(1)  # charges are shared four times a second
        refused = leave(two, "one more")
        with closing(Caller(two)) as caller:
            caller.ask("DELETE", taken[0].headers["location"])
        until(lambda: leave(one, "one more").status == 202)

    assert refused.status == 429
    assert 3 <= len(taken) <= 5


def test_each_project_has_its_own_budget_for_what_waits(
    serve: Serve, tmp_path: Path, upstream: ScriptedProvider
) -> None:
    told(tmp_path, PROJECTS)
    upstream.script = busy(3600)
    service = serve(environ=SOON)

    one = leave_until_refused(service, x_lichen_project="one")
    two = leave_until_refused(service, x_lichen_project="two")

    assert len(one) == len(two) >= 3


def test_what_was_taken_in_is_settled_once_when_it_is_answered(
    serve: Serve, tmp_path: Path, upstream: ScriptedProvider
) -> None:
    told(tmp_path)
    service = serve(environ=SOON)

    answers = [fetched(service, leave(service, f"n{n}", "20s")) for n in range(3)]
    tokens = sum(json.loads(heard.body)["usage"]["total_tokens"] for heard in answers)
    until(lambda: charged(service) == tokens)
    time.sleep(1.5)  # a sweep later it stands there still

    assert charged(service) == tokens
    assert len(upstream.calls) == 3


def test_a_call_of_the_same_key_is_charged_once(
    serve: Serve, tmp_path: Path, upstream: ScriptedProvider
) -> None:
    told(tmp_path)
    upstream.script = busy(3600)
    service = serve(environ=SOON)

    heard = [leave(service, "the same", idempotency_key="one") for _ in range(9)]

    assert {each.status for each in heard} == {202}
    assert len({each.headers["location"] for each in heard}) == 1
    until(lambda: 200 < charged(service) < 300)


def test_what_expires_without_being_sent_is_given_back(
    serve: Serve, tmp_path: Path, upstream: ScriptedProvider
) -> None:
    told(tmp_path)
    upstream.script = busy(5)
    service = serve(environ={**SOON, "LICHEN_RESILIENCE_RETRIES": "0"})

    left = leave(service, "left", "8s")
    until(lambda: charged(service) > 200)
    service.kill()
    # After a kill its caller's key is not at hand, and nobody shows it.
    service.start()
    until(lambda: charged(service) == 0, within=20)

    assert fetched(service, left).status == 504


def test_what_the_provider_refuses_is_given_back(
    serve: Serve, tmp_path: Path, upstream: ScriptedProvider
) -> None:
    told(tmp_path)
    upstream.script = lambda _: failure(400)
    service = serve(environ=SOON)

    refused = fetched(service, leave(service, "bad", "20s"))

    assert refused.status == 400
    until(lambda: charged(service) == 0)


def test_a_call_that_goes_in_the_providers_batch_is_settled_by_what_it_took(
    serve: Serve, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    told(tmp_path)
    folder = tmp_path / "provider"
    folder.mkdir()
    on = {"LICHEN_BATCH_ENABLED": "on", **SOON}
    with RunningService(folder, upstream=upstream.url, environ=on) as provider:
        service = serve(upstream=provider.url, environ={"LICHEN_BATCH_PROVIDER": "auto", **SOON})
        left = [leave(service, f"n{n}", "25h") for n in range(3)]
        until(lambda: charged(service) > 600 or len(upstream.calls) == 3)
        answers = [fetched(service, each) for each in left]
        tokens = sum(json.loads(heard.body)["usage"]["total_tokens"] for heard in answers)
        until(lambda: charged(service) == tokens)
        service.stop()
    entries = [e for e in service.entries() if e.figures.raw.get("provider_batch")]

    assert len(entries) == 3


def test_random_kills_leave_no_budget_charged_too_little(
    serve: Serve, tmp_path: Path, upstream: ScriptedProvider
) -> None:
    told(tmp_path, BUDGET.replace("1000", '"1G"'))
    Counted(upstream)
    service = serve(environ=SOON)

    with Killed(service, every=(0.2, 0.6), times=4) as killed:
        left = left_by_many(service, [f"call {n}" for n in range(400)], within="6h")
        answers = fetched_by_many(service, left)
    tokens = sum(json.loads(heard.body)["usage"]["total_tokens"] for heard in answers.values())
    most = tokens + killed.kills * 24 * 250  # callers at once, and what is expected of a call
    until(lambda: tokens <= charged(service) <= most, within=20)
    time.sleep(1.5)

    assert killed.kills
    assert tokens <= charged(service) <= most


@pytest.mark.parametrize("many", [3, 9])
def test_a_batch_is_charged_with_its_lines_and_fails_whole_where_there_is_no_room(
    many: int, serve: Serve, connect: Connect, tmp_path: Path, upstream: ScriptedProvider
) -> None:
    told(tmp_path)
    service = serve(environ={"LICHEN_BATCH_ENABLED": "on", **SOON})
    client = connect(service)
    body: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 200}
    asked = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    lines = "\n".join(json.dumps({"custom_id": f"n{n}", **asked}) for n in range(many))

    file = client.files.create(file=("ask.jsonl", lines.encode()), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )

    def look() -> Any:
        now = client.batches.retrieve(batch.id)
        return now if now.status in ("completed", "failed") else None

    ended = until(look, within=20)

    if many == 9:
        assert ended.status == "failed"
        assert ended.errors.data[0].code == "over_budget"
        assert "over budget 'team'" in ended.errors.data[0].message
        until(lambda: charged(service) == 0)
        assert upstream.calls == []
    else:
        said = map(json.loads, client.files.content(ended.output_file_id).text.splitlines())
        tokens = sum(one["response"]["body"]["usage"]["total_tokens"] for one in said)
        until(lambda: charged(service) == tokens)
