"""Jobs on this machine: real processes, started once, paused and resumed, by real signals."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lichen.ledger.errors import InputError, MeterUnavailable, NaiveTime, NoCommand
from lichen.ledger.estimate import Estimate
from lichen.ledger.quantities import Energy
from lichen.meter.process import ProcessMeter
from lichen.testing.jobs import SECOND, pausing
from lichen.testing.waiting import until
from lichen.train.green.clock import Clock
from lichen.train.green.local import _identity
from lichen.train.green.queue import Queue, Taken, Wish
from lichen.train.green.record import State

if TYPE_CHECKING:
    from lichen.testing.jobs import Yard

# Counts one tenth of a second at a time, keeps its count at SIGTERM and asks to be resumed.
TRAINING = textwrap.dedent("""
    import os, pathlib, signal, sys, time
    kept = pathlib.Path(os.environ["LICHEN_CHECKPOINT_DIR"]) / "count"
    log = pathlib.Path("log")
    count = int(kept.read_text()) if os.environ["LICHEN_RESUME"] == "1" else 0
    with log.open("a") as file:
        file.write(f"start {os.environ['LICHEN_RESUME']} {count}\\n")
    def stop(*_):
        kept.write_text(str(count))
        sys.exit(75)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGUSR1, lambda *_: kept.write_text(str(count)))
    while count < int(sys.argv[1]):
        time.sleep(0.1)
        count += 1
    with log.open("a") as file:
        file.write(f"end {count}\\n")
