"""Portions: one call for embeddings as the parts of those who asked together.

    share of a caller in a count N = largest remainder of N · wᵢ / Σ w,  Σ shares = N

N   a count of the whole answer's usage [token]
w   the length of a caller's inputs: tokens where they came as tokens, else bytes

Source: OpenAI API reference, "Create embeddings"; H. Hamilton's method of largest remainders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.exchange import Call


def inputs_of(call: Call) -> list[Any] | None:
    """The inputs of an embeddings call, one by one; None where lichen cannot tell them apart."""
    given = call.fields.get("input")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        return None
    if all(isinstance(each, int) for each in given):
        return [given]
    texts = all(isinstance(each, str) for each in given)
    tokens = all(isinstance(each, list) for each in given)
    return given if texts or tokens else None


def is_tokens(given: Any) -> bool:
    """Whether an input, or all of them, came as tokens."""
    return isinstance(given, list) and not isinstance(given[0], str)


def parted(answered: bytes, inputs: Sequence[Sequence[Any]]) -> list[tuple[bytes, bool]] | None:
    """Each caller's body, and whether its share of the tokens is exact; None: it does not fit."""
    try:
        whole = orjson.loads(answered)
    except orjson.JSONDecodeError:
        return None
    data = whole.get("data") if isinstance(whole, dict) else None
    sizes = [len(each) for each in inputs]
    if not isinstance(data, list) or len(data) != sum(sizes):
        return None
    by_index = {one.get("index"): one for one in data if isinstance(one, dict)}
    if set(by_index) != set(range(len(data))):
        return None
    usages, exact = _usages(whole.get("usage"), inputs)
    made, at = [], 0
    for size, usage in zip(sizes, usages, strict=True):
        mine = [{**by_index[at + place], "index": place} for place in range(size)]
        body = {**whole, "data": mine}
        if usage is not None:
            body["usage"] = usage
        made.append((orjson.dumps(body), exact))
        at += size
    return made


def _usages(
    usage: Any, inputs: Sequence[Sequence[Any]]
) -> tuple[list[dict[str, Any] | None], bool]:
    """Each caller's usage, and whether the shares are exact."""
    weights = [weight(each) for each in inputs]
    if not isinstance(usage, dict):
        return [None] * len(weights), False
    total = usage.get("prompt_tokens")
    exact = all(is_tokens(each) for each in inputs) and sum(weights) == total
    made: list[dict[str, Any]] = [dict(usage) for _ in weights]
    for name, value in usage.items():
        if type(value) is int:
            for each, share in zip(made, shares(value, weights), strict=True):
                each[name] = share
    return list(made), exact


def weight(inputs: Sequence[Any]) -> int:
    """How long inputs are: tokens where they came as tokens, else bytes; at least 1 each."""
    lengths = (
        len(one.encode("utf-8", "replace")) if isinstance(one, str) else len(one) for one in inputs
    )
    return sum(max(1, length) for length in lengths)


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """A whole number in parts by weight, that add up to it exactly (largest remainder)."""
    whole = sum(weights)
    made = [total * weight // whole for weight in weights]
    rest = sorted(range(len(weights)), key=lambda at: -(total * weights[at] % whole))
    for at in rest[: total - sum(made)]:
        made[at] += 1
    return made
