"""What every database of calls that wait erases: part of QueueContract, see queues.py."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.calls.batch.offers import Holder
from lichen.calls.batch.shelf import Made
from lichen.calls.forget import Forget
from lichen.testing.queue_samples import (
    HOUR_US,
    SECOND_US,
    sample_batch,
    sample_file,
    sample_item,
)

if TYPE_CHECKING:
    from lichen.calls.batch.database import Database
    from lichen.calls.batch.queue import Queue

_ME = Holder("me", HOUR_US)
_TABLES = ("deferred_items", "deferred_batches", "deferred_files", "deferred_offers")


class QueueForgetting:
    """Tests of a `queue`, the same one as another process's (`other`), and their `database`."""

    def test_what_is_to_be_forgotten_is_erased(self, queue: Queue) -> None:
        """Calls with the words, in whatever of them; those of others stay."""
        queue.add(
            [
                sample_item(queue, "a", body=b"Jane Doe"),
                sample_item(queue, "b"),
                replace(sample_item(queue, "c"), name="for jane doe"),
            ]
        )

        erased = queue.forget(Forget(contains="Jane Doe"))

        assert erased == len(["a", "c"])
        assert queue.get("dfr_a", "tenant one") is None
        assert queue.get("dfr_b", "tenant one") is not None
        assert queue.get("dfr_c", "tenant one") is None

    def test_words_that_lie_across_pages_of_a_long_text_are_found(self, queue: Queue) -> None:
        """However long it is: it is read in pieces."""
        long = 1_000_000
        shifts = (-7, -1, 0, 5 * long)
        for n, shift in enumerate(shifts):
            content = b"\xc3\xa9" * ((long + shift) // 2) + b"JANE D\xc3\x89E" + b"x" * long
            queue.shelf.put_file(Made(sample_file(queue, str(n), size=len(content)), content))
        queue.shelf.put_file(Made(sample_file(queue, "other", size=3 * long), b"x" * 3 * long))

        erased = queue.forget(Forget(contains="Jane D\xe9e"))

        assert erased == len(shifts)
        left = queue.shelf.files("tenant one", ("batch",), "", 9)
        assert [file.id for file in left] == ["file-lichen-other"]

    def test_a_batch_that_loses_calls_still_ends(self, queue: Queue, other: Queue) -> None:
        """It has so many lines fewer; who saw it before begins anew."""
        batch = sample_batch(queue)
        queue.shelf.put_batch(batch)
        bodies = [b"Jane Doe", b"{}", b"JANE DOE", b"{}"]
        items = [
            sample_item(queue, str(n), batch=batch.id, place=n, body=body)
            for n, body in enumerate(bodies)
        ]
        queue.shelf.advance(replace(batch, status="in_progress", total=4), items)
        (seen,) = other.shelf.open()

        erased = queue.forget(Forget(contains="Jane Doe"))
        queue.shelf.cancel_items(batch.id)
        (now,) = queue.shelf.open()

        assert erased == bodies.count(b"Jane Doe") + bodies.count(b"JANE DOE")
        assert (now.total, now.completed, now.failed) == (2, 0, 2)
        assert not other.shelf.advance(replace(seen, status="finalizing"))
        assert queue.shelf.advance(replace(now, status="finalizing"))

    def test_words_in_a_batch_are_erased_with_all_its_calls(self, queue: Queue) -> None:
        """Of its `metadata`, as JSON has them; another batch stays."""
        for name, told in (("batch_one", "for Jan\xe9 Doe"), ("batch_two", "for nobody")):
            batch = sample_batch(queue, id=name, metadata={"why": told})
            queue.shelf.put_batch(batch)
            item = sample_item(queue, name, batch=name)
            queue.shelf.advance(replace(batch, status="in_progress", total=1), [item])

        erased = queue.forget(Forget(contains="jan\xe9 doe"))

        assert erased == 1
        assert queue.shelf.batch("batch_one", "tenant one") is None
        assert queue.shelf.items("batch_one") == []
        assert len(queue.shelf.items("batch_two")) == 1

    def test_a_batch_whose_input_is_forgotten_is_read_anew(
        self, queue: Queue, other: Queue
    ) -> None:
        """Who has read the file, and not written its calls yet, writes none of them."""
        batch = sample_batch(queue)
        queue.shelf.put_batch(batch)
        queue.shelf.put_file(Made(sample_file(queue, "one"), b"Jane Doe"))
        (seen,) = other.shelf.open()

        queue.forget(Forget(contains="Jane Doe"))
        late = replace(seen, status="in_progress", total=1)

        assert not other.shelf.advance(late, [sample_item(queue, "a", batch=batch.id)])
        assert other.shelf.items(batch.id) == []

    def test_a_tenant_that_is_forgotten_is_in_no_table(
        self, queue: Queue, database: Database
    ) -> None:
        """Calls, batches, files, and what was offered to a provider; those of others stay."""
        for tenant in ("tenant one", "tenant two"):
            batch = sample_batch(queue, id=f"batch {tenant}", tenant=tenant)
            queue.shelf.put_batch(batch)
            queue.shelf.put_file(Made(sample_file(queue, tenant, tenant=tenant), b"{}"))
            queue.add([sample_item(queue, tenant, tenant=tenant, way="offer")])
            queue.offers.make(_ME, [tenant], 9)

        queue.forget(Forget(tenant="tenant one"))

        assert _tenants(database) == {table: {"tenant two"} for table in _TABLES}

    def test_an_offer_that_ended_is_deleted_in_time(self, queue: Queue, database: Database) -> None:
        """One that runs is not."""
        for name in ("ended", "runs"):
            queue.add([sample_item(queue, name, tenant=name, way="offer")])
        ended, _runs = (queue.offers.make(_ME, [name], 9) for name in ("ended", "runs"))
        assert ended is not None
        queue.offers.end(ended, [])

        queue.sweep(HOUR_US, HOUR_US)
        soon = _tenants(database)["deferred_offers"]
        queue.sweep(-SECOND_US, HOUR_US)

        assert soon == {"ended", "runs"}
        assert _tenants(database)["deferred_offers"] == {"runs"}


def _tenants(database: Database) -> dict[str, set[str]]:
    """Whose rows stand in each table."""
    found = {}
    with database.transaction() as cursor:
        for table in _TABLES:
            cursor.execute(f"SELECT DISTINCT tenant FROM {table}")  # noqa: S608 (our own names)
            found[table] = {row[0] for row in cursor.fetchall()}
    return found
