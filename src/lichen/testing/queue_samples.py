"""Calls that wait, batches and files as samples, for tests of what keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.batch.item import Item
from lichen.calls.batch.shelf import Batch, File

if TYPE_CHECKING:
    from lichen.calls.batch.queue import Queue

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US


def sample_item(queue: Queue, name: str, **changes: object) -> Item:
    """An item that arrives now and may wait an hour."""
    now = queue.now_us()
    given: dict[str, object] = {
        "id": f"dfr_{name}",
        "tenant": "tenant one",
        "target": "/v1/chat/completions",
        "headers": [(b"openai-organization", b"org-\xe9")],
        "body": b'{"model": "m", "text": "\xc3\xa9\\u0000"}',
        "key": f"key {name}",
        "needs_key": False,
        "arrived_us": now,
        "deadline_us": now + HOUR_US,
        "run_us": now,
        "planned_us": now,
    }
    return Item(**{**given, **changes})  # type: ignore[arg-type]


def sample_batch(queue: Queue, **changes: object) -> Batch:
    """A batch that was just made."""
    now = queue.now_us()
    given: dict[str, object] = {
        "id": "batch_one",
        "tenant": "tenant one",
        "endpoint": "/v1/chat/completions",
        "input_file": "file-lichen-one",
        "window": "24h",
        "created_us": now,
        "deadline_us": now + HOUR_US,
        "headers": "[]",
        "needs_key": False,
    }
    return Batch(**{**given, **changes})  # type: ignore[arg-type]


def sample_file(queue: Queue, name: str, *, tenant: str = "tenant one", size: int = 2) -> File:
    """A file that was just put."""
    now = queue.now_us()
    return File(
        id=f"file-lichen-{name}",
        tenant=tenant,
        purpose="batch",
        name="lines.jsonl",
        created_us=now,
        expires_us=now + HOUR_US,
        size=size,
    )
