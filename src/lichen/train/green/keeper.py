"""Keeper: the small process between a runner and a command. It outlives the runner.

    began   who the keeper is; made once, by whoever is first: nobody else starts this attempt
    child   who the command is, on disk before it may run
    exit    how it ended: exit code, time run, CPU time

SIGUSR1 is passed on to the command's process group; SIGTERM too, and after the grace SIGKILL; with
SIGUSR2 the group is stopped, with SIGCONT it goes on. When the command has ended, what it left
running is ended too, whatever group it went into: the keeper adopts the orphans of its descendants.
Stands on the standard library alone and is run as a script, so that it starts quickly and depends
on nothing around it.

Source: prctl(2), PR_SET_CHILD_SUBREAPER; link(2), atomic and refused where the name exists;
sigtimedwait(2).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

# Source: linux/prctl.h.
_SUBREAPER = 36
# How long what a command left running may take to end.
_REST_S = 5.0
# Source: POSIX, Shell & Utilities 2.8.2: not found, found and not executable, ended by a signal.
_NOT_FOUND, _NOT_EXECUTABLE, _BY_SIGNAL = 127, 126, 128
_HEARD = {
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
    signal.SIGCHLD,
    signal.SIGINT,
    signal.SIGHUP,
}


def publish(path: Path, text: str) -> bool:
    """Write a file once, whole and durably; False if it exists already."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def identity(pid: int) -> str:
    """A process as lichen.train.green.identity reads it."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    start = int(fields.rpartition(")")[2].split()[19])
    return json.dumps({"boot": boot, "pid": pid, "start": start})


class Keeper:
    """Keeps one command from its start to its end; `grace_s` is from SIGTERM to SIGKILL. [s]"""

    def __init__(self, folder: Path, grace_s: float, argv: list[str]) -> None:
        self._folder, self._grace_s, self._argv = folder, grace_s, argv
        self._kill_at: float | None = None
        self._frozen_at: float | None = None
        self._frozen_s = 0.0

    def run(self) -> int:
        """Start the command unless somebody did already, and stay until it has ended."""
        told = _apart()
        first = publish(self._folder / "began", identity(os.getpid()))
        os.close(told)
        if not first:
            return 0
        ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        began, began_cpu = time.monotonic(), _cpu_s()
        pid = self._start(before)
        status = self._stay(pid)
        ran_s = time.monotonic() - began - self._frozen_s
        if self._frozen_at is not None:
            ran_s -= time.monotonic() - self._frozen_at
        _end_rest(pid)
        said = {
            "exit_code": os.waitstatus_to_exitcode(status),
            "ran_s": ran_s,
            "cpu_s": _cpu_s() - began_cpu,
            "ended_at": time.time(),
        }
        if said["exit_code"] < 0:
            said["exit_code"] = _BY_SIGNAL - said["exit_code"]
        publish(self._folder / "exit", json.dumps(said))
        return 0

    def _start(self, mask: Any) -> int:
        gate, opener = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            _become(self._argv, gate, mask)
        os.close(gate)
        # Written down first: a keeper that is killed before this closes the gate, and nothing runs.
        publish(self._folder / "child", identity(pid))
        with suppress(BrokenPipeError):
            os.write(opener, b"1")
        os.close(opener)
        return pid

    def _stay(self, child: int) -> int:
        """Pass signals on until the command has ended; its wait status."""
        while True:
            patience = 3600.0
            if self._kill_at is not None:
                patience = max(self._kill_at - time.monotonic(), 0.0)
            got = signal.sigtimedwait(_HEARD, patience)
            if got is None:
                if self._kill_at is not None:
                    _group(child, signal.SIGKILL)
                    self._kill_at = None
                continue
            if got.si_signo == signal.SIGCHLD:
                status = _reap(child)
                if status is not None:
                    return status
            else:
                self._pass_on(child, got.si_signo)

    def _pass_on(self, child: int, what: int) -> None:
        if what == signal.SIGTERM:
            self._thaw(child)
            _group(child, signal.SIGTERM)
            self._kill_at = self._kill_at or time.monotonic() + self._grace_s
        elif what == signal.SIGUSR1:
            _group(child, signal.SIGUSR1)
        elif what == signal.SIGUSR2 and self._frozen_at is None:
            _group(child, signal.SIGSTOP)
            self._frozen_at = time.monotonic()
        elif what == signal.SIGCONT:
            self._thaw(child)

    def _thaw(self, child: int) -> None:
        _group(child, signal.SIGCONT)
        if self._frozen_at is not None:
            self._frozen_s += time.monotonic() - self._frozen_at
            self._frozen_at = None


def _apart() -> int:
    """Go on in a process that is nobody's child; close what is given when that is on disk."""
    heard, told = os.pipe()
    if os.fork():
        os.close(told)
        os.read(heard, 1)
        os._exit(0)
    os.close(heard)
    return told


def _become(argv: list[str], gate: int, mask: Any) -> None:
    """The command, in a session of its own, once the gate opens."""
    os.setsid()
    if os.read(gate, 1) != b"1":
        os._exit(_NOT_EXECUTABLE)
    # Python ignores these two, and what is ignored stays so in the command.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 (the user's command, without a shell)
    except FileNotFoundError:
        code = _NOT_FOUND
    except OSError:
        code = _NOT_EXECUTABLE
    os.write(2, f"lichen: {argv[0]} cannot be run\n".encode(errors="replace"))
    os._exit(code)


def _reap(child: int) -> int | None:
    """Take in all that have ended; the wait status of the command if it is one of them."""
    found = None
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                found = status
    return found


def _group(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, what)


def _end_rest(child: int) -> None:
    """End what the command left running: its group, and orphans that became this one's children."""
    until = time.monotonic() + _REST_S
    what = signal.SIGTERM
    while True:
        _reap(child)
        left = _children()
        if not left:
            return
        _group(child, what)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, what)
        if time.monotonic() > until:
            if what is signal.SIGKILL:
                return
            what, until = signal.SIGKILL, time.monotonic() + 1.0
        time.sleep(0.05)


def _children() -> list[int]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    return [int(pid) for pid in text.split()]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(Keeper(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]).run())
