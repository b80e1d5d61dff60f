"""Watch: results of a provider's batch as a client fetches them, seen as they pass.

    which_of → tap the stream → reading → it ended whole → booked once (once.py)

Bytes go on as they came and when they came. A download that is in part, breaks off or is given up
leaves nothing behind, so that the next whole one is booked. Whatever goes wrong here, the download
goes on.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lichen.calls.batch.fetched.booking import Fetch
from lichen.calls.batch.fetched.once import Once
from lichen.calls.batch.fetched.paths import key_of, which_of
from lichen.calls.batch.fetched.reading import NoResults, TooMany, reading_of
from lichen.calls.coding.unpacking import unpacking
from lichen.calls.tap import Tap
from lichen.calls.upstreams import serving
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.fetched.reading import Reading
    from lichen.calls.batch.fetched.uses import Uses
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.coding.unpacking import Unpacking
    from lichen.calls.exchange import Answer, Exchange, Stream
    from lichen.calls.steps import StepParts

    # Hears once how a download ended: its uses, None where it is not booked, and a gap to count.
    Ended = Callable[[Uses | None, str], None]

# Gaps of results of which nothing can be booked, counted at each fetch.
TOO_LARGE = "batch-results-too-large"
UNREADABLE = "batch-results-unreadable"
NOT_READ = "batch-results-not-read"
_OK = 200
# Results decoded, beyond which nothing is booked of them: 100,000 lines of 80 kB. [byte]
_MOST_BYTES = 8_000_000_000
# Downloads read at once: each holds one line, and 72 bytes for each line before it.
_AT_ONCE = 32


class Watch:
    """Sees results pass, and has them booked. `desk` is the queue of the ledger."""

    def __init__(self, parts: StepParts, desk: Desk, options: BatchOptions) -> None:
        self._parts, self._line_limit = parts, options.item_limit
        self._once = Once(parts, desk, options.lease)
        self._under_way = 0

    def see(self, exchange: Exchange, answer: Answer) -> Answer:
        """An answer to what is no call; one with results of a batch is read as it passes."""
        try:
            self._tap(exchange, answer)
        except Exception as error:  # noqa: BLE001 (the download goes on)
            self._parts.warn(error)
        return answer

    def _tap(self, exchange: Exchange, answer: Answer) -> None:
        stream = answer.stream
        if stream is None or answer.status != _OK:
            return
        which = which_of(exchange.method, exchange.target, exchange.provider)
        if which is None:
            return
        if self._under_way >= _AT_ONCE:
            self._note_gap(NOT_READ)
            return
        upstream = serving(self._parts.upstream, exchange.provider)
        key = key_of(which, exchange, upstream.url)
        coding = b",".join(value for name, value in answer.headers if name == b"content-encoding")
        unpacked = unpacking(coding)
        if unpacked is None:
            self._note_gap(UNREADABLE)
            return
        fetch = Fetch(which, exchange.tenant, upstream.zone, upstream.model)
        reading = reading_of(which, self._line_limit)

        def ended(uses: Uses | None, gap: str) -> None:
            self._under_way -= 1
            if gap:
                self._note_gap(gap)
            if uses:
                self._once.book(key, fetch, uses, reading.ours)

        passing = _Passing(stream, answer.length, (unpacked, reading), ended, self._parts.warn)
        self._under_way += 1
        answer.stream = passing

    def _note_gap(self, what: str) -> None:
        with suppress(Exception):
            self._parts.book.note_gap(what)

    def start(self) -> None:
        """Count what was seen and not booked when an earlier process was killed."""
        self._once.start()

    async def close(self) -> None:
        """Let what is being booked end."""
        await self._once.close()


class _Passing(Tap):
    """A download as it passes; `length` is how many bytes it has, where that is known."""

    def __init__(
        self,
        stream: Stream,
        length: int | None,
        read: tuple[Unpacking, Reading],
        ended: Ended,
        warn: Callable[[object], None],
    ) -> None:
        super().__init__(stream)
        self._length, self._ended, self._warn = length, ended, warn
        self._read: tuple[Unpacking, Reading] | None = read
        self._size = self._decoded = 0

    def saw(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._read is None:
            return
        try:
            self._follow(chunk, *self._read)
        except TooMany:
            self._over(None, TOO_LARGE)
        except (NoResults, InputError):
            self._over(None)
        except Exception as error:  # noqa: BLE001 (the download goes on)
            self._warn(error)
            self._over(None, UNREADABLE)

    def _follow(self, chunk: bytes, unpacked: Unpacking, reading: Reading) -> None:
        for piece in unpacked.feed(chunk):
            self._decoded += len(piece)
            if self._decoded > _MOST_BYTES:
                raise TooMany
            reading.feed(piece)

    def _over(self, uses: Uses | None, gap: str = "") -> None:
        """Read no more of it, and say how it ended."""
        self._read = None
        try:
            self._ended(uses, gap)
        except Exception as error:  # noqa: BLE001 (the download goes on)
            self._warn(error)

    def finished(self) -> None:
        if self._read is None:
            return
        unpacked, reading = self._read
        uses, gap = None, ""
        try:
            if unpacked.whole and self._length in (None, self._size):
                uses = reading.end()
        except TooMany:
            gap = TOO_LARGE
        except NoResults:
            pass
        except Exception as error:  # noqa: BLE001 (the download goes on)
            self._warn(error)
            gap = UNREADABLE
        self._over(uses, gap)

    def cut(self) -> None:
        # Whoever has read the last byte need not wait for the end.
        if self._length == self._size:
            self.finished()
        elif self._read is not None:
            self._over(None)
