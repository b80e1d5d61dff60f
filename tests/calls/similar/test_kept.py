"""What is kept: across restarts, kill -9 and corruption; expired, bounded and forgotten."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lichen.calls.forget import Forget
from lichen.calls.similar.erasing import PAGE
from lichen.calls.similar.index import Index
from lichen.calls.similar.kept import Kept, Question
from lichen.calls.similar.seen import learnt
from lichen.testing.desks import FIRST, SECOND, cache, chat
from lichen.testing.upstreams import chat_answer, whole
from lichen.text.nearest import small

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from lichen.testing.callers import House
    from lichen.testing.desks import Desk

    OpenDesk = Callable[..., Awaitable[Desk]]

SCOPE = b"s" * 16
HOUR_US = 3_600_000_000


def now_us() -> int:
    return time.time_ns() // 1000


def question(n: int, *, owner: str = "one", text: str = "", ttl_us: int = HOUR_US) -> Question:
    vector = np.random.default_rng(n).normal(size=384).astype(np.float32)
    vector /= np.linalg.norm(vector)
    stored = now_us() + n
    said = text or f"What about {n}?"
    return Question(
        b"%032d" % n, SCOPE, owner, f"e{n}", said, small(vector), stored, stored + ttl_us
    )


def index_of(path: Path | None, most: int = 1000, embedder: str = "e") -> Index:
    index = Index(Kept(path, embedder, print), 384, most)
    index.load(now_us())
    return index


def found(index: Index, like: Question) -> list[bytes]:
    assert like.vector is not None
    vector = like.vector.levels.astype(np.float32) * like.vector.scale
    return [match.question.key for match in index.near(SCOPE, vector, now_us())]


def bytes_by_name(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_questions_and_what_was_learnt_outlast_the_service(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    ledger = str(tmp_path / "lichen.db")
    place = {"ledger": ledger, "cache": f"{ledger}.answers"}
    first = await open_desk(**place)
    await first.teach()
    await first.ask(chat(FIRST.format("row")))
    await first.close()
    first.house.answers.flush()

    second = await open_desk(**place)
    heard = await second.ask(chat(SECOND.format("row")))

    assert cache(heard) == "similar"
    assert second.count == 0
    assert stat.S_IMODE((tmp_path / "lichen.db.similar").stat().st_mode) == 0o600


async def test_a_route_in_memory_writes_no_question_to_disk(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    desk = await open_desk(ledger=str(tmp_path / "lichen.db"), section={"keep": "memory"})
    await desk.ask(chat("A secret of mine"))
    await desk.close()

    written = bytes_by_name(tmp_path)

    assert not any("similar" in name for name in written)
    assert not any(b"secret of mine" in content for content in written.values())


def test_what_was_taken_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(tmp_path.parent)!r})
from pathlib import Path
from lichen.calls.similar.index import Index
from lichen.calls.similar.kept import Kept, Question
from lichen.calls.similar.seen import learnt
index = Index(Kept(Path({str(path)!r}), "e", print), 384, 1000)
for n in range(200):
    index.add(Question(b"%032d" % n, b"s" * 16, "one", "e", f"What about {{n}}?", None, n, 2**62))
os.kill(os.getpid(), signal.SIGKILL)
"""

    ended = subprocess.run([sys.executable, "-c", code], check=False)
    index = index_of(path)

    assert ended.returncode == -signal.SIGKILL
    assert len(index) == 200
    assert index.like(SCOPE, "What about 7?") is not None


@pytest.mark.parametrize(
    "harm", [b"this is no database, but long enough to look at " * 99, b"\xff" * 9]
)
def test_a_corrupt_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, harm: bytes) -> None:
    path = tmp_path / "kept"
    path.write_bytes(harm)
    told: list[object] = []

    kept = Kept(path, "e", told.append)
    kept.put(question(1))

    assert kept.keys() == {question(1).key}
    assert "moved to" in str(told[0])
    assert (tmp_path / "kept.corrupt").read_bytes() == harm
    kept.close()


