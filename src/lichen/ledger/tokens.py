"""Tokens: what an LLM call read and wrote, by class, as its raw quantity.

    prefill      input tokens computed afresh
    cache_read   input tokens whose keys and values came from the provider's cache
    cache_write  input tokens computed and kept in the provider's cache
    decode       output tokens the user sees
    reasoning    output tokens thought and not shown

The classes do not overlap. Providers count differently (Anthropic excludes cached tokens from
input, OpenAI and Gemini include them): that is settled at the edge, never here.
"""

from __future__ import annotations

from dataclasses import dataclass

from lichen.ledger.errors import InputError

_CLASSES = ("prefill", "cache_read", "cache_write", "decode", "reasoning")
_WHOLE = {int}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts of one call or a sum of calls.

    Raises:
        InputError: a count is negative or not a whole number.
    """

    prefill: int = 0
    cache_read: int = 0
    cache_write: int = 0
    decode: int = 0
    reasoning: int = 0

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        counts = (self.prefill, self.cache_read, self.cache_write, self.decode, self.reasoning)
        if {*map(type, counts)} == _WHOLE and min(counts) >= 0:
            return
        for name, count in zip(_CLASSES, counts, strict=True):
            if type(count) is not int or count < 0:
                raise InputError(f"{name} must be a whole number of tokens ≥ 0, got {count!r}")

    @property
    def total(self) -> int:
        """All tokens, read and written."""
        return self.input + self.output

    @property
    def input(self) -> int:
        """Tokens read: prefill, cache read and cache write."""
        return self.prefill + self.cache_read + self.cache_write

    @property
    def output(self) -> int:
        """Tokens written: decode and reasoning."""
        return self.decode + self.reasoning

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.prefill + other.prefill,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.decode + other.decode,
            self.reasoning + other.reasoning,
        )
