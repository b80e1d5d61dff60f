"""A ledger that is locked, corrupt, shared or on a full disk: calls go on, and nothing is lost."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from openai import OpenAI

from lichen.ledger.tally import LOST_AT_STOP
from lichen.testing.questions import question
from lichen.testing.service import RunningService, ServiceEnded
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.testing.provider import ScriptedProvider

    Serve = Any

# What an accounting that waited for its disk would take at least. [s]
SLOW_S = 4.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here: it takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leaves no room on a disk; what takes it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(folder).free == 0
    return filler


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program that holds the ledger."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def spoil(path: Path, start: int) -> None:
    """Overwrites a file from a place on."""
    content = bytearray(path.read_bytes())
    content[start:] = b"\xa5" * (len(content) - start)
    path.write_bytes(content)


def spoil_tables(path: Path) -> None:
    """Overwrites the first pages of the ledger's tables; where they are stays readable."""
    with closing(sqlite3.connect(path)) as ledger:
        (size,) = ledger.execute("PRAGMA page_size").fetchone()
        roots = [
            root
            for name, root in ledger.execute("SELECT name, rootpage FROM sqlite_master")
            if name in ("figures", "entries", "rollups", "gaps")
        ]
    content = bytearray(path.read_bytes())
    for root in roots:
        content[(root - 1) * size : root * size] = b"\xa5" * size
    path.write_bytes(content)


def ask(service: RunningService, times: int, **changes: Any) -> list[str]:
    """New calls, each sent twice; how each was answered."""
    with OpenAI(base_url=service.base_url, api_key="sk-test", max_retries=0) as client:
        raws = [
            client.chat.completions.with_raw_response.create(**asked)
            for asked in [question(**changes) for _ in range(times)]
            for _ in range(2)
        ]
    return [raw.headers["x-lichen-cache"] for raw in raws]


def calls(service: RunningService, model: str = "gpt-4o-mini") -> int:
    """How many calls stand in the ledger."""
    return sum(e.figures.model == model for e in service.entries())


def test_a_full_disk_breaks_no_call_and_loses_none(small_disk: Path, serve: Serve) -> None:
    service = serve(ledger=small_disk / "book.db")
    ask(service, 2)
    until(lambda: calls(service) == 4)
    filler = fill(small_disk)
    begun = time.monotonic()

    answered = ask(service, 20)
    took = time.monotonic() - begun
    until(lambda: "free some space" in service.said)
    ready = service.get("/readyz")[0]
    written = calls(service)
    filler.unlink()
    until(lambda: calls(service) == 44)

    assert answered == ["miss", "hit"] * 20
    assert took < SLOW_S
    assert ready == 200
    assert written < 44
    assert service.gaps() == {}
    assert service.stop() == 0


def test_a_disk_that_refuses_every_byte_breaks_no_call_and_loses_none(serve: Serve) -> None:
    service = serve()
    ask(service, 2)
    until(lambda: calls(service) == 4)
    soft, hard = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (0, hard))

    answered = ask(service, 20)
    until(lambda: "cannot be used" in service.said)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (soft, hard))
    until(lambda: calls(service) == 44)

    assert answered == ["miss", "hit"] * 20
    assert service.gaps() == {}


def test_what_a_full_disk_still_refuses_at_the_stop_is_counted_at_the_next_start(
    small_disk: Path, serve: Serve
) -> None:
    service = serve(ledger=small_disk / "book.db")
    ask(service, 2)
    until(lambda: calls(service) == 4)
    filler = fill(small_disk)
    ask(service, 20)
    until(lambda: "free some space" in service.said)

    code = service.stop()
    filler.unlink()
    service.start()

    assert code == 0
    lost = until(lambda: service.gaps().get(LOST_AT_STOP))
    assert calls(service) + lost >= 44


def test_a_new_ledger_on_a_full_disk_is_refused_with_the_way_out(
    small_disk: Path, serve: Serve
) -> None:
    fill(small_disk)

    with pytest.raises(ServiceEnded, match="full; free some space") as caught:
        serve(ledger=small_disk / "book.db")

    assert caught.value.code == 2
    assert "Traceback" not in caught.value.said


def test_a_ledger_that_stands_on_a_full_disk_is_refused_at_the_start_and_left_whole(
    small_disk: Path, serve: Serve
) -> None:
    service = serve(ledger=small_disk / "book.db")
    ask(service, 2)
    service.stop()
    filler = fill(small_disk)

    with pytest.raises(ServiceEnded, match=r"book\.db cannot be used: .*; ") as caught:
        service.start()
    filler.unlink()
    service.start()

    assert caught.value.code == 2
    assert calls(service) == 4
    assert ask(service, 1) == ["miss", "hit"]


def test_a_locked_ledger_breaks_no_call_and_loses_none(serve: Serve) -> None:
    service = serve()
    ask(service, 1)
    until(lambda: calls(service) == 2)

    with locked(service.ledger):
        begun = time.monotonic()
        answered = ask(service, 10)
        took = time.monotonic() - begun
        seen = calls(service)
    until(lambda: calls(service) == 22)

    assert answered == ["miss", "hit"] * 10
    assert took < SLOW_S
    assert seen == 2
    assert service.gaps() == {}


def test_a_service_starts_beside_a_program_that_holds_its_ledger(serve: Serve) -> None:
    service = serve()
    service.stop()

    with locked(service.ledger):
        service.start()
        answered = ask(service, 2)
    until(lambda: calls(service) == 4)

    assert answered == ["miss", "hit"] * 2


def test_what_is_no_ledger_is_refused_with_the_way_out_and_left_alone(serve: Serve) -> None:
    service = serve()
    ask(service, 1)
    service.stop()
    spoil(service.ledger, 0)
    before = service.ledger.read_bytes()

    with pytest.raises(ServiceEnded, match=r"no lichen ledger.*put a copy") as caught:
        service.start()

    assert caught.value.code == 2
    assert "Traceback" not in caught.value.said
    assert service.ledger.read_bytes() == before


def test_a_ledger_damaged_within_breaks_no_call_and_what_it_could_not_take_is_counted(
    serve: Serve,
) -> None:
    service = serve()
    ask(service, 50)
    service.stop()
    spoil_tables(service.ledger)
    service.start()

    answered = ask(service, 10)
    until(lambda: "malformed" in service.said)
    page = service.get("/")
    code = service.stop()
    for path in service.folder.glob("book.db*"):
        if "tally" not in path.name and "answers" not in path.name:
            path.rename(path.with_name(path.name + ".corrupt"))
    service.start()

    assert answered == ["miss", "hit"] * 10
    assert page[0] == 503
    assert "recover" in page[1]
    assert code == 0
    assert until(lambda: service.gaps().get(LOST_AT_STOP)) >= 20


def test_two_services_on_one_ledger_both_answer_and_lose_nothing(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    one, two = serve(), serve()

    answered = [ask(service, 20) for service in (one, two, one, two)]
    until(lambda: calls(one) == 160)

    assert answered == [["miss", "hit"] * 20] * 4
    assert one.gaps() == {}
    assert len(upstream.calls) == 80
    assert (one.stop(), two.stop()) == (0, 0)
    assert "cannot" not in one.said + two.said


def test_stored_answers_that_cannot_be_read_are_set_aside_and_calls_go_on(serve: Serve) -> None:
    service = serve()
    ask(service, 3)
    service.stop()
    spoil(service.folder / "book.db.answers", 0)
    service.start()

    answered = ask(service, 3)

    assert answered == ["miss", "hit"] * 3
    assert "moved to" in service.said
    assert (service.folder / "book.db.answers.corrupt").exists()
