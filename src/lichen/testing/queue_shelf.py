"""QueueShelf: the part of `QueueContract` about batches, their items and their files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.batch.item import Outcome, State
from lichen.calls.batch.queue import Turn
from lichen.calls.batch.shelf import File, Made
from lichen.testing.queue_samples import HOUR_US, sample_batch, sample_item

if TYPE_CHECKING:
    from lichen.calls.batch.queue import Queue


class QueueShelf:
    """Batches come whole, and nobody sees another's."""

    def test_a_batch_and_its_items_come_in_one_commit(self, queue: Queue, other: Queue) -> None:
        """And of two processes that bring it on, one does."""
        batch = sample_batch(queue)
        queue.shelf.put_batch(batch)
        items = [sample_item(queue, str(n), batch=batch.id, place=n) for n in range(3)]
        begun = replace(batch, status="in_progress", total=3)

        first = queue.shelf.advance(begun, items)
        second = other.shelf.advance(begun, items)
        queue.turn(Turn(owner="one", room=1))
        queue.turn(
            Turn(owner="one", outcomes=[Outcome(id="dfr_0", state=State.ANSWERED, status=200)])
        )
        queue.shelf.cancel_items(batch.id)
        found = other.shelf.batch(batch.id, "tenant one")

        assert (first, second) == (True, False)
        assert found is not None
        assert (found.total, found.completed, found.failed) == (3, 1, 2)
        assert [item.name for item in other.shelf.items(batch.id)] == ["", "", ""]
        assert other.shelf.batch(batch.id, "tenant two") is None

    def test_files_are_their_tenants_alone(self, queue: Queue) -> None:
        """And are listed newest first, page by page."""
        now = queue.now_us()
        for n in range(3):
            file = File(
                id=f"file-lichen-{n}",
                tenant="tenant one",
                purpose="batch",
                name="é.jsonl",
                created_us=now + n,
                expires_us=now + HOUR_US,
                size=2,
            )
            queue.shelf.put_file(Made(file, b"\x00\xff"))

        pages = [
            [file.id for file in queue.shelf.files("tenant one", ("batch",), after, 2)]
            for after in ("", "file-lichen-1")
        ]

        assert pages == [["file-lichen-2", "file-lichen-1"], ["file-lichen-0"]]
        assert queue.shelf.content("file-lichen-1", "tenant one") == b"\x00\xff"
        assert queue.shelf.content("file-lichen-1", "tenant two") is None
        assert not queue.shelf.drop_file("file-lichen-1", "tenant two")
        assert queue.shelf.drop_file("file-lichen-1", "tenant one")
