"""Chores run beside the sending: one that hangs holds up no call and lets no lease run out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lichen.calls.batch.chores import Chores
from lichen.calls.batch.desk import Desk
from lichen.calls.batch.greenest import Zones
from lichen.calls.batch.item import State
from lichen.calls.batch.keyring import Keyring
from lichen.calls.batch.options import BatchOptions
from lichen.calls.batch.queue import Queue, Turn
from lichen.calls.batch.sender import Sender
from lichen.calls.batch.sqlite import SqliteDatabase
from lichen.calls.exchange import Answer
from lichen.testing.queue_samples import sample_item

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.calls.batch.item import Item


@pytest.mark.parametrize("slow", [False, True])
async def test_a_chore_that_hangs_holds_up_no_call(tmp_path: Path, *, slow: bool) -> None:
    ledger = str(tmp_path / "book.db")
    queue = Queue(SqliteDatabase(ledger))
    go, answered = asyncio.Event(), asyncio.Event()
    troubles: list[object] = []

    async def send(_item: Item) -> Answer:
        answered.set()
        if slow:
            await go.wait()
        return Answer(200, [], b"{}")

    sender = Sender(
        Desk(ledger),
        send,
        keyring=Keyring(),
        greenest=Zones(None, lambda _target: "WORLD"),
        options=BatchOptions(lease=0.4),
        warn=troubles.append,
    )
    sender.chores.append(asyncio.Event().wait)  # for ever
    sender.start()
    await asyncio.sleep(0.1)

    queue.add([sample_item(queue, "a")])
    sender.wake()
    async with asyncio.timeout(5):
        await answered.wait()
        await asyncio.sleep(1.0 if slow else 0.3)
    taken = queue.turn(Turn(owner="eager", room=1))
    go.set()
    await sender.close()
    item = queue.get("dfr_a", "tenant one")
    queue.close()

    assert item is not None
    assert (taken, item.state, item.twice, troubles) == ([], State.ANSWERED, False, [])


async def test_a_chore_that_takes_too_long_is_stopped_and_begun_again() -> None:
    begun: list[int] = []
    troubles: list[object] = []
    chores = Chores(troubles.append, longest_s=0.05)

    async def hangs() -> None:
        begun.append(1)
        await asyncio.sleep(60)

    chores.append(hangs)
    for _ in range(2):
        chores.begin()
        chores.begin()
        await asyncio.sleep(0.1)
    await chores.close()

    assert len(begun) == 2
    assert len(troubles) == 1
    assert "longer than 0.05 s" in str(troubles[0])


async def test_a_chore_that_fails_is_told_once_and_leaves_the_others() -> None:
    done: list[int] = []
    troubles: list[object] = []
    chores = Chores(troubles.append)

    async def fails() -> None:
        raise ValueError("broken")

    async def works() -> None:
        done.append(1)

    chores.append(fails)
    chores.append(works)
    for _ in range(3):
        chores.begin()
        await asyncio.sleep(0.01)

    assert (len(done), [str(one) for one in troubles]) == (3, ["broken"])
