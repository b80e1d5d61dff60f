"""Opening: the step put together from the settings, with the compressor they name."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from lichen.calls.compress.memory import Memory
from lichen.calls.compress.step import Compress
from lichen.calls.compress.watch import Watch
from lichen.calls.level import LOSSLESS, OFF
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from lichen.calls.compress.compressor import Compressor
    from lichen.calls.compress.options import CompressOptions
    from lichen.calls.compress.trial import Trial
    from lichen.calls.steps import StepParts

GROUP = "lichen.compressor"
# The gap in the book where a route's trial failed.
CLOSED = "shorter prompts turned themselves off: answers were worse on route"


def opened(parts: StepParts) -> Compress:
    """The step.

    Raises:
        InputError: nothing installed provides the compressor that the settings name.
    """
    options: CompressOptions = parts.options("compress")

    def closed(route: str, trial: Trial) -> None:
        told = (
            f"{CLOSED} {route!r} ({trial.treated.bad:,} of {trial.treated.count:,} answers bad, "
            f"{trial.held.bad:,} of {trial.held.count:,} where prompts were left alone); another "
            "word in [compress] rearm gives it another trial"
        )
        parts.warn(told)
        with suppress(Exception):
            parts.book.note_gap(f"{CLOSED} {route!r}")

    watch = Watch(options, parts.place.file("compress"), closed, parts.warn)
    return Compress(parts, options, Memory(options.memory), watch, _compressor(parts, options))


def _compressor(parts: StepParts, options: CompressOptions) -> Compressor | None:
    """What selects, where a route says "lossy"."""
    if not parts.rules.any("compress", OFF, LOSSLESS):
        return None
    known = entry_points(group=GROUP)
    found = next(iter(known.select(name=options.compressor)), None)
    if found is None:
        raise InputError(
            f"no compressor {options.compressor!r} in {GROUP}: known are "
            f"{', '.join(sorted(each.name for each in known))}; [compress] compressor names one"
        )
    make: Any = found.load()
    made: Compressor = make(parts.embedder)
    return made
