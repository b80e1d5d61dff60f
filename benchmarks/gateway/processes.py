"""Starts programs, waits until they answer, and reads what their whole process tree uses.

CPU time is user + system of every thread of every process of the tree, from /proc/PID/stat; memory
is the sum of VmRSS. Linux only.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_STOP_S = 10.0


class StartError(RuntimeError):
    """A program did not come up."""


@dataclass(frozen=True, slots=True)
class Running:
    """A program that answers on a port of this machine."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """CPU time of the process tree so far. [s]"""
        return sum(_cpu_ticks(pid) for pid in _tree(self.pid)) / _TICKS_PER_S

    def rss_mb(self) -> float:
        """Resident memory of the process tree. [MB]"""
        return sum(_rss_kib(pid) for pid in _tree(self.pid)) * 1024 / 1e6


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, path: str) -> bool:
    """Whether GET `path` on this port gives a 2xx."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    ready: str | None,
    wait_s: float = 30.0,
    env: Mapping[str, str] | None = None,
    log: Path,
) -> Iterator[Running]:
    """Run `command`, in which `{port}` is replaced, until the block ends.

    Args:
        command: program and arguments.
        ready: the path that answers 2xx once it is up; None: the port accepting is enough.
        wait_s: how long it may take. [s]
        env: added to this process's environment.
        log: gets what it prints.

    Raises:
        StartError: it ended or was not ready in time.
    """
    port = free_port()
    filled = [part.replace("{port}", str(port)) for part in command]
    with log.open("wb") as out:
        process = subprocess.Popen(
            filled, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
        )
    try:
        _await_ready(process, port, ready=ready, wait_s=wait_s, log=log)
        yield Running(process.pid, port)
    finally:
        _stop(process)


def _await_ready(
    process: subprocess.Popen[bytes], port: int, *, ready: str | None, wait_s: float, log: Path
) -> None:
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartError(f"ended with {process.returncode}: {_last_line(log)}")
        if _accepts(port) if ready is None else answers(port, ready):
            return
        time.sleep(0.1)
    raise StartError(f"not ready within {wait_s:g} s: {_last_line(log)}")


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][-300:] if lines else "it printed nothing"


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    family = _tree(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_S)
        return
    for pid in reversed(family):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _stat(pid: int) -> list[str] | None:
    # The name of the program stands in parentheses and may hold spaces; what follows does not.
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def _cpu_ticks(pid: int) -> int:
    fields = _stat(pid)
    # Source: proc(5): utime, stime, cutime and cstime are fields 14 to 17; `fields` starts at 3.
    return 0 if fields is None else sum(int(field) for field in fields[11:15])


def _rss_kib(pid: int) -> int:
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return 0
    rows = (row.split() for row in status.splitlines() if row.startswith("VmRSS:"))
    return next((int(row[1]) for row in rows), 0)
