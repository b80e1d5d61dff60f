"""Waiting: look again and again until something holds, instead of sleeping and hoping."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def until(look: Callable[[], T], *, within: float = 15.0, every: float = 0.01) -> T:
    """What `look` gave when it was first true; looks for up to `within` [s].

    Raises:
        AssertionError: it never was; with what it gave last.
    """
    end = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"not so within {within:g} s: {look} gave {found!r}")
        time.sleep(every)
    return found
