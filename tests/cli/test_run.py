"""`lichen run` and its kin, as a user runs them: real processes, real signals, exit codes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lichen.testing.waiting import until
from lichen.train.green.queue import Queue, Wish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Run

LICHEN = [sys.executable, "-m", "lichen"]
SOON = ("--finish-by", "in 5min", "--duration", "2s", "--zone", "DE")


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    """Cancel whatever a test left behind, and wait for its runner to go."""
    yield
    if not (tmp_path / "lichen.db.jobs").exists():
        return
    with Queue(tmp_path / "lichen.db") as queue:
        for record in queue.living():
            queue.wish(record.id, Wish.CANCEL)
        if queue.living():
            subprocess.run([*LICHEN, "run", "--adopt"], check=True, capture_output=True)
        until(lambda: not queue.living())
        for record in queue.newest(9):
            until(lambda job=record.id: not queue.driven(job))  # type: ignore[misc]


@pytest.fixture
def dirty_then_clean(tmp_path: Path) -> str:
    """A trace of DE whose clean hours begin three hours from now."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = [
        f"{(start + timedelta(hours=n)).isoformat()},{100 if 3 <= n < 20 else 800}"
        for n in range(-2, 60)
    ]
    (tmp_path / "trace.csv").write_text("time,gco2_per_kwh\n" + "\n".join(rows) + "\n")
    return "trace.csv"


def shell(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LICHEN, *words], capture_output=True, text=True, check=False, timeout=60, **more
    )


def status(*words: str) -> Any:
    return json.loads(shell("status", "--json", *words).stdout)


@pytest.mark.parametrize("code", [0, 5])
def test_the_exit_code_and_the_output_are_the_commands_own(code: int) -> None:
    done = shell("run", *SOON, "--", "sh", "-c", f"echo out; echo err >&2; exit {code}")

    assert done.returncode == code
    assert done.stdout == "out\n"
    assert "err\n" in done.stderr


def test_a_command_that_does_not_exist_ends_with_127_and_queues_nothing() -> None:
    done = shell("run", *SOON, "--", "no-such-program-9d41")

    assert done.returncode == 127
    assert "nothing was queued" in done.stderr
    assert status()["jobs"] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--finish-by", "2020-01-01T00:00Z", "--duration", "1h"), "not after the earliest start"),
        (("--finish-by", "in 1h", "--duration", "3h"), "give a deadline of"),
        (("--finish-by", "2030-01-01T06:00", "--duration", "1h"), "has no time zone"),
        (("--finish-by", "in 8h", "--duration", "1h", "--zone", "SE-SE9"), "did you mean"),
        (("--duration", "1h"), "--finish-by is needed: see `lichen run --help`"),
        (("--finish-by", "in 8h"), "--duration is needed"),
        (("--finish-by", "in 8h", "--duration", "1h", "--min-run", "5s"), "--interruptible"),
        (("--finish-by", "in 8h", "--duration", "1h", "--zones", "DE,FR"), "one place"),
        (("--finish-by", "in 8h", "--duration", "1h", "--executor", "moon"), "known are"),
        (("--finish-by", "in 8h", "--duration", "1h", "--power", "much"), "--power"),
        (("--finish-by", "in 8h", "--duration", "1h", "--option", "image=x"), "no option 'image'"),
        (("--finish-by", "in 8h", "--duration", "1h", "--ledger", "memory:"), "a file"),
    ],
)
def test_bad_input_is_refused_with_the_way_out(run: Run, words: tuple[str, ...], says: str) -> None:
    zone = () if "--zone" in words else ("--zone", "DE")

    done = run("run", *words, *zone, "--", "true")

    assert done.exit_code == 2
    assert says in done.stderr


def test_plan_has_no_side_effects_and_draws_the_curve(
    run: Run, tmp_path: Path, dirty_then_clean: str
) -> None:
    before = sorted(tmp_path.iterdir())

    done = run("plan", "--finish-by", "in 24h", "--duration", "4h", "--zone", "DE",
               "--trace", dirty_then_clean)  # fmt: skip

    assert done.exit_code == 0
    assert sorted(tmp_path.iterdir()) == before
    assert "━" in done.stdout
    assert "latest safe start" in done.stdout


def test_plan_tells_machines_all_of_it(run: Run, dirty_then_clean: str) -> None:
    done = run("plan", "--json", "--finish-by", "in 24h", "--duration", "4h", "--zone", "DE",
               "--trace", dirty_then_clean)  # fmt: skip

    said = json.loads(done.stdout)
    plan = said["plan"]
    assert datetime.fromisoformat(plan["segments"][0]["start"]) > datetime.now(UTC)
    assert plan["expected_g"]["value"] == pytest.approx(
        plan["run_now_g"]["value"] * 100 / 800, rel=1
    )
    assert said["signals"][0]["zone"] == "DE"
    assert said["order"]["p50_s"] == 4 * 3600


