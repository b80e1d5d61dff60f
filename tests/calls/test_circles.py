"""A call through the whole pipeline leaves nothing to the garbage collector."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from lichen.ledger.errors import UpstreamError
from lichen.testing.callers import answered, request
from lichen.testing.upstreams import chat_answer, chat_frames, failed, streamed, whole

if TYPE_CHECKING:
    from lichen.testing.callers import House
    from lichen.testing.upstreams import Act
    from tests.calls.conftest import Build

ASKED: dict[str, Any] = {"model": "m", "messages": [], "temperature": 0}


@pytest.mark.parametrize(
    ("act", "stream", "leaves"),
    [
        (whole(chat_answer()), False, False),
        (streamed(*chat_frames()), True, False),
        (streamed(*chat_frames()[:2], UpstreamError("broke off")), True, False),
        (streamed(*chat_frames()[:2], 60.0), True, True),
        (failed(), False, False),
    ],
    ids=["whole", "stream", "broken", "left", "failed"],
)
async def test_a_call_leaves_nothing_to_the_collector(
    build: Build,
    act: Act,
    stream: bool,  # noqa: FBT001 (a case of the test)
    leaves: bool,  # noqa: FBT001
) -> None:
    house = build(act)
    await _ask(house, 0, stream=stream, leaves=leaves)
    gc.collect()
    gc.disable()
    try:
        for seed in range(1, 11):
            await _ask(house, seed, stream=stream, leaves=leaves)
        await asyncio.sleep(0)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        ours = [one for one in gc.garbage if type(one).__module__.startswith("lichen.calls")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()

    assert ours == []


async def _ask(house: House, seed: int, *, stream: bool, leaves: bool) -> None:
    made = request({**ASKED, "seed": seed, "stream": stream})
    if not leaves:
        await answered(house.gateway, made)
        return
    asking = asyncio.create_task(answered(house.gateway, made))
    await asyncio.sleep(0.02)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
