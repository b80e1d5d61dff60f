"""Trouble: a store that is locked, an executor that is not there, a disk that cannot be written."""

from __future__ import annotations

import signal
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError
from lichen.ledger.sqlite import BUSY_MS
from lichen.testing.jobs import SECOND, pausing
from lichen.testing.waiting import until
from lichen.train.green.executor import Ask
from lichen.train.green.identity import Identity
from lichen.train.green.local import Local
from lichen.train.green.record import Record, State
from lichen.train.green.runner import Runner

if TYPE_CHECKING:
    from lichen.testing.jobs import Yard


def test_a_store_that_is_locked_is_said_and_the_job_runs_when_it_is_free_again(yard: Yard) -> None:
    record = yard.submit(yard.python("open('ran', 'a').write('once ')", within=90))
    said: list[str] = []

    def hear(record: Record, _now: datetime) -> None:
        said.append(record.note)

    runner = yard.runner()
    thread = threading.Thread(target=lambda: runner.run([record.id], hear))
    with closing(sqlite3.connect(yard.queue.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        thread.start()
        until(lambda: any("locked" in note for note in said), within=BUSY_MS / 1000 + 10)
        other.execute("ROLLBACK")
    thread.join(30)

    assert yard.queue.get(record.id).state is State.DONE
    assert yard.text("ran") == "once "


def test_a_job_whose_executor_is_not_installed_holds_up_no_other(yard: Yard) -> None:
    bad = yard.submit(yard.order("true"))
    bad = yard.queue.put(replace(bad, order=replace(bad.order, executor="gone")))
    good = yard.submit(yard.python("open('ran', 'a').write('once ')"))

    def executor_of(name: str) -> Local:
        if name == "gone":
            raise InputError("there is no executor gone")
        return yard.local

    ended = Runner(yard.queue, yard.planner(), executor_of).adopt()

    assert [each.id for each in ended] == [good.id]
    assert ended[0].state is State.DONE
    assert "no executor gone" in yard.queue.get(bad.id).note
    assert not yard.queue.driven(bad.id)


class Gentle(Local):
    """Tells a command to pause, and never kills it; as Slurm does."""

    def ask(self, handle: str, what: Ask) -> None:
        """TERM to the command itself, past its keeper."""
        child = Identity.parse((Path(handle) / "child").read_text()) if what is Ask.PAUSE else None
        if child:
            child.send_group(signal.SIGTERM)
        else:
            super().ask(handle, what)


def test_a_command_that_outstays_its_grace_is_killed_though_its_executor_would_not(
    yard: Yard,
) -> None:
    code = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(25)"
    order = yard.python(code, lasts=26, within=90, pausing=pausing(grace=SECOND))
    record = yard.submit(order)
    now = datetime.now(UTC)
    yard.queue.put(
        replace(
            record,
            segments=((now, now + 2 * SECOND, "DE"), (now + 40 * SECOND, now + 66 * SECOND, "DE")),
        )
    )
    runner = Runner(yard.queue, yard.planner(), lambda _: Gentle())
    thread = threading.Thread(target=lambda: runner.run([record.id]))
    thread.start()

    until(lambda: yard.queue.get(record.id).state is State.PAUSED, within=20)
    runner.stop()
    thread.join(10)

    stretch = yard.queue.get(record.id).stretches[0]
    assert (stretch.exit_code, stretch.kept) == (137, False)
    assert stretch.end is not None
    assert stretch.end - stretch.start < 15 * SECOND


def test_a_folder_that_cannot_be_made_is_said_and_the_others_run(yard: Yard) -> None:
    bad = yard.submit(yard.python("open('bad', 'a').write('x')"))
    good = yard.submit(yard.python("open('good', 'a').write('x')"))
    in_the_way = yard.queue.folder / bad.id / "1"
    in_the_way.write_text("")
    runner = yard.runner()
    thread = threading.Thread(target=runner.adopt)
    thread.start()

    until(lambda: yard.queue.get(good.id).state is State.DONE)
    until(lambda: "File exists" in yard.queue.get(bad.id).note)
    in_the_way.unlink()
    thread.join(30)

    assert yard.queue.get(bad.id).state is State.DONE
    assert yard.text("bad") == "x"
