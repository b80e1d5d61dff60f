"""AnthropicBatches: Anthropic's Message Batches, as lichen uses them.

    POST /v1/messages/batches  →  GET …/ID until it has ended  →  GET …/ID/results

Half the price of single calls, answered within 24 h. A batch carries no mark of its maker's: one
made just before a kill cannot be found again, and what was in it is sent again then, and marked.

Source: Anthropic API reference, "Message Batches" (create, retrieve, results; at most 100,000
requests, 256 MB), and "Errors" (types and their statuses), 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from lichen.calls.batch.batches import Result, asked
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.batch.batches import Ask
    from lichen.calls.batch.item import Item

_ROOT = "/v1/messages/batches"
_JSON = (b"content-type", b"application/json")
_OK = 200
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class AnthropicBatches:
    """Keeps `ProviderBatches` for Anthropic's API."""

    share = 0.5
    shortest_s = 86_400.0
    most = 100_000
    largest = 240_000_000
    finds = False

    def takes(self, target: str) -> bool:
        """Messages alone."""
        return target.partition("?")[0] == "/v1/messages"

    async def make(self, offer: str, items: Sequence[Item], ask: Ask) -> str:
        """Begin a batch of messages."""
        requests = [{"custom_id": one.id, "params": orjson.Fragment(one.body)} for one in items]
        headers = [_JSON, (b"idempotency-key", offer.encode())]
        made = await asked(ask, "POST", _ROOT, headers, orjson.dumps({"requests": requests}))
        return str(made["id"])

    async def find(self, offer: str, ask: Ask) -> str:  # noqa: ARG002 (it cannot be found)
        """Nothing: batches carry no mark of their maker's."""
        return ""

    async def results(
        self,
        remote: str,
        items: Sequence[Item],  # noqa: ARG002 (lines bear their ids)
        ask: Ask,
    ) -> dict[str, Result] | None:
        """The results of a batch that has ended."""
        batch = await asked(ask, "GET", f"{_ROOT}/{remote}", [], b"")
        if batch.get("processing_status") != "ended":
            return None
        status, body = await ask("GET", f"{_ROOT}/{remote}/results", [], b"")
        if status != _OK:
            raise UpstreamError(f"the results of {remote} cannot be read: {status}")
        return _read(body)


def _read(content: bytes) -> dict[str, Result]:
    made = {}
    for line in content.splitlines():
        try:
            said = orjson.loads(line)
            result = said["result"]
            if result["type"] == "succeeded":
                made[said["custom_id"]] = Result(_OK, orjson.dumps(result["message"]))
            elif result["type"] == "errored":
                told = result["error"]
                status = _STATUSES.get(told["error"]["type"], 500)
                made[said["custom_id"]] = Result(status, orjson.dumps(told))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue  # whoever it was goes alone
    return made
