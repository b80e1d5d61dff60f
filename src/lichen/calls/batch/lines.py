"""Lines: a batch's input file as items, and its answers as output and error files.

    in    {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {…}}
    out   {"id": "batch_req_…", "custom_id": "a", "response": {"status_code": 200, …}, "error": …}

Source: OpenAI, "Batch API" guide and API reference ("The request input object", "The request output
object"): one JSON object a line, POST alone, custom_id unique, up to 50,000 requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from lichen.calls.batch.intake import new_id
from lichen.calls.batch.item import Item, State, headers_from_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lichen.calls.batch.shelf import Batch

MOST = 50_000
# Errors that are told of one file; the rest are of the same kind.
_TOLD = 100
_NEEDED = ("custom_id", "method", "url", "body")


class Read(NamedTuple):
    """What a file holds: items, or what is wrong with it."""

    items: list[Item]
    errors: list[dict[str, Any]]


def read_lines(content: bytes, batch: Batch, item_limit: float) -> Read:
    """The items of a batch; or, where any line is wrong, all that is wrong and no item."""
    items: list[Item] = []
    errors: list[dict[str, Any]] = []
    names: set[str] = set()
    for place, line in _numbered(content):
        if len(errors) >= _TOLD:
            break
        if place > MOST:
            errors.append(_error(place, "too_many_tasks", f"a batch has at most {MOST:,} requests"))
            break
        made = _line(line, batch, item_limit)
        if isinstance(made, tuple):
            errors.append(_error(place, *made))
        elif made["custom_id"] in names:
            told = f"the custom_id {made['custom_id']!r} stands in an earlier line too"
            errors.append(_error(place, "duplicate_custom_id", told, "custom_id"))
        else:
            names.add(made["custom_id"])
            items.append(_item(made, batch, place))
    if not items and not errors:
        errors.append(_error(None, "empty_file", "the file has no line"))
    return Read([] if errors else items, errors)


def _numbered(content: bytes) -> Iterator[tuple[int, bytes]]:
    for place, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if stripped := line.strip():
            yield place, stripped


def _line(line: bytes, batch: Batch, item_limit: float) -> dict[str, Any] | tuple[str, str, str]:
    """One line as it asks, or what is wrong with it: code, message, field."""
    try:
        asked = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return "invalid_json_line", f"this line is no JSON: {error}", ""
    if not isinstance(asked, dict):
        return "invalid_json_line", "this line is no JSON object", ""
    for name in _NEEDED:
        if (value := asked.get(name)) in (None, "", {}):
            told = f"{name!r} is {'missing' if value is None else 'empty'}"
            return "missing_required_parameter", told, name
    wrong = _wrong(asked, batch)
    if wrong is not None:
        return wrong
    if len(line) > item_limit:
        told = f"this request has {len(line)} bytes, and one that waits may have {item_limit:.0f}"
        return "request_too_large", told, "body"
    return asked


def _wrong(asked: dict[str, Any], batch: Batch) -> tuple[str, str, str] | None:
    if not isinstance(asked["custom_id"], str):
        return "invalid_type", "'custom_id' must be a text", "custom_id"
    if asked["method"] != "POST":
        return "invalid_method", f"'method' must be POST, got {asked['method']!r}", "method"
    if asked["url"] != batch.endpoint:
        told = f"'url' is {asked['url']!r}, and the batch's endpoint {batch.endpoint!r}"
        return "mismatched_endpoint", told, "url"
    if not isinstance(asked["body"], dict):
        return "invalid_type", "'body' must be a JSON object", "body"
    if asked["body"].get("stream"):
        return "invalid_request", "a request of a batch cannot stream", "body.stream"
    return None


def _error(line: int | None, code: str, message: str, param: str = "") -> dict[str, Any]:
    return {"code": code, "message": message, "param": param or None, "line": line}


def _item(asked: dict[str, Any], batch: Batch, place: int) -> Item:
    item_id = new_id("batch_req_")
    return Item(
        id=item_id,
        tenant=batch.tenant,
        target=batch.endpoint,
        headers=[*headers_from_text(batch.headers), (b"content-type", b"application/json")],
        body=orjson.dumps(asked["body"]),
        key=f"lichen-{item_id}",
        needs_key=batch.needs_key,
        arrived_us=batch.created_us,
        deadline_us=batch.deadline_us,
        batch=batch.id,
        place=place,
        name=asked["custom_id"],
    )


def written(items: Iterable[Item]) -> tuple[bytes, bytes]:
    """The output file and the error file of a batch; empty where there is no such line."""
    good: list[bytes] = []
    bad: list[bytes] = []
    for item in items:
        (good if item.state is State.ANSWERED else bad).append(_written(item))
    return b"".join(good), b"".join(bad)


def _written(item: Item) -> bytes:
    response, error = None, None
    if item.state in (State.ANSWERED, State.FAILED) and (item.answer or not item.error):
        named = dict(item.answer_headers)
        request_id = named.get(b"x-request-id") or named.get(b"x-lichen-id") or item.id.encode()
        response = {
            "status_code": item.status,
            "request_id": request_id.decode("latin-1"),
            "body": _body(item.answer),
        }
    else:
        error = {"code": _CODES.get(item.state, "no_answer"), "message": _told(item)}
    made = {"id": item.id, "custom_id": item.name, "response": response, "error": error}
    if item.twice:
        made["lichen"] = {"maybe_sent_twice": True}
    return orjson.dumps(made, option=orjson.OPT_APPEND_NEWLINE)


_CODES = {State.EXPIRED: "batch_expired", State.CANCELLED: "batch_cancelled"}


def _told(item: Item) -> str:
    if item.state is State.EXPIRED:
        return "This request could not be executed before the completion window expired."
    if item.state is State.CANCELLED:
        return "This request was cancelled before it was executed."
    return item.error


def _body(answer: bytes) -> Any:
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        return answer.decode("utf-8", "replace")
