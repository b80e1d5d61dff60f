"""Measurer: the meter behind a book's windows, and the thread that prices and writes them.

Leaving a window puts it into a queue; a thread wakes, waits a twentieth of a second for more, and
writes them together. Idle, it sleeps: it costs nothing. While a window is open whose meter counts
in circles (RAPL), it reads that meter now and then, so that no round is missed.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING

from lichen.ledger.apportion import Apportioner, Share
from lichen.ledger.errors import LichenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.entry import Entry
    from lichen.ledger.measuring import Measurement
    from lichen.ledger.ports import WindowMeter
    from lichen.ledger.pricing import Pricer

__all__ = ["JOB", "Measurer"]

# The job inside which this process runs, if it does: `lichen run` names it to its command, and
# books for it what its windows have not.
JOB = "LICHEN_JOB_ID"
# How long the thread waits for more windows before it writes: what kill -9 may lose. [s]
_LINGER_S = 0.05
# Windows kept while the ledger cannot be written; what comes after is lost, and said to be.
_MOST_WAITING = 100_000
_log = logging.getLogger("lichen")


class Measurer:
    """Opens and closes windows on one meter; `write` takes the entries to the book."""

    def __init__(
        self, meter: WindowMeter, pricer: Pricer, write: Callable[[list[Entry]], None]
    ) -> None:
        self.meter, self.pricer, self._write = meter, pricer, write
        self._apportioner = Apportioner(meter)
        self._pid = os.getpid()
        self.job = os.environ.get(JOB, "")
        self._ended: deque[Measurement] = deque()
        self._unwritten: list[Entry] = []
        # One at a time prices and writes; whoever asks for an entry early waits for it too.
        self.pricing = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lost = 0
        self._at_exit = _flush_at_exit(weakref.ref(self))
        atexit.register(self._at_exit)
        # A forgotten measurer lets its thread go.
        weakref.finalize(self, self._wake.set).atexit = False

    def open(self, parent: Share | None) -> Share | None:
        """A window opens; None in a process forked from the one that made the book.

        What a forked child uses counts in its parent's windows, as any child's does; its own would
        count it again.
        """
        if os.getpid() != self._pid:
            return None
        if self.meter.within_s is not None:
            self._start()
        return self._apportioner.open(parent)

    def close(self, share: Share, measurement: Measurement) -> None:
        """A window closes, to be booked soon."""
        if os.getpid() != self._pid:
            share.closed = True
            return
        self._apportioner.close(share)
        if measurement.dropped:
            return
        if len(self._ended) >= _MOST_WAITING:
            self._lost += 1
            return
        self._ended.append(measurement)
        if self._closed:
            self.flush()  # no thread is left to do it; a store that is closed says so in the log
        elif not self._wake.is_set():
            self._start()
            self._wake.set()

    def flush(self) -> None:
        """Write all that has ended; what cannot be written is tried again the next time."""
        if os.getpid() != self._pid:
            return
        with self.pricing:
            while self._ended:
                self._book(self._ended.popleft())
            if not self._unwritten:
                return
            entries, self._unwritten = self._unwritten, []
            try:
                self._write(entries)
            except LichenError as error:
                self._unwritten = entries[:_MOST_WAITING]
                _log.warning("%d measured windows wait: %s", len(entries), error)
            except Exception:  # noqa: BLE001 (the measured program goes on)
                self._unwritten = entries[:_MOST_WAITING]
                _log.warning("%d measured windows wait: no ledger", len(entries), exc_info=True)

    def shut(self) -> None:
        """Write all that has ended and let the thread go."""
        self._closed = True
        self._wake.set()
        self.flush()
        atexit.unregister(self._at_exit)
        if lost := self._lost + len(self._unwritten):
            _log.error("%d measured windows are lost: the ledger could not be written", lost)

    def _book(self, measurement: Measurement) -> None:
        try:
            entry = measurement.entry
        except Exception:  # noqa: BLE001 (the measured program goes on)
            self._lost += 1
            _log.warning("a measured window could not be priced", exc_info=True)
            return
        if entry is not None:
            self._unwritten.append(entry)

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            within = self.meter.within_s
            args = (weakref.ref(self), self._wake, None if within is None else within / 2)
            self._thread = threading.Thread(target=_run, args=args, name="lichen", daemon=True)
            self._thread.start()

    def tend(self) -> tuple[bool, float | None]:
        """Do what is due; whether there will be more, and after how long at the latest. [s]"""
        within = self.meter.within_s
        if self._wake.is_set():
            self._wake.clear()
            self.flush()
        if within is not None and self._apportioner.busy:
            self._apportioner.settle()
        return not self._closed, None if within is None else within / 2


def _run(measurer: weakref.ref[Measurer], wake: threading.Event, timeout: float | None) -> None:
    """Tend a measurer, every `timeout` seconds at least, until it is shut or forgotten. [s]"""
    while True:
        if wake.wait(timeout):
            # Another event to wait on, so that one window more does not cut the linger short.
            threading.Event().wait(_LINGER_S)
        found = measurer()
        if found is None:
            return
        more, timeout = found.tend()
        if not more:
            return
        del found


def _flush_at_exit(measurer: weakref.ref[Measurer]) -> Callable[[], None]:
    """What to do when the interpreter ends, without keeping the measurer alive until then."""

    def flush() -> None:
        found = measurer()
        if found is not None:
            found.flush()

    return flush
