"""Calls to the embedded model that come back with what they took: its own timings, and CPU time."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from lichen.calls.local import LocalModel
    from lichen.meter.process import ProcessMeter

SENTENCE = "the lichen on the old stone wall takes what the rain and the light bring and no more; "
# Tokens of one SENTENCE, by SmolLM2's tokenizer.
_TOKENS_A_SENTENCE = 18
_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Took:
    """What one call took: tokens, llama.cpp's timings, wall and CPU time of the child."""

    fresh: int
    cached: int
    written: int
    read_ms: float
    write_ms: float
    wall_s: float
    cpu_s: float


def prompt(tokens: int, opening: str) -> str:
    """Text of about so many tokens, which shares no beginning with another opening."""
    words = (SENTENCE * (tokens // _TOKENS_A_SENTENCE + 2)).split()
    return f"{opening} " + " ".join(words[: tokens * len(SENTENCE.split()) // _TOKENS_A_SENTENCE])


def ask(model: LocalModel, meter: ProcessMeter, text: str, tokens: int) -> Took:
    """One completion at temperature 0 of exactly so many tokens."""
    at = urlsplit(model.url)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=_TIMEOUT_S)
    body = {"prompt": text, "max_tokens": tokens, "temperature": 0, "ignore_eos": True}
    headers = {"content-type": "application/json"}
    before, start = meter.cpu_seconds(), time.perf_counter()
    try:
        connection.request("POST", "/v1/completions", json.dumps(body), headers)
        said = json.load(connection.getresponse())
    finally:
        connection.close()
    wall, cpu = time.perf_counter() - start, meter.cpu_seconds() - before
    timings = said["timings"]
    return Took(
        timings["prompt_n"],
        timings["cache_n"],
        timings["predicted_n"],
        timings["prompt_ms"],
        timings["predicted_ms"],
        wall,
        cpu,
    )
