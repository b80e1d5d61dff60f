"""Discovery: which meters can be read here, best first, and no domain of the machine twice.

A meter says on its class what it `covers`: "cpu", "ram", "gpu", "platform". Of two that cover the
same, the one that counts goes before the one that models, and the other is left out; so where RAPL
can be read, the CPU is counted and no longer modelled from CPU time. A meter that covers nothing
(the tokens of a call, a recording) takes no part.

Source: docs/method/process.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Found", "best", "look"]


@dataclass(frozen=True, slots=True)
class Found:
    """A meter by its name: made, or why it could not be."""

    name: str
    meter: Any = None
    error: Exception | None = None


def look(loaders: Iterable[tuple[str, Callable[[], Any]]]) -> list[Found]:
    """All meters of this machine's domains, made where they can be; none stops another.

    `loaders` give a meter's class by its name, as an entry point does.
    """
    found = []
    for name, load in loaders:
        try:
            made = load()
            if getattr(made, "covers", None):
                found.append(Found(name, made()))
        except Exception as error:  # noqa: BLE001 (such as a driver's library that lacks a function)
            found.append(Found(name, None, error))
    return found


def best(found: Sequence[Found]) -> list[Found]:
    """Those to read together: best first, and none of a domain that a better one covers."""
    chosen: list[Found] = []
    covered: set[str] = set()
    made = [each for each in found if each.meter is not None]
    for each in sorted(made, key=lambda one: (one.meter.basis, -len(one.meter.covers), one.name)):
        if covered.isdisjoint(each.meter.covers):
            chosen.append(each)
            covered |= each.meter.covers
    return chosen
