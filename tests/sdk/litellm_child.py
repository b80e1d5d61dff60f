"""A program that calls through LiteLLM with lichen's callback, in one way after the other.

    litellm_child.py URL LEDGER HOW...

It is a process of its own: LiteLLM leaves loops and sockets open, and looks up prices at import.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from typing import Any

import litellm

from lichen.hooks.litellm import LichenLogger

ASK: dict[str, Any] = {
    "model": "openai/gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello there, a secret"}],
    "api_key": "sk-one",
    "num_retries": 0,
    "max_retries": 0,
}
# LiteLLM calls back from a thread of its own, a moment later. [s]
_PATIENCE_S = 20.0


def main(url: str, ledger: str, *hows: str) -> None:
    logger = LichenLogger(ledger, zone="SE-SE3", upstream_zone="DE")
    litellm.callbacks = [logger]
    ask = {**ASK, "api_base": f"{url}/v1"}
    for n, how in enumerate(hows, 1):
        if how == "broken":
            logger.book.close()
        with suppress(litellm.exceptions.InternalServerError):
            made = asyncio.run(later(ask)) if how == "async" else litellm.completion(**ask)
            sys.stdout.write(f"{how}: {made.choices[0].message.content}\n")
        end = time.monotonic() + _PATIENCE_S
        while how != "broken" and time.monotonic() < end:
            if len(list(logger.book.store.entries())) >= n:
                break
            time.sleep(0.05)
    sys.stdout.flush()


async def later(ask: dict[str, Any]) -> Any:
    """A call, and time for its callback."""
    made = await litellm.acompletion(**ask)
    await asyncio.sleep(1)
    return made


main(*sys.argv[1:])
