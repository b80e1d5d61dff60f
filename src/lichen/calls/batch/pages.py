"""Pages: /v1/lichen/deferred, where callers ask for what they left.

    GET     /v1/lichen/deferred            what this caller left, the newest first
    GET     /v1/lichen/deferred/ID         202 and when it runs, or the answer as it came
    GET     /v1/lichen/deferred/ID?wait=30 the same, once it has ended or 30 s have passed
    DELETE  /v1/lichen/deferred/ID         cancels what waits

An item is its caller's alone: who shows another credential gets a 404.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson

from lichen.calls.batch.desk import trouble
from lichen.calls.batch.item import Item, State
from lichen.calls.exchange import Answer
from lichen.calls.hops import hop_by_hop
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.ledger.errors import InputError, StoreUnavailable

if TYPE_CHECKING:
    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.keyring import Keyring
    from lichen.calls.batch.sender import Sender
    from lichen.calls.exchange import Exchange, Headers
    from lichen.calls.providers.dialect import Dialect

ROOT = "/v1/lichen/deferred"
_SECOND_US = 1_000_000
# The longest a poll may wait; proxies between close connections that are silent for a minute. [s]
_LONGEST_WAIT_S = 60.0
# How often a poll looks for itself: another process may have sent the item. [s]
_LOOK_S = 1.0
_LISTED = 100
_JSON = (b"content-type", b"application/json")
_FRESH = (b"cache-control", b"no-store")
_RETRY = 30


class Pages:
    """Answers for one queue."""

    def __init__(self, desk: Desk, sender: Sender, keyring: Keyring) -> None:
        self._desk, self._sender, self._keyring = desk, sender, keyring

    async def __call__(self, exchange: Exchange) -> Answer:
        """Answer a request under the root."""
        path, _, query = exchange.target.partition("?")
        item_id = path.removeprefix(ROOT).strip("/")
        try:
            return await self._answer(exchange, item_id, query)
        except (StoreUnavailable, InputError) as error:
            return failure(*trouble(error))

    async def _answer(self, exchange: Exchange, item_id: str, query: str) -> Answer:
        tenant = exchange.tenant
        if exchange.method in ("GET", "HEAD"):
            if item_id:
                return await self._get(item_id, tenant, _wait_s(query))
            items = await self._desk.work(lambda queue: queue.of_tenant(tenant, _LISTED))
            return _said(200, {"object": "list", "data": [self._shown(item) for item in items]})
        if exchange.method == "DELETE" and item_id:
            return await self._cancel(item_id, tenant)
        return failure(405, f"{exchange.method} is not for {exchange.target}", "unknown_method")

    async def _get(self, item_id: str, tenant: str, wait_s: float) -> Answer:
        end = time.monotonic() + wait_s
        while True:
            item = await self._desk.work(lambda queue: queue.get(item_id, tenant))
            left = end - time.monotonic()
            if item is None or item.state.ended or left <= 0:
                break
            await self._sender.ended(item_id, min(left, _LOOK_S))
        if item is None:
            return _lost(item_id)
        if not item.state.ended:
            return self.waiting(item)
        answer = _given(item)
        self._sender.delivered(item_id)
        return answer

    async def _cancel(self, item_id: str, tenant: str) -> Answer:
        state = await self._desk.work(lambda queue: queue.cancel(item_id, tenant))
        if state is None:
            return _lost(item_id)
        if state is State.SENDING:
            return failure(
                409, f"{item_id} is being sent and can no longer be cancelled", "under_way"
            )
        if state is State.CANCELLED:
            self._sender.soon()  # what it was charged is given back
        else:
            self._sender.delivered(item_id)
        return _said(200, {"id": item_id, "object": "lichen.deferred", "status": state.value})

    def waiting(self, item: Item) -> Answer:
        """What a caller is told while a call waits."""
        answer = _said(202, self._shown(item))
        left_s = (item.run_us - self._sender.now_us()) / _SECOND_US if item.run_us else 1
        retry_s = max(1, min(int(left_s), 3600)) if item.state is State.WAITING else 1
        answer.headers += [
            (b"location", f"{ROOT}/{item.id}".encode()),
            (b"retry-after", b"%d" % retry_s),
        ]
        answer.source = "deferred"
        return answer

    def _shown(self, item: Item) -> dict[str, Any]:
        keyless = item.needs_key and not self._keyring.of(item.tenant)
        why = item.why
        if item.state is State.WAITING and keyless:
            why = "it waits for its caller's key: send any call with it"
        return {
            "id": item.id,
            "object": "lichen.deferred",
            "status": item.state.value,
            "created_at": item.arrived_us // _SECOND_US,
            "deadline_at": item.deadline_us // _SECOND_US,
            "runs_at": item.run_us // _SECOND_US if item.run_us else None,
            "why": why,
            "attempts": item.attempts,
            "maybe_sent_twice": item.twice,
        }


def _given(item: Item) -> Answer:
    """The answer as the upstream gave it; lichen's own error where there is none."""
    if item.state is State.CANCELLED:
        return failure(410, f"{item.id} was cancelled", "cancelled")
    if item.state is State.EXPIRED:
        told = "its deadline passed before it could be sent"
        if item.needs_key and not item.attempts:
            told += " (after a restart its caller's key was not shown again)"
        return failure(504, f"{item.id}: {told}", "deadline_passed")
    if not item.answer and item.error:
        return failure(item.status or 500, item.error, "no_answer")
    hops = hop_by_hop(item.answer_headers)
    headers: Headers = [pair for pair in item.answer_headers if pair[0] not in hops]
    headers.append((b"x-lichen-deferred", item.id.encode()))
    if item.twice:
        headers.append((b"x-lichen-maybe-sent-twice", b"1"))
    return Answer(item.status, headers, item.answer, source="deferred")


def _wait_s(query: str) -> float:
    said = parse_qs(query).get("wait", ["0"])[0].removesuffix("s")
    return min(float(said), _LONGEST_WAIT_S) if said.replace(".", "", 1).isdigit() else 0.0


def _lost(item_id: str) -> Answer:
    return failure(
        404,
        f"there is no waiting call {item_id} of this credential: answers are deleted a while after "
        "they were fetched",
        "not_found",
    )


def _said(status: int, what: dict[str, Any]) -> Answer:
    return Answer(status, [_JSON, _FRESH], orjson.dumps(what), source="lichen")


def failure(status: int, message: str, code: str, dialect: Dialect = OPENAI) -> Answer:
    """An error of lichen's own, in a provider's shape."""
    answer = Answer(status, [_JSON, _FRESH], dialect.error_body(status, message, code))
    answer.source = "lichen"
    if status == 503:  # noqa: PLR2004 (HTTP)
        answer.headers.append((b"retry-after", b"%d" % _RETRY))
    return answer
