"""Calls that wait: accepted once they are on disk, sent once, answered to their caller alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.ledger.sqlite import SqliteStore
from lichen.testing.upstreams import chat_answer, whole

if TYPE_CHECKING:
    from pathlib import Path

    from tests.calls.conftest import Build

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "temperature": 0}


async def test_smoke(build: Build, tmp_path: Path) -> None:
    house = build(whole(chat_answer()), ledger=str(tmp_path / "book.db"))
    await house.gateway.layers.start()
    heard = await house.ask(ASKED, x_lichen_defer="3s")
    print(heard.status, heard.json, heard.answer_headers)
    path = heard.answer_headers["location"].encode()
    answer = await house.ask(b"", method=b"GET", target=path + b"?wait=10")
    print(answer.status, answer.answer, answer.answer_headers)
    print(house.entries, house.troubles)
    other = await house.ask(b"", method=b"GET", target=path, key="sk-two")
    print(other.status)
    await house.gateway.layers.close()
    assert 0
