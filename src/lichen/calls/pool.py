"""Pool: connections to one upstream, kept open between calls and bounded in number.

A line that lay idle for a few seconds is closed, since the other side may be closing it just then.
Silence is looked for by one sweep over all lines, not by a timer for each call.

TLS verifies the certificate and the host's name, with the system's authorities.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import TYPE_CHECKING

from lichen.calls.line import Line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lichen.calls.proxy import Route

# A line that lay idle this long is not used again: servers close theirs after 5 s and more.
# Source: uvicorn documentation, `timeout_keep_alive` (5 s), the shortest of the usual ones.
_IDLE_S = 4.0
# Lines at once; more calls wait their turn.
_MOST = 1024
# A whole answer, held in memory until it has come [byte], and how many such all of them may take.
WHOLE = 64e6
_ALL_WHOLE = 4
# The most often that silence is looked for. [s]
_OFTEN, _SELDOM = 0.02, 1.0


class PoolBusy(Exception):  # noqa: N818 (named for what happened)
    """All lines are in use, and none came free in time."""


class ConnectFailed(Exception):  # noqa: N818 (named for what happened)
    """No connection could be made; `late` where it took too long."""

    def __init__(self, why: str, *, late: bool = False) -> None:
        """Say `why`."""
        super().__init__(why)
        self.late = late


class Pool:
    """Lines along one route. `timeout` bounds a silence, `connect_timeout` the making of a line.

    `whole` bounds a whole answer, and four times as much all of them that are coming in. [byte]
    """

    def __init__(
        self,
        route: Route,
        *,
        timeout: float,
        connect_timeout: float,
        most: int = _MOST,
        whole: float = WHOLE,
    ) -> None:
        self._route = route
        self._timeout, self._connect_timeout = timeout, connect_timeout
        self._most, self._whole = most, whole
        self.held = 0
        self._idle: list[Line] = []
        self._lines: set[Line] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[Line | None]] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._every = min(max(timeout / 8, _OFTEN), _SELDOM)
        self._is_closed = False

    def at_hand(self) -> Line | None:
        """An open line that nobody uses, the one used last; None where there is none."""
        while self._idle:
            line = self._idle.pop()
            if line.is_usable(asyncio.get_running_loop().time(), _IDLE_S):
                return line
            line.close()
        return None

    async def new(self) -> Line:
        """A line: a new one, or one that comes free first where there may be no more.

        Raises:
            ConnectFailed: the upstream cannot be reached.
            PoolBusy: none came free in time.
        """
        while len(self._lines) + self._opening >= self._most:
            freed = await self._turn()
            if freed is not None and not freed.is_closed:
                return freed
        self._opening += 1
        try:
            line = await self._open()
        finally:
            self._opening -= 1
            if len(self._lines) + self._opening < self._most:
                self._call_next(None)
        return line

    async def _turn(self) -> Line | None:
        """Wait for a line that comes free, or for None: room to make one."""
        waiter: asyncio.Future[Line | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._connect_timeout):
                return await waiter
        except TimeoutError:
            if waiter.done() and not waiter.cancelled():
                return waiter.result()  # it came in the very moment
            raise PoolBusy from None
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(waiter.result())
            raise

    def _pass_on(self, line: Line | None) -> None:
        """Whoever was given this has left."""
        if line is None:
            self._call_next(None)
        elif not line.is_closed:
            self.free(line)

    async def _open(self) -> Line:
        loop = asyncio.get_running_loop()
        line = Line(self, loop)
        try:
            await _in_time(lambda: self._route.connect(loop, lambda: line), self._connect_timeout)
        except BaseException:
            line.close()  # it may just have been made
            raise
        self._lines.add(line)
        if self._is_closed:
            line.close()
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._every, self._sweep)
        return line

    def is_full(self, size: int) -> bool:
        """Whether a whole answer that has come to `size` [byte] may not be held any longer."""
        return size > self._whole or self.held > _ALL_WHOLE * self._whole

    def free(self, line: Line) -> None:
        """A line has done its work: for whoever waits, else for later."""
        if self._is_closed:
            line.close()
        elif not self._call_next(line):
            self._idle.append(line)

    def gone(self, line: Line) -> None:
        """A line is closed."""
        self._lines.discard(line)
        if line in self._idle:
            self._idle.remove(line)
        self._call_next(None)

    def _call_next(self, line: Line | None) -> bool:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(line)
                return True
        return False

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for line in list(self._lines):
            if line.is_busy:
                if line.is_late(now, self._timeout):
                    line.fail(f"nothing came for {self._timeout:g} s", late=True)
            elif now - line.active > _IDLE_S:
                line.close()
        self._sweeper = loop.call_later(self._every, self._sweep) if self._lines else None

    def close(self) -> None:
        """Close all lines; what is under way breaks off."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for line in list(self._lines):
            line.fail("its connections were closed")


async def _in_time(connect: Callable[[], Awaitable[object]], timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await connect()
    except TimeoutError:
        raise ConnectFailed(f"no connection within {timeout_s:g} s", late=True) from None
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or "TLS failed"
        raise ConnectFailed(f"TLS: {why}") from error
    except OSError as error:
        raise ConnectFailed(error.strerror or str(error) or type(error).__name__) from error
