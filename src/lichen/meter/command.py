"""Command: a program run as it would run alone, and the CPU time of all that it started.

    c = Σ over all that ended of (user + system)     [s]     each with the children it waited for

The program gets this process's streams, terminal, group and signal mask as they were, so that
progress bars, Ctrl-C and Ctrl-Z work as without us. A child whose parent ends first is adopted here
(PR_SET_CHILD_SUBREAPER) instead of by init, so that its time counts too.

Signals: what the terminal sends, it sends to the whole group, so the program has it already; what
somebody sends to this process alone is passed on. SIGTSTP and SIGCONT are left to work on both.

Source: posix_spawn(3), wait4(2), prctl(2), sigwaitinfo(2) (si_code > 0: sent by the kernel).
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lichen.meter.family import family_seconds
from lichen.meter.process import living_children

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Command", "Ended"]

# Source: include/uapi/linux/prctl.h.
_PR_SET_CHILD_SUBREAPER = 36
_PASSED_ON = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
)
# Of these, what comes after the program has ended is meant for what it left behind.
_ENOUGH = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# Ignored by Python from its start; a program expects to find it as the kernel gives it.
_PYTHONS = (signal.SIGPIPE, signal.SIGXFSZ)
# A shell's exit status of a program that a signal ended, and of one that could not be started.
# Source: POSIX.1-2024, Shell Command Language, 2.8.2 Exit Status for Commands.
_SIGNALLED = 128
NOT_FOUND, NOT_EXECUTABLE = 127, 126
_KILO = 1024.0
# Longer than any machine stays on; more than the kernel's clocks hold would be an error. [s]
_LONGEST_S = 1e9


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit status as a shell tells it, and how many still run. [1]"""

    status: int
    left: int


class Command:
    """A program, its descendants, and what they used.

    Attributes:
        peak_bytes: the most memory that one of those that ended held. [B]
    """

    def __init__(self, argv: Sequence[str]) -> None:
        """Make ready to start it: from now on, signals wait for `wait`.

        To be made before any thread is: a thread that does not hold signals back would take them.
        """
        self.argv = list(argv)
        self.pid = 0
        self.peak_bytes = 0.0
        self._before = family_seconds() - time.process_time()
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        watched = {signal.SIGCHLD, *_PASSED_ON}
        # A signal that was ignored (nohup) stays so, here and in the program.
        self._watched = {each for each in watched if signal.getsignal(each) != signal.SIG_IGN}
        self._watched.add(signal.SIGCHLD)
        # Ignored, it would let children end without a trace.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # Blocked, a signal waits until it is asked for: none is lost and none ends us.
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._watched)

    def start(self) -> None:
        """Start it.

        Raises:
            FileNotFoundError: there is no such program.
            PermissionError: it may not be executed.
            OSError: it cannot be started for another reason.
        """
        try:
            self.pid = os.posix_spawnp(
                self.argv[0], self.argv, os.environ, setsigmask=self._mask, setsigdef=_PYTHONS
            )
        except OSError:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            raise

    def seconds(self) -> float:
        """CPU time that the program and all it started have used. [s]"""
        return max(0.0, family_seconds() - time.process_time() - self._before)

    def wait(self, linger: float | None = None) -> Ended:
        """Wait for the program and then, `linger` seconds at most, for what it left running. [s]

        None waits until all have ended, or somebody asks to stop.
        """
        try:
            return self._wait(linger)
        finally:
            # What was meant for the command must not end us once it has ended itself.
            while signal.sigtimedwait(self._watched, 0) is not None:
                pass
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _wait(self, linger: float | None) -> Ended:
        status: int | None = None
        until: float | None = None
        while True:
            reaped = self._reap()
            if self.pid in reaped:
                status = reaped[self.pid]
                until = None if linger is None else time.monotonic() + min(linger, _LONGEST_S)
            left = living_children(os.getpid()) if status is not None else []
            if status is not None and not left:
                return Ended(status, 0)
            came = self._signal(until)
            if came is None or (status is not None and came.si_signo in _ENOUGH):
                assert status is not None
                self._reap()
                return Ended(status, len(living_children(os.getpid())))
            if status is None and came.si_code <= 0 and came.si_signo != signal.SIGCHLD:
                os.kill(self.pid, came.si_signo)

    def _signal(self, until: float | None) -> signal.struct_siginfo | None:
        """The next signal; None where there is none until then."""
        if until is None:
            return signal.sigwaitinfo(self._watched)
        return signal.sigtimedwait(self._watched, max(0.0, until - time.monotonic()))

    def _reap(self) -> dict[int, int]:
        """Exit statuses of all that have ended, by their id."""
        found: dict[int, int] = {}
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if not pid:
                return found
            self.peak_bytes = max(self.peak_bytes, used.ru_maxrss * _KILO)
            code = os.waitstatus_to_exitcode(status)
            found[pid] = _SIGNALLED - code if code < 0 else code
