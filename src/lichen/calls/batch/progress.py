"""Progress: what becomes of batches between their making and their end.

Each step is one commit: a batch that is in progress has its items, one that is completed has its
files. A process that dies between two steps leaves the earlier one, and any process goes on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.calls.batch.fullness import share_of
from lichen.calls.batch.intake import Refused, new_id
from lichen.calls.batch.item import Item, State
from lichen.calls.batch.lines import read_lines, written
from lichen.calls.batch.shelf import Batch, File, Made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lichen.calls.batch.fullness import Fullness
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.batch.queue import Queue

SECOND_US = 1_000_000
OURS = "file-lichen-"


class Arriving(NamedTuple):
    """What is done to calls that come into the queue: how they go, whether they may, their charge.

    `charged` gives them charged to budgets, or None where that is to be tried again; `give_back`
    is for those that were charged and did not come in.
    """

    chosen: Callable[[Item], Item]
    fullness: Fullness
    charged: Callable[[Batch, list[Item]], list[Item] | None]
    give_back: Callable[[Iterable[Item]], None]


def advance_all(queue: Queue, options: BatchOptions, arriving: Arriving) -> bool:
    """Bring each open batch one step on; whether any item came into the queue."""
    now_us = queue.now_us()
    queue.shelf.sweep(int(options.files_kept * SECOND_US))
    arrived = False
    for batch in queue.shelf.open():
        if batch.status == "validating":
            arrived |= _arrive(queue, batch, options.item_limit, arriving)
        elif batch.status == "finalizing":
            _finish(queue, batch, now_us)
        elif batch.total == batch.completed + batch.failed:
            _finalize(queue, batch, now_us)
    return arrived


def _arrive(queue: Queue, batch: Batch, item_limit: float, arriving: Arriving) -> bool:
    """Let the calls of a batch come into the queue; whether they did."""
    now_us = queue.now_us()
    items, errors = _read(queue, batch, item_limit, arriving.fullness)
    if errors:
        return _begin(queue, batch, [], errors, now_us)
    try:
        charged = arriving.charged(batch, [arriving.chosen(item) for item in items])
    except Refused as refused:
        return _begin(queue, batch, [], [_wrong(refused.code, str(refused))], now_us)
    if charged is None:
        return False
    begun = False
    try:
        begun = _begin(queue, batch, charged, [], now_us)
    finally:
        if not begun:
            arriving.give_back(charged)
    if begun:
        arriving.fullness.came(share_of(batch), len(items))
    return begun


def _read(
    queue: Queue, batch: Batch, item_limit: float, fullness: Fullness
) -> tuple[list[Item], list[dict[str, Any]]]:
    """The calls of a batch's input, and what is wrong with it."""
    content = queue.shelf.content(batch.input_file, batch.tenant)
    if content is None:
        return [], [_wrong("file_not_found", f"the input file {batch.input_file} is gone")]
    items, errors = read_lines(content, batch, item_limit)
    try:
        fullness.check(share_of(batch), len(items))
    except Refused as refused:
        errors = [*errors, _wrong(refused.code, str(refused))]
    return items, errors


def _wrong(code: str, told: str) -> dict[str, Any]:
    return {"code": code, "message": told, "param": None, "line": None}


def _begin(
    queue: Queue,
    batch: Batch,
    items: list[Item],
    errors: list[dict[str, Any]],
    now_us: int,
) -> bool:
    """Let its calls wait, or say what is wrong; whether they wait now."""
    if errors:
        times = {**batch.times, "failed_at": now_us}
        queue.shelf.advance(replace(batch, status="failed", errors=errors, times=times))
        return False
    times = {**batch.times, "in_progress_at": now_us}
    begun = replace(batch, status="in_progress", total=len(items), times=times)
    return queue.shelf.advance(begun, items)


def _finalize(queue: Queue, batch: Batch, now_us: int) -> None:
    """All has ended: the files come next."""
    if batch.status == "cancelling":
        _finish(queue, batch, now_us)
        return
    times = {**batch.times, "finalizing_at": now_us}
    ending = replace(batch, status="finalizing", times=times)
    if queue.shelf.advance(ending):
        _finish(queue, replace(ending, version=batch.version + 1), now_us)


def _finish(queue: Queue, batch: Batch, now_us: int) -> None:
    items = queue.shelf.items(batch.id)
    good, bad = written(items)
    status = _ended_as(batch, items)
    files = [
        _made(batch, content, name, now_us)
        for content, name in ((good, "output"), (bad, "error"))
        if content
    ]
    ids = {made.file.name.rpartition("_")[2]: made.file.id for made in files}
    done = replace(
        batch,
        status=status,
        times={**batch.times, f"{status}_at": now_us},
        output_file=ids.get("output.jsonl", ""),
        error_file=ids.get("error.jsonl", ""),
    )
    queue.shelf.advance(done, files=files)


def _ended_as(batch: Batch, items: list[Item]) -> str:
    if batch.status == "cancelling":
        return "cancelled"
    return "expired" if any(item.state is State.EXPIRED for item in items) else "completed"


def _made(batch: Batch, content: bytes, name: str, now_us: int) -> Made:
    file = File(
        id=new_id(OURS),
        tenant=batch.tenant,
        purpose="batch_output",
        name=f"{batch.id}_{name}.jsonl",
        created_us=now_us,
        expires_us=now_us + batch.files_kept_us,
        size=len(content),
    )
    return Made(file, content)
