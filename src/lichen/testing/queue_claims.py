"""Results of a provider's batch are booked once: part of QueueContract, see queues.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.batch.offers import Holder
from lichen.testing.queue_samples import HOUR_US, sample_item

if TYPE_CHECKING:
    from lichen.calls.batch.queue import Queue

_HERE, _THERE = Holder("here", HOUR_US), Holder("there", HOUR_US)
# A lease that has run out before it is looked at.
_DEAD = Holder("dead", -1)


class QueueClaims:
    """Tests of a `queue` and the same one as another process has it (`other`)."""

    def test_results_are_booked_by_whoever_claims_them_first(
        self, queue: Queue, other: Queue
    ) -> None:
        """The other waits for as long as the first may live."""
        here = queue.claims.claim("key", _HERE)
        there = other.claims.claim("key", _THERE)
        again = queue.claims.claim("key", _HERE)
        another = other.claims.claim("another", _THERE)

        assert (here.mine, there.mine, again.mine, another.mine) == (True, False, False, True)
        assert here.begun_us == 0
        assert HOUR_US // 2 < there.wait_us <= HOUR_US + 1

    def test_results_that_were_booked_are_never_booked_again(
        self, queue: Queue, other: Queue
    ) -> None:
        """Nor is anything left to wait for."""
        queue.claims.claim("key", _DEAD)
        queue.claims.done("key")

        claim = other.claims.claim("key", _THERE)

        assert (claim.mine, claim.wait_us) == (False, 0)

    def test_results_whose_holder_has_died_are_taken_over_and_say_so(
        self, queue: Queue, other: Queue
    ) -> None:
        """Who comes back late has lost them."""
        now = queue.now_us()
        queue.claims.claim("key", _DEAD)

        taken = other.claims.claim("key", _THERE)

        assert taken.mine
        assert now <= taken.begun_us <= queue.now_us()
        assert not queue.claims.renew("key", _DEAD)
        assert other.claims.renew("key", _THERE)

    def test_a_holder_that_renews_its_claim_keeps_it(self, queue: Queue, other: Queue) -> None:
        """However short it was at first."""
        queue.claims.claim("key", _DEAD)

        renewed = queue.claims.renew("key", Holder("dead", HOUR_US))

        assert renewed
        assert not other.claims.claim("key", _THERE).mine

    def test_results_of_lichens_own_calls_are_not_claimed(self, queue: Queue, other: Queue) -> None:
        """They are booked when they come back to the queue; those that go alone are in no batch."""
        queue.add([sample_item(queue, "a", way="offer"), sample_item(queue, "b")])

        ours = other.claims.claim("key", _THERE, ["dfr_b", "dfr_a"])
        theirs = other.claims.claim("key", _THERE, ["dfr_b"])

        assert (ours.mine, ours.wait_us) == (False, 0)
        assert theirs.mine

    def test_results_that_another_way_books_are_not_claimed(
        self, queue: Queue, other: Queue
    ) -> None:
        """It says so before it does."""
        queue.claims.done("key")
        queue.claims.done("key")

        assert other.claims.claim("key", _THERE).wait_us == 0
        assert not other.claims.claim("key", _THERE).mine
