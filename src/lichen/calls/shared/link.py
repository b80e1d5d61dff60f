"""Link: the way to Redis or Valkey, quick or not at all.

Everything asked has a time limit. A server that refuses connections, or was late three times in a
row, is `lost`: it is asked no more, so that no call waits for it, and one task knocks now and then
until it answers again. Both are said once. What an address holds of passwords is said nowhere.

Needs redis-py, imported when a link is made: the extra `redis`.

Source: redis-py documentation, "Asyncio"; Redis documentation, "Redis URI scheme" (IANA `rediss`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from lichen.calls.proxy import shown
from lichen.ledger.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType

    T = TypeVar("T")

# Late answers in a row after which it is lost.
_LATE = 3
# Between two knocks at a lost one, the first and the most. [s]
_KNOCK_S, _KNOCK_MOST_S = 0.1, 3.0
# How long a knock may take: a server that just started reads its file first. [s]
_KNOCK_WITHIN_S = 1.0
_CONNECTIONS = 16
_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}


class Away(Exception):  # noqa: N818 (named for what it is)
    """It cannot be asked now, or gave no answer in time."""


class Link:
    """A link to the server at an address; `timeout` is how long an answer may take [s].

    Raises:
        MissingExtra: redis-py is not installed.
        InputError: the address cannot be read.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float,
        warn: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self._driver = _driver()
        self.where = shown(address).partition("?")[0]
        self._address = _read(self._driver, address, self.where)
        self._timeout = timeout
        self._warn = warn
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._late = 0
        self._knocking: asyncio.Task[None] | None = None

    @property
    def is_up(self) -> bool:
        """Whether it is asked at all."""
        return self._knocking is None

    async def ask(self, act: Callable[[Any], Awaitable[T]], *, beyond: float = 0.0) -> T:
        """What `act` gets from the client; `beyond` the time limit it may wait so long [s].

        Raises:
            Away: no answer could be had in time.
        """
        self._settle_in()
        if self._knocking is not None:
            raise Away
        try:
            async with asyncio.timeout(self._timeout + beyond):
                got = await act(self._redis())
        except TimeoutError:
            self._was_late()
            raise Away from None
        except self._driver.ResponseError as error:
            # It lives, and refuses: out of memory, a replica, no permission.
            self._warn(f"the shared cache at {self.where} refuses: {error}")
            raise Away from None
        except (self._driver.RedisError, OSError) as error:
            self._lose(str(error))
            raise Away from None
        self._late = 0
        return got

    def _settle_in(self) -> None:
        """Connections belong to one event loop: in another one begin anew."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._client, self._knocking, self._late = loop, None, None, 0

    def _redis(self) -> Any:
        if self._client is None:
            self._client = self._made(_CONNECTIONS)
        return self._client

    def _made(self, connections: int) -> Any:
        asking = self._driver.asyncio
        pool = asking.BlockingConnectionPool.from_url(
            self._address,
            max_connections=connections,
            timeout=None,
            # The limit is ours: it holds for waiting, connecting and reading together.
            socket_timeout=None,
            socket_connect_timeout=None,
            # A connection that a restart left dead is found out at the next try.
            retry=asking.retry.Retry(self._driver.backoff.NoBackoff(), 1),
            retry_on_error=[self._driver.ConnectionError],
            protocol=2,
        )
        return asking.Redis.from_pool(pool)

    def _was_late(self) -> None:
        self._late += 1
        if self._late >= _LATE:
            self._lose(f"it took longer than {self._timeout * 1000:g} ms, {_LATE} times in a row")

    def _lose(self, why: str) -> None:
        if self._knocking is not None:
            return
        self._knocking = asyncio.get_running_loop().create_task(self._knock())
        self._warn(
            f"the shared cache at {self.where} is lost ({why}): calls go on with what this service "
            "has itself, and it is asked again by itself"
        )

    async def _knock(self) -> None:
        pause = _KNOCK_S
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _KNOCK_MOST_S)
            with suppress(TimeoutError, self._driver.RedisError, OSError):
                async with asyncio.timeout(_KNOCK_WITHIN_S):
                    await self._redis().ping()
                break
        self._late = 0
        self._knocking = None
        self._warn(f"the shared cache at {self.where} is back")

    async def close(self) -> None:
        """Let go of the connections; asked again it connects again."""
        if self._knocking is not None:
            self._knocking.cancel()
            with suppress(asyncio.CancelledError):
                await self._knocking
            self._knocking = None
        client, self._client = self._client, None
        if client is not None:
            with suppress(self._driver.RedisError, OSError):
                await client.aclose()


def _driver() -> ModuleType:
    try:
        import redis  # noqa: PLC0415 (only who shares a cache needs its driver)
        import redis.asyncio.retry  # noqa: PLC0415
        import redis.backoff  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("the shared cache", "redis", "redis") from error
    return redis


def _read(driver: ModuleType, address: str, where: str) -> str:
    """The address as the driver reads it.

    Raises:
        InputError: it cannot be read; its own words might show parts of the password.
    """
    scheme, _, rest = address.partition("://")
    read = f"{_SCHEMES.get(scheme)}://{rest}"
    try:
        driver.asyncio.ConnectionPool.from_url(read).make_connection()
        readable = bool(rest)
    except (ValueError, TypeError, AttributeError, driver.RedisError):
        readable = False
    if not readable:
        raise InputError(
            f"the shared cache's address cannot be read ({where}): write it as "
            "redis://USER:PASSWORD@HOST:PORT/0, or rediss:// with TLS, with %-escapes for : / @ in "
            "a password"
        )
    return read
