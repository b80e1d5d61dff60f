"""The key: one hash of everything that changes an answer, and of nothing else.

    key = SHA-256(scope ‖ upstream ‖ target ‖ level ‖ headers that matter ‖ canonical JSON)

The level is how far the prompt may be shortened (level.py); nothing where it goes as it came.

The scope is the tenant, so that no two credentials share an answer unless a route says so. SHA-256
because the processor has instructions for it: canonical JSON and hash cost less than a microsecond,
so no weaker hash is worth its risk.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.exchange import CREDENTIALS, HOP_BY_HOP
from lichen.calls.level import OFF, WISH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.exchange import Call, Headers

# Request headers that speak of the connection, the client's program or one attempt, and the
# credential, which is the tenant. Every other header may choose a deployment, an account or an API
# version, or be a credential of another kind: it counts, so that what nobody here has heard of
# divides and never mixes.
# Source: RFC 9110; W3C Trace Context; the own headers of the official
# clients of OpenAI, Anthropic and Gemini.
_INDIFFERENT = (
    HOP_BY_HOP
    | CREDENTIALS
    | frozenset(
        (
            b"accept",
            b"accept-encoding",
            b"anthropic-dangerous-direct-browser-access",
            b"b3",
            b"baggage",
            b"cache-control",
            b"content-encoding",
            b"content-type",
            b"date",
            b"dnt",
            b"forwarded",
            b"idempotency-key",
            b"origin",
            b"pragma",
            b"priority",
            b"referer",
            b"sentry-trace",
            b"traceparent",
            b"tracestate",
            b"user-agent",
            b"via",
            b"x-amzn-trace-id",
            b"x-client-request-id",
            b"x-cloud-trace-context",
            b"x-correlation-id",
            b"x-goog-api-client",
            b"x-goog-request-params",
            b"x-real-ip",
            b"x-request-id",
            b"x-server-timeout",
        )
    )
)
_INDIFFERENT_BEGIN = (
    b"sec-",
    b"x-b3-",
    b"x-datadog-",
    b"x-forwarded-",
    b"x-lichen-",
    b"x-stainless-",
)
# Header names found to be indifferent by how they begin, so that each is looked at once.
_REMEMBERED = 1024
# Integers of 64 bits survive reading; beyond, they become floats of at least this size.
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1
_LARGE_FLOAT = 2.0**63
# A body's digits made alike, and its exponents, to see at once whether any number in it is large.
_ALIKE = bytes.maketrans(b"123456789+E", b"0000000000e")
_LONG = b"0" * 19
_EXPONENT = b"0e0"


def key_of(
    call: Call, *, scope: str, upstream: str, target: str, headers: Headers, level: str = OFF
) -> bytes:
    """The key of a call, 32 bytes; empty where it has none: it is nested too deep to write down."""
    try:
        asked = call.dialect.canonical(call.kind, call.fields)
    except TypeError:
        return b""
    told = [b"%b=%b" % pair for pair in headers if pair[0] not in _indifferent and _tells(pair[0])]
    if level != OFF:
        # No header that a client sends stands under this name here: those are left out.
        told.append(b"%b=%b" % (WISH, level.encode()))
    if len(told) > 1:
        told.sort()
    prefix = f"{scope}\n{upstream}\n{target}\n".encode()
    return hashlib.sha256(b"%b%b\0%b" % (prefix, b"\n".join(told), asked)).digest()


_indifferent = set(_INDIFFERENT)


def _tells(name: bytes) -> bool:
    """Whether a header that is not known by its name counts."""
    if not name.startswith(_INDIFFERENT_BEGIN):
        return True
    if len(_indifferent) < _REMEMBERED:
        _indifferent.add(name)
    return False


def is_exact(body: bytes, fields: Mapping[str, Any] | None = None) -> bool:
    """Whether reading the body loses nothing.

    Integers beyond 64 bits are rounded to floats, and of a name that stands twice in an object one
    value is taken, where the upstream may take the other. A call that is not exact has no key: its
    answer is never kept for the call it looks like. `fields` are what was read, where that is at
    hand: most bodies are written down again just as they came, which settles it.
    """
    alike = body.translate(_ALIKE)
    plain = _LONG not in alike and _EXPONENT not in alike
    if plain and fields is not None and _written(fields) == body:
        return True
    ways: dict[str, Any] = {} if plain else {"parse_int": _fitting, "parse_float": _small}
    try:
        json.loads(body, object_pairs_hook=_once, **ways)
    except (ValueError, RecursionError):
        return False
    return True


def _written(fields: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(fields)
    except TypeError:  # nested too deep
        return b""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name stands twice")
    return names


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
