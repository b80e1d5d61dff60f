"""The embedded model: llama.cpp's OpenAI-compatible server in a child process, on loopback.

With no provider key set, this is the upstream: a real model, answering from this machine. It runs
in a process of its own, so that its energy is metered apart (`ProcessMeter(model.pid)`) and its
memory is not the gateway's, and it speaks HTTP, so that the gateway needs no second way to call.

    with LocalModel() as model:
        OpenAI(base_url=model.url + "/v1", api_key="none")

The weights are a GGUF file: a given one, or the one a package carries (`lichen.calls.gguf`).
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lichen.calls.gguf import find_gguf, name_of
from lichen.ledger.errors import InputError, MissingExtra, UpstreamError

if TYPE_CHECKING:
    from types import TracebackType

    from lichen.calls.local_child import Orders

__all__ = ["LocalModel", "LocalOptions", "find_gguf"]

_LAST_LINES = 40


def _spare_cores() -> int:
    """Threads for the model: all cores this process may use but one, for the gateway and clients.

    llama.cpp's threads spin while they wait for each other. With one on every core, a single other
    busy process cost 6 times the speed and 4 times the CPU time on two cores; with one fewer, none
    (benchmarks/local/README.md).
    """
    return max(1, len(os.sched_getaffinity(0)) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """How the model is served.

    Attributes:
        slots: calls answered at the same time; more of them wait.
        context: tokens of prompt and answer together, in one call. [token]
        threads: CPU threads, 0 for all cores but one.
        ready_within: how long it may take to load.
        name: what the model calls itself, the file's name by default.
    """

    slots: int = 4
    context: int = 2048
    threads: int = 0
    ready_within: timedelta = timedelta(seconds=60)
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what no server could do."""
        if self.slots < 1 or self.context < 1 or self.threads < 0:
            raise InputError(
                f"slots and context are 1 or more and threads 0 or more, got {self.slots}, "
                f"{self.context} and {self.threads}"
            )


class LocalModel:
    """A model served by a child process of this one. Make it, start it, call `url`, stop it.

    Any thread may start it. The child never outlives this process, however this process ends.
    """

    def __init__(self, gguf: str | Path | None = None, options: LocalOptions | None = None) -> None:
        """Find the weights; nothing is started yet.

        Raises:
            InputError: no GGUF file there.
            MissingExtra: the package that serves it is not installed.
        """
        self.gguf = find_gguf(gguf)
        self.options = options or LocalOptions()
        self.model = self.options.name or name_of(self.gguf)
        self._child: subprocess.Popen[bytes] | None = None
        self._url = ""
        self._said: deque[str] = deque(maxlen=_LAST_LINES)
        self._listener: threading.Thread | None = None
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingExtra("the embedded model", "xllamacpp", "local")

    @property
    def url(self) -> str:
        """Where it answers, such as `http://127.0.0.1:40123`; its API is under `/v1`."""
        self._running()
        return self._url

    @property
    def pid(self) -> int:
        """The child's process id, to meter it by."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the child is running."""
        return self._child is not None and self._child.poll() is None

    def last_output(self) -> str:
        """The last lines the child wrote: its errors, if it had any."""
        return "\n".join(self._said)

    def start(self) -> Self:
        """Start the child and wait until it answers; once started, does nothing.

        Raises:
            UpstreamError: it ended, or did not answer in time; with its last output.
        """
        if self.alive:
            return self
        self.stop()
        self._said.clear()
        hear, tell = os.pipe()
        child = self._child = self._spawn(tell)
        os.close(tell)
        self._listener = threading.Thread(target=self._listen, args=(child,), daemon=True)
        self._listener.start()
        with os.fdopen(hear, "rb") as ready:
            told = self._hear(ready.fileno())
        if not told.endswith(b"\n"):
            raise self._failed()
        self._url = str(json.loads(told)["url"])
        return self

    def stop(self) -> None:
        """End the child; calls in flight break off. Stopping twice is fine."""
        child, self._child, self._url = self._child, None, ""
        if child is None:
            return
        # It has nothing to save, and asked politely it would wait for calls in flight.
        child.kill()
        child.wait()
        if self._listener is not None:
            self._listener.join()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        """Started."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stopped."""
        self.stop()

    async def __aenter__(self) -> Self:
        """Started, without holding the event loop up."""
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stopped, without holding the event loop up."""
        await asyncio.to_thread(self.stop)

    def _running(self) -> subprocess.Popen[bytes]:
        """The child.

        Raises:
            UpstreamError: it is not running.
        """
        child = self._child
        if child is None:
            raise UpstreamError(
                "the embedded model is not started: call start(), or use it in a `with` block",
                status=503,
                code="local_model_stopped",
            )
        if child.poll() is not None:
            raise self._failed()
        return child

    def _spawn(self, tell: int) -> subprocess.Popen[bytes]:
        """The child process, loading."""
        orders: Orders = {
            "gguf": str(self.gguf),
            "name": self.model,
            "context": self.options.context,
            "slots": self.options.slots,
            "threads": self.options.threads or _spare_cores(),
            "parent": os.getpid(),
            "ready_fd": tell,
        }
        # A script run with -P sees the installed packages alone: not lichen, not this folder.
        script = str(Path(__file__).with_name("local_child.py"))
        return subprocess.Popen(  # noqa: S603 (our own script, our own interpreter)
            [sys.executable, "-P", script, json.dumps(orders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(tell,),
            start_new_session=True,
        )

    def _listen(self, child: subprocess.Popen[bytes]) -> None:
        """Keep the last lines the child says, until it ends."""
        assert child.stdout is not None
        for line in child.stdout:
            self._said.append(line.decode(errors="replace").rstrip())

    def _hear(self, ready: int) -> bytes:
        """The child's line about where it answers; less than a line if it ended or was too slow."""
        deadline = time.monotonic() + self.options.ready_within.total_seconds()
        told = b""
        while not told.endswith(b"\n"):
            left = max(0.0, deadline - time.monotonic())
            if not select.select([ready], [], [], left)[0]:
                self._said.append(f"(no answer within {self.options.ready_within})")
                return told
            piece = os.read(ready, 4096)
            if not piece:
                return told
            told += piece
        return told

    def _failed(self) -> UpstreamError:
        """What went wrong, with the child's last words; the child is stopped."""
        self.stop()
        said = self.last_output() or "(it wrote nothing)"
        return UpstreamError(
            f"the embedded model {str(self.gguf)!r} ended or did not load; "
            f"try another GGUF file, or a longer ready_within. Its last output:\n{said}",
            status=503,
            code="local_model_failed",
        )
