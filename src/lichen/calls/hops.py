"""Hops: which headers belong to one connection, and what they say of a body's length.

Source: RFC 9110 §7.6.1 (Connection), RFC 9112 §6 (message body length).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.exchange import HOP_BY_HOP

if TYPE_CHECKING:
    from lichen.calls.exchange import Headers

# What nearly every Connection header says, and names no header by it.
_USUAL = frozenset((b"keep-alive", b"close"))
# Headers by which a body's end is known before the connection's.
FRAMED = frozenset((b"content-length", b"transfer-encoding"))


def hop_by_hop(headers: Headers) -> frozenset[bytes]:
    """The headers of a message that must not go on, those its Connection header names included."""
    hops = HOP_BY_HOP
    for name, value in headers:
        if name == b"connection" and (said := value.lower()) not in _USUAL:
            hops |= {token.strip() for token in said.split(b",")}
    return hops


def length_of(headers: Headers) -> int | None:
    """The length that a body keeps to; the parser breaks off one that does not. [byte]"""
    named = dict(headers)
    if b"transfer-encoding" in named or b"content-length" not in named:
        return None
    return int(named[b"content-length"])