def test_a_detached_job_is_run_by_a_runner_left_behind(tmp_path: Path) -> None:
    done = shell("run", "--detach", *SOON, "--", "sh", "-c", "echo hello; exit 6")

    job = done.stdout.strip()
    said = until(lambda: (now := status(job))["state"] == "failed" and now)
    assert done.returncode == 0
    assert said["exit_code"] == 6
    assert (tmp_path / f"lichen.db.jobs/{job}/1/output.log").read_text() == "hello\n"


def test_release_runs_a_waiting_job_now_and_cancel_ends_it(
    tmp_path: Path, dirty_then_clean: str
) -> None:
    words = ("--finish-by", "in 24h", "--duration", "1h", "--zone", "DE")
    command = ("sh", "-c", "touch ran; sleep 60")
    job = shell(
        "run", "--detach", "--trace", dirty_then_clean, *words, "--", *command
    ).stdout.strip()
    waiting = status(job)

    released = shell("release", job)
    until((tmp_path / "ran").exists)
    cancelled = shell("cancel", job[-6:])

    assert (waiting["state"], waiting["driven"]) == ("waiting", True)
    assert (released.returncode, cancelled.returncode) == (0, 0)
    until(lambda: status(job)["state"] == "cancelled")
    assert shell("cancel", job).returncode == 1
    assert shell("release", "no-such-job").returncode == 2


def test_ctrl_c_where_nobody_can_be_asked_cancels_the_job(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*LICHEN, "run", *SOON, "--", "sh", "-c", "touch up; sleep 60"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until((tmp_path / "up").exists)

    process.send_signal(signal.SIGINT)

    assert process.wait(20) == 130
    assert status()["jobs"][0]["state"] == "cancelled"


def test_ctrl_c_on_a_terminal_asks_and_leaves_the_job_to_a_runner_behind(tmp_path: Path) -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*LICHEN, "run", *SOON, "--", "sh", "-c", "touch up; sleep 3; touch ended"],
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    until((tmp_path / "up").exists)

    process.send_signal(signal.SIGINT)
    seen = b""
    while b"(l)eave" not in seen:
        seen += os.read(parent, 4096)
    os.write(parent, b"l\n")
    code = process.wait(30)
    os.close(parent)

    assert code == 0
    until((tmp_path / "ended").exists)
    until(lambda: status()["jobs"][0]["state"] == "done")


