"""`lichen serve` on a ledger in PostgreSQL, whose server goes away and comes back."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from lichen.assemble import open_store
from lichen.testing.questions import question
from lichen.testing.service import ServiceEnded
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from openai import OpenAI

    from lichen.testing.postgres import PostgresServer
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Connect, Serve

pytestmark = pytest.mark.postgres
PING = [{"role": "user", "content": "ping"}]
RULE = """
[holdout]
share = 0

[[gate.rule]]
name = "ping"
exact = ["ping"]
answer = "pong"
"""


def ask(client: OpenAI, times: int) -> list[str]:
    """New calls, each sent twice; how each was answered."""
    raw = client.chat.completions.with_raw_response
    asked = [question(model="in-postgres") for _ in range(times)]
    return [raw.create(**each).headers["x-lichen-cache"] for each in asked for _ in range(2)]


def booked(postgres: PostgresServer) -> int:
    """How many of these calls stand in the ledger."""
    with closing(open_store(postgres.dsn)) as store:
        return sum(entry.figures.model == "in-postgres" for entry in store.entries())


def test_a_server_that_goes_away_breaks_no_call_and_loses_none(
    postgres: PostgresServer, serve: Serve, connect: Connect
) -> None:
    service: RunningService = serve(ledger=postgres.dsn)
    client = connect(service)
    before = ask(client, 3)
    until(lambda: booked(postgres) == 6)
    postgres.stop()

    try:
        begun = time.monotonic()
        without = ask(client, 10)
        took = time.monotonic() - begun
        page = service.get("/")[0]
        until(lambda: "cannot be used" in service.said)
    finally:
        postgres.start()
    until(lambda: booked(postgres) == 26)

    assert before + without == ["miss", "hit"] * 13
    assert took < 5
    assert page == 503
    assert postgres.password not in service.said
    assert service.stop() == 0


def test_a_server_that_is_not_there_is_refused_with_the_way_out_and_no_password(
    postgres: PostgresServer, serve: Serve
) -> None:
    postgres.stop()

    try:
        with pytest.raises(ServiceEnded, match=r"cannot be used: .*; ") as caught:
            serve(ledger=postgres.dsn)
    finally:
        postgres.start()

    assert caught.value.code == 2
    assert postgres.password not in caught.value.said
    assert "Traceback" not in caught.value.said


def test_what_is_learnt_outlives_a_restart_in_a_folder_and_is_said_to_be_lost_without_one(
    postgres: PostgresServer, serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "lichen.toml").write_text(RULE)
    without = serve(ledger=postgres.dsn)
    assert without.stop() == 0

    for _ in range(2):
        service = serve(ledger=postgres.dsn, state=tmp_path / "state")
        client = connect(service)
        ask(client, 10)
        client.chat.completions.create(**question(model="in-postgres", messages=PING))
        assert service.stop() == 0

    assert "in memory, lost at a stop (lengths of answers): set LICHEN_STATE" in without.said
    assert f"learnt:     {tmp_path / 'state'}" in service.said
    with closing(open_store(postgres.dsn)) as store:
        answers = [e.figures.raw["answers"] for e in store.entries(strategy="calls.gate")]
    assert answers == [10, 20]
