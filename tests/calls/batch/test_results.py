"""What a provider's batch brought: booked once, also where the process ended in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from lichen.calls.batch.batches import Result
from lichen.calls.batch.item import State
from lichen.calls.batch.keyring import Keyring
from lichen.calls.batch.late import Late
from lichen.calls.batch.offers import RUNNING, Offer
from lichen.calls.batch.queue import Queue
from lichen.calls.batch.results import Results
from lichen.calls.batch.sqlite import SqliteDatabase
from lichen.calls.batch.step import BatchStep
from lichen.testing.queue_samples import sample_item
from lichen.testing.upstreams import chat_answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.calls.conftest import Build

ASKED = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "the prompt"}]})


async def test_what_was_booked_before_a_kill_is_not_booked_again(
    build: Build, tmp_path: Path
) -> None:
    queue = Queue(SqliteDatabase(str(tmp_path / "book.db")))
    items = [sample_item(queue, name, body=ASKED, headers=[]) for name in "abc"]
    begun_us = queue.now_us()
    queue.close()
    house = build(batch={"provider": "always"}, ledger=str(tmp_path / "book.db"))
    [step] = [one for one in house.gateway.layers.steps if isinstance(one, BatchStep)]
    results = Results(step._parts, Late(Keyring()))
    offer = Offer("offer_1", "tenant one", items[0].target, "batch_1", RUNNING, 0, 0)
    answers = {item.id: Result(200, chat_answer(item.id)) for item in items}
    two = {item.id: answers[item.id] for item in items[:2]}

    await results.outcomes(offer, items, two, share=0.5, begun_us=0)
    again = await results.outcomes(offer, items, answers, share=0.5, begun_us=begun_us)
    await house.gateway.layers.close()
    booked = [entry.figures.raw["deferred"] for entry in house.entries]

    assert sorted(booked) == ["dfr_a", "dfr_b", "dfr_c"]
    assert [(one.id, one.state, one.body) for one in again] == [
        (item.id, State.ANSWERED, answers[item.id].body) for item in items
    ]
