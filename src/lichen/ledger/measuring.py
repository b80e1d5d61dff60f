"""Measuring: a window of a program's life, from its beginning to its end, as an entry of the book.

    with book.measure("epoch", work=Work(50_000, "image")) as window:     also: @book.measure("fit")
        fit()
    window.footprint                                                      what it used, all inside

The entry holds what the window used without the windows inside it, so that a sum over entries
counts each joule once (lichen.ledger.apportion); `window.footprint` is with them. An exception in
the body is booked and goes on: the energy was used, the work was not done. Nothing here ever breaks
the body: what cannot be read, priced or written is a gap or a line in the log.

Pricing and writing happen on a thread soon after: entering and leaving cost microseconds. Whatever
reads the book waits for what was measured (`Book.flush`); kill -9 loses the last twentieth of a
second.
"""

from __future__ import annotations

import functools
import inspect
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from lichen.ledger.entry import WINDOW, Entry, Figures
from lichen.ledger.errors import InputError
from lichen.ledger.ids import new_id
from lichen.ledger.window import Window, Work, from_microseconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from lichen.ledger.apportion import Share
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.measurer import Measurer
    from lichen.ledger.window import Reserved

__all__ = ["SHARED", "Measurement"]

# What an entry says whose energy was split equally with windows open at the same time.
SHARED = "window-shared"
# What an entry says of a meter that failed while it was open; the meter's name stands behind.
FAILED = "meter-failed"
SYNC_FAILED = "sync-failed"
# The work of a window for which nobody said what it does: none, of the unit of the window around
# it, so that what it used is in that unit's SCI.
UNTOLD = Work(0, "window")

_P = ParamSpec("_P")
_T = TypeVar("_T")
_innermost: ContextVar[Measurement | None] = ContextVar("lichen_innermost_window", default=None)


class Measurement:
    """One measured window; made by `Book.measure`, entered once, or used as a decorator.

    Attributes:
        name: what the entry is called.
        work: what is done in it; may be set until it ends.
        gaps: what could not be known of it, by name; may be added to until it ends.
        dropped: whether it stays out of the book; may be set where nothing was done in it.
    """

    __slots__ = (
        "_around",
        "_began_ns",
        "_entry",
        "_outcome",
        "_reserved",
        "_start_us",
        "_sync",
        "_unsynced",
        "_zone",
        "dropped",
        "end_us",
        "gaps",
        "measurer",
        "name",
        "share",
        "work",
    )

    def __init__(
        self,
        measurer: Measurer,
        name: str,
        *,
        work: Work,
        zone: str,
        reserved: Reserved | None,
        sync: Callable[[], object] | None,
    ) -> None:
        self.measurer, self.name, self.work = measurer, name, work
        self._zone, self._reserved, self._sync = zone, reserved, sync
        self.gaps: list[str] = []
        self.dropped = False
        self.share: Share | None = None
        self._around: Measurement | None = None
        self._start_us = self._began_ns = self.end_us = 0
        self._outcome = ""
        self._unsynced = False
        self._entry: Entry | None = None

    def __enter__(self) -> Self:
        """Begin the window.

        Raises:
            InputError: it has begun before.
        """
        if self._start_us:
            raise InputError(
                f"the window {self.name!r} has begun already: measure each in a `with` of its own, "
                "or use it as a decorator"
            )
        if self._sync is not None:
            self._wait()
        self._start_us = time.time_ns() // 1000
        self._began_ns = time.monotonic_ns()
        around = _innermost.get()
        # Another book's window is no part of this one's.
        if around is not None and around.measurer is self.measurer:
            self._around = around
        self.share = self.measurer.open(None if self._around is None else self._around.share)
        if self.share is not None:
            _innermost.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """End the window and book it; an exception goes on."""
        share = self.share
        if share is None or share.closed:
            return
        if self._sync is not None:
            self._wait()
        _innermost.set(self._around)
        if kind is not None:
            self._outcome = kind.__name__
        # The wall clock may jump while it runs, backwards too; its length may not.
        self.end_us = self._start_us + (time.monotonic_ns() - self._began_ns) // 1000
        self.measurer.close(share, self)

    def __call__(self, function: Callable[_P, _T]) -> Callable[_P, _T]:
        """The function, each call of it measured; a coroutine function until it is done.

        Raises:
            InputError: a generator: its body runs after the call has returned.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InputError(
                f"{function.__name__!r} is a generator: measure the loop that runs it, in a `with`"
            )
        if inspect.iscoroutinefunction(function):

            async def measured_async(*args: Any, **extra: Any) -> Any:
                with self._another():
                    return await function(*args, **extra)

            return cast("Callable[_P, _T]", functools.wraps(function)(measured_async))

        @functools.wraps(function)
        def measured(*args: _P.args, **extra: _P.kwargs) -> _T:
            with self._another():
                return function(*args, **extra)

        return measured

    @property
    def unit(self) -> str:
        """The functional unit its energy counts in: its own, or that of the window around it."""
        if self.work is UNTOLD and self._around is not None:
            return self._around.unit
        return self.work.unit

    @property
    def entry(self) -> Entry | None:
        """Its line in the book, without the windows inside it; None until it has ended."""
        share = self.share
        if self._entry is None and share is not None and share.closed and self.end_us:
            with self.measurer.pricing:
                if self._entry is None:
                    self._entry = self._booked(share)
        return self._entry

    @property
    def footprint(self) -> Footprint:
        """What was used from its beginning to its end, with the windows inside it.

        Raises:
            InputError: it has not ended.
        """
        entry, share = self.entry, self.share
        if entry is None or share is None:
            raise InputError(f"the window {self.name!r} has not ended: read it after the `with`")
        if not any(share.inner):
            return entry.figures.footprint
        spent = [own + inner for own, inner in zip(share.own, share.inner, strict=True)]
        raw, _ = self.measurer.meter.raw(spent, self._reserved)
        made, _, _ = self.measurer.pricer.spanning(self.measurer.meter.method, raw, entry.window)
        return made

    def _another(self) -> Measurement:
        """One like this, for the next call."""
        return Measurement(
            self.measurer,
            self.name,
            work=self.work,
            zone=self._zone,
            reserved=self._reserved,
            sync=self._sync,
        )

    def _wait(self) -> None:
        """Let the device finish what it was given."""
        assert self._sync is not None
        try:
            self._sync()
        except Exception:  # noqa: BLE001 (the window says so, and the work goes on)
            self._unsynced = True

    def _booked(self, share: Share) -> Entry:
        """The entry: raw quantities, priced; what could not be known, named."""
        meter = self.measurer.meter
        raw, gaps = meter.raw(share.own, self._reserved)
        if self._outcome:
            raw["raised"] = self._outcome
        if self.measurer.job:
            raw["job"] = self.measurer.job
        window = Window(
            from_microseconds(self._start_us), from_microseconds(self.end_us), self._zone
        )
        made, factors, assumed = self.measurer.pricer.spanning(meter.method, raw, window)
        gaps += tuple(f"{FAILED}:{name}" for name in share.failed)
        gaps += (
            tuple(self.gaps) + (SHARED,) * share.shared + (SYNC_FAILED,) * self._unsynced + assumed
        )
        figures = Figures(
            name=self.name,
            strategy=WINDOW,
            work=Work(0, self.unit) if self._outcome or self.work is UNTOLD else self.work,
            footprint=made,
            method=meter.method,
            factors=factors,
            zone=self._zone,
            raw=raw,
            gaps=gaps,
        )
        return Entry(new_id(self._start_us), self._start_us, self.end_us, "", figures)
