"""`with pausable(save)`: signals to a real process, at any moment, and what is saved."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest

from lichen.testing.waiting import until
from lichen.train.green.pausable import pausable

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = textwrap.dedent("""
    import pathlib, sys, time
    import lichen
    def save():
        pathlib.Path("saved").open("a").write(f"{done}\\n")
    done = 0
    with lichen.pausable(save) as p:
        print("resumed" if p.resumed else "first", flush=True)
        for done in range(1, int(sys.argv[1]) + 1):
            time.sleep(0.02)
            p.step()
    print("finished", flush=True)
""")


def start(folder: Path, steps: int, **environ: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(steps)],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_sigterm_saves_between_two_steps_and_exits_with_75(tmp_path: Path) -> None:
    with start(tmp_path, 1000) as process:
        process.send_signal(signal.SIGTERM)

        code = process.wait(20)

    assert code == 75
    assert len((tmp_path / "saved").read_text().splitlines()) == 1


def test_sigusr1_saves_and_goes_on(tmp_path: Path) -> None:
    with start(tmp_path, 50) as process:
        process.send_signal(signal.SIGUSR1)

        code = process.wait(20)

    assert code == 0
    assert len((tmp_path / "saved").read_text().splitlines()) == 1


def test_a_first_start_and_a_resume_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICHEN_RESUME", "0")
    first = pausable(lambda: None).resumed
    monkeypatch.setenv("LICHEN_RESUME", "1")

    assert (first, pausable(lambda: None).resumed) == (False, True)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with pausable(lambda: None):
        inside = signal.getsignal(signal.SIGTERM)

    assert inside != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_failing_save_is_no_checkpoint() -> None:
    def save() -> None:
        raise OSError("the disk is full")

    with pausable(save) as p:
        os.kill(os.getpid(), signal.SIGTERM)
        until(lambda: p.pause_asked)

        with pytest.raises(OSError, match="full"):
            p.step()


def test_in_another_thread_it_hears_nothing_and_harms_nothing() -> None:
    seen = []

    def work() -> None:
        with pausable(lambda: seen.append("saved")) as p:
            p.step()
            seen.append("stepped")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == ["stepped"]