""")


def test_a_job_without_a_forecast_runs_now_and_says_so(yard: Yard) -> None:
    record = yard.run(yard.python("open('ran', 'a').write('once ')"))

    assert record.state is State.DONE
    assert record.exit_code == 0
    assert "forecast-unavailable" in record.gaps
    assert yard.text("ran") == "once "


def test_a_job_waits_for_the_clean_hours(yard: Yard) -> None:
    order = yard.python("import time; print(time.time(), file=open('at', 'w'))")

    record = yard.run(order, *[500.0] * 4, 50.0)

    ran_at = datetime.fromtimestamp(float(yard.text("at")), UTC)
    assert record.state is State.DONE
    assert ran_at >= record.segments[0][0] > record.submitted_at + SECOND


def test_a_job_that_can_pause_runs_in_the_clean_hours_alone(yard: Yard) -> None:
    order = yard.order(
        sys.executable,
        "-c",
        TRAINING,
        "45",
        lasts=6,
        within=20,
        pausing=pausing(restart=SECOND / 10),
    )

    record = yard.run(order, *[50.0] * 4, *[900.0] * 4, *[50.0] * 4, 900.0)

    starts = [line for line in yard.text("log").splitlines() if line.startswith("start")]
    assert record.state is State.DONE, record
    assert starts[0] == "start 0 0"
    assert len(starts) == record.attempt == 2
    assert int(starts[1].split()[2]) > 10
    assert yard.text("log").endswith("end 45\n")
    assert [stretch.how for stretch in record.stretches] == ["checkpoint", "ended"]
    assert record.stretches[0].exit_code == 75
    assert all(stretch.cpu_s is not None for stretch in record.stretches)


def test_a_frozen_job_goes_on_in_memory(yard: Yard) -> None:
    order = yard.python(
        "import time\nfor _ in range(40): time.sleep(0.1)\nopen('ran', 'a').write('once ')",
        lasts=6,
        within=13,
        pausing=pausing(freeze=True),
    )

    record = yard.run(order, *[50.0] * 3, *[900.0] * 5, 50.0)

    assert record.state is State.DONE
    assert yard.text("ran") == "once "
    assert record.attempt == 1
    assert [stretch.how for stretch in record.stretches] == ["frozen", "ended"]


def test_at_the_latest_safe_start_it_runs_whatever_the_grid(yard: Yard) -> None:
    order = yard.python("open('ran', 'a').write('once ')", lasts=2, within=8)
    record = yard.submit(order, *[900.0] * 60)
    far = datetime.now(UTC) + timedelta(days=1)
    segments = ((far, far + SECOND, "DE"),)
    yard.queue.put(replace(record, segments=segments))

    ended = yard.runner().run([record.id])[0]

    assert ended.state is State.DONE
    assert ended.committed
    assert ended.ended_at is not None
    assert ended.ended_at <= order.deadline


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_a_command_that_dies_has_failed_with_its_exit_code(
    yard: Yard, code: str, exit_code: int
) -> None:
    record = yard.run(yard.python(code))

    assert (record.state, record.exit_code) == (State.FAILED, exit_code)
    assert record.attempt == 1


@pytest.mark.parametrize("command", ["no-such-program-9d41", "./missing", "/etc/passwd"])
def test_a_command_that_is_not_there_is_refused_and_nothing_is_queued(
    yard: Yard, command: str
) -> None:
    with pytest.raises(NoCommand, match="nothing was queued"):
        yard.submit(yard.order(command))

    assert yard.queue.newest(1) == []


def test_a_command_that_ignores_sigterm_is_killed_after_its_grace(yard: Yard) -> None:
    code = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nopen('up', 'w')\ntime.sleep(60)"
    record = yard.submit(yard.python(code, lasts=1, within=90, pausing=pausing(grace=SECOND)))
    thread = threading.Thread(target=lambda: yard.runner().run([record.id]))
    thread.start()
    until((yard.folder / "up").exists)

    yard.queue.wish(record.id, Wish.CANCEL)
    thread.join(20)

    ended = yard.queue.get(record.id)
    assert (ended.state, ended.exit_code) == (State.CANCELLED, 137)


def test_what_a_command_forks_ends_with_it(yard: Yard) -> None:
    code = textwrap.dedent("""
        import os, time
        if os.fork() == 0:
            os.setsid()
            open("pid", "w").write(str(os.getpid()))
            time.sleep(60)
        while not os.path.exists("pid") or not open("pid").read():
            time.sleep(0.01)
    """)

    record = yard.run(yard.python(code))

    assert record.state is State.DONE
    with pytest.raises(ProcessLookupError):
        os.kill(int(yard.text("pid")), 0)


def test_a_command_that_leaves_no_checkpoint_is_not_paused_again(yard: Yard) -> None:
    code = "import time\nopen('starts', 'a').write('x')\ntime.sleep(3.5)"
    order = yard.python(code, lasts=4, within=12, pausing=pausing(grace=SECOND))

    record = yard.run(order, *[50.0] * 2, *[900.0] * 3, *[50.0] * 2, 900.0)

    assert record.state is State.DONE
    assert record.committed
    assert yard.text("starts") == "xx"
    assert not record.stretches[0].kept


def test_a_command_that_leaves_no_checkpoint_is_in_time_all_the_same(yard: Yard) -> None:
    code = textwrap.dedent("""
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open('starts', 'a').write('x')
        time.sleep(4)
    """)
    order = yard.python(code, lasts=4, within=9, pausing=pausing(grace=2 * SECOND))

    # A pause after three seconds would cost these and the grace: the work would not fit any more.
    record = yard.run(order, *[50.0] * 3, *[900.0] * 4, 50.0, 900.0)

    assert record.state is State.DONE
    assert record.ended_at is not None
    assert record.ended_at <= order.deadline
    assert yard.text("starts") == "x"
    assert len(record.segments) == 1


def test_a_command_that_always_asks_to_be_resumed_fails_in_the_end(yard: Yard) -> None:
    record = yard.run(yard.python("raise SystemExit(75)"))

    assert (record.state, record.exit_code) == (State.FAILED, 75)
    assert record.attempt < 10


def test_release_runs_a_waiting_job_now(yard: Yard) -> None:
    order = yard.python("open('ran', 'a').write('once ')", lasts=1, within=600)
    record = yard.submit(order, *[900.0] * 500, 50.0)
    yard.queue.wish(record.id, Wish.RELEASE)

    ended = yard.runner().run([record.id])[0]

    assert ended.state is State.DONE
    assert ended.committed
    assert ended.segments[0][0] > record.submitted_at + 100 * SECOND


def test_a_waiting_job_that_is_cancelled_never_starts(yard: Yard) -> None:
    order = yard.python("open('ran', 'w')", lasts=1, within=600)
    record = yard.submit(order, *[900.0] * 500, 50.0)
    yard.queue.wish(record.id, Wish.CANCEL)

    ended = yard.runner().run([record.id])[0]

    assert ended.state is State.CANCELLED
    assert not (yard.folder / "ran").exists()


def test_two_runners_on_one_job_are_one_too_many(yard: Yard) -> None:
    record = yard.submit(yard.python("import time; time.sleep(1)"))
    with Queue(yard.queue.path) as other, other.driving(record.id):
        with pytest.raises(Taken, match=f"process {os.getpid()}"):
            yard.runner().run([record.id])

        assert yard.queue.driven(record.id)

    assert not yard.queue.driven(record.id)


def test_a_new_runner_takes_over_a_running_command_and_does_not_start_it_again(
    yard: Yard,
) -> None:
    code = "import time\nopen('starts', 'a').write('x')\ntime.sleep(2)\nraise SystemExit(4)"
    record = yard.submit(yard.python(code))
    first = yard.runner()
    thread = threading.Thread(target=lambda: first.run([record.id]))
    thread.start()
    until(lambda: yard.text("starts"))
    first.stop()
    thread.join(10)

    ended = yard.runner().adopt()[0]

    assert (ended.state, ended.exit_code) == (State.FAILED, 4)
    assert yard.text("starts") == "x"


def test_a_job_whose_keeper_was_killed_is_watched_and_then_lost_not_run_again(yard: Yard) -> None:
    code = "import time\nopen('starts', 'a').write('x')\ntime.sleep(2)\nopen('ended', 'w')"
    record = yard.submit(yard.python(code, pausing=pausing()))
    thread = threading.Thread(target=lambda: yard.runner().run([record.id]))
    thread.start()
    until(lambda: yard.text("starts"))
    keeper = _identity(Path(yard.queue.get(record.id).handle) / "began")
    assert keeper is not None

    keeper.send(signal.SIGKILL)
    thread.join(20)

    ended = yard.queue.get(record.id)
    assert ended.state is State.LOST
    assert "not started again" in ended.note
    assert (yard.folder / "ended").exists()
    assert yard.text("starts") == "x"


def test_a_job_whose_folder_is_removed_while_it_runs_is_lost_not_run_again(yard: Yard) -> None:
    code = "import time\nopen('starts', 'a').write('x')\ntime.sleep(2)"
    record = yard.submit(yard.python(code))
    thread = threading.Thread(target=lambda: yard.runner().run([record.id]))
    thread.start()
    until(lambda: yard.queue.get(record.id).state is State.RUNNING and yard.text("starts"))

    shutil.rmtree(yard.queue.get(record.id).handle)
    thread.join(20)

    assert yard.queue.get(record.id).state is State.LOST
    assert yard.text("starts") == "x"


@pytest.mark.parametrize("can_pause", [False, True])
def test_after_a_reboot_a_job_is_resumed_if_it_can_be_and_else_lost(
    yard: Yard, *, can_pause: bool
) -> None:
    order = yard.order(
        sys.executable, "-c", TRAINING, "5", lasts=2, pausing=pausing() if can_pause else None
    )
    record = yard.submit(order)
    folder = yard.queue.folder / record.id / "1"
    folder.mkdir(parents=True)
    for name in ("began", "child"):
        (folder / name).write_text('{"boot": "another", "pid": 1, "start": 1}')
    checkpoint = yard.queue.folder / record.id / "checkpoint"
    (checkpoint / "count").write_text("3")
    yard.queue.put(replace(record, attempt=1, handle=str(folder), handed=True))

    ended = yard.runner().adopt()[0]

    if can_pause:
        assert ended.state is State.DONE
        assert yard.text("log") == "start 1 3\nend 5\n"
    else:
        assert ended.state is State.LOST
        assert yard.text("log") == ""


def test_a_start_that_was_written_down_and_never_made_is_made_once(yard: Yard) -> None:
    record = yard.submit(yard.python("open('ran', 'a').write('once ')"))
    yard.queue.put(replace(record, attempt=1))

    ended = yard.runner().adopt()[0]

    assert ended.state is State.DONE
    assert ended.attempt == 2
    assert yard.text("ran") == "once "
    assert (yard.queue.folder / record.id / "1" / "began").read_text() == "void"


@pytest.mark.parametrize("round_", range(6))
def test_a_runner_killed_at_any_moment_never_runs_a_job_twice(yard: Yard, round_: int) -> None:
    code = "import time\nopen('starts', 'a').write('x')\ntime.sleep(0.8)"
    record = yard.submit(yard.python(code, lasts=1))
    program = textwrap.dedent(f"""
        from datetime import timedelta
        from lichen.train.green.local import Local
        from lichen.train.green.planning import Planner
        from lichen.train.green.queue import Queue
        from lichen.train.green.runner import Runner
        local = Local()
        with Queue({str(yard.queue.path)!r}) as queue:
            print("up", flush=True)
            Runner(queue, Planner(source=None), lambda _: local).adopt()
    """)
    for wait_s in (0.004 * round_, 0.02 * round_, 0.07 * round_):
        runner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert runner.stdout is not None
        runner.stdout.readline()
        time.sleep(wait_s)
        runner.kill()
        runner.wait()
        runner.stdout.close()

    # What a killed runner was just starting may hold its lock a moment longer: such a job is left.
    end = time.monotonic() + 10
    while not yard.runner().adopt() and time.monotonic() < end:
        time.sleep(0.05)

    ended = yard.queue.get(record.id)
    assert ended.state is State.DONE
    assert yard.text("starts") == "x"


def test_a_checkpoint_is_asked_for_as_often_as_the_order_says(yard: Yard) -> None:
    order = yard.order(
        sys.executable, "-c", TRAINING, "25", lasts=4, pausing=pausing(every=SECOND), checkpoint=""
    )

    record = yard.run(order)

    count = yard.queue.folder / record.id / "checkpoint" / "count"
    assert record.state is State.DONE
    assert int(count.read_text()) > 5


def test_a_clock_that_is_set_meanwhile_is_a_gap_of_the_job(yard: Yard) -> None:
    late = timedelta(0)
    clock = Clock(wall=lambda: datetime.now(UTC) + late)
    late = timedelta(hours=1)
    record = yard.submit(yard.python("import time; time.sleep(1)"))

    ended = yard.runner(clock=clock).run([record.id])[0]

    assert ended.state is State.DONE
    assert "clock-set" in ended.gaps


class Counting:
    """A meter whose reading grows by a joule at each look."""

    def __init__(self) -> None:
        self.joules = 0.0

    def read(self) -> Estimate[Energy]:
        self.joules += 1.0
        return Estimate.exact(Energy.joules(self.joules))


class Broken(Counting):
    """A stranger's meter that fails in its own way at its second reading."""

    def read(self) -> Estimate[Energy]:
        if self.joules:
            raise AttributeError("no such counter")
        return super().read()


