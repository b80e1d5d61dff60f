"""Tokens: how many a text has, by the tokenizer of the model's family.

    o200k_base    gpt-4o, gpt-4.1, gpt-5 and later, o1, o3, o4, gpt-oss   real
    cl100k_base   gpt-4, gpt-3.5, text-embedding-3, ada-002               real
    anything else by o200k_base                                           an estimate, and says so

The ranks lie in the package `rs-bpe`: nothing is downloaded. A provider's own count of a whole call
is the truth, where it gives one; these are for what it does not count, such as a text before it was
shortened. Without `rs-bpe` a text has a token for each four bytes, an estimate.

Source: OpenAI, tiktoken, `model.py` (which model has which encoding), 2026-11. That `rs-bpe` counts
as tiktoken does is measured in docs/decisions/0013-shorter-prompts.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

from lichen.ledger.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

# Models by how their names begin, once what stands before a slash is taken off.
# Source: tiktoken, `MODEL_PREFIX_TO_ENCODING` and `MODEL_TO_ENCODING`; the first that fits holds.
_FAMILIES = (
    ("gpt-4o", "o200k_base"),
    ("chatgpt-4o", "o200k_base"),
    ("gpt-4.", "o200k_base"),
    ("gpt-oss", "o200k_base"),
    ("gpt-4", "cl100k_base"),
    ("gpt-3.5", "cl100k_base"),
    ("gpt-35", "cl100k_base"),
    ("gpt-", "o200k_base"),
    ("o1", "o200k_base"),
    ("o3", "o200k_base"),
    ("o4", "o200k_base"),
    ("text-embedding-", "cl100k_base"),
)
_STAND_IN = "o200k_base"
# Source: OpenAI Help Center, "What are tokens and how to count them?" [byte]
_BYTES_PER_TOKEN = 4


class Tokenizer(Protocol):
    """Counts the tokens of a text."""

    @property
    def name(self) -> str:
        """Which encoding it is."""
        ...

    @property
    def is_estimate(self) -> bool:
        """Whether its counts are but near those of the model."""
        ...

    def count(self, text: str) -> int:
        """How many tokens a text has; none where it is empty. [token]"""
        ...


@dataclass(frozen=True, slots=True)
class _Counting:
    name: str
    is_estimate: bool
    _count: Callable[[str], int]

    def count(self, text: str) -> int:
        """How many tokens a text has. [token]"""
        try:
            return self._count(text)
        except UnicodeEncodeError:  # half of a pair of surrogates
            return self._count(text.encode("utf-8", "replace").decode())


def tokenizer_for(model: str) -> Tokenizer:
    """The tokenizer of a model, or the nearest to it that there is, marked an estimate."""
    family = encoding_of(model)
    try:
        count = _ranks(family or _STAND_IN)
    except MissingExtra:
        return _Counting("bytes/4", is_estimate=True, _count=_by_bytes)
    return _Counting(family or _STAND_IN, is_estimate=not family, _count=count)


def encoding_of(model: str) -> str:
    """The encoding of a model whose tokenizer is public; empty for any other."""
    name = model.rpartition("/")[2].lower()
    name = name.removeprefix("ft:")
    return next((encoding for start, encoding in _FAMILIES if name.startswith(start)), "")


@cache
def _ranks(encoding: str) -> Callable[[str], int]:
    """Counts by an encoding of `rs-bpe`; loading one takes some 40 ms and 50 MB.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        from rs_bpe.bpe import openai  # noqa: PLC0415 (heavy)
    except ImportError as error:
        raise MissingExtra("counting tokens", "rs-bpe", "compress") from error
    made: Callable[[str], int] = getattr(openai, encoding)().count
    return made


def _by_bytes(text: str) -> int:
    size = len(text.encode("utf-8", "replace"))
    return (size + _BYTES_PER_TOKEN - 1) // _BYTES_PER_TOKEN
