"""A process that sends what waits and is killed at the nth time it comes to a step.

python sending_child.py LEDGER UPSTREAM STEP NTH
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from lichen.calls.batch.desk import Desk
from lichen.calls.batch.greenest import Greenest
from lichen.calls.batch.keyring import Keyring
from lichen.calls.batch.late import Late
from lichen.calls.batch.options import BatchOptions
from lichen.calls.batch.sender import Sender
from lichen.calls.upstream import HttpUpstream

if TYPE_CHECKING:
    from lichen.calls.batch.item import Item
    from lichen.calls.exchange import Answer


async def main(ledger: str, url: str, step: str, nth: int) -> None:
    upstream = HttpUpstream(url)
    keyring = Keyring()
    late = Late(keyring)
    seen = 0

    async def send(item: Item) -> Answer:
        return await upstream.send(late.exchange(item))

    def told(name: str) -> None:
        nonlocal seen
        seen += name == step
        if name == step and seen == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    desk = Desk(ledger)
    sender = Sender(
        desk,
        send,
        keyring=keyring,
        greenest=Greenest(None, "WORLD"),
        options=BatchOptions(lease=0.3, concurrency=2),
        warn=lambda error: sys.exit(f"{error}"),
        told=told,
    )
    sender.start()
    end = time.monotonic() + 30
    while time.monotonic() < end:
        counts = await desk.work(lambda queue: queue.outlook.counts(None))
        if not counts.waiting and not counts.sending:
            break
        await asyncio.sleep(0.02)
    # Steps that come no more are come to here, so that every kill happens.
    for _ in range(nth):
        told(step)
    await sender.close()
    await desk.close()
    await upstream.close()


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