def test_a_meter_that_breaks_in_any_way_leaves_a_gap_and_the_job_can_be_cancelled(
    yard: Yard,
) -> None:
    record = yard.submit(yard.python("import time; time.sleep(30)"))
    runner = yard.runner(meter=lambda _: Broken())
    thread = threading.Thread(target=runner.run, args=([record.id],))
    thread.start()
    until(lambda: yard.queue.get(record.id).state is State.RUNNING)

    yard.queue.wish(record.id, Wish.CANCEL)
    thread.join()
    ended = yard.queue.get(record.id)

    assert ended.state is State.CANCELLED
    assert "meter-failed" in ended.gaps


def test_energy_is_kept_by_stretch_where_a_meter_is_given(yard: Yard) -> None:
    meter = Counting()
    record = yard.submit(yard.python("import time; time.sleep(1)"))

    ended = yard.runner(meter=lambda _: meter).run([record.id])[0]

    assert ended.stretches[0].energy == Estimate.exact(Energy.joules(1.0))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"deadline": datetime(2020, 1, 1, tzinfo=UTC)}, "not after the earliest start"),
        ({"p50": timedelta(hours=3)}, "give a deadline of"),
        ({"p50": timedelta(0)}, "must be positive"),
        ({"p90": SECOND / 2}, "p90"),
        ({"argv": ()}, "there is no command"),
    ],
)
def test_an_order_that_cannot_be_is_refused(yard: Yard, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        yard.order("true", **changes)


def test_an_order_with_a_naive_deadline_is_refused(yard: Yard) -> None:
    with pytest.raises(NaiveTime):
        yard.order("true", deadline=datetime(2030, 1, 1))  # noqa: DTZ001 (that is the point)


def test_a_meter_that_ends_with_its_process_leaves_the_energy_unknown_and_the_job_done(
    yard: Yard,
) -> None:
    record = yard.submit(yard.python("import time; time.sleep(0.6)"))

    ended = yard.runner(meter=ProcessMeter).run([record.id])[0]

    assert ended.state is State.DONE
    assert [one.energy for one in ended.stretches] == [None]
    assert "meter-failed" in ended.gaps
    assert ended.stretches[0].cpu_s is not None


def test_a_meter_that_cannot_be_made_stops_no_job(yard: Yard) -> None:
    def none(pid: int) -> ProcessMeter:
        raise MeterUnavailable("the meter", f"it knows nothing of {pid}", "go on without")

    record = yard.submit(yard.python("import time; time.sleep(0.6)"))

    ended = yard.runner(meter=none).run([record.id])[0]

    assert ended.state is State.DONE
    assert "meter-failed" in ended.gaps
