"""The energy of a token, step by step: each function is named for the quantity it returns.

Decode moves weights: one pass over them serves a whole batch, so energy per token falls as the
batch grows, down to the arithmetic and the attention that no neighbour can share.

    E_fit = w·W/B + s·G/B + f·2A + t·G         W = N·(1 − (1 − A/N)^B)·bits/8
    E_decode = x·(r·E_fit)^(1−m)·E_ecologits^m

Prefill is arithmetic: E_prefill = x·2A·j/u·p. All of it takes accelerator time, and every second
brings its share of the host, of idle machines, of the building, and of the hardware's making.

A, N    active and total parameters   [billion]     B     batch                    [1]
W       weights touched in a step     [GB]          G     accelerators of a copy   [1]
w, f, j energy per GB, per TFLOP      [J]           s, t  per step, per token      [J]
r, x, m residual, stack, model form   [1]           u, p  share of peak, of power  [1]

Source: docs/method/energy.md, which says where each equation and factor comes from.
"""

from __future__ import annotations

import math

# Source: ecologits 0.11.3, impacts/llm.py: GPU_ENERGY_ALPHA, _BETA, _GAMMA, a regression on
# ML.ENERGY data at batches of 64, 128 and 256. [Wh/token/billion, 1, Wh/token]
ECOLOGITS_ALPHA = 1.1665273170451914e-06
ECOLOGITS_BETA = -0.011205921025579175
ECOLOGITS_GAMMA = 4.052928146734005e-05
# Source: the same file: LATENCY_ALPHA, _BETA, _GAMMA. [s/token/billion, s/token, s/token]
ECOLOGITS_LATENCY_ALPHA = 0.0006785088094353663
ECOLOGITS_LATENCY_BETA = 0.0003119310311688259
ECOLOGITS_LATENCY_GAMMA = 0.019473717579473387
# Source: ecologits 0.11.3: GPU_MEMORY [GB] and MODEL_QUANTIZATION_BITS [bit].
ECOLOGITS_MEMORY = 80.0
ECOLOGITS_BITS = 16.0
# Source: ecologits 0.11.3, model_required_memory: weights and a fifth for all else. [1]
MEMORY_OVERHEAD = 1.2
# Source: NVIDIA DGX H100 data sheet; AWS p5.48xlarge: accelerators in one server. [1]
SERVER_GPUS = 8
# Source: token_measurements.csv, its smallest batch. [1]
SMALLEST_BATCH = 8.0
# Source: Kaplan et al. 2020, arXiv 2001.08361, section 2.1: one multiply and one add a parameter.
FLOP_PER_PARAMETER = 2.0
# Source: least squares in logarithms over token_architectures.csv. [B/token, 1]
KV_BYTES_AT_1B = 46_800.0
KV_EXPONENT = 0.39
# Source: the same: 4·layers·heads·head size, for the scores and for the weighted sum. [FLOP, 1]
ATTENTION_FLOP_AT_1B = 214_000.0
ATTENTION_EXPONENT = 0.623
JOULES_PER_WH = 3600.0
SECONDS_PER_YEAR = 365.25 * 24 * 3600
GRAMS_PER_KG = 1000.0


def kv_gigabytes(active: float, kv_scale: float) -> float:
    """Keys and values of one token of context. [GB]"""
    return kv_scale * KV_BYTES_AT_1B * math.pow(active, KV_EXPONENT) / 1e9


def attention_teraflop(active: float, attention_scale: float) -> float:
    """Arithmetic of one token looking back at one other. [TFLOP]"""
    return attention_scale * ATTENTION_FLOP_AT_1B * math.pow(active, ATTENTION_EXPONENT) / 1e12


def forward_teraflop(active: float) -> float:
    """Arithmetic of one token through the active parameters. [TFLOP]"""
    return FLOP_PER_PARAMETER * active / 1e3


def gpu_count(total: float, bits: float, memory: float) -> int:
    """Accelerators that hold one copy of the model, rounded up to a power of two. [1]"""
    needed = math.ceil(MEMORY_OVERHEAD * total * bits / 8 / memory)
    return 1 << (needed - 1).bit_length()


def touched_gigabytes(total: float, active: float, bits: float, batch: float) -> float:
    """Weights read in one step: the more requests, the more experts one of them wants. [GB]

    Below the smallest batch measured a step is taken to cost what it costs there: few requests want
    few experts, but a step that small waits for latency, not for memory.
    """
    unread = math.pow(1 - min(active / total, 1.0), max(batch, SMALLEST_BATCH))
    return total * (1 - unread) * bits / 8


def ecologits_joules(total: float, active: float, batch: float) -> float:
    """Accelerator energy of one decoded token by ecologits' regression. [J]"""
    per_gpu = ECOLOGITS_ALPHA * math.exp(ECOLOGITS_BETA * batch) * active + ECOLOGITS_GAMMA
    return per_gpu * JOULES_PER_WH * gpu_count(total, ECOLOGITS_BITS, ECOLOGITS_MEMORY)


def ecologits_seconds(total: float, active: float, batch: float) -> float:
    """Accelerator time of one decoded token by ecologits' regression. [s]"""
    step = (
        ECOLOGITS_LATENCY_ALPHA * active + ECOLOGITS_LATENCY_BETA * batch + ECOLOGITS_LATENCY_GAMMA
    )
    return step / batch * gpu_count(total, ECOLOGITS_BITS, ECOLOGITS_MEMORY)


def blend(ours: float, theirs: float, share: float) -> float:
    """Geometric blend of two estimates, `share` of it theirs. [as given]"""
    return math.exp((1 - share) * math.log(ours) + share * math.log(theirs))


def prefill_joules(
    teraflop: float, flop_joules: float, utilisation: float, power: float, bits: float
) -> float:
    """Accelerator energy of prefill arithmetic; eight-bit arithmetic is twice as fast. [J]"""
    return teraflop * flop_joules * (bits / ECOLOGITS_BITS) / utilisation * power


def host_joules(seconds: float, host_power: float) -> float:
    """A server's own share of accelerator time: CPU, memory, network, fans. [J]"""
    return seconds * host_power / SERVER_GPUS


def idle_joules(seconds: float, utilisation: float, idle_watts: float) -> float:
    """Machines kept ready while nobody asks, per second of serving. [J]"""
    return seconds * (1 - utilisation) / utilisation * idle_watts


def embodied_grams_per_second(
    gpu_kg: float, server_kg: float, lifetime_years: float, utilisation: float
) -> float:
    """Embodied carbon of one second of one accelerator in use: TE/EL·RR/ToR. [gCO₂e/s]"""
    share_kg = gpu_kg + server_kg / SERVER_GPUS
    return share_kg * GRAMS_PER_KG / (lifetime_years * SECONDS_PER_YEAR * utilisation)