def test_a_file_that_cannot_be_made_leaves_questions_in_memory(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    told: list[object] = []

    kept = Kept(tmp_path / "kept", "e", told.append)
    kept.put(question(1))

    assert len(kept.keys()) == 1
    assert "they end with this process" in str(told[0])


def test_vectors_of_another_embedder_are_let_go_and_the_questions_stay(tmp_path: Path) -> None:
    index_of(tmp_path / "kept", embedder="one").add(question(1))

    index = index_of(tmp_path / "kept", embedder="another")

    assert len(index) == 1
    assert found(index, question(1)) == []


def test_what_has_expired_is_not_found_and_goes(tmp_path: Path) -> None:
    index = index_of(tmp_path / "kept")
    index.add(question(1, ttl_us=-10))

    before, size = found(index, question(1)), len(index)
    index.expire(now_us())

    assert (before, size, len(index)) == ([], 1, 0)


def test_the_oldest_go_where_there_are_too_many() -> None:
    index = index_of(None, most=100)

    for n in range(150):
        index.add(question(n))

    assert len(index) <= 100
    assert found(index, question(149))[0] == question(149).key
    assert question(0).key not in found(index, question(0))


def test_an_answer_anew_takes_the_place_of_the_older() -> None:
    index = index_of(None)
    index.add(question(1))

    index.add(question(1)._replace(vector=question(2).vector))

    assert len(index) == 1
    assert found(index, question(2))[0] == question(1).key


@pytest.mark.parametrize(
    ("which", "left"),
    [
        (Forget(tenant="one"), {2}),
        (Forget(contains="jane DOE"), {2, 3}),
        (Forget(before=datetime(2100, 1, 1, tzinfo=UTC)), set()),
        (Forget(tenant="two", contains="Jane"), {1, 2, 3}),
    ],
)
def test_what_is_to_be_forgotten_is_gone_from_memory_file_and_log(
    tmp_path: Path, which: Forget, left: set[int]
) -> None:
    path = tmp_path / "kept"
    index = index_of(path)
    index.add(question(1, text="Where does Jane Doe live?"))
    index.add(question(2, owner="two"))
    index.add(question(3))

    gone = sum(index.forget(which))

    assert gone == 3 - len(left)
    assert {n for n in (1, 2, 3) if question(n).key in found(index, question(n))} == left
    if 1 not in left:
        kept = b"".join(each.read_bytes() for each in tmp_path.iterdir())
        assert b"Jane Doe" not in kept


def test_what_another_process_erased_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    index = index_of(path)
    index.add(question(1))
    other = index_of(path)

    assert sum(other.forget(Forget(tenant="one"))) == 1
    index.catch_up()

    assert len(index) == 0


async def test_a_step_forgets_what_it_is_told_to(open_desk: OpenDesk) -> None:
    desk = await open_desk()
    await desk.convince()
    await desk.ask(chat(FIRST.format("row")))
    await desk.ask(chat(SECOND.format("row")))

    gone = await desk.step.forget(Forget(contains="to row"))
    heard = await desk.ask(chat(FIRST.format("row").replace("learn", "best learn")))

    assert gone == 2  # the question, and what was asked at the hit
    assert cache(heard) == "miss"


async def test_calls_go_on_between_the_pages_of_a_long_forgetting(open_desk: OpenDesk) -> None:
    desk = await open_desk()
    looker, thread = desk.step._looker, desk.step._thread
    assert looker is not None
    many = 8 * PAGE
    kept = [question(n, text=f"Where does Jane Doe live in {n}?") for n in range(many)]
    await thread.do(lambda _: looker.hear("one", kept, []))

    forgetting = asyncio.create_task(desk.step.forget(Forget(contains="Jane Doe")))
    turns = 0
    while not forgetting.done():
        await thread.do(lambda _: None)
        turns += 1

    assert await forgetting == many
    assert turns >= many / PAGE


async def test_a_hit_is_compared_again_while_its_questions_are_kept(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    from lichen.ledger.sqlite import SqliteStore

    ledger = tmp_path / "lichen.db"
    desk = await open_desk(ledger=str(ledger), store=SqliteStore(ledger))
    await desk.convince()
    await desk.ask(chat(FIRST.format("row")))
    heard = await desk.ask(chat(SECOND.format("row")))
    entry_id = heard.answer_headers["x-lichen-id"]

    proof = desk.house.book.prove(entry_id)
    with sqlite3.connect(f"{ledger}.similar") as db:
        db.execute("UPDATE hits SET text = 'How could I not learn to row well?'")
    tampered = desk.house.book.prove(entry_id)
    await desk.step.forget(Forget(contains="row"))
    later = desk.house.book.prove(entry_id)

    assert proof.holds
    assert "no guard tells the two questions apart" in proof.steps
    assert any("measured again" in line for line in proof.steps)
    assert not tampered.holds
    assert later.holds
    assert "the questions are no longer kept here: not compared again" in later.steps


def test_scopes_stay_apart() -> None:
    index = index_of(None, most=3000)
    for n in range(2000):
        index.add(question(n)._replace(scope=b"%016d" % (n % 500), key=b"%032d" % n))

    assert index.scopes == 500
    for n in range(0, 2000, 97):
        vector = question(n).vector
        assert vector is not None
        near = index.near(b"%016d" % (n % 500), vector.levels * np.float32(vector.scale), now_us())
        keys = [match.question.key for match in near]
        assert keys[0] == b"%032d" % n
        assert all(int(key) % 500 == n % 500 for key in keys)


async def test_what_is_kept_can_be_forgotten_where_no_route_asks_for_it_any_more(
    open_desk: OpenDesk, build: Callable[..., House], tmp_path: Path
) -> None:
    ledger = tmp_path / "lichen.db"
    desk = await open_desk(ledger=str(ledger))
    await desk.ask(chat("Where does Jane Doe live?"))
    await desk.close()

    layers = build(ledger=str(ledger)).gateway.layers
    await layers.start()
    gone = await layers.forget(Forget(contains="Jane"))
    answered = await build(ledger=str(ledger)).ask(chat("Hello"))

    assert gone["resting"] == 1
    assert b"Jane" not in (tmp_path / "lichen.db.similar").read_bytes()
    assert answered.status == 200


async def test_forgetting_reaches_what_a_service_keeps_that_has_not_started(
    open_desk: OpenDesk, build: Callable[..., House], tmp_path: Path
) -> None:
    ledger = str(tmp_path / "lichen.db")
    desk = await open_desk(ledger=ledger)
    await desk.convince()
    await desk.ask(chat(FIRST.format("row")))

    layers = build(ledger=ledger, route=({"similar": "on"},)).gateway.layers
    gone = await layers.forget(Forget(contains="to row"))
    await desk.house.gateway.layers.reread()
    heard = await desk.ask(chat(SECOND.format("row")))

    assert gone["similar"] == 1
    assert cache(heard) == "miss"
    await layers.close()


async def test_a_report_reads_what_was_learnt_beside_the_ledger(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    ledger = tmp_path / "lichen.db"
    desk = await open_desk(ledger=str(ledger), rule={"similar": "shadow"})
    await desk.teach(["swim", "ski", "row", "knit"])
    await desk.close()

    (found,) = learnt(tmp_path / "lichen.db.similar")

    assert (found.model, found.delta, found.given) == ("gpt-4o-mini", 0.3, 0)
    assert "verified" in found.says
    assert learnt(tmp_path / "another.similar") == []


async def test_what_was_verified_is_one_number_in_the_report_on_the_page_and_in_the_metrics(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    desk = await open_desk(ledger=str(tmp_path / "lichen.db"), rule={"similar": "shadow"})
    await desk.teach(["swim", "ski", "row", "knit"])
    gauges = desk.step.gauges()
    (panel,) = desk.step.panels()
    shown = dict(zip(panel.columns, panel.rows[0], strict=True))
    await desk.close()

    (found,) = learnt(tmp_path / "lichen.db.similar")

    assert found.verified == gauges["lichen_similar_verified"] == int(shown["verified"]) > 0
    assert found.wrong == gauges["lichen_similar_wrong"] == int(shown["wrong"])
    assert f"{100 * found.bound:.1f} %" == shown["error ≤"]
    assert found.stands == shown["says"] == "no safe threshold yet"
    assert f"{found.verified} verified, {found.wrong} wrong" in found.says


async def test_a_report_reads_within_seconds_what_a_service_that_runs_has_learnt(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    desk = await open_desk(ledger=str(tmp_path / "lichen.db"), rule={"similar": "shadow"})

    await desk.teach(["swim"])
    for _ in range(100):
        if found := learnt(tmp_path / "lichen.db.similar"):
            break
        await asyncio.sleep(0.1)

    assert [each.verified for each in found] == [1]


async def test_the_panel_says_why_answers_that_were_cut_off_serve_nobody(
    open_desk: OpenDesk,
) -> None:
    cut = chat_answer("Whoever wants").replace(b'"stop"', b'"length"')
    desk = await open_desk(whole(cut), rule={"similar": "shadow"})

    await desk.ask(chat(FIRST.format("row")))
    await desk.ask(chat(SECOND.format("row")))

    (panel,) = desk.step.panels()
    assert panel.note.startswith("2 looks, 2 of them without an embedding: nothing kept was like")
    assert "2 answers were cut off, called a tool or did not come: not kept." in panel.note


def test_questions_that_serve_one_another_have_a_record_together(tmp_path: Path) -> None:
    index = index_of(tmp_path / "kept")
    index.add(question(1))
    index.add(question(2)._replace(group=question(1).key))
    index.add(question(3))
    index.verified(question(1).key, correct=True)
    index.verified(question(2).key, correct=False)

    again = index_of(tmp_path / "kept")
    before = again.groups.of(question(2)._replace(group=question(1).key))
    again.remove([question(2).key])

    assert before == (1, 1, 2)
    assert again.groups.of(question(1)._replace(group=question(1).key)) == (1, 0, 1)
    assert again.groups.of(question(3)._replace(group=question(3).key)) == (0, 0, 1)


async def test_a_question_joins_the_group_of_the_one_that_served_it(open_desk: OpenDesk) -> None:
    desk = await open_desk(rule={"similar": "shadow"})
    await desk.convince()
    for wording in (FIRST, SECOND):
        await desk.ask(chat(wording.format("row")))
        await desk.ask(chat(wording.format("ski")))

    assert desk.step._looker is not None
    questions = list(desk.step._looker._index._questions())

    groups = [question.group for question in questions if "learn" in question.text]
    assert len(groups) == 4
    assert len(set(groups)) == 2
