"""The shape: what a cached and a written token cost beside a read one, here and by the model.

For each prompt length L, three calls with the same prompt. The first token written is a by-product
of reading, and one token read alone costs what a written one costs: both are one pass.

    fresh    L tokens read                      read    = E_fresh / L
    again    L − 1 cached, one pass             cached  = (E_again − written) / (L − 1)
    longer   as again, and WRITTEN passes more  written = (E_longer − E_again) / WRITTEN

E is the process meter's. The token model prices the same counts of tokens. A CPU and an accelerator
differ in pace, so only quotients are compared.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.local.asking import ask, prompt
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.local.asking import Took
    from lichen.calls.local import LocalModel
    from lichen.meter.process import ProcessMeter
    from lichen.meter.tokens import TokenMeter

WRITTEN = 32
REGISTERED = "SmolLM2-135M"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a token of each class costs at one prompt length. [J]"""

    prompt: int
    read: float
    cached: float
    written: float


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt length, measured: energy, and llama.cpp's own timings per token. [ms]"""

    cost: Cost
    read_ms: float
    write_ms: float
    cpu_per_timed: float


def measured(
    model: LocalModel, meter: ProcessMeter, lengths: Sequence[int], repeats: int
) -> list[Row]:
    """The cost of tokens on this machine, at several prompt lengths."""
    watts = meter.power.value.in_watts
    rows = []
    for length in lengths:
        fresh: list[Took] = []
        again: list[Took] = []
        longer: list[Took] = []
        for turn in range(repeats):
            text = prompt(length, f"{length}.{turn}")
            fresh.append(ask(model, meter, text, 1))
            again.append(ask(model, meter, text, 1))
            longer.append(ask(model, meter, text, 1 + WRITTEN))
        first, second, third = (
            watts * statistics.median(took.cpu_s for took in each)
            for each in (fresh, again, longer)
        )
        every = fresh + again + longer
        read, written = fresh[0].fresh + fresh[0].cached, (third - second) / WRITTEN
        rows.append(
            Row(
                Cost(read, first / read, (second - written) / again[0].cached, written),
                statistics.median(took.read_ms / took.fresh for took in fresh),
                statistics.median(took.write_ms / took.written for took in longer),
                sum(took.cpu_s for took in every)
                / sum((took.read_ms + took.write_ms) / 1e3 for took in every),
            )
        )
    return rows


def modelled(meter: TokenMeter, prompts: Sequence[int]) -> list[Cost]:
    """The same by the token model."""

    def joules(fresh: int, cached: int, written: int) -> float:
        tokens = Tokens(prefill=fresh, cache_read=cached, decode=written)
        return meter.read(REGISTERED, tokens).energy.value.in_joules

    return [
        Cost(
            length,
            joules(length, 0, 0) / length,
            (joules(1, length - 1, 0) - joules(1, 0, 0)) / (length - 1),
            (joules(length, 0, WRITTEN) - joules(length, 0, 0)) / WRITTEN,
        )
        for length in prompts
    ]


def typical(costs: Sequence[Cost], of: Callable[[Cost], float]) -> float:
    """The median of a quotient over the prompt lengths."""
    return statistics.median(of(cost) for cost in costs)
