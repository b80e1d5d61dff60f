"""Services that share a place for what they learn: the first keeps it, another says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.testing.questions import question

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Connect, Serve

RULE = """
[holdout]
share = 0

[[gate.rule]]
name = "ping"
exact = ["ping"]
answer = "pong"
"""
PING = [{"role": "user", "content": "ping"}]


@pytest.fixture
def shared(tmp_path: Path) -> dict[str, Path]:
    """Settings of services with a rule, whose lengths of answers are learnt, on one folder."""
    (tmp_path / "lichen.toml").write_text(RULE)
    return {"state": tmp_path / "state"}


def ask(connect: Connect, service: RunningService, count: int) -> None:
    """Calls that are answered by the upstream, each another."""
    client = connect(service)
    for _ in range(count):
        client.chat.completions.create(**question(model="learnt"))


def known(connect: Connect, service: RunningService) -> float:
    """From how many answers a service knows how long one would have been."""
    client = connect(service)
    client.chat.completions.create(**question(model="learnt", messages=PING))
    assert service.stop() == 0
    pinged = [e for e in service.entries() if e.figures.strategy == "calls.gate"]
    return float(pinged[-1].figures.raw["answers"])


def test_a_second_service_leaves_what_the_first_learnt_and_says_so_at_its_start(
    serve: Serve, connect: Connect, shared: dict[str, Path]
) -> None:
    first = serve(**shared)
    second = serve(**shared)
    ask(connect, first, 10)
    ask(connect, second, 1)

    assert first.stop() == 0
    assert second.stop() == 0

    third = serve(**shared)
    said = f"another service (process {first.pid}) keeps what it learns in {shared['state']}"
    assert second.said.count(said) == 1
    assert "learnt:     in memory, lost at a stop: another service" in second.said
    assert "another service" not in first.said + third.said
    assert known(connect, third) == 10


def test_a_service_that_was_killed_holds_nobody_up(
    serve: Serve, connect: Connect, shared: dict[str, Path]
) -> None:
    first = serve(**shared)
    first.kill()

    second = serve(**shared)
    ask(connect, second, 10)
    assert second.stop() == 0

    third = serve(**shared)
    assert "another service" not in second.said
    assert known(connect, third) == 10


def test_beside_one_ledger_it_is_the_same(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text(RULE)
    first, second = serve(), serve()
    ask(connect, first, 10)
    ask(connect, second, 1)

    assert first.stop() == 0
    assert second.stop() == 0

    assert second.said.count("another service") == 2
    assert known(connect, serve()) == 10
