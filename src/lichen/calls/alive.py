"""Alive: lets the kernel notice that the machine at the other end is gone without a word.

A cable that is cut or a machine that loses its power sends no end of a connection. Without this a
call would wait for its whole `timeout`.

Source: tcp(7), Linux; RFC 5482 (TCP User Timeout).
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

# A machine that is gone without a word is noticed within a minute: after 30 s of silence it is
# asked whether it lives, and what was sent must be acknowledged within 60 s. [s, s, -, ms]
# Source: tcp(7), Linux.
_SIGNS_OF_LIFE = tuple(
    (getattr(socket, name), value)
    for name, value in (
        ("TCP_KEEPIDLE", 30),
        ("TCP_KEEPINTVL", 10),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 60_000),
    )
    if hasattr(socket, name)
)


def notice_loss(transport: asyncio.Transport) -> None:
    """Let the kernel see that the other machine is gone, while an answer is waited for."""
    made = transport.get_extra_info("socket")
    with suppress(OSError, AttributeError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _SIGNS_OF_LIFE:
            made.setsockopt(socket.IPPROTO_TCP, option, value)
