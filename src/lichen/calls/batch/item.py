"""Item: one call that waits, from its arrival to the delivery of its answer.

    waiting → sending → answered | failed
       │         └──→ waiting   sent again: with the same key, and marked
       ├──→ expired             its deadline passed
       └──→ cancelled

Times are µs since 1970 by the database's own clock. Credentials are no part of an item.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.calls.exchange import Headers, Record

# How an item goes to the upstream.
ALONE, OFFERED = "call", "offer"


class State(Enum):
    """Where an item stands."""

    WAITING = "waiting"
    SENDING = "sending"
    ANSWERED = "answered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it but its delivery."""
        return self not in (State.WAITING, State.SENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A call that waits.

    `key` is its Idempotency-Key, the same at every attempt; `needs_key` says that the upstream
    wants the caller's own credential; `place` and `name` are its line and `custom_id` in a `batch`.
    `twice` says that it may have been sent twice: a process ended between sending it and writing
    down what came back. `way` is how it goes: alone, or in one of the provider's own batches.
    `held` is what budgets were charged for it, as `lichen.calls.gate.holds` writes it.
    """

    id: str
    tenant: str
    target: str
    headers: Headers
    body: bytes
    key: str
    needs_key: bool
    arrived_us: int
    deadline_us: int
    batch: str = ""
    place: int = 0
    name: str = ""
    run_us: int = 0
    planned_us: int = 0
    why: str = "not planned yet"
    state: State = State.WAITING
    attempts: int = 0
    twice: bool = False
    status: int = 0
    answer_headers: Headers = field(default_factory=list)
    answer: bytes = b""
    error: str = ""
    ended_us: int = 0
    way: str = ALONE
    held: str = field(default="", metadata={"column": False})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one attempt: an end, or a time at which to try again.

    `unsure` says that the upstream may have done its work although no answer came. `record` is what
    the answer used, at `share` of the list price [1]; `took` the same as budgets have it.
    """

    id: str
    state: State
    status: int = 0
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    error: str = ""
    again_us: int = 0
    unsure: bool = False
    record: Record | None = None
    share: float = 1.0
    took: str = ""


def headers_to_text(headers: Headers) -> str:
    """Headers as the database keeps them."""
    return json.dumps([[n.decode("latin-1"), v.decode("latin-1")] for n, v in headers])


def headers_from_text(text: str) -> Headers:
    """The headers that `headers_to_text` wrote."""
    return [(n.encode("latin-1"), v.encode("latin-1")) for n, v in json.loads(text)]
