"""Steps: what a step is made from, what it may offer beside its call, and the steps put in order.

A step is `async step(exchange, onward) -> Answer`. It may also have

    passes(exchange)            whether a call is none of its business, so that it is left out
    admit(exchange)             before the key is made: may change the call's fields and body
    at_once(exchange)           status, header block, body: an answer without a task, or None
    joined(layers)              all layers, once they stand: for calls that the step makes itself
    start(), close()            async: work of its own beside the calls
    tend()                      every few seconds: book sums that wait, keep what was learnt; async
                                where that takes long
    gauges(), panels(), wrong() what it shows: to Prometheus, on the dashboard, to /readyz
    forget(which)               erase what is meant (lichen.calls.forget), in memory and on disk;
                                async where that takes long
    reread()                    another process erased words from its files: drop copies of them;
                                async where that takes long

and each of these is looked for once, when the steps are put in order: a step that does not have one
costs nothing there. Steps come in by entry point, in the group "lichen.step": a function that takes
`StepParts` and gives the step, or None where nothing asks for it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.calls.tenant import payer_of
from lichen.calls.upstreams import is_keyless
from lichen.calls.wrapping import pipeline
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lichen.calls.answers import AnswerStore
    from lichen.calls.booking import Booker
    from lichen.calls.exchange import Exchange, Onward, Step, Upstream
    from lichen.calls.forget import Forget
    from lichen.calls.holdout import Holdout
    from lichen.calls.learning import Learning
    from lichen.calls.rules import Rules
    from lichen.ledger.book import Book
    from lichen.ledger.panel import Panel
    from lichen.ledger.ports import Embedder, ForecastSource

    WholeAnswer = tuple[int, bytes, bytes]


# What files are called after where the ledger is none.
_STEM = "lichen.db"
# What one process at a time keeps: each writes all that it knows over what is there.
_LEARNT = frozenset({"lengths", "cascade", "compress"})
# How often steps are tended. [s]
TEND_S = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where durable things of steps lie: beside a ledger that is a file, or in its database.

    `state` is a folder for the files in place of the ledger's own: with a ledger in a database
    there is no other place for them, and none is guessed. `learning` says whether this process is
    the one that learns there; None for whoever learns nothing.
    """

    ledger: str
    state: str = ""
    learning: Learning | None = field(default=None, compare=False)

    def alone(self) -> bool:
        """Whether this process keeps what it learns here: of several the first does."""
        return self.learning is None or self.learning.alone()

    def file(self, name: str) -> Path | None:
        """A file for a step; None where there is no place for one, or another process learns."""
        if name in _LEARNT and not self.alone():
            return None
        is_file = ":" not in self.ledger
        if self.state:
            stem = Path(self.ledger).name if is_file else _STEM
            return Path(self.state).expanduser() / f"{stem}.{name}"
        return Path(f"{self.ledger}.{name}") if is_file else None

    @property
    def database(self) -> str:
        """The ledger's own address: a path, "memory:" or "postgresql://..."."""
        return self.ledger


@dataclass(frozen=True, slots=True)
class StepParts:
    """What steps are made from.

    `options` gives a section of the settings by its name. `entry_limit` is the longest answer that
    is kept [byte]. `embedder` and `forecast` are opened when they are first asked for; they raise
    `MissingExtra` where what they need is not installed. `zone` is that of this machine.
    """

    options: Callable[[str], Any]
    book: Book
    booker: Booker
    rules: Rules
    answers: AnswerStore
    upstream: Upstream
    holdout: Holdout
    place: Place
    entry_limit: float
    zone: str
    embedder: Callable[[], Embedder]
    forecast: Callable[[], ForecastSource]
    warn: Callable[[object], None]


class Layers:
    """The steps in their order around the innermost layer, and all they offer."""

    def __init__(
        self,
        steps: Sequence[Step],
        innermost: Onward,
        booker: Booker,
        upstream: Upstream,
        learning: Learning | None = None,
    ) -> None:
        self.booker = booker
        self.upstream = upstream
        self.learning = learning
        self.steps = tuple(steps)
        self.innermost = innermost
        self.onward = pipeline(steps, innermost)
        self._admit: tuple[Callable[[Exchange], None], ...] = tuple(self._having("admit"))
        self._at_once: tuple[Callable[[Exchange], WholeAnswer | None], ...] = tuple(
            self._having("at_once")
        )
        self._tending: asyncio.Task[None] | None = None
        for joined in self._having("joined"):
            joined(self)

    def _having(self, name: str) -> Iterable[Any]:
        return (made for step in self.steps if (made := getattr(step, name, None)) is not None)

    def payer(self, credential: bytes, provider: str) -> str:
        """Who pays for a call with these credential headers (see `lichen.calls.tenant`).

        Where lichen's own key goes to the upstream, or none does, nobody checks what a caller
        shows: all who may use the service pay as one, whatever stands in those headers.
        """
        try:
            unchecked = is_keyless(self.upstream, provider)
        except UpstreamError:
            unchecked = True  # it goes to nobody who would check it
        return payer_of(b"" if unchecked else credential, provider)

    def admit(self, exchange: Exchange) -> None:
        """Let the steps see a call before anything is done with it."""
        for admit in self._admit:
            admit(exchange)

    def at_once(self, exchange: Exchange) -> WholeAnswer | None:
        """Status, header block and body where a step has them at hand."""
        for answer in self._at_once:
            found = answer(exchange)
            if found is not None:
                return found
        return None

    async def start(self) -> None:
        """Begin the steps' own work.

        Raises:
            LichenError: a step cannot begin.
        """
        for start in self._having("start"):
            await start()
        if self._tending is None:
            self._tending = asyncio.get_running_loop().create_task(self._tend())

    async def _tend(self) -> None:
        """Tend the steps until cancelled: sums are booked though no more calls come."""
        tends = [*self._having("tend"), self.booker.steps.trials.tend]
        while True:
            await asyncio.sleep(TEND_S)
            for tend in tends:
                try:
                    await _done(tend())
                except Exception as error:  # noqa: BLE001 (the others are tended all the same)
                    self.booker.tell(error)

    async def close(self) -> None:
        """End the steps' own work, the innermost last."""
        tending, self._tending = self._tending, None
        if tending is not None:
            tending.cancel()
            await asyncio.wait([tending])
        for close in self._having("close"):
            await close()
        if self.learning is not None:
            self.learning.release()
        self.booker.steps.trials.book()

    def gauges(self) -> Mapping[str, float]:
        """What the steps tell Prometheus."""
        return {
            name: value for gauges in self._having("gauges") for name, value in gauges().items()
        }

    def panels(self) -> list[Panel]:
        """What the steps show on the dashboard."""
        return [panel for panels in self._having("panels") for panel in panels()]

    async def forget(self, which: Forget) -> dict[str, int]:
        """Erase what is meant from what the steps hold; how many pieces went, by step."""
        gone: dict[str, int] = {}
        for step in self.steps:
            if (forget := getattr(step, "forget", None)) is not None:
                gone[type(step).__name__.lower()] = await _done(forget(which))
        return gone

    async def reread(self) -> None:
        """Let the steps drop copies of what another process erased."""
        for reread in self._having("reread"):
            await _done(reread())

    def wrong(self) -> list[str]:
        """What is wrong with the steps; empty where all is well."""
        return [line for wrong in self._having("wrong") for line in wrong()]


async def _done(made: Any) -> Any:
    """What a step's method gives, whether it is async or not."""
    return await made if isawaitable(made) else made
