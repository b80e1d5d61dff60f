"""Framing: a stored answer as bytes, and back: for the answers file, and for a cache of others.

    frame = "lichenA1" ‖ key [32 bytes] ‖ length of the description [4 bytes] ‖ description ‖ body

The description is JSON (never pickle: what is read may have been written by anyone). The key stands
in the frame, so that an answer that comes in reply to another question is seen to be one and is
refused; the version stands first, so that what a newer lichen wrote is no answer to an older one.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.stored import Origin, Stored
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.ports import CallReading
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from lichen.ledger.estimate import Q

_MAGIC = b"lichenA1"
_HEAD = struct.Struct(">8s32sI")
# A frame's bytes beside its description and its body. [byte]
FRAME_COST = _HEAD.size
# What whoever reads a description may meet in one that was damaged or made up.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)


def description(stored: Stored) -> dict[str, Any]:
    """All that is to be known of an answer but its key, its times and its body."""
    origin = stored.origin
    reading = origin.reading
    return {
        "status": stored.status,
        "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in stored.headers],
        "tenant": stored.tenant,
        "entry": origin.entry_id,
        "kind": origin.kind,
        "model": origin.model,
        "zone": origin.zone,
        "method": origin.method,
        "factors": origin.factors,
        "tokens": [getattr(origin.tokens, name) for name in Tokens.__slots__],
        "energy": _numbers(reading.energy),
        "embodied": _numbers(reading.embodied),
        "cpu_seconds": origin.cpu_seconds,
        "gaps": [list(origin.gaps), list(reading.gaps)],
        "pue": reading.pue,
    }


def described(
    key: bytes, stored_us: int, expires_us: int, said: dict[str, Any], body: bytes
) -> Stored:
    """The answer of a description.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: it is none (see `UNREADABLE`).
    """
    gaps, reading_gaps = said["gaps"]
    reading = CallReading(
        _estimate(Energy, said["energy"]),
        _estimate(Carbon, said["embodied"]),
        tuple(reading_gaps),
        # One kept by an older lichen does not say it.
        pue=float(said.get("pue", 0.0)),
    )
    origin = Origin(
        said["entry"],
        said["kind"],
        said["model"],
        said["zone"],
        said["method"],
        said["factors"],
        Tokens(*said["tokens"]),
        reading,
        said["cpu_seconds"],
        tuple(gaps),
    )
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in said["headers"]]
    # One kept by an older lichen does not say whose it is.
    tenant = said.get("tenant", "")
    return Stored(key, said["status"], headers, body, stored_us, expires_us, origin, tenant)


def framed(stored: Stored) -> bytes:
    """An answer as bytes."""
    said = {**description(stored), "at": [stored.stored_us, stored.expires_us]}
    written = orjson.dumps({**said, "digest": stored.digest})
    return b"%b%b%b" % (_HEAD.pack(_MAGIC, stored.key, len(written)), written, stored.body)


def unframed(key: bytes, frame: bytes) -> Stored:
    """The answer in a frame, if it is the one under that key and whole.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: it is not (see `UNREADABLE`).
    """
    if len(frame) < FRAME_COST:
        raise ValueError("it is too short for a frame")
    magic, held, length = _HEAD.unpack_from(frame)
    if magic != _MAGIC:
        raise ValueError("another version of lichen wrote it, or another program")
    if held != key:
        raise ValueError("it is the answer to another call")
    said = orjson.loads(frame[FRAME_COST : FRAME_COST + length])
    stored_us, expires_us = said["at"]
    stored = described(key, int(stored_us), int(expires_us), said, frame[FRAME_COST + length :])
    if stored.digest != said["digest"]:
        raise ValueError("its body is not the one that was written")
    return stored


def _numbers(known: Estimate[Any]) -> list[float]:
    return [known.value.amount, known.low.amount, known.high.amount, int(known.basis)]


def _estimate(kind: type[Q], numbers: list[float]) -> Estimate[Q]:
    value, low, high, basis = numbers
    return Estimate(kind(value), kind(low), kind(high), Basis(int(basis)))
