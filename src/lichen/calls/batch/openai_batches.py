"""OpenAiBatches: the Batch API of OpenAI, and of whoever speaks it, as lichen uses it.

    POST /v1/files → POST /v1/batches → GET /v1/batches/ID → GET /v1/files/ID/content

Half the price of single calls, answered within 24 h.

Source: OpenAI, "Batch API" guide and API reference (50,000 requests, 200 MB), 2026-11.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import orjson

from lichen.calls.batch.batches import OK, Result, asked
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.batch.batches import Ask
    from lichen.calls.batch.item import Item
    from lichen.calls.exchange import Headers

_JSON = (b"content-type", b"application/json")
_TAKEN = frozenset(("/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/embeddings"))
_DONE = frozenset(("completed", "expired", "cancelled", "failed"))
# Pages of batches in which one that was made just before a kill is looked for.
_PAGES = 5


class OpenAiBatches:
    """Keeps `ProviderBatches` for OpenAI's API."""

    share = 0.5
    shortest_s = 86_400.0
    most = 50_000
    largest = 190_000_000
    finds = True

    def takes(self, target: str) -> bool:
        """What has a place of its own in the Batch API."""
        return target in _TAKEN

    async def make(self, offer: str, items: Sequence[Item], ask: Ask) -> str:
        """Upload the lines, begin the batch."""
        file_id = (await asked(ask, "POST", "/v1/files", *_form(offer, items)))["id"]
        begin = {
            "input_file_id": file_id,
            "endpoint": items[0].target,
            "completion_window": "24h",
            "metadata": {"lichen_offer": offer},
        }
        headers = [_JSON, (b"idempotency-key", offer.encode())]
        made = await asked(ask, "POST", "/v1/batches", headers, orjson.dumps(begin))
        return str(made["id"])

    async def find(self, offer: str, ask: Ask) -> str:
        """Look among the newest batches for one with the offer's id."""
        after = ""
        for _ in range(_PAGES):
            page = await asked(ask, "GET", f"/v1/batches?limit=100{after}", [], b"")
            for one in page.get("data", ()):
                if (one.get("metadata") or {}).get("lichen_offer") == offer:
                    return str(one["id"])
            if not page.get("has_more"):
                break
            after = f"&after={page.get('last_id')}"
        return ""

    async def results(
        self,
        remote: str,
        items: Sequence[Item],  # noqa: ARG002 (lines bear their ids)
        ask: Ask,
    ) -> dict[str, Result] | None:
        """Both files of a batch that has ended."""
        batch = await asked(ask, "GET", f"/v1/batches/{remote}", [], b"")
        if batch.get("status") not in _DONE:
            return None
        made: dict[str, Result] = {}
        for name in ("output_file_id", "error_file_id"):
            if file_id := batch.get(name):
                status, body = await ask("GET", f"/v1/files/{file_id}/content", [], b"")
                if status not in OK:
                    raise UpstreamError(f"the file {file_id} of {remote} cannot be read: {status}")
                made.update(_read(body))
        return made


def _form(offer: str, items: Sequence[Item]) -> tuple[Headers, bytes]:
    """The lines as an uploaded file."""
    mark = secrets.token_hex(16).encode()
    lines = b"".join(_line(item) for item in items)
    body = (
        b'--%b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--%b\r\ncontent-disposition: form-data; name="file"; filename="%b.jsonl"\r\n'
        b"content-type: application/jsonl\r\n\r\n%b\r\n--%b--\r\n"
        % (mark, mark, offer.encode(), lines, mark)
    )
    return [(b"content-type", b"multipart/form-data; boundary=" + mark)], body


def _line(item: Item) -> bytes:
    asked = {
        "custom_id": item.id,
        "method": "POST",
        "url": item.target,
        "body": orjson.Fragment(item.body),
    }
    return orjson.dumps(asked, option=orjson.OPT_APPEND_NEWLINE)


def _read(content: bytes) -> dict[str, Result]:
    made = {}
    for line in content.splitlines():
        try:
            said = orjson.loads(line)
            response = said["response"]
            if response is not None:
                body = orjson.dumps(response["body"])
                made[said["custom_id"]] = Result(int(response["status_code"]), body)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue  # whoever it was goes alone
    return made
