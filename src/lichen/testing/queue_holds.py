"""What budgets were charged for calls that wait: part of QueueContract, see queues.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.batch.item import Outcome, State
from lichen.calls.batch.queue import Turn
from lichen.calls.forget import Forget
from lichen.calls.gate.holds import KEPT
from lichen.testing.queue_samples import sample_batch, sample_item

if TYPE_CHECKING:
    from lichen.calls.batch.queue import Queue

_HELD = '["openai", [["team", "tokens", "team/t", 0, 9]]]'


class QueueHolds:
    """Tests of a `queue` and the same one as another process has it (`other`)."""

    def test_a_charge_is_there_for_whoever_sends_the_call(self, queue: Queue, other: Queue) -> None:
        """And for nobody else's call; while it waits it is not over."""
        queue.add([sample_item(queue, "a", held=_HELD), sample_item(queue, "b")])

        taken = {item.id: item.held for item in other.turn(Turn(owner="one", room=9))}

        assert taken == {"dfr_a": _HELD, "dfr_b": ""}
        assert queue.holds.over(9) == []

    def test_a_charge_is_over_once_with_what_was_taken(self, queue: Queue, other: Queue) -> None:
        """By one process, though both ask."""
        queue.add([sample_item(queue, "a", held=_HELD)])
        queue.turn(Turn(owner="one", room=9))
        done = Outcome(id="dfr_a", state=State.ANSWERED, status=200, took="[5]")

        queue.turn(Turn(owner="one", outcomes=[done]))
        over = [*queue.holds.over(9), *other.holds.over(9), *queue.holds.over(9)]

        assert over == [(_HELD, "[5]")]

    def test_what_comes_too_late_of_another_holder_changes_no_charge(self, queue: Queue) -> None:
        """The item is no longer its own."""
        queue.add([sample_item(queue, "a", held=_HELD)])
        queue.turn(Turn(owner="one", room=9))
        late = Outcome(id="dfr_a", state=State.ANSWERED, status=200, took="[5]")

        queue.turn(Turn(owner="two", outcomes=[late]))

        assert queue.holds.over(9) == []

    def test_a_call_that_never_went_leaves_nothing_taken(self, queue: Queue) -> None:
        """Cancelled, expired or erased."""
        gone = sample_item(queue, "c", held=_HELD, deadline_us=queue.now_us() - 1)
        names = {"a": {}, "b": {"tenant": "tenant two"}}
        items = [sample_item(queue, name, held=_HELD, **more) for name, more in names.items()]
        queue.add([*items, gone])

        queue.cancel("dfr_a", "tenant one")
        queue.forget(Forget(tenant="tenant two"))
        queue.sweep(0, 10**12)

        assert queue.holds.over(9) == [(_HELD, "")] * 3

    def test_what_may_have_been_sent_stays_charged(self, queue: Queue) -> None:
        """Its holder died; then its deadline passed."""
        deadline_us = queue.now_us() + 200_000
        queue.add([sample_item(queue, "a", held=_HELD, deadline_us=deadline_us)])
        queue.turn(Turn(owner="one", room=9, lease_us=-1))
        queue.turn(Turn(owner="two"))

        while queue.now_us() <= deadline_us:
            queue.sweep(10**12, 10**12)
        queue.sweep(10**12, 10**12)

        assert queue.holds.over(9) == [(_HELD, KEPT)]

    def test_the_calls_of_a_batch_that_is_cancelled_give_back(self, queue: Queue) -> None:
        """All that were not sent."""
        batch = sample_batch(queue)
        queue.shelf.put_batch(batch)
        items = [
            sample_item(queue, name, batch=batch.id, place=n, held=_HELD)
            for n, name in enumerate("ab")
        ]
        queue.shelf.advance(batch, items)

        queue.shelf.cancel_items(batch.id)

        assert queue.holds.over(9) == [(_HELD, "")] * 2
