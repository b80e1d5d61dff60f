"""Calls that wait in a service that is killed: none is lost, and none sent twice unmarked."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lichen.calls.batch.item import State
from lichen.calls.batch.queue import Queue
from lichen.calls.batch.sqlite import SqliteDatabase
from lichen.testing.deferring import Counted, Killed, fetch, leave, marked
from lichen.testing.postgres import PostgresServer, find_programs
from lichen.testing.queue_samples import sample_item
from lichen.testing.service import RunningService
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from lichen.testing.provider import ScriptedProvider
    from tests.end_to_end.conftest import Serve

CHILD = Path(__file__).with_name("sending_child.py")
QUICK = {"LICHEN_BATCH_LEASE": "1s"}


def page_with(service: RunningService, words: str) -> str:
    """The dashboard, once it says that; empty before."""
    page = service.get("/")[1]
    return page if words in page else ""


@pytest.mark.parametrize("nth", [1, 2, 5])
@pytest.mark.parametrize("step", ["planned", "taken", "sent", "answered", "recorded"])
def test_a_kill_at_any_step_loses_no_call(
    tmp_path: Path, upstream: ScriptedProvider, step: str, nth: int
) -> None:
    ledger = tmp_path / "book.db"
    queue = Queue(SqliteDatabase(str(ledger)))
    items = [sample_item(queue, f"{n}", planned_us=0) for n in range(12)]
    queue.add(items)
    counted = Counted(upstream)

    def child(*at: str) -> int:
        command = [sys.executable, str(CHILD), str(ledger), upstream.url, *at]
        return subprocess.run(command, check=False, timeout=60).returncode

    killed = child(step, str(nth))
    ended = child("none", "0")
    states = {item.id: queue.get(item.id, item.tenant) for item in items}
    queue.close()

    assert (killed, ended) == (-9, 0)
    assert {item.state for item in states.values() if item} == {State.ANSWERED}
    assert counted.sent.keys() == {item.key for item in items}
    assert {key for key, many in counted.sent.items() if many > 1} <= marked(str(ledger))


def test_three_hundred_calls_survive_random_kills(
    serve: Serve, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    counted = Counted(upstream)
    service = serve(environ=QUICK)
    keys = [f"call {n}" for n in range(300)]

    with Killed(service, every=(0.1, 0.8), times=4) as killer:
        left = leave(service, keys, within="1h")
        answers = fetch(service, left)
    twice = {key for key, many in counted.sent.items() if many > 1}
    told = {key for key in keys if "x-lichen-maybe-sent-twice" in answers[key].headers}
    service.stop()
    entries = service.entries()
    booked = {e.figures.raw["deferred"] for e in entries if e.figures.raw.get("maybe_sent_twice")}

    assert killer.kills >= 1
    assert set(keys) == counted.sent.keys()
    assert all(b"choices" in heard.body for heard in answers.values())
    assert twice <= told
    assert told == marked(str(tmp_path / "book.db"))
    # A kill may lose the last flush of the ledger, but what is booked as sent twice was told so.
    assert booked <= {left[key].rpartition("/")[2] for key in told}


@pytest.mark.postgres
def test_two_services_on_one_postgresql_send_each_call_once(
    tmp_path: Path, upstream: ScriptedProvider, postgres: PostgresServer
) -> None:
    counted = Counted(upstream)
    how = {"upstream": upstream.url, "ledger": postgres.dsn, "environ": QUICK}
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    keys = [f"call {n}" for n in range(120)]

    with RunningService(folders[0], **how) as one, RunningService(folders[1], **how) as two:  # type: ignore[arg-type]
        left = leave(one, keys, within="1h")
        answers = fetch(two, left)
        more = leave(two, [f"more {n}" for n in range(40)], within="1h")
        two.kill()
        rest = fetch(one, more)
        until(lambda: sum(counted.sent.values()) >= 160)

    told = {
        key
        for key, heard in {**answers, **rest}.items()
        if "x-lichen-maybe-sent-twice" in heard.headers
    }
    assert counted.sent.keys() == set(keys) | more.keys()
    assert {key for key, many in counted.sent.items() if many > 1} <= told
    assert not told & set(keys)


@pytest.mark.postgres
def test_a_postgresql_that_is_restarted_under_load_loses_no_call(
    tmp_path: Path, upstream: ScriptedProvider
) -> None:
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    counted = Counted(upstream)
    keys = [f"call {n}" for n in range(150)]

    with (
        PostgresServer(programs) as server,
        RunningService(
            tmp_path, upstream=upstream.url, ledger=server.dsn, environ=QUICK
        ) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        leaving = pool.submit(leave, service, keys, within="1h")
        until(lambda: counted.sent)
        server.stop()
        server.start()
        left = leaving.result()
        answers = fetch(service, left)

    told = {key for key in keys if "x-lichen-maybe-sent-twice" in answers[key].headers}
    assert counted.sent.keys() == set(keys)
    assert {key for key, many in counted.sent.items() if many > 1} <= told


def test_the_dashboard_shows_what_waits(serve: Serve, upstream: ScriptedProvider) -> None:
    service = serve(environ={**QUICK, "LICHEN_BATCH_REQUESTS_PER_MINUTE": "1"})

    left = leave(service, ["one", "two", "three", "four"], within="1h")
    page = until(lambda: page_with(service, "Calls that wait"))
    metrics = service.get("/metrics")[1]

    assert len(left) == 4
    assert "being sent" in page
    assert "lichen_deferred_waiting_calls" in metrics
    assert upstream.url
