"""Names: what lichen's keys in Redis are called. The number is the version of what lies there.

lichen:1:answer:KEY             an answer (redis_answers.py)
lichen:1:{KEY}:lease, :over:…   a call under way (lease.py)
lichen:1:index:KIND:SCOPE       a log of an index (index.py)
lichen:1:forgotten             what services are to let go of (index.py)
"""

from __future__ import annotations

import hashlib

ANSWERS = b"lichen:1:answer:"
INDEXES = b"lichen:1:index:"
FORGOTTEN = b"lichen:1:forgotten"


def answer_name(key: bytes) -> bytes:
    """The answer to a call."""
    return ANSWERS + key.hex().encode()


def lease_name(key: bytes) -> bytes:
    """Who makes a call."""
    return b"lichen:1:{%b}:lease" % key.hex().encode()


def over_name(key: bytes, token: bytes) -> bytes:
    """Whether the call of whoever holds that token has ended."""
    return b"lichen:1:{%b}:over:%b" % (key.hex().encode(), token)


def index_name(kind: bytes, scope: str) -> bytes:
    """The log of a scope, which stands hashed; `kind` may be a pattern."""
    hashed = hashlib.sha256(b"lichen index\0" + scope.encode()).hexdigest()[:32]
    return b"%b%b:%b" % (INDEXES, kind, hashed.encode())
