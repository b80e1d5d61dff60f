"""ProviderBatches: what lichen asks of a provider's own batches.

A provider is a file and an entry point in the group `lichen.batches`, by the provider's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lichen.calls.batch.item import Item
    from lichen.calls.exchange import Headers

    # Method, target, headers and body in; status and body out.
    Ask = Callable[[str, str, Headers, bytes], Awaitable[tuple[int, bytes]]]

OK = range(200, 300)
# Answers that say that there is no such thing there, or that it is refused.
_NONE_THERE = frozenset((400, 403, 404, 405, 410, 422, 501))


class NoBatches(Exception):  # noqa: N818 (named for what it is)
    """The provider has no batches, or does not take this one."""


class Result(NamedTuple):
    """What the provider's batch gave for one item."""

    status: int
    body: bytes


class ProviderBatches(Protocol):
    """A provider's own batches; `share` is their price over that of single calls [1].

    They suit calls that may wait `shortest_s` [s]. One takes so many calls at `most`, whose bodies
    have `largest` together [byte]. `finds` says that one made before a kill can be found again.
    """

    share: float
    shortest_s: float
    most: int
    largest: int
    finds: bool

    def takes(self, target: str) -> bool:
        """Whether calls to a target may go in them."""
        ...

    async def make(self, offer: str, items: Sequence[Item], ask: Ask) -> str:
        """Give items to the provider; the id of its batch.

        Raises:
            NoBatches: it has none.
            UpstreamError: it could not be asked; to be tried again.
        """
        ...

    async def find(self, offer: str, ask: Ask) -> str:
        """The id of the batch that was made for an offer; empty where none was.

        Raises:
            UpstreamError: it could not be asked.
        """
        ...

    async def results(
        self, remote: str, items: Sequence[Item], ask: Ask
    ) -> dict[str, Result] | None:
        """What a batch gave by item, of those it was made of that are still there; None: it runs.

        Raises:
            UpstreamError: it could not be asked.
        """
        ...


async def asked(
    ask: Ask, method: str, target: str, headers: Headers, body: bytes
) -> dict[str, Any]:
    """The JSON object that a provider answers.

    Raises:
        NoBatches: it says that there is no such thing, or refuses it.
        UpstreamError: it failed; to be tried again.
    """
    status, answer = await ask(method, target, headers, body)
    if status in _NONE_THERE:
        raise NoBatches(f"{method} {target} answered {status}")
    if status not in OK:
        raise UpstreamError(f"{method} {target} answered {status}")
    try:
        made = orjson.loads(answer)
    except orjson.JSONDecodeError:
        made = None
    if not isinstance(made, dict):
        raise NoBatches(f"{method} {target} answered no JSON object")
    return made
