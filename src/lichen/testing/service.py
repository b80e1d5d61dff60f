"""RunningService: a real `lichen serve` in a process of its own, for as long as a test needs it.

    with RunningService(folder, upstream=upstream.url) as service:
        OpenAI(base_url=service.base_url, api_key="sk-test")

It listens on a free port of the loopback address, keeps its ledger in `folder`, and hears none of
this machine's settings.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lichen.ledger.errors import LichenError
from lichen.ledger.sqlite import SqliteStore
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.ledger.entry import Entry

_LISTENS = re.compile(r"listens on (http://\S+)")
_PATIENCE_S = 30.0


class ServiceEnded(LichenError):  # noqa: N818 (it says what happened)
    """The service ended before it answered."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(f"lichen serve ended with {code}: {said}")
        self.code, self.said = code, said


class RunningService:
    """A `lichen serve` to use in a `with`; settings go in by their names.

    Raises:
        ServiceEnded: it did not start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environ: Mapping[str, str] | None = None,
        **settings: object,
    ) -> None:
        self.folder = folder
        self.ledger = Path(str(settings.setdefault("ledger", folder / "book.db")))
        self._environ = _nobodys(folder) | dict(environ or {})
        settings.setdefault("port", 0)
        self._flags = [
            part
            for name, value in settings.items()
            for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        self.url = ""
        self._lines: list[str] = []

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL would be."""
        return f"{self.url}/v1"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def said(self) -> str:
        """What it has said so far."""
        return "".join(self._lines)

    def start(self) -> Self:
        """Start it and wait until it is ready."""
        self.url = ""
        self._lines.clear()
        self._child = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-m", "lichen", "serve", *self._flags],
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            until(self._answers, within=_PATIENCE_S)
        except BaseException:
            self.kill()
            raise
        return self

    def _listen(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            self._lines.append(line)

    def _answers(self) -> bool:
        if self._child.poll() is not None:
            self._listener.join(_PATIENCE_S)
            raise ServiceEnded(self._child.returncode, self.said)
        if found := _LISTENS.search(self.said):
            self.url = found.group(1)
        return bool(self.url) and self.get("/readyz")[0] == 200  # noqa: PLR2004 (HTTP)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and body of a page."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, headers=named)  # noqa: S310 (loopback)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def entries(self) -> list[Entry]:
        """What stands in its ledger's file by now."""
        store = SqliteStore(self.ledger)
        try:
            return list(store.entries())
        finally:
            store.close()

    def booked(self, model: str) -> Entry:
        """The entry of the one call to that model, as soon as it stands in the file."""
        [entry] = until(lambda: [e for e in self.entries() if e.figures.model == model])
        return entry

    def gaps(self) -> dict[str, int]:
        """The gaps counted in its ledger's file by now."""
        store = SqliteStore(self.ledger)
        try:
            return {gap.what: gap.count for gap in store.gaps()}
        finally:
            store.close()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._child.send_signal(number)

    def wait(self, within: float = _PATIENCE_S) -> int:
        """Wait for its end; its exit code."""
        code = self._child.wait(within)
        self._listener.join(within)
        assert self._child.stderr is not None
        self._child.stderr.close()
        return code

    def stop(self) -> int:
        """Ask it to stop, and wait; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._child.poll() is None:
            self._child.kill()
        self.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        try:
            if self._child.poll() is None:
                self.stop()
        finally:
            self.kill()


def _nobodys(folder: Path) -> dict[str, str]:
    """This environment without settings, keys and proxies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LICHEN_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_"))
        and not name.lower().endswith("_proxy")
    }
    ours = {"XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
    return kept | ours | {"PYTHONUNBUFFERED": "1"}
