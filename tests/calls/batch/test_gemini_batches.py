"""Gemini's batches: which answer is whose, and what is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.batch.batches import NoBatches
from lichen.calls.batch.gemini_batches import GeminiBatches
from lichen.calls.batch.queue import Queue
from lichen.calls.batch.sqlite import SqliteDatabase
from lichen.ledger.errors import UpstreamError
from lichen.testing.queue_samples import sample_item

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.calls.batch.item import Item
    from lichen.calls.exchange import Headers

TARGET = "/v1beta/models/gemini-2.5-flash:generateContent"


@pytest.fixture
def items(tmp_path: Path) -> Iterator[list[Item]]:
    queue = Queue(SqliteDatabase(str(tmp_path / "book.db")))
    yield [sample_item(queue, name, target=TARGET) for name in "abc"]
    queue.close()


class Says:
    """An upstream that answers one object, and keeps what was asked."""

    def __init__(self, *answers: Any, status: int = 200) -> None:
        self._answers, self._status = list(answers), status
        self.asked: list[tuple[str, str, bytes]] = []

    async def __call__(
        self, method: str, target: str, _headers: Headers, body: bytes
    ) -> tuple[int, bytes]:
        self.asked.append((method, target, body))
        said = self._answers.pop(0)
        return self._status, said if isinstance(said, bytes) else json.dumps(said).encode()


def done(*answers: Any, **more: Any) -> dict[str, Any]:
    within = {"inlinedResponses": {"inlinedResponses": list(answers)}}
    return {"name": "batches/b1", "done": True, "response": {**within, **more}}


def answer(text: str, key: str = "") -> dict[str, Any]:
    return {"response": {"said": text}, **({"metadata": {"key": key}} if key else {})}


async def texts(batch: Any, items: list[Item]) -> dict[str, str]:
    results = await GeminiBatches().results("batches/b1", items, Says(batch))
    assert results is not None
    return {name: json.loads(result.body)["said"] for name, result in results.items()}


async def test_answers_are_told_apart_by_their_keys_and_else_by_their_order(
    items: list[Item],
) -> None:
    by_key = await texts(done(answer("C", "dfr_c"), answer("A", "dfr_a")), items)
    by_order = await texts(done(answer("A"), answer("B"), answer("C")), items)

    assert by_key == {"dfr_a": "A", "dfr_c": "C"}
    assert by_order == {"dfr_a": "A", "dfr_b": "B", "dfr_c": "C"}


async def test_no_order_is_trusted_where_an_item_was_erased_meanwhile(items: list[Item]) -> None:
    answers = (answer("A"), answer("B"), answer("C"))

    without = await texts(done(*answers), [items[0], items[2]])
    with_keys = await texts(done(*(answer(k.upper(), f"dfr_{k}") for k in "abc")), items[2:])

    assert without == {}
    assert with_keys == {"dfr_c": "C"}


async def test_a_place_without_an_answer_moves_no_other(items: list[Item]) -> None:
    found = await texts(done(answer("A"), None, answer("C")), items)

    assert found == {"dfr_a": "A", "dfr_c": "C"}


@pytest.mark.parametrize(
    ("code", "status"), [(3, 400), (5, 404), (8, 429), (13, 500), (14, 503), (400, 400), ("x", 500)]
)
async def test_an_error_has_its_status(code: Any, status: int, items: list[Item]) -> None:
    error = {"error": {"code": code, "message": "no"}}
    results = await GeminiBatches().results("batches/b1", items[:1], Says(done(error)))

    assert results is not None
    assert results["dfr_a"].status == status
    assert json.loads(results["dfr_a"].body)["error"]["code"] == status


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "EXPIRED"])
async def test_a_batch_that_failed_gives_nothing_so_that_its_calls_go_alone(
    state: str, items: list[Item]
) -> None:
    told = {"name": "batches/b1", "metadata": {"state": f"BATCH_STATE_{state}"}}
    results = await GeminiBatches().results("batches/b1", items, Says(told))

    assert results == {}


async def test_a_batch_that_runs_is_looked_at_again(items: list[Item]) -> None:
    told = {"name": "batches/b1", "metadata": {"state": "BATCH_STATE_RUNNING"}}

    assert await GeminiBatches().results("batches/b1", items, Says(told)) is None


async def test_a_batch_is_found_by_its_offer_on_a_later_page() -> None:
    first = {"operations": [{"name": "batches/x", "metadata": {}}], "nextPageToken": "a&b"}
    there = {"name": "batches/b9", "metadata": {"displayName": "offer_1"}}
    says = Says(first, {"operations": [there]})

    found = await GeminiBatches().find("offer_1", says)

    assert found == "batches/b9"
    assert says.asked[1][1].endswith("pageToken=a%26b")


async def test_none_is_found_where_there_is_none() -> None:
    assert await GeminiBatches().find("offer_1", Says({})) == ""


@pytest.mark.parametrize("name", ["", "batches/", "batches/../files/x", "other/b1", 5])
async def test_a_name_that_cannot_be_asked_for_is_none(name: Any, items: list[Item]) -> None:
    with pytest.raises(UpstreamError, match="no name"):
        await GeminiBatches().make("offer_1", items, Says({"name": name}))


async def test_a_refusal_says_that_there_are_no_batches(items: list[Item]) -> None:
    with pytest.raises(NoBatches):
        await GeminiBatches().make("offer_1", items, Says({}, status=404))


@pytest.mark.parametrize(
    ("target", "takes"),
    [
        (TARGET, True),
        ("/v1/models/gemini-2.5-pro:generateContent", True),
        ("/v1beta/models/m:embedContent", False),
        ("/v1beta/tunedModels/m:generateContent", False),
        ("/v1beta/openai/chat/completions", False),
        (f"{TARGET}?alt=json", False),
    ],
)
def test_it_takes_generated_answers_of_its_own_models(target: str, *, takes: bool) -> None:
    assert GeminiBatches().takes(target) is takes
