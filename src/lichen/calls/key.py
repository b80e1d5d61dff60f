"""The key: one hash of everything that changes an answer, and of nothing else.

    key = SHA-256(scope ‖ upstream ‖ target ‖ headers that matter ‖ canonical JSON)

The scope is the tenant, so that no two credentials share an answer unless a route says so. SHA-256
because the processor has instructions for it: canonical JSON and hash cost less than a microsecond,
so no weaker hash is worth its risk.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from lichen.calls.openai import canonical

if TYPE_CHECKING:
    from lichen.calls.exchange import Call, Headers

# Request headers that choose an account, a project or an API version, and so can change the answer.
# Source: OpenAI API reference, "Authentication" and "Beta headers".
TELLING = frozenset((b"openai-organization", b"openai-project", b"openai-beta"))
# Integers of 64 bits survive reading; beyond, they become floats of at least this size.
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_LARGE_FLOAT = 2.0**63
# A body's digits made alike, and its exponents, to see at once whether any number in it is large.
_ALIKE = bytes.maketrans(b"123456789+E", b"0000000000e")
_LONG = b"0" * 19
_EXPONENT = b"0e0"


def key_of(call: Call, *, scope: str, upstream: str, target: str, headers: Headers) -> bytes:
    """The key of a call, 32 bytes; empty where it has none: it is nested too deep to write down."""
    try:
        asked = canonical(call.kind, call.fields)
    except TypeError:
        return b""
    told = sorted(b"%b=%b" % pair for pair in headers if pair[0] in TELLING)
    prefix = f"{scope}\n{upstream}\n{target}\n".encode()
    return hashlib.sha256(b"%b%b\0%b" % (prefix, b"\n".join(told), asked)).digest()


def is_exact(body: bytes) -> bool:
    """Whether the body's numbers survive reading: integers beyond 64 bits are rounded to floats.

    A call that is not exact has no key, and none that is can have the key it would have had.
    """
    alike = body.translate(_ALIKE)
    if _LONG not in alike and _EXPONENT not in alike:
        return True
    try:
        json.loads(body, parse_int=_fitting, parse_float=_small)
    except (ValueError, RecursionError):
        return False
    return True


def _fitting(text: str) -> int:
    number = int(text)
    if not _SMALLEST <= number <= _LARGEST:
        raise ValueError(text)
    return number


def _small(text: str) -> float:
    number = float(text)
    if abs(number) >= _LARGE_FLOAT:
        raise ValueError(text)
    return number
