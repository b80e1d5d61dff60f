"""The key: one hash of everything that changes an answer, and of nothing else.

    key = SHA-256(scope ‖ upstream ‖ target ‖ headers that matter ‖ canonical JSON)

The scope is the tenant, so that no two credentials share an answer unless a route says so. SHA-256
because the processor has instructions for it: canonical JSON and hash cost less than a microsecond,
so no weaker hash is worth its risk.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from lichen.calls.openai import canonical

if TYPE_CHECKING:
    from lichen.calls.exchange import Call, Headers

# Request headers that choose an account, a project or an API version, and so can change the answer.
# Source: OpenAI API reference, "Authentication" and "Beta headers".
TELLING = frozenset((b"openai-organization", b"openai-project", b"openai-beta"))
_LONG_NUMBER = re.compile(rb"\d{17}")


def key_of(call: Call, *, scope: str, upstream: str, target: str, headers: Headers) -> bytes:
    """The key of a call, 32 bytes."""
    told = b"\n".join(b"%b=%b" % pair for pair in headers if pair[0] in TELLING)
    prefix = f"{scope}\n{upstream}\n{target}\n".encode()
    return hashlib.sha256(b"%b%b\0%b" % (prefix, told, canonical(call.fields))).digest()


def is_exact(body: bytes) -> bool:
    """Whether the body's numbers survive reading: integers beyond 64 bits would be rounded."""
    return _LONG_NUMBER.search(body) is None
