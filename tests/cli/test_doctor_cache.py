"""`lichen doctor` on a cache that services share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lichen.testing.redis import RedisServer
    from tests.cli.conftest import Run

pytestmark = pytest.mark.redis


def cache_row(run: Run) -> dict[str, str]:
    """What is said of the cache."""
    checks = json.loads(run("doctor", "--json", "--port", 1).stdout)["checks"]
    [row] = [check for check in checks if check["what"] == "cache"]
    assert isinstance(row, dict)
    return row


def test_a_shared_cache_that_answers_is_fine(
    run: Run, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LICHEN_CACHE", redis_server.url)

    row = cache_row(run)

    assert row["state"] == "ok"
    assert redis_server.password not in str(row)


@pytest.mark.parametrize("wrong", ["password", "server"])
def test_one_that_cannot_be_reached_is_unavailable_and_no_password_is_shown(
    run: Run, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("LICHEN_CACHE", redis_server.url_with("wr0ng"))
    if wrong == "server":
        redis_server.kill()

    row = cache_row(run)

    assert row["state"] == "unavailable"
    assert "is lost" in row["says"]
    assert "wr0ng" not in str(row)


def test_an_address_that_cannot_be_read_is_broken(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LICHEN_CACHE", "redis://:secret@host:port")

    row = cache_row(run)

    assert row["state"] == "broken"
    assert "secret" not in str(row)
