"""`lichen measure`: a command run as if alone, and booked. Real processes, real signals."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lichen.ledger.entry import OWN
from lichen.ledger.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.ledger.entry import Entry

LICHEN = (sys.executable, "-m", "lichen", "measure")
BUSY = "import time\nwhile time.process_time() < {}: pass"


def measure(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it in this folder."""
    return subprocess.run(
        [*LICHEN, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def in_terminal(script: str, press: bytes = b"") -> tuple[int, bytes]:
    """Measure a script in a terminal of its own, press a key when it is ready; status, screen."""
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *LICHEN, "--", sys.executable, "-c", script],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    said = b""
    with suppress(OSError):  # the end of a terminal
        while piece := os.read(screen, 4096):
            said += piece
            if press and b"ready" in said:
                os.write(screen, press)
                press = b""
    status = process.wait(30)
    os.close(screen)
    return status, said


def booked(*, own: bool = False) -> list[Entry]:
    """The entries of this folder's ledger: of what was measured, or of lichen itself."""
    with closing(SqliteStore(Path("lichen.db"))) as store:
        return [entry for entry in store.entries() if (entry.figures.strategy == OWN) == own]


@pytest.fixture
def started() -> Iterator[Any]:
    """Start it with a command that says when it is ready."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*LICHEN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def test_a_command_is_booked_with_its_cpu_time() -> None:
    done = measure("--zone", "SE-SE3", "--", sys.executable, "-c", BUSY.format(0.3))

    [entry] = booked()
    figures = entry.figures
    assert done.returncode == 0
    assert done.stdout == ""
    assert 0.3 <= float(figures.raw["cpu_seconds"]) < 1.0
    assert figures.footprint.energy.value.in_joules > 0
    assert (figures.work.amount, figures.work.unit, figures.zone) == (1, "run", "SE-SE3")
    assert figures.gaps == ()


def test_one_line_at_the_end_tells_of_it() -> None:
    done = measure("--name", "my job", "--", "true")

    [line] = done.stderr.splitlines()
    assert line.startswith("lichen: my job · ")
    assert "Wh" in line
    assert "gCO₂e" in line
    assert "WORLD" in line


def test_json_stands_in_one_line_and_leaves_the_output_alone() -> None:
    done = measure("--json", "--work", "500", "image", "--", "echo", "hello")

    said = json.loads(done.stderr)
    assert done.stdout == "hello\n"
    assert (said["work"], said["unit"]) == (500, "image")
    assert said["command"] == ["echo", "hello"]
    assert said["exit_code"] == said["still_running"] == 0
    assert set(said["used"]["energy_j"]) == {"value", "low", "high", "basis"}
    assert said["memory_energy_j"]["basis"] == "assumed"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("50", "--"), "it has no unit, '--' follows the number"),
        (("50", "--json"), "it has no unit, '--json' follows the number"),
        (("fifty", "image"), "'fifty' is no number of 0 or more"),
        (("-1", "image"), "'-1' is no number of 0 or more"),
        (("inf", "image"), "'inf' is no number of 0 or more"),
    ],
)
def test_work_that_is_no_number_and_a_unit_is_refused_before_anything_runs(
    given: tuple[str, str], said: str
) -> None:
    done = measure("--work", *given, sys.executable, "-c", "print('ran')")

    assert done.returncode == 2
    assert done.stdout == ""
    assert said in " ".join(done.stderr.split())
    assert not Path("lichen.db").exists()


def test_streams_pass_untouched() -> None:
    script = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1])"

    data = b"\x00\xff\r\n" * 9

    done = subprocess.run(
        [*LICHEN, "--", sys.executable, "-c", script], input=data, capture_output=True, check=True
    )

    assert done.stdout == data[::-1]


def test_a_terminal_stays_a_terminal() -> None:
    script = "import os; print([os.isatty(n) for n in range(3)], os.getpgrp() == os.tcgetpgrp(0))"

    status, said = in_terminal(script)

    assert status == 0
    assert b"[True, True, True] True" in said


@pytest.mark.parametrize("status", [0, 1, 3, 255])
def test_the_exit_code_is_the_command_s(status: int) -> None:
    assert measure("--", "sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_command_that_a_signal_ended_gives_128_and_its_number(number: int) -> None:
    done = measure("--", "sh", "-c", f"kill -{int(number)} $$")

    assert done.returncode == 128 + number
    assert len(booked()) == 1


def test_there_is_no_such_command() -> None:
    done = measure("--", "no-such-command-anywhere")

    assert done.returncode == 127
    assert "no-such-command-anywhere: there is no such command" in done.stderr
    assert booked() == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_command_that_may_not_be_run(tmp_path: Path, kind: str) -> None:
    given = tmp_path / "given"
    given.mkdir() if kind == "folder" else given.touch()

    done = measure("--", str(given))

    assert done.returncode == 126
    assert "cannot be run (Permission denied)" in done.stderr
    assert booked() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_is_passed_on_once_and_the_command_decides(started: Any, number: int) -> None:
    script = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: print('got', flush=True))\n"
        "print('ready', flush=True)\n"
        "end = time.monotonic() + 0.8\n"
        "while time.monotonic() < end: time.sleep(0.05)\n"
        "sys.exit(7)"
    )
    process = started("--", sys.executable, "-c", script)

    process.send_signal(number)
    stdout, _ = process.communicate(timeout=30)

    assert process.returncode == 7
    assert stdout == "got\n"


def test_what_the_terminal_sends_to_all_reaches_the_command_once() -> None:
    script = (
        "import signal, sys, time\n"
        "got = []\n"
        "signal.signal(signal.SIGINT, lambda *_: got.append(1))\n"
        "print('ready', flush=True)\n"
        "end = time.monotonic() + 0.8\n"
        "while time.monotonic() < end: time.sleep(0.05)\n"
        "print('interrupts:', len(got), flush=True)"
    )

    status, said = in_terminal(script, press=b"\x03")

    assert status == 0
    assert b"interrupts: 1" in said
    assert b"lichen:" in said


def test_a_command_that_ignores_sigterm_goes_on(started: Any) -> None:
    script = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\n"
        "time.sleep(0.6)"
    )
    process = started("--", sys.executable, "-c", script)

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    assert process.returncode == 0


def test_an_orphan_is_waited_for_and_counts() -> None:
    orphan = f'(sleep 0.3; "{sys.executable}" -c "{BUSY.format(0.4)}") & exit 3'

    done = measure("--", "sh", "-c", orphan)

    [entry] = booked()
    assert done.returncode == 3
    assert float(entry.figures.raw["cpu_seconds"]) >= 0.4
    assert float(entry.figures.raw["seconds"]) >= 0.7


def test_what_outlives_the_command_is_left_after_the_linger_and_told() -> None:
    began = time.monotonic()

    done = measure("--linger", "0.2", "--", "sh", "-c", "sleep 5 >/dev/null 2>&1 & exit 0")

    [entry] = booked()
    assert done.returncode == 0
    assert time.monotonic() - began < 4
    assert "still-running:1" in entry.figures.gaps


@pytest.mark.parametrize("linger", ["0", "1e300", "inf"])
def test_any_linger_ends_with_what_was_waited_for(linger: str) -> None:
    done = measure("--linger", linger, "--", "sh", "-c", "sleep 0.1 >/dev/null 2>&1 & exit 6")

    assert done.returncode == 6


def test_a_stop_while_lingering_ends_the_wait(started: Any) -> None:
    script = "sleep 5 >/dev/null 2>&1 & echo ready; exit 4"
    process = started("--", "sh", "-c", script)
    time.sleep(0.3)

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=4)

    assert process.returncode == 4


def test_a_pipe_that_closes_ends_the_command_as_alone() -> None:
    """Python ignores SIGPIPE; what it starts must not, or `yes | head` would never end."""
    done = measure("--", "sh", "-c", "yes | head -1; exit 0")

    assert (done.returncode, done.stdout) == (0, "y\n")
    assert "Broken pipe" not in done.stderr


def test_a_ledger_that_cannot_be_opened_stops_no_command(tmp_path: Path) -> None:
    (tmp_path / "book.db").write_bytes(b"not a database, but long enough to look like one" * 50)

    done = measure("--ledger", "book.db", "--", "sh", "-c", "echo hello; exit 5")

    assert (done.returncode, done.stdout) == (5, "hello\n")
    assert "runs all the same, and is not booked" in done.stderr


def test_a_zone_that_is_misspelt_is_told_before_anything_runs() -> None:
    done = measure("--zone", "SE-SE33", "--", "touch", "ran")

    assert done.returncode == 2
    assert "did you mean SE-SE3" in done.stderr
    assert not Path("ran").exists()


def test_no_command_is_wrong_usage() -> None:
    done = measure("--zone", "SE-SE3")

    assert done.returncode == 2
    assert "Missing argument" in done.stderr


def test_flags_behind_the_command_are_the_command_s() -> None:
    done = measure("echo", "--json", "-h", "--zone", "nowhere")

    assert done.stdout == "--json -h --zone nowhere\n"


def test_reserved_cpus_that_idle_are_counted() -> None:
    measure("--zone", "SE-SE3", "--", "sleep", "0.3")
    measure("--zone", "SE-SE3", "--cpus", "4", "--gpus", "1", "--", "sleep", "0.3")

    alone, kept = booked()
    assert kept.figures.footprint.energy.value > alone.figures.footprint.energy.value
    assert kept.figures.footprint.embodied.value > alone.figures.footprint.embodied.value
    assert "gpu-unmetered" in kept.figures.gaps


def test_a_measured_command_survives_recompute() -> None:
    measure("--zone", "SE-SE3", "--", sys.executable, "-c", BUSY.format(0.1))
    [before] = booked()

    done = subprocess.run(
        [sys.executable, "-m", "lichen", "recompute", "--json", "--zone", "SE-SE3"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout)["changed"] == 0
    assert booked() == [before]


def test_what_lichen_itself_took_is_booked_beside_it() -> None:
    measure("--zone", "SE-SE3", "--work", "5", "image", "--", "true")

    [overhead] = booked(own=True)
    figures = overhead.figures
    assert figures.footprint.energy.value.in_joules > 0
    assert (figures.work.amount, figures.work.unit) == (0, "image")
    assert figures.method == "process/1"


def test_a_name_of_many_lines_stays_one_line() -> None:
    done = measure("--", sys.executable, "-c", "import sys\nprint('one\\ttwo')\n")

    assert len(done.stderr.splitlines()) == 1
