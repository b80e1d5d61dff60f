"""Who works on a provider's batch, and when another may: part of QueueContract, see queues.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.batch.offers import Holder
from lichen.calls.batch.queue import Turn
from lichen.testing.queue_samples import HOUR_US, sample_item

if TYPE_CHECKING:
    from lichen.calls.batch.queue import Queue

_HERE, _THERE = Holder("here", HOUR_US), Holder("there", HOUR_US)
# A lease that has run out before it is looked at.
_DEAD = Holder("dead", -1)
# Looked at, however lately it was. [µs]
_AT_ONCE = -HOUR_US


class QueueOffers:
    """Tests of a `queue` and the same one as another process has it (`other`)."""

    def test_an_offer_is_worked_on_by_its_holder_alone(self, queue: Queue, other: Queue) -> None:
        """Even where its provider is slow to take it."""
        queue.add([sample_item(queue, "a", way="offer")])
        made = queue.offers.make(_HERE, None, 9)

        there = other.offers.due(_THERE, None, _AT_ONCE)
        [here] = queue.offers.due(_HERE, None, _AT_ONCE)

        assert made is not None
        assert there == []
        assert (here.id, here.again, here.taken) == (made.id, True, False)

    def test_an_offer_whose_holder_is_gone_is_taken_over_and_says_so(
        self, queue: Queue, other: Queue
    ) -> None:
        """Whether it was sent is not known then."""
        queue.add([sample_item(queue, "a", way="offer")])
        made = queue.offers.make(_DEAD, None, 9)
        assert made is not None

        [taken] = other.offers.due(_THERE, None, _AT_ONCE)
        late = queue.offers.runs(made, _DEAD.owner, "batch_late")
        runs = other.offers.runs(taken, _THERE.owner, "batch_1")

        assert (taken.id, taken.taken) == (made.id, True)
        assert late is None
        assert runs is not None
        assert runs.remote == "batch_1"

    def test_a_holder_that_gives_a_sign_of_life_keeps_its_offers(
        self, queue: Queue, other: Queue
    ) -> None:
        """Its turns renew the lease."""
        queue.add([sample_item(queue, "a", way="offer")])
        queue.offers.make(_DEAD, None, 9)

        queue.turn(Turn(owner=_DEAD.owner, lease_us=HOUR_US))

        assert other.offers.due(_THERE, None, _AT_ONCE) == []

    def test_an_offer_that_failed_is_looked_at_ever_more_seldom(self, queue: Queue) -> None:
        """And one that runs may be looked at by any process."""
        queue.add([sample_item(queue, "a", way="offer")])
        made = queue.offers.make(_HERE, None, 9)
        assert made is not None
        runs = queue.offers.runs(made, _HERE.owner, "batch_1")
        assert runs is not None

        queue.offers.rest(runs, _HERE.owner, failed=True)
        [again] = queue.offers.due(_THERE, None, _AT_ONCE)

        assert again.failures == 1
        assert queue.offers.due(_HERE, None, HOUR_US) == []

    def test_an_offer_says_when_its_results_were_first_booked(
        self, queue: Queue, other: Queue
    ) -> None:
        """So that who goes on after a kill looks what is in the ledger already."""
        queue.add([sample_item(queue, "a", way="offer")])
        made = queue.offers.make(_HERE, None, 9)
        assert made is not None

        first, then = queue.offers.books(made), queue.now_us()
        again, later = other.offers.books(made), other.offers.books(made)

        assert first == 0
        assert 0 < again == later <= then

    def test_an_offer_is_no_larger_than_its_target_takes(self, queue: Queue) -> None:
        """One call at least goes, however large it is."""
        queue.add([sample_item(queue, name, way="offer", body=b"x" * 10) for name in "abcd"])

        small = queue.offers.make(_HERE, None, 9, lambda _target: 25.0)
        tiny = queue.offers.make(_HERE, None, 9, lambda _target: 1.0)
        rest = queue.offers.make(_HERE, None, 9)

        made = [offer for offer in (small, tiny, rest) if offer is not None]
        assert [len(queue.offers.items(offer)) for offer in made] == [2, 1, 1]
