"""Wire: files and batches as OpenAI's API shows them. Times are seconds since 1970 there.

Source: OpenAI API reference, "The File object", "The Batch object", "List batches".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.batch.intake import Refused
from lichen.calls.exchange import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.batch.shelf import Batch, File

SECOND_US = 1_000_000
_JSON = (b"content-type", b"application/json")
_MOST_METADATA = 16
_TIMES = (
    "in_progress_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
)


def file_shown(file: File) -> dict[str, Any]:
    """A file as clients know it."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": file.created_us // SECOND_US,
        "expires_at": file.expires_us // SECOND_US,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def batch_shown(batch: Batch) -> dict[str, Any]:
    """A batch as clients know it."""
    errors = {"object": "list", "data": batch.errors} if batch.errors else None
    times = {name: _seconds(batch.times.get(name)) for name in _TIMES}
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": errors,
        "input_file_id": batch.input_file,
        "completion_window": batch.window,
        "status": batch.status,
        "output_file_id": batch.output_file or None,
        "error_file_id": batch.error_file or None,
        "created_at": batch.created_us // SECOND_US,
        "expires_at": batch.deadline_us // SECOND_US,
        **times,
        "request_counts": {
            "total": batch.total,
            "completed": batch.completed,
            "failed": batch.failed,
        },
        "metadata": batch.metadata,
    }


def said(what: dict[str, Any]) -> Answer:
    """An answer of lichen's own."""
    return Answer(200, [_JSON], orjson.dumps(what), source="lichen")


def page(data: Sequence[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """A page of a list."""
    return {
        "object": "list",
        "data": list(data),
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": more,
    }


def _seconds(moment_us: int | None) -> int | None:
    return None if moment_us is None else moment_us // SECOND_US


def metadata_of(given: Any) -> dict[str, str] | None:
    """What a caller wants kept with a batch.

    Raises:
        Refused: it is not a few pairs of texts.
    """
    if given is None:
        return None
    fits = isinstance(given, dict) and len(given) <= _MOST_METADATA
    if not fits or not all(isinstance(value, str) for value in given.values()):
        raise Refused(
            f"metadata is at most {_MOST_METADATA} pairs of texts, got {given!r}"[:300],
            "invalid_metadata",
        )
    return dict(given)
