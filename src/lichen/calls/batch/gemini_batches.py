"""GeminiBatches: the Batch API of Gemini, as lichen uses it.

    POST /v1beta/models/MODEL:batchGenerateContent  →  GET /v1beta/batches/ID until it is done
    (or in /v1, which google-genai asks)

Half the price of single calls, answered within 24 h. Requests stand within the call that makes the
batch, and answers within the batch: each under the key that was given with its request, where the
provider gives that back, else in the order of the requests. The second holds only while every item
is there that the batch was made of: where one was erased meanwhile, and no key came back, the
others go alone. Embeddings, tuned models and OpenAI's dialect at Gemini go one by one.

Source: Gemini API reference, "Batch API" (models.batchGenerateContent, batches.get, batches.list;
GenerateContentBatchOutput: "in the same order as the input requests"), and its guide (20 MB in one
call, half the price, 24 h); google-genai 3.6, `batches`; google.rpc.Code; 2026-11.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from lichen.calls.batch.batches import OK, NoBatches, Result, asked
from lichen.ledger.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lichen.calls.batch.batches import Ask
    from lichen.calls.batch.item import Item

_JSON = (b"content-type", b"application/json")
_TAKEN = re.compile(r"(/v1(?:beta|alpha)?)/(models/[^/:?]+):generateContent")
# Where batches are listed; made and read they are in the version that their calls ask.
_ROOT = "/v1beta"
_NAME = re.compile(r"batches/[^/:?]+")
_ENDED = frozenset(
    f"BATCH_STATE_{name}" for name in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")
)
_PAGES = 5
# HTTP's statuses for those of google.rpc.Code; all others are the provider's own trouble.
_STATUSES = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 11: 400, 14: 503, 16: 401}
_LEAST_OF_HTTP = 400


class GeminiBatches:
    """Keeps `ProviderBatches` for Gemini's API."""

    share = 0.5
    shortest_s = 86_400.0
    most = 10_000
    # Of the 20 MB that the call may have: its requests without what stands around each.
    largest = 18_000_000
    finds = True

    def takes(self, target: str) -> bool:
        """Generated answers of the provider's own models."""
        return _TAKEN.fullmatch(target) is not None

    async def make(self, offer: str, items: Sequence[Item], ask: Ask) -> str:
        """Begin a batch under the offer's name."""
        found = _TAKEN.fullmatch(items[0].target)
        if found is None:
            raise NoBatches(f"{items[0].target} has none")
        requests = [
            {"request": orjson.Fragment(one.body), "metadata": {"key": one.id}} for one in items
        ]
        batch = {"displayName": offer, "inputConfig": {"requests": {"requests": requests}}}
        target = f"{found[1]}/{found[2]}:batchGenerateContent"
        made = await asked(ask, "POST", target, [_JSON], orjson.dumps({"batch": batch}))
        return _named(made)

    async def find(self, offer: str, ask: Ask) -> str:
        """Look among the newest batches for one of the offer's name."""
        after = ""
        for _ in range(_PAGES):
            page = await asked(ask, "GET", f"{_ROOT}/batches?pageSize=100{after}", [], b"")
            for one in _objects(page.get("operations")):
                if _object(one.get("metadata")).get("displayName") == offer:
                    return _named(one)
            token = page.get("nextPageToken")
            if not isinstance(token, str) or not token:
                break
            after = f"&pageToken={quote(token, safe='')}"
        return ""

    async def results(
        self, remote: str, items: Sequence[Item], ask: Ask
    ) -> dict[str, Result] | None:
        """The answers of a batch that has ended; none where it failed, so that all go alone."""
        found = _TAKEN.fullmatch(items[0].target) if items else None
        root = found[1] if found is not None else _ROOT
        batch = await asked(ask, "GET", f"{root}/{remote}", [], b"")
        told = _object(batch.get("metadata"))
        if not batch.get("done") and told.get("state") not in _ENDED:
            return None
        output = _object(batch.get("response")) or _object(told.get("output"))
        return _by_item(await _answers(output, ask), [item.id for item in items])


async def _answers(output: Mapping[str, Any], ask: Ask) -> list[dict[str, Any]]:
    """The answers within a batch, or in the file that it names."""
    within = _object(output.get("inlinedResponses")).get("inlinedResponses")
    name = output.get("responsesFile")
    if within is not None or not isinstance(name, str):
        return list(_objects(within))
    status, body = await ask("GET", f"/download{_ROOT}/{name}:download?alt=media", [], b"")
    if status not in OK:
        raise UpstreamError(f"the file {name} cannot be read: {status}")
    return [_read(line) for line in body.splitlines() if line.strip()]


def _by_item(answers: list[dict[str, Any]], ids: list[str]) -> dict[str, Result]:
    """Each answer by its item: by key where keys came back, else by order where none is missing."""
    keys = [_key(answer) for answer in answers]
    if not any(keys):
        keys = ids if len(ids) == len(answers) else []
    made = dict(zip(keys, map(_result, answers), strict=False))
    return {one: result for one in ids if (result := made.get(one)) is not None}


def _key(answer: Mapping[str, Any]) -> str:
    said = answer.get("key") or _object(answer.get("metadata")).get("key")
    return said if isinstance(said, str) else ""


def _result(answer: Mapping[str, Any]) -> Result | None:
    """What one answer is; None where it is neither one nor an error."""
    if isinstance(said := answer.get("response"), dict):
        return Result(HTTPStatus.OK, orjson.dumps(said))
    if not isinstance(error := answer.get("error"), dict):
        return None
    code = error.get("code")
    known = code if isinstance(code, int) else 0
    status = known if known >= _LEAST_OF_HTTP else _STATUSES.get(known, 500)
    return Result(status, orjson.dumps({"error": {**error, "code": status}}))


def _named(batch: Mapping[str, Any]) -> str:
    name = batch.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UpstreamError(f"a batch of Gemini's has no name that can be asked for: {name!r}")
    return name


def _read(line: bytes) -> dict[str, Any]:
    try:
        return _object(orjson.loads(line))
    except orjson.JSONDecodeError:
        return {}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of a list; an empty one for each that is none, so that places stay."""
    return (_object(one) for one in (value if isinstance(value, list) else ()))
