"""What can go wrong, as one tree. A message says what happened, the value in hand, what to do.

LichenError
├── UnitError (TypeError)        unlike quantities were added, compared or divided
├── InputError (ValueError)      a value from outside makes no sense
│   ├── NaiveTime                a datetime without a time zone
│   ├── NoCommand                a job's command that is not there or cannot be run
│   ├── NoJob                    no such job in the queue
│   └── UnknownZone              no such grid zone; carries the nearest known ones
│       └── NotOfThisSource      a source does not have it; says which zones it has
├── SourceError                  something we read from gave nothing
│   ├── ExecutorUnavailable      jobs cannot be run there; carries why and the way out
│   ├── MeterUnavailable         a meter cannot be read here; carries why and the way out
│   ├── SignalUnavailable        no carbon intensity for that zone and time
│   └── UpstreamError            the model's service refused, broke off or timed out
│       └── NotAsked             lichen held the call back; carries when to come again
├── LedgerError                  the book itself
│   ├── EntryConflict            the same id with other contents
│   ├── NoWorkDone               SCI of nothing: R = 0
│   ├── StoreUnavailable         the file or database cannot be opened or written
│   └── UnprovenSaving           a saving without a baseline, or evidence that does not hold
└── MissingExtra (ImportError)   an optional dependency is not installed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class LichenError(Exception):
    """Any error lichen raises on purpose."""


class UnitError(LichenError, TypeError):
    """Unlike quantities were put together."""


class InputError(LichenError, ValueError):
    """A value from outside makes no sense here."""


class NaiveTime(InputError):  # noqa: N818 (named for what it is; the tree above says it is an error)
    """A datetime without a time zone: nobody can tell which hour of which grid it means."""

    def __init__(self, moment: datetime, where: str = "") -> None:
        """Name the naive `moment`, and `where` it stands."""
        super().__init__(
            f"{f'{where}: ' if where else ''}{moment.isoformat()} has no time zone: write "
            f"{moment.isoformat()}+00:00 where it is UTC, else its own offset"
        )
        self.moment = moment


class NoCommand(InputError):  # noqa: N818
    """A command that is not there, or that this user may not run."""

    def __init__(self, command: str, why: str) -> None:
        """Name the `command` and say `why` it cannot be run."""
        super().__init__(f"{command!r} cannot be run: {why}; nothing was queued")
        self.command = command


class NoJob(InputError):  # noqa: N818
    """No such job in the queue."""

    def __init__(self, job: str, where: str, known: Sequence[str] = ()) -> None:
        """Name the `job` asked for, `where` it was looked for, and the newest `known` ones."""
        hint = f"the newest are {', '.join(known)}" if known else "no job was ever queued there"
        super().__init__(f"there is no job {job!r} in {where}: {hint} (see `lichen status`)")
        self.job = job


class UnknownZone(InputError):  # noqa: N818
    """No such grid zone."""

    def __init__(self, zone: str, nearest: Sequence[str] = ()) -> None:
        """Name the `zone` asked for and the `nearest` known ones."""
        none = "no known zone is near it, and `lichen forecast --list` names all of them"
        known = f"did you mean {', '.join(nearest)}?" if nearest else none
        super().__init__(f"unknown grid zone {zone!r}: {known} ('WORLD' is the wide world average)")
        self.zone = zone
        self.nearest = tuple(nearest)


class NotOfThisSource(UnknownZone):
    """A grid zone that a source does not have, though others may."""

    def __init__(self, zone: str, source: str, has: str, mend: str) -> None:
        """Name the `zone` asked for, what zones the `source` `has`, and the way out, `mend`."""
        InputError.__init__(self, f"{source} has no zone {zone!r}, only {has}; {mend}")
        self.zone, self.nearest = zone, ()


class SourceError(LichenError):
    """Something lichen reads from gave nothing."""


class MeterUnavailable(SourceError):  # noqa: N818
    """A meter cannot be read here."""

    def __init__(self, what: str, why: str, mend: str) -> None:
        """Say `what` meter, `why` it cannot be read, and how to `mend` it."""
        super().__init__(f"{what} is unavailable: {why}; {mend}")
        self.what, self.why, self.mend = what, why, mend


class ExecutorUnavailable(SourceError):  # noqa: N818
    """Jobs cannot be run there."""

    def __init__(self, what: str, why: str, mend: str) -> None:
        """Say `what` executor, `why` it cannot be used, and how to `mend` it."""
        super().__init__(f"{what} is unavailable: {why}; {mend}")
        self.what, self.why, self.mend = what, why, mend


class SignalUnavailable(SourceError):  # noqa: N818
    """No carbon intensity for that zone and time."""

    def __init__(self, what: str, why: str, mend: str) -> None:
        """Say `what` signal, `why` there is none, and how to `mend` it."""
        super().__init__(f"{what} is unavailable: {why}; {mend}")
        self.what, self.why, self.mend = what, why, mend


class UpstreamError(SourceError):
    """The model's service could not be reached, timed out or broke off.

    `sent` says whether any of the call may have reached it: what was not sent can safely be sent
    again. `wait_s` is when to come again, where that is known. [s] `entry_id` is the line of the
    book that tells of it; empty where there is none.
    """

    entry_id = ""

    def __init__(
        self,
        message: str,
        *,
        status: int = 502,
        code: str = "upstream_error",
        sent: bool = True,
        wait_s: float | None = None,
    ) -> None:
        """Say what happened, the HTTP `status` to answer with, and a stable `code`."""
        super().__init__(message)
        self.status, self.code = status, code
        self.sent, self.wait_s = sent, wait_s


class NotAsked(UpstreamError):  # noqa: N818 (named for what happened)
    """lichen itself held the call back: no upstream was asked, and nothing was used."""

    def __init__(self, message: str, *, status: int, code: str, wait_s: float) -> None:
        """Say why, the `status` and `code` to answer with, and when to come again [s]."""
        super().__init__(message, status=status, code=code, sent=False, wait_s=wait_s)


class LedgerError(LichenError):
    """Something is wrong with the book."""


class EntryConflict(LedgerError):  # noqa: N818
    """An entry id that exists already with other contents."""

    def __init__(self, entry_id: str) -> None:
        """Name the `entry_id` in conflict."""
        super().__init__(
            f"entry {entry_id} exists already with other contents: the ledger is append-only, "
            "give the new entry an id of its own (lichen.ledger.ids.new_id)"
        )
        self.entry_id = entry_id


class NoWorkDone(LedgerError):  # noqa: N818
    """SCI of nothing: R = 0."""

    def __init__(self, unit: str, known: Sequence[str] = ()) -> None:
        """Name the functional `unit` asked for and the `known` ones that have work."""
        hint = (
            f"units with work: {', '.join(known)}"
            if known
            else "no entry of that time has done any work"
        )
        super().__init__(f"no work was done per {unit!r}, so SCI = C / R has no value: {hint}")
        self.unit = unit


class StoreUnavailable(LedgerError):  # noqa: N818
    """The ledger's file or database cannot be opened or written."""

    def __init__(self, where: str, why: str, mend: str) -> None:
        """Say `where` the ledger is, `why` it cannot be used, and how to `mend` it."""
        super().__init__(f"the ledger at {where} cannot be used: {why}; {mend}")
        self.where, self.why, self.mend = where, why, mend


class UnprovenSaving(LedgerError):  # noqa: N818
    """A saving whose baseline is missing or does not hold."""


def to_install(extra: str) -> str:
    """How to get an optional dependency, right for a checkout: lichen is on no index yet."""
    how = f"pip install -c constraints.txt -e '.[{extra}]'"
    return f"install lichen's extra {extra!r}, in a checkout by {how}"


class MissingExtra(LichenError, ImportError):  # noqa: N818
    """An optional dependency is not installed."""

    def __init__(self, who: str, needs: str, extra: str) -> None:
        """Say `who` `needs` which package and the `extra` that brings it."""
        super().__init__(f"{who} needs {needs}: {to_install(extra)}")
        self.extra = extra
