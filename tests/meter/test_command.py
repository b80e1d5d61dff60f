"""A command that is run and metered: in a process of its own, since it changes how signals go."""

from __future__ import annotations

import subprocess
import sys

_THREADED = """
import os, signal, sys, threading, time
from lichen.meter.command import Command

command = Command([sys.executable, "-c", {inner!r}])
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
command.start()
time.sleep(0.5)
os.kill(os.getpid(), signal.SIGTERM)
ended = command.wait()
print(ended.status, ended.left, command.seconds() > 0, command.peak_bytes > 1e6, flush=True)
os._exit(0)
"""
_INNER = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
time.sleep(20)
"""
_IGNORED = """
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from lichen.meter.command import Command
command = Command([sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGHUP))"])
command.start()
command.wait()
"""
_UNSEEN = """
import signal
from lichen.meter.command import Command
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
command = Command(["sh", "-c", "exit 3"])
command.start()
print(command.wait().status)
"""
_MASK = """
import signal, sys
from lichen.meter.command import Command
before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
show = "import signal; print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
command = Command([sys.executable, "-c", show])
command.start()
command.wait()
print(signal.pthread_sigmask(signal.SIG_BLOCK, []) == before)
"""


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_a_signal_is_passed_on_though_other_threads_run() -> None:
    assert run(_THREADED.format(inner=_INNER)) == "9 0 True True\n"


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    assert run(_IGNORED) == "1\n"


def test_a_command_s_end_is_seen_where_children_were_ignored() -> None:
    assert run(_UNSEEN) == "3\n"


def test_the_command_s_signal_mask_is_the_one_we_had() -> None:
    assert run(_MASK) == "[]\nTrue\n"