@pytest.mark.parametrize(("number", "exits"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_one_that_is_told_to_end_leaves_the_job_to_a_runner_behind(
    tmp_path: Path, number: signal.Signals, exits: int
) -> None:
    process = subprocess.Popen(
        [*LICHEN, "run", *SOON, "--", "sh", "-c", "echo x >> starts; sleep 2; exit 3"],
        stderr=subprocess.DEVNULL,
    )
    until((tmp_path / "starts").exists)
    process.send_signal(number)
    code = process.wait(30)

    until(lambda: status()["jobs"][0]["state"] == "failed")

    job = status()["jobs"][0]
    assert code == exits
    assert (job["state"], job["exit_code"]) == ("failed", 3)
    assert (tmp_path / "starts").read_text() == "x\n"


def test_a_terminal_that_closes_leaves_a_waiting_job_with_a_runner(
    tmp_path: Path, dirty_then_clean: str
) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        late = ("--finish-by", "in 10h", "--duration", "1h", "--zone", "DE")
        os.execv(sys.executable, [*LICHEN, "run", *late, "--trace", dirty_then_clean, "--", "true"])
    with Queue(tmp_path / "lichen.db") as queue:
        seen = b""
        while b"to go" not in seen:
            seen += os.read(terminal, 4096)

        os.close(terminal)
        os.waitpid(pid, 0)

        assert queue.driven(queue.living()[0].id)


def test_a_killed_runner_is_named_by_status_and_adopted(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*LICHEN, "run", *SOON, "--", "sh", "-c", "echo x >> starts; sleep 2"],
        stderr=subprocess.DEVNULL,
    )
    until((tmp_path / "starts").exists)
    process.kill()
    process.wait()

    told = shell("status", env={**os.environ, "COLUMNS": "160"}).stdout
    shell("run", "--adopt")

    assert "lichen run --adopt" in told
    assert status()["jobs"][0]["state"] == "done"
    assert (tmp_path / "starts").read_text() == "x\n"


@pytest.mark.parametrize("rotten", ["a negative row", "no file", "an unknown source"])
def test_a_queued_job_runs_by_its_deadline_though_its_trace_went_bad(
    tmp_path: Path, dirty_then_clean: str, rotten: str
) -> None:
    late = ("--finish-by", "in 8s", "--duration", "2s", "--zone", "DE")
    process = subprocess.Popen(
        [*LICHEN, "run", *late, "--trace", dirty_then_clean, "--", "touch", "ran"],
        stderr=subprocess.PIPE,
        text=True,
    )
    with Queue(tmp_path / "lichen.db") as queue:
        until(lambda: queue.living() and queue.living()[0].segments)
    process.kill()
    process.communicate()
    trace, environ = tmp_path / dirty_then_clean, dict(os.environ)
    if rotten == "a negative row":
        trace.write_text(trace.read_text() + "2031-01-01T00:00:00+00:00,-1\n")
    elif rotten == "no file":
        trace.unlink()
    else:
        environ["LICHEN_GRID"] = "foo"

    done = shell("run", "--adopt", "--trace", dirty_then_clean, env=environ)

    assert done.returncode == 0, done.stderr
    assert "jobs run by their deadline" in done.stderr
    assert (tmp_path / "ran").exists()


def test_chosen_variables_are_kept_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_SECRET", "s3cret")
    monkeypatch.setenv("CHOSEN", "yes")

    done = shell("run", *SOON, "--env", "CHOSEN", "--env", "SEED=7", "--",
                 "sh", "-c", "echo $CHOSEN $SEED $LICHEN_RESUME")  # fmt: skip

    assert done.stdout == "yes 7 0\n"
    assert status()["jobs"][0]["order"]["env"] == {"CHOSEN": "yes", "SEED": "7"}
    assert b"s3cret" not in Path("lichen.db").read_bytes()


def test_json_at_the_end_of_a_run_is_the_job(tmp_path: Path) -> None:
    done = shell("run", "--json", *SOON, "--", "echo", "hidden")

    said = json.loads(done.stdout)
    assert said["state"] == "done"
    assert said["stretches"][0]["how"] == "ended"
    assert (tmp_path / f"lichen.db.jobs/{said['id']}/1/output.log").read_text() == "hidden\n"


def test_a_ledger_with_jobs_opens_as_any_other(run: Run) -> None:
    shell("run", *SOON, "--", "true")

    assert run("report").exit_code in (0, 1)


def test_a_deadline_that_was_missed_is_told_at_the_end_and_in_status() -> None:
    late = ("--finish-by", "in 2s", "--duration", "1s", "--zone", "DE")

    done = shell("run", *late, "--", "sleep", "4")

    job = status()["jobs"][0]["id"]
    assert "lichen: It ended 0:00:0" in done.stderr
    assert "done, late" in shell("status").stdout
    assert "It ended 0:00:0" in shell("status", job).stdout


def test_a_job_in_time_is_not_called_late() -> None:
    done = shell("run", *SOON, "--not-before", "now", "--", "true")

    assert done.returncode == 0
    assert "It ended" not in done.stderr
    assert ", late" not in shell("status").stdout


@pytest.mark.parametrize("rest", [("--detach",), ("--", "true")])
def test_adopting_takes_nothing_that_it_would_not_heed(rest: tuple[str, ...]) -> None:
    done = shell("run", "--adopt", *rest)

    assert done.returncode == 2
    assert "--adopt takes over jobs here, in sight" in done.stderr


def test_plan_names_its_own_help(run: Run) -> None:
    said = run("plan", "--duration", "1h", "--zone", "DE")

    assert said.exit_code == 2
    assert "--finish-by is needed: see `lichen plan --help`" in said.stderr


def test_a_job_in_one_piece_has_a_grace_for_its_cancel() -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); open('up', 'w'); time.sleep(90)"
    order = ("--finish-by", "in 5min", "--duration", "90s", "--zone", "DE", "--grace", "1s")
    shell("run", "--detach", *order, "--", sys.executable, "-c", deaf)
    until(Path("up").exists, within=30)
    job = status()["jobs"][0]["id"]
    began = datetime.now(UTC)

    shell("cancel", job)
    until(lambda: status()["jobs"][0]["state"] == "cancelled", within=30)

    # The grace that nobody named is two minutes.
    assert datetime.now(UTC) - began < timedelta(seconds=60)


def test_plan_promises_nothing_that_run_refuses(run: Run) -> None:
    said = run("plan", *SOON, "--zones", "DE,SE")

    assert said.exit_code == 2
    assert "local runs jobs in one place" in said.stderr


def test_proving_a_job_that_is_not_settled_says_how_to_settle_it(run: Run) -> None:
    shell("run", *SOON, "--", "true")
    job = status()["jobs"][0]["id"]

    said = run("prove", job)

    assert said.exit_code == 2
    assert f"{job} is a job that is not settled" in said.stderr
    assert "lichen status --settle" in said.stderr


def test_a_forecast_of_a_zone_that_is_none_names_the_nearest(run: Run) -> None:
    said = run("forecast", "SE-SE33")

    assert said.exit_code == 2
    assert "did you mean SE-SE3" in said.stderr


def test_a_plan_without_a_source_names_the_settings_of_one(run: Run) -> None:
    said = run("plan", *SOON)

    assert "set LICHEN_GRID" in " ".join(said.stdout.split())


def test_where_all_hours_are_alike_there_is_nothing_to_wait_for(run: Run) -> None:
    said = run("forecast", "DE")

    assert "all hours are alike" in said.stdout
    assert "━" not in said.stdout
    assert "times in" in said.stdout
