"""A peer in a Python of its own: shortens the texts that come in, and says how long it took.

    PYTHON -m benchmarks.compress.peer headroom < cases.json > made.json

In: a list of [text, question]. Out: a list of [text as made, seconds]. Only the standard library
and the peer are imported, so that it runs in an environment without lichen.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TextIO

Shorten = Callable[[str, str], str]


def headroom() -> Shorten:
    """headroom-ai, as its own `compress` does by default, the text the result of a query.

    It leaves what a tool called "read" gives alone, so the tool is called otherwise.
    """
    from headroom import compress  # type: ignore[import-not-found] # noqa: PLC0415

    def shorten(text: str, question: str) -> str:
        call = {"id": "c1", "type": "function", "function": {"name": "query", "arguments": "{}"}}
        made = compress(
            [
                {"role": "user", "content": question},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": text},
            ],
            model="gpt-4o",
        )
        return str(made.messages[-1]["content"])

    return shorten


def toons() -> Shorten:
    """TOON by `toons`, for documents of JSON."""
    import toons as peer  # type: ignore[import-not-found] # noqa: PLC0415

    return lambda text, _question: str(peer.dumps(json.loads(text)))


def toon_format() -> Shorten:
    """TOON by `toon-format`, the notation's own package."""
    from toon_format import encode  # type: ignore[import-not-found] # noqa: PLC0415

    return lambda text, _question: str(encode(json.loads(text)))


PEERS = {"headroom": headroom, "toons": toons, "toon_format": toon_format}


def main(out: TextIO) -> None:
    cases = json.load(sys.stdin)
    shorten = PEERS[sys.argv[1]]()
    shorten(*cases[0])  # the first call loads what it needs
    made: list[tuple[str, float]] = []
    for text, question in cases:
        begun = time.perf_counter()
        try:
            short = shorten(text, question)
        except Exception as error:  # noqa: BLE001 (a peer's failure is a result)
            short = f"failed: {error}"
        made.append((short, time.perf_counter() - begun))
    json.dump(made, out)


if __name__ == "__main__":
    answer, sys.stdout = sys.stdout, sys.stderr  # a peer that prints must not break the answer
    main(answer)
