"""The demo's service: a real `lichen serve` in a child process, on embedded defaults.

It reads none of the user's settings but the demo's own flags: no other LICHEN_*, no provider's key,
no lichen.toml. So the demo costs nothing, calls nobody, and shows the same on every machine. It
ends when the demo does.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from lichen.ledger.errors import LichenError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# The line in which the service says where it listens.
_LISTENS = re.compile(r"^lichen listens on (http://\S+)$", re.MULTILINE)
# Loading the embedded model takes half a second; a busy machine gets a minute and a half. [s]
_READY_WITHIN_S = 90.0
_POLL_S = 0.05
# How long running answers may take to end when the demo is stopped, and the service after it. [s]
_GRACE_S, _STOP_WITHIN_S = 2, 15
_LAST_LINES = 20
# What asks a program on a terminal to end.
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoService:
    """A service of one's own: `with DemoService(folder, flags) as service: service.url`."""

    def __init__(self, folder: Path, flags: Sequence[str]) -> None:
        """Run in `folder`, where its output is kept, with `flags` for `lichen serve`."""
        self._folder = folder
        self._flags = flags
        self._log = folder / "service.log"
        self._child: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        """Started, and ready to answer.

        Raises:
            LichenError: it ended or was not ready in time; with its last output.
        """
        command = [sys.executable, "-m", "lichen", "serve", "--host", "127.0.0.1", "--port", "0"]
        try:
            with self._log.open("wb") as log:
                self._child = subprocess.Popen(  # noqa: S603 (our own command, our own interpreter)
                    [*command, "--grace", str(_GRACE_S), *self._flags],
                    cwd=self._folder,
                    env=_bare_environment(self._folder),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self.url = self._ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stopped."""
        self.stop()

    def wait(self) -> None:
        """Wait until the service ends by itself."""
        if self._child is not None:
            self._child.wait()

    def check(self) -> None:
        """See that it still runs.

        Raises:
            LichenError: it has ended; with its last output.
        """
        if self._child is None or self._child.poll() is not None:
            raise self._failed("the service ended")

    def stop(self) -> None:
        """End it gracefully; hard where that takes too long. Stopping twice is fine."""
        child, self._child = self._child, None
        if child is None:
            return
        # A second Ctrl-C must not leave a process behind.
        had = {number: signal.signal(number, signal.SIG_IGN) for number in STOPS}
        try:
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
            child.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        finally:
            for number, handler in had.items():
                signal.signal(number, handler)

    def _ready(self) -> str:
        """The address, once the service answers there."""
        end = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < end:
            self.check()
            found = _LISTENS.search(self._said())
            if found and _answers(found[1]):
                return found[1]
            time.sleep(_POLL_S)
        raise self._failed(f"the service was not ready within {_READY_WITHIN_S:.0f} s")

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _failed(self, what: str) -> LichenError:
        last = "\n".join(f"  {line}" for line in self._said().splitlines()[-_LAST_LINES:])
        return LichenError(f"{what}; its last output:\n{last or '  (none)'}")


def _bare_environment(folder: Path) -> dict[str, str]:
    """This environment without anyone's settings or keys."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LICHEN_") and name != "OPENAI_API_KEY"
    }
    return {**kept, "XDG_CONFIG_HOME": str(folder), "PYTHONUNBUFFERED": "1"}


def _answers(url: str) -> bool:
    """Whether the service says that it is ready."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
