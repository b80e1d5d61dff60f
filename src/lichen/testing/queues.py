"""QueueContract: what every database of calls that wait must keep.

class TestMyQueue(QueueContract):
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[Database]:
        made = MyDatabase(str(tmp_path / "book.db"))
        yield made
        made.close()

    @pytest.fixture
    def another(self, ...) -> Iterator[Database]: ...  the same one, opened again
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lichen.calls.batch.item import Outcome, State
from lichen.calls.batch.queue import Queue, Turn
from lichen.testing.queue_claims import QueueClaims
from lichen.testing.queue_forgetting import QueueForgetting
from lichen.testing.queue_holds import QueueHolds
from lichen.testing.queue_offers import QueueOffers
from lichen.testing.queue_samples import HOUR_US, SECOND_US, sample_item
from lichen.testing.queue_shelf import QueueShelf

if TYPE_CHECKING:
    from lichen.calls.batch.database import Database


class QueueContract(QueueOffers, QueueClaims, QueueForgetting, QueueHolds, QueueShelf):
    """Inherit it, and give a `database` that is empty, and `another`, the same one again."""

    @pytest.fixture
    def database(self) -> Database:
        """An empty database."""
        raise NotImplementedError("give QueueContract a fixture `database`")

    @pytest.fixture
    def another(self) -> Database:
        """The same database, opened again as another process would."""
        raise NotImplementedError("give QueueContract a fixture `another`")

    @pytest.fixture
    def queue(self, database: Database) -> Queue:
        """A queue in it."""
        return Queue(database)

    @pytest.fixture
    def other(self, another: Database) -> Queue:
        """The queue as another process sees it."""
        return Queue(another)

    def test_what_was_added_is_there_for_another_process(self, queue: Queue, other: Queue) -> None:
        """Byte for byte, and for its tenant alone."""
        item = sample_item(queue, "a")

        queue.add([item])

        assert other.get("dfr_a", "tenant one") == item
        assert other.get("dfr_a", "tenant two") is None

    def test_the_same_key_is_the_same_item(self, queue: Queue, other: Queue) -> None:
        """A caller whose connection broke before the 202 sends again."""
        queue.add([sample_item(queue, "a")])

        again = other.add([replace(sample_item(queue, "b"), key="key a"), sample_item(queue, "c")])
        stranger = other.add([replace(sample_item(queue, "d"), key="key a", tenant="tenant two")])

        assert [kept.id for kept in again] == ["dfr_a", "dfr_c"]
        assert [kept.id for kept in stranger] == ["dfr_d"]

    def test_the_same_key_with_another_call_is_told(self, queue: Queue) -> None:
        """Also when the first has ended, and its body is gone."""
        item = sample_item(queue, "a")
        other = replace(sample_item(queue, "b"), key="key a", body=b'{"model": "another"}')
        queue.add([item])
        queue.cancel(item.id, item.tenant)

        [same, differs] = queue.add([replace(item, id="dfr_c"), other])

        assert same == ("dfr_a", True)
        assert differs == ("dfr_a", False)

    def test_what_waits_is_counted_by_tenant(self, queue: Queue) -> None:
        """What has ended waits no more; what needs no key of its caller counts together."""
        queue.add([sample_item(queue, name, needs_key=True) for name in "abc"])
        queue.add([sample_item(queue, "d", needs_key=True, tenant="tenant two")])
        queue.add([sample_item(queue, "e"), sample_item(queue, "f", tenant="made up")])
        queue.cancel("dfr_a", "tenant one")

        assert queue.outlook.waiting() == {"tenant one": 2, "tenant two": 1, "": 2}

    def test_two_processes_never_take_the_same_item(self, queue: Queue, other: Queue) -> None:
        """However their turns fall."""
        queue.add([sample_item(queue, f"{n:03}") for n in range(200)])

        def take(of: Queue, owner: str) -> list[str]:
            turns = [of.turn(Turn(owner=owner, room=7)) for _ in range(30)]
            return [item.id for items in turns for item in items]

        with ThreadPoolExecutor(2) as pool:
            taken = list(pool.map(take, (queue, other), ("one", "two")))

        assert sorted(taken[0] + taken[1]) == [f"dfr_{n:03}" for n in range(200)]

    def test_the_nearest_deadline_goes_first(self, queue: Queue) -> None:
        """And what is not due, or not planned, does not go."""
        now = queue.now_us()
        queue.add(
            [
                sample_item(queue, "late", deadline_us=now + 2 * HOUR_US),
                sample_item(queue, "soon", deadline_us=now + HOUR_US),
                sample_item(queue, "not due", run_us=now + HOUR_US),
                sample_item(queue, "not planned", planned_us=0),
            ]
        )

        first = queue.turn(Turn(owner="one", room=1))
        rest = queue.turn(Turn(owner="one", room=9))

        assert [item.id for item in first] == ["dfr_soon"]
        assert [item.id for item in rest] == ["dfr_late"]

    def test_what_the_dead_held_is_taken_again_and_marked(self, queue: Queue, other: Queue) -> None:
        """And the dead, if they come back, write nothing any more."""
        queue.add([sample_item(queue, "a")])
        queue.turn(Turn(owner="dead", room=1, lease_us=-SECOND_US))

        taken = other.turn(Turn(owner="living", room=1))
        late = Outcome(id="dfr_a", state=State.ANSWERED, status=200, body=b"from the dead")
        queue.turn(Turn(owner="dead", outcomes=[late]))
        good = Outcome(id="dfr_a", state=State.ANSWERED, status=200, body=b"from the living")
        other.turn(Turn(owner="living", outcomes=[good]))
        ended = queue.get("dfr_a", "tenant one")

        assert [(item.id, item.twice, item.key) for item in taken] == [("dfr_a", True, "key a")]
        assert ended is not None
        assert (ended.answer, ended.twice, ended.attempts) == (b"from the living", True, 2)

    def test_a_sign_of_life_keeps_what_is_held(self, queue: Queue, other: Queue) -> None:
        """A call may take longer than a lease."""
        queue.add([sample_item(queue, "a")])
        queue.turn(Turn(owner="slow", room=1, lease_us=SECOND_US // 100))
        queue.turn(Turn(owner="slow", lease_us=60 * SECOND_US))

        taken = other.turn(Turn(owner="eager", room=1))

        assert taken == []

    def test_an_answer_takes_the_place_of_the_call(self, queue: Queue) -> None:
        """What was asked is deleted once it is answered."""
        queue.add([sample_item(queue, "a")])
        queue.turn(Turn(owner="one", room=1))
        headers = [(b"content-type", b"text/\xe9")]
        answer = Outcome(
            id="dfr_a", state=State.ANSWERED, status=200, headers=headers, body=b"\x00\xff"
        )

        queue.turn(Turn(owner="one", outcomes=[answer]))
        ended = queue.get("dfr_a", "tenant one")

        assert ended is not None
        assert (ended.state, ended.status, ended.body) == (State.ANSWERED, 200, b"")
        assert (ended.answer, ended.answer_headers) == (b"\x00\xff", headers)

    def test_a_failed_attempt_waits_for_its_time(self, queue: Queue) -> None:
        """And is marked where it may have been done."""
        queue.add([sample_item(queue, "a")])
        queue.turn(Turn(owner="one", room=1))
        later = queue.now_us() + HOUR_US
        again = Outcome(
            id="dfr_a", state=State.WAITING, error="no answer", again_us=later, unsure=True
        )

        queue.turn(Turn(owner="one", outcomes=[again]))
        item = queue.get("dfr_a", "tenant one")

        assert item is not None
        assert (item.state, item.run_us, item.twice) == (State.WAITING, later, True)
        assert queue.turn(Turn(owner="one", room=1)) == []

    def test_what_needs_a_key_waits_for_it(self, queue: Queue) -> None:
        """Those of others go on."""
        queue.add(
            [
                sample_item(queue, "a", needs_key=True),
                sample_item(queue, "b", needs_key=True, tenant="tenant two"),
                sample_item(queue, "c"),
            ]
        )

        none = queue.turn(Turn(owner="one", room=9, tenants=[]))
        two = queue.turn(Turn(owner="one", room=9, tenants=["tenant two"]))
        counts, wanted = queue.outlook.counts([]), queue.outlook.tenants()
        held = queue.turn(Turn(owner="one", room=9, tenants=None))

        assert [item.id for item in none] == ["dfr_c"]
        assert [item.id for item in two] == ["dfr_b"]
        assert (counts.waiting, counts.keyless) == (1, 1)
        assert wanted == {"tenant one", "tenant two"}
        assert [item.id for item in held] == ["dfr_a"]

    def test_what_waits_is_planned_and_planned_anew(self, queue: Queue) -> None:
        """What is under way or was tried is not."""
        now = queue.now_us()
        queue.add([sample_item(queue, name, planned_us=0) for name in ("a", "b")])

        queue.plan([("dfr_a", now + 5, "because")], now)
        fresh = queue.unplanned(now, 9)
        stale = queue.unplanned(now + 1, 9)

        assert [one.id for one in fresh] == ["dfr_b"]
        assert [one.id for one in stale] == ["dfr_b", "dfr_a"]
        assert ("because", 1, now + 5, now + 5, stale[1].deadline_us) in queue.outlook.plans(9)

    def test_only_what_waits_can_be_cancelled(self, queue: Queue) -> None:
        """By its tenant; the call is deleted."""
        queue.add([sample_item(queue, "a"), sample_item(queue, "b")])
        queue.turn(Turn(owner="one", room=1))

        sending = queue.cancel("dfr_a", "tenant one")
        stranger = queue.cancel("dfr_b", "tenant two")
        mine = queue.cancel("dfr_b", "tenant one")
        item = queue.get("dfr_b", "tenant one")

        assert (sending, stranger, mine) == (State.SENDING, None, State.CANCELLED)
        assert item is not None
        assert item.body == b""

    def test_the_sweep_expires_and_deletes(self, queue: Queue) -> None:
        """What missed its deadline, what was fetched, what nobody fetched."""
        now = queue.now_us()
        queue.add(
            [sample_item(queue, "missed", deadline_us=now - 1), sample_item(queue, "fetched")]
        )
        queue.turn(Turn(owner="one", room=9))
        answer = Outcome(id="dfr_fetched", state=State.ANSWERED, status=200, body=b"x")
        queue.turn(Turn(owner="one", outcomes=[answer]))
        queue.turn(Turn(owner="one", delivered=["dfr_fetched"]))

        expired = queue.sweep(HOUR_US, HOUR_US)
        still = queue.get("dfr_fetched", "tenant one")
        missed = queue.get("dfr_missed", "tenant one")
        queue.sweep(-SECOND_US, HOUR_US)
        gone = queue.get("dfr_fetched", "tenant one")
        queue.sweep(HOUR_US, -SECOND_US)

        assert expired == 1
        assert still is not None
        assert missed is not None
        assert (missed.state, missed.body) == (State.EXPIRED, b"")
        assert gone is None
        assert queue.get("dfr_missed", "tenant one") is None
