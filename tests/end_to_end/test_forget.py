"""`lichen forget` while services run: their copies go as well, and no byte is left in any file."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lichen.assemble import open_store
from lichen.calls.tenant import tenants_of_key
from lichen.ledger.entry import FORGOTTEN
from lichen.testing.provider import usual
from lichen.testing.questions import question
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from openai import OpenAI

    from lichen.testing.postgres import PostgresServer
    from lichen.testing.provider import Received, ScriptedProvider
    from lichen.testing.provider_answers import Reply
    from lichen.testing.redis import RedisServer
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Connect, Serve

WORDS = b"Jane Q. Doe of 12 Elm Street"
TENANT = tenants_of_key("sk-test")[0]


def telling(call: Received) -> Reply:
    """The usual answer, with words in it that somebody will want to be forgotten."""
    reply = usual(call)
    return replace(reply, chunks=tuple(c.replace(b"answer", WORDS) for c in reply.chunks))


def ask(client: OpenAI, asked: dict[str, Any]) -> str:
    """Ask; how it was answered."""
    raw = client.chat.completions.with_raw_response.create(**asked)
    return str(raw.headers["x-lichen-cache"])


def forget(folder: Path, ledger: object, *arguments: str, cache: str = "") -> None:
    """Run the verb as an operator would."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("LICHEN_")}
    told = {"XDG_STATE_HOME": str(folder / "state"), "LICHEN_CACHE": cache}
    subprocess.run(
        [sys.executable, "-m", "lichen", "forget", "--yes", "--ledger", str(ledger), *arguments],
        cwd=folder,
        env=kept | told,
        check=True,
        capture_output=True,
        timeout=60,
    )


def files_with(folder: Path, *marks: bytes) -> list[tuple[str, bytes]]:
    """Which files under a folder hold which of the marks."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    contents = [(path.name, path.read_bytes()) for path in files]
    return [(name, mark) for name, content in contents for mark in marks if mark in content]


@pytest.mark.parametrize("how", [("--tenant", TENANT), ("--contains", "jane q. doe")])
def test_a_running_service_drops_what_was_forgotten_and_no_file_holds_it(
    serve: Serve,
    connect: Connect,
    upstream: ScriptedProvider,
    tmp_path: Path,
    how: tuple[str, str],
) -> None:
    upstream.script = telling
    service: RunningService = serve()
    client = connect(service)
    asked = [question() for _ in range(40)]
    before = [ask(client, each) for each in asked] + [ask(client, each) for each in asked]
    until(lambda: len([e for e in service.entries() if e.tenant == TENANT]) == 80)
    until(lambda: files_with(tmp_path, WORDS))

    forget(tmp_path, service.ledger, *how)
    left = files_with(tmp_path, WORDS)

    assert before == ["miss"] * 40 + ["hit"] * 40
    assert left == []
    # Within seconds: a service that is slow to look gives what it still holds.
    until(lambda: ask(client, asked[0]) == "miss")
    assert [ask(client, each) for each in asked[1:4]] == ["miss"] * 3
    forgotten = [e for e in service.entries() if e.tenant == FORGOTTEN]
    assert len(forgotten) == (80 if how[0] == "--tenant" else 0)


def test_a_tenant_that_has_gone_leaves_no_hash_in_any_file(
    serve: Serve, connect: Connect, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    service = serve()
    client = connect(service)
    for _ in range(300):
        ask(client, question())
    until(lambda: len([e for e in service.entries() if e.tenant == TENANT]) == 300)
    assert files_with(tmp_path, TENANT.encode())

    forget(tmp_path, service.ledger, "--tenant", TENANT)

    assert files_with(tmp_path, TENANT.encode()) == []
    assert upstream.calls
    assert service.get("/readyz")[0] == 200


@pytest.mark.postgres
@pytest.mark.redis
def test_what_services_share_is_forgotten_for_all_of_them(
    serve: Serve,
    connect: Connect,
    upstream: ScriptedProvider,
    postgres: PostgresServer,
    redis_server: RedisServer,
    tmp_path: Path,
) -> None:
    upstream.script = telling
    services = [serve(ledger=postgres.dsn, cache=redis_server.url) for _ in range(2)]
    clients = [connect(service) for service in services]
    asked = question(model="shared-and-forgotten")
    until(lambda: ask(clients[0], asked) == "hit")
    until(lambda: ask(clients[1], asked) == "hit")

    forget(tmp_path, postgres.dsn, "--tenant", TENANT, cache=redis_server.url)

    until(lambda: ask(clients[1], asked) == "miss")
    with closing(open_store(postgres.dsn)) as store:
        found = [e.tenant for e in store.entries() if e.figures.model == "shared-and-forgotten"]
    assert FORGOTTEN in found
