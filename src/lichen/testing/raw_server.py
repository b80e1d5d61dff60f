r"""RawServer: a server that says the bytes it is told to, for what no proper server would say.

    async with RawServer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") as server:
        ...                                  # each request takes the next act of the script

An act is the bytes to send, or a coroutine function of the reader and the writer. The last act
serves all requests that follow. With `hang_up` the connection is closed after each act.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    Act = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """Listens on loopback; `heads` and `bodies` are what came, `connections` how many were made."""

    def __init__(
        self, *script: Act, tls: ssl.SSLContext | None = None, hang_up: bool = False
    ) -> None:
        self._script = list(script)
        self._tls = tls
        self._hang_up = hang_up
        self._tasks: set[asyncio.Task[None]] = set()
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            with suppress(ConnectionError):
                writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take one request and do the next act; whether more may come on this connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        self.bodies.append(await reader.readexactly(int(length or 0)))
        act = self._script[min(len(self.heads), len(self._script)) - 1]
        if isinstance(act, bytes):
            writer.write(act)
            await writer.drain()
        else:
            await act(reader, writer)
        return not self._hang_up
