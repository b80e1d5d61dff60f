"""The shape: what a cached and a written token cost beside a read one, here and by the model.

For each prompt length L, three calls with the same prompt. The first token written is a by-product
of reading, and one token read alone costs what a written one costs: both are one pass.

    fresh    L tokens read                      read    = E_fresh / L
    again    L − 1 cached, one pass             cached  = (E_again − written) / (L − 1)
    longer   as again, and WRITTEN passes more  written = (E_longer − E_again) / WRITTEN

E is the process meter's, with the interval of a busy CPU's power over the least and the most CPU
time of the repeats. The token model prices the same counts of tokens, at both ends of its interval.
A CPU and an accelerator differ in pace, so the quotient of two classes says more than either: the
power cancels out.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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


class Held(NamedTuple):
    """A value with its 90 % interval. [J]"""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What a token of each class costs at one prompt length."""

    prompt: int
    read: Held
    cached: Held
    written: Held


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
        every = fresh + again + longer
        rows.append(
            Row(
                _cost(meter, fresh, again, longer),
                statistics.median(took.read_ms / took.fresh for took in fresh),
                statistics.median(took.write_ms / took.written for took in longer),
                sum(took.cpu_s for took in every)
                / sum((took.read_ms + took.write_ms) / 1e3 for took in every),
            )
        )
    return rows


def _cost(
    meter: ProcessMeter, fresh: Sequence[Took], again: Sequence[Took], longer: Sequence[Took]
) -> Cost:
    """What each class took at one prompt length."""
    prompt_tokens, cached = fresh[0].fresh + fresh[0].cached, again[0].cached
    writing = [(two.cpu_s - one.cpu_s) / WRITTEN for one, two in zip(again, longer, strict=True)]
    pass_s = statistics.median(writing)
    return Cost(
        prompt_tokens,
        _held(meter, [took.cpu_s / prompt_tokens for took in fresh]),
        _held(meter, [(took.cpu_s - pass_s) / cached for took in again]),
        _held(meter, writing),
    )


def _held(meter: ProcessMeter, seconds: Sequence[float]) -> Held:
    """CPU time of the repeats [s] as energy."""
    power = meter.power
    return Held(
        power.value.in_watts * statistics.median(seconds),
        power.low.in_watts * min(seconds),
        power.high.in_watts * max(seconds),
    )


def modelled(meter: TokenMeter, prompts: Sequence[int]) -> list[Cost]:
    """The same by the token model."""

    def joules(fresh: int, cached: int, written: int) -> Held:
        energy = meter.read(REGISTERED, Tokens(fresh, cached, 0, written)).energy
        return Held(energy.value.in_joules, energy.low.in_joules, energy.high.in_joules)

    def each(more: Held, less: Held, count: int) -> Held:
        # Both are off by the same factors: lows belong to lows, highs to highs.
        value, *ends = ((m - n) / count for m, n in zip(more, less, strict=True))
        return Held(value, min(value, *ends), max(value, *ends))

    nothing = Held(0.0, 0.0, 0.0)
    return [
        Cost(
            length,
            each(joules(length, 0, 0), nothing, length),
            each(joules(1, length - 1, 0), joules(1, 0, 0), length - 1),
            each(joules(length, 0, WRITTEN), joules(length, 0, 0), WRITTEN),
        )
        for length in prompts
    ]


def typical(costs: Sequence[Cost], of: Callable[[Cost], float]) -> float:
    """The median of a quotient over the prompt lengths."""
    return statistics.median(of(cost) for cost in costs)
