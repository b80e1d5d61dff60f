"""Coefficients: energy and embodied carbon per token of each class for one size of model.

    E = Σ nᵢ·eᵢ        n = fresh, read, written, output, looked back at while reading, while writing

The pairs say how far attention looks back: every fresh token at all before it, every output token
at the whole context. Made once a model by drawing every factor some hundred times; a call is then
a sum of products. Errors are fully correlated over classes: lows add to lows.

Source: docs/method/energy.md and docs/method/embodied.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from lichen.meter import token_physics as physics
from lichen.meter.token_spread import interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.meter.models import Size
    from lichen.meter.token_factors import Draw

CLASSES = ("prefill", "cache_read", "cache_write", "decode", "prefill_pair", "decode_pair")
PARTS = ("accelerator", "host", "idle", "overhead")

Vector = tuple[float, float, float, float, float, float]


class Use(NamedTuple):
    """What one token takes of an accelerator: energy [J], time [s], and host energy [J]."""

    joules: float
    seconds: float
    host: float = 0.0


class Bill(NamedTuple):
    """What one token costs: energy by part [J], and embodied carbon [gCO₂e]."""

    accelerator: float
    host: float
    idle: float
    overhead: float
    embodied: float

    @property
    def energy(self) -> float:
        """Energy at the wall of the data centre. [J]"""
        return self.accelerator + self.host + self.idle + self.overhead


@dataclass(frozen=True, slots=True)
class Interval:
    """5 %, 50 % and 95 % points of one quantity per token, by class."""

    low: Vector
    value: Vector
    high: Vector

    def of(self, counts: Vector) -> tuple[float, float, float]:
        """Low, value and high of a call with these counts."""
        # Three sums of products, written out: every call passes here twice.
        a, b, c, d, e, f = counts
        u, v, w, x, y, z = self.low
        low = a * u + b * v + c * w + d * x + e * y + f * z
        u, v, w, x, y, z = self.value
        value = a * u + b * v + c * w + d * x + e * y + f * z
        u, v, w, x, y, z = self.high
        return low, value, a * u + b * v + c * w + d * x + e * y + f * z


def prefill_use(draw: Draw, teraflop: float) -> Use:
    """Arithmetic at the pace of compute."""
    joules = draw.serving_stack * physics.prefill_joules(
        teraflop,
        draw.flop_joules,
        draw.flop_utilisation,
        draw.prefill_power,
        draw.weight_bits,
    )
    return Use(joules, joules / (draw.prefill_power * draw.power_limit))


def cache_read_use(draw: Draw, gigabytes: float) -> Use:
    """Keys and values come from where they were kept, and the accelerator waits."""
    seconds = gigabytes / draw.cache_bandwidth
    return Use(seconds * draw.idle_power * draw.power_limit, seconds)


def cache_write_use(draw: Draw, active: float, gigabytes: float) -> Use:
    """Prefill, then keys and values move to where they are kept, and are kept."""
    fresh = prefill_use(draw, physics.forward_teraflop(active))
    moved = cache_read_use(draw, gigabytes)
    kept = gigabytes * draw.cache_hold_power * draw.cache_hold_time
    return Use(fresh.joules + moved.joules, fresh.seconds + moved.seconds, kept)


def decode_use(draw: Draw, total: float, active: float) -> Use:
    """One token written, its share of the batch's step."""
    batch = max(draw.batch, 1.0)
    gpus = physics.gpu_count(total, draw.weight_bits, draw.gpu_memory)
    fitted = draw.decode_residual * (
        draw.weight_joules
        * physics.touched_gigabytes(total, active, draw.weight_bits, batch)
        / batch
        + draw.step_joules * gpus / batch
        + draw.decode_flop_joules * physics.forward_teraflop(active)
        + draw.token_joules * gpus
    )
    joules = physics.ecologits_joules(total, active, batch)
    seconds = physics.ecologits_seconds(total, active, batch)
    return Use(
        draw.serving_stack * physics.blend(fitted, joules, draw.model_form),
        draw.serving_stack * physics.blend(fitted / draw.decode_power, seconds, draw.model_form),
    )


def decode_pair_use(draw: Draw, gigabytes: float) -> Use:
    """One output token reads the keys and values of one token before it."""
    joules = gigabytes * draw.kv_joules
    return Use(joules, joules / draw.decode_power)


def uses(draw: Draw, size: Size) -> tuple[Use, ...]:
    """What one token of each class takes, in the order of `CLASSES`."""
    total, active = size.at(draw.size)
    gigabytes = physics.kv_gigabytes(active, draw.kv_scale)
    attention = physics.attention_teraflop(active, draw.attention_scale)
    return (
        prefill_use(draw, physics.forward_teraflop(active)),
        cache_read_use(draw, gigabytes),
        cache_write_use(draw, active, gigabytes),
        decode_use(draw, total, active),
        prefill_use(draw, attention),
        decode_pair_use(draw, gigabytes),
    )


def bill(draw: Draw, use: Use) -> Bill:
    """Everything that comes with the use of an accelerator."""
    host = physics.host_joules(use.seconds, draw.host_power) + use.host
    idle_watts = (
        draw.idle_power * draw.power_limit + draw.idle_host * draw.host_power / physics.SERVER_GPUS
    )
    idle = physics.idle_joules(use.seconds, draw.utilisation, idle_watts)
    grams = physics.embodied_grams_per_second(
        draw.gpu_embodied, draw.server_embodied, draw.lifetime, draw.utilisation
    )
    overhead = (use.joules + host + idle) * (draw.pue - 1)
    return Bill(use.joules, host, idle, overhead, use.seconds * grams)


def bills(size: Size, draws: Sequence[Draw]) -> list[list[Bill]]:
    """For each class, what one token costs under each draw."""
    by_draw = [[bill(draw, use) for use in uses(draw, size)] for draw in draws]
    return [list(column) for column in zip(*by_draw, strict=True)]


def spread_of(columns: Sequence[Sequence[Bill]], quantity: str) -> Interval:
    """The interval of one quantity of the bill, by class."""
    points = [interval([getattr(one, quantity) for one in column]) for column in columns]
    low, value, high = zip(*points, strict=True)
    return Interval(low, value, high)
