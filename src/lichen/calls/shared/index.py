"""SharedIndex: a log by which services keep their indexes of one kind alike.

    lichen:1:index:KIND:SCOPE     a stream: what was added and what was buried, in one order

Each service holds an index of its own and follows the log from where it left off; nothing in Redis
is searched. A scope is a tenant's hash, or "*" where a rule shares answers, and stands hashed in
the name. The log is bounded: a service that is far behind misses the oldest, which costs it hits
and never an answer that is wrong, since answers are looked up by key and expire by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lichen.calls.shared.link import Away
from lichen.calls.shared.names import index_name

if TYPE_CHECKING:
    from lichen.calls.shared.link import Link

# Lines of one log; older ones are let go.
_BOUND = 100_000
_PAGE = 1000
# How long reading a page may take beyond a look-up. [s]
_READ_S = 1.0
START = "0-0"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log: a key added with what is known of it, or buried."""

    key: bytes
    payload: bytes
    buried: bool


class SharedIndex:
    """The logs of one kind of index, each kept for `ttl` [s] after its last change."""

    def __init__(self, link: Link, kind: str, *, ttl: float) -> None:
        self._link = link
        self._kind = kind.encode()
        self._ttl_ms = int(ttl * 1000)

    async def append(self, scope: str, key: bytes, payload: bytes) -> bool:
        """Tell the others of a key; whether it could be told."""
        return await self._tell(scope, {b"k": key, b"p": payload})

    async def bury(self, scope: str, key: bytes) -> bool:
        """Tell the others to let go of a key; whether it could be told."""
        return await self._tell(scope, {b"k": key, b"x": b"1"})

    async def follow(self, scope: str, after: str = START) -> tuple[str, list[Line]]:
        """Lines after a place, up to 1,000, and the place to go on from; none where it is lost."""
        name, since = self._name(scope), f"({after}"
        try:
            rows: Any = await self._link.ask(
                lambda redis: redis.xrange(name, min=since, count=_PAGE), beyond=_READ_S
            )
        except Away:
            return after, []
        lines = [Line(said[b"k"], said.get(b"p", b""), b"x" in said) for _, said in rows]
        return (rows[-1][0].decode() if rows else after), lines

    async def forget(self, scope: str) -> bool:
        """Erase a scope's log whole; whether it could be erased."""
        name = self._name(scope)
        try:
            await self._link.ask(lambda redis: redis.delete(name), beyond=_READ_S)
        except Away:
            return False
        return True

    async def _tell(self, scope: str, said: dict[bytes, bytes]) -> bool:
        name = self._name(scope)

        async def tell(redis: Any) -> None:
            async with redis.pipeline(transaction=False) as both:
                both.xadd(name, said, maxlen=_BOUND, approximate=True)
                both.pexpire(name, self._ttl_ms)
                await both.execute()

        try:
            await self._link.ask(tell)
        except Away:
            return False
        return True

    def _name(self, scope: str) -> bytes:
        return index_name(self._kind, scope)
