"""SharedIndex: a log by which services keep their indexes of one kind alike.

    lichen:1:index:KIND:SCOPE     a stream: what was added and what was buried, in one order

    lichen:1:forgotten            a stream: of whom, and until when, all is to be let go of

Each service holds an index of its own and follows the log from where it left off; nothing in Redis
is searched. A scope is a tenant's hash, or "*" where a rule shares answers, and stands hashed in
the name. The log is bounded: a service that is far behind misses the oldest, which costs it hits
and never an answer that is wrong, since answers are looked up by key and expire by themselves.
What is forgotten goes from the logs at once, and services that have taken it up are told to let go.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lichen.calls.shared.link import Away
from lichen.calls.shared.names import FORGOTTEN, index_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.shared.link import Link

# Lines of one log; older ones are let go.
_BOUND = 100_000
_PAGE = 1000
# How long reading a page may take beyond a look-up. [s]
_READ_S = 1.0
# Lines of one log that are read at once where several are followed.
_SOME = 64
_DIGITS = 19
START = "0-0"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log: a key added with what is known of it, or buried."""

    key: bytes
    payload: bytes
    buried: bool


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Let go of what was kept for a tenant ("" for anybody) before a time [µs since 1970]."""

    tenant: str
    before_us: int


@dataclass(slots=True)
class Heard:
    """What several logs brought: lines by scope, what was forgotten, and where to go on from.

    What was forgotten is to be let go of after the lines are taken in.
    """

    places: dict[str, str]
    forgotten_place: str
    lines: dict[str, list[Line]] = field(default_factory=dict)
    forgotten: list[Forgotten] = field(default_factory=list)


class SharedIndex:
    """The logs of one kind of index, each kept for `ttl` [s] after its last change."""

    def __init__(self, link: Link, kind: str, *, ttl: float) -> None:
        self._link = link
        self._kind = kind.encode()
        self._ttl_ms = int(ttl * 1000)

    @property
    def is_up(self) -> bool:
        """Whether the server is asked at all."""
        return self._link.is_up

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
        lines = [_line(said) for _, said in rows]
        return (rows[-1][0].decode() if rows else after), lines

    async def listen(
        self, places: Mapping[str, str], forgotten_place: str, *, wait: float
    ) -> Heard | None:
        """What comes after these places within `wait` [s], some lines of each; None where lost."""
        names = {self._name(scope): scope for scope in places}
        after: dict[bytes, str] = {name: places[scope] for name, scope in names.items()}
        after[FORGOTTEN] = forgotten_place

        def read(redis: Any) -> Any:
            return redis.xread(after, count=_SOME, block=max(1, int(wait * 1000)))

        try:
            told: Any = await self._link.ask(read, beyond=wait + _READ_S)
        except Away:
            return None
        heard = Heard(dict(places), forgotten_place)
        for name, rows in told or ():
            place = rows[-1][0].decode()
            if name == FORGOTTEN:
                heard.forgotten_place = place
                heard.forgotten = [_forgotten(said) for _, said in rows]
            else:
                heard.places[names[name]] = place
                heard.lines[names[name]] = [_line(said) for _, said in rows]
        return heard

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
        # Lines go with their time, not only when the log is full.
        since = int(time.time() * 1000) - self._ttl_ms

        async def tell(redis: Any) -> None:
            async with redis.pipeline(transaction=False) as both:
                both.xadd(name, said, maxlen=_BOUND, approximate=True)
                both.xtrim(name, minid=max(since, 0))
                both.pexpire(name, self._ttl_ms)
                await both.execute()

        try:
            await self._link.ask(tell)
        except Away:
            return False
        return True

    def _name(self, scope: str) -> bytes:
        return index_name(self._kind, scope)


def _line(said: Mapping[bytes, bytes]) -> Line:
    return Line(said.get(b"k", b""), said.get(b"p", b""), b"x" in said)


def _forgotten(said: Mapping[bytes, bytes]) -> Forgotten:
    before, now_us = said.get(b"b", b""), time.time_ns() // 1000
    # What says no time means all there is.
    told = before.isdigit() and len(before) <= _DIGITS
    until_us = min(int(before), now_us) if told else now_us
    return Forgotten(said.get(b"t", b"").decode("utf-8", "replace"), until_us)
