"""Entry ids: 16 hexadecimal digits that sort by time.

    id = milliseconds since 2024-01-01 (41 bits) ‖ a counter that starts at random (22 bits)

Two processes agree by chance once in four million pairs within one millisecond; a store then raises
`EntryConflict` rather than lose one of the two. Made without a lock: `next` on a counter is atomic.
"""

from __future__ import annotations

import itertools
import random
import time

from lichen.ledger.errors import InputError

_EPOCH_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_MASK = (1 << 22) - 1
_counter = itertools.count(random.SystemRandom().getrandbits(22))


def new_id(now_us: int | None = None) -> str:
    """An id for something that happens now, or at `now_us` [µs since 1970].

    Raises:
        InputError: that was before 2024, when ids begin.
    """
    return f"{new_number(now_us):016x}"


def new_number(now_us: int | None = None) -> int:
    """A new id as the number the stores keep."""
    ms = _since_epoch(time.time_ns() // 1000 if now_us is None else now_us)
    return (ms << 22) | (next(_counter) & _MASK)


def _since_epoch(now_us: int) -> int:
    ms = now_us // 1000 - _EPOCH_MS
    if ms < 0:
        raise InputError(f"entries begin at 2024-01-01T00:00:00Z, got {now_us} µs since 1970")
    return ms


def id_at(now_us: int, of: str) -> str:
    """The one id, at `now_us` [µs since 1970], of what belongs to the thing with another id.

    Raises:
        InputError: that was before 2024, or `of` is no id.
    """
    return from_int((_since_epoch(now_us) << 22) | (to_int(of) & _MASK))


def to_int(entry_id: str) -> int:
    """The 63-bit number an id stands for, as the stores keep it.

    Raises:
        InputError: it is not 16 hexadecimal digits.
    """
    try:
        number = int(entry_id, 16)
    except ValueError:
        number = -1
    if len(entry_id) != 16 or not 0 <= number < 1 << 63:  # noqa: PLR2004 (see above)
        raise InputError(
            f"{entry_id!r} is no entry id: an id is 16 hexadecimal digits, as `lichen report` and "
            "the x-lichen-id header show it"
        )
    return number


def from_int(number: int) -> str:
    """The id of a stored number."""
    return f"{number:016x}"


def first_of(now_us: int) -> int:
    """The smallest number an id of that moment's millisecond can have; 0 before 2024."""
    return max(0, (now_us // 1000 - _EPOCH_MS) << 22)
