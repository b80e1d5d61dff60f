"""Watch: the trials of all routes, fed with answers; closes a route whose trial fails.

An answer counts once it has had ten minutes in which its user may ask again or say what it was
worth. The trials outlive the process in a small file beside the ledger; a route that was closed
stays closed until `[compress] rearm` is another word than it was.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lichen.calls import learnt_file
from lichen.calls.compress.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.calls.compress.options import CompressOptions

# How long an answer may be asked for again, or be judged, before it counts. [s]
_WAIT_S = 600.0
# Answers that wait; beyond it the oldest count as they are.
_WAITING = 20_000
# How often the trials are written down, at most. [s]
_EVERY_S = 30.0
_VERSION = 1


@dataclass(slots=True)
class Judged:
    """One answer that waits to be counted."""

    route: str
    held: bool
    bad: bool
    due: float
    tenant: str
    again: bytes


class Watch:
    """Judges answers. `on_closed` hears of a route that was closed just now."""

    def __init__(
        self,
        options: CompressOptions,
        path: Path | None,
        on_closed: Callable[[str, Trial], None],
        warn: Callable[[object], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._options, self._path, self._warn, self._clock = options, path, warn, clock
        self._on_closed = on_closed
        self.trials: dict[str, Trial] = {}
        self.closed: dict[str, float] = {}
        self._waiting: OrderedDict[str, Judged] = OrderedDict()
        self._last: dict[bytes, str] = {}
        self._written = clock()
        self._load()

    def is_open(self, route: str) -> bool:
        """Whether prompts of this route may be shortened."""
        return route not in self.closed

    def asked(self, again: bytes) -> None:
        """A call is made, known by its hash: if it was made a moment ago, that answer was bad."""
        before = self._waiting.get(self._last.get(again, ""))
        if before is not None:
            before.bad = True

    def answered(self, entry_id: str, answer: Judged) -> None:
        """An answer came; it counts after a while."""
        answer.due = self._clock() + _WAIT_S
        self._waiting[entry_id] = answer
        self._last[answer.again] = entry_id
        self.settle()

    def judged(self, entry_id: str, tenant: str, *, bad: bool) -> bool:
        """A user says what an answer was worth; whether that answer is theirs, and waits."""
        answer = self._waiting.get(entry_id)
        if answer is None or answer.tenant != tenant:
            return False
        answer.bad = bad
        return True

    def settle(self) -> None:
        """Count the answers whose time has come."""
        now = self._clock()
        while self._waiting:
            entry_id, answer = next(iter(self._waiting.items()))
            if answer.due > now and len(self._waiting) <= _WAITING:
                break
            del self._waiting[entry_id]
            if self._last.get(answer.again) == entry_id:
                del self._last[answer.again]
            self._count(answer)
        if now - self._written >= _EVERY_S:
            self.save()

    def _count(self, answer: Judged) -> None:
        trial = self.trials.get(answer.route)
        if trial is None:
            trial = Trial(self._options.margin, self._options.error)
            self.trials[answer.route] = trial
        trial.see(bad=answer.bad, held=answer.held)
        if trial.failed and answer.route not in self.closed:
            self.closed[answer.route] = self._clock()
            self.save()
            self._on_closed(answer.route, trial)

    def close(self) -> None:
        """Count what waits, and write the trials down."""
        for answer in self._waiting.values():
            answer.due = 0.0
        self.settle()
        self.save()

    def save(self) -> None:
        """Write the trials down; where that fails, say so and go on."""
        self._written = self._clock()
        if self._path is None:
            return
        said = {
            "version": _VERSION,
            "rearm": self._options.rearm,
            "closed": self.closed,
            "trials": {route: trial.kept() for route, trial in self.trials.items()},
        }
        try:
            learnt_file.write(self._path, said)
        except OSError as error:
            self._warn(error)

    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        try:
            said: Any = json.loads(self._path.read_text(encoding="utf-8"))
            if said["version"] != _VERSION or said["rearm"] != self._options.rearm:
                return
            options = self._options
            self.trials = {
                route: Trial.again(options.margin, options.error, kept)
                for route, kept in said["trials"].items()
            }
            self.closed = {route: float(since) for route, since in said["closed"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.trials, self.closed = {}, {}
            with suppress(Exception):
                self._warn(
                    f"{self._path} cannot be read ({error}): the trials of shorter prompts begin "
                    "anew"
                )
