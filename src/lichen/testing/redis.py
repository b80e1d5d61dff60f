"""RedisServer: a real Redis or Valkey for as long as the tests run, from the binary installed here.

    with RedisServer(find_redis()) as server:
        ... server.url ...

It keeps all in memory, in a folder of its own under the temporary one, on a free port of the
loopback address, and asks for a password. With a certificate it speaks TLS on that port.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lichen.ledger.errors import LichenError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAMS = ("redis-server", "valkey-server")
_PATIENCE_S = 20.0
_TRIES_S = 0.01


def find_redis() -> str | None:
    """The server's program, None where neither Redis nor Valkey is installed."""
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


class RedisServer:
    """A server to use in a `with`; `url` is its address.

    `tls` is a folder with `ca.pem`, `server.pem` and `server.key`; `options` go to the program.

    Raises:
        LichenError: the program ended; the message has what it said.
    """

    def __init__(
        self, program: str, *, tls: Path | None = None, options: Sequence[str] = ()
    ) -> None:
        self._program = program
        self._tls = tls
        self._options = list(options)
        self._home = Path(tempfile.mkdtemp(prefix="lichen-redis-"))
        self.password = secrets.token_hex(8)
        self.port = _free_port()

    @property
    def url(self) -> str:
        """The address, with its password."""
        return self.url_with(self.password)

    def url_with(self, password: str) -> str:
        """The address with another password."""
        scheme = "rediss" if self._tls else "redis"
        trusted = f"?ssl_ca_certs={self._tls / 'ca.pem'}" if self._tls else ""
        return f"{scheme}://:{password}@127.0.0.1:{self.port}/0{trusted}"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self._home)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._home)

    def start(self) -> None:
        """Start it, empty, and wait until it listens."""
        self._child = subprocess.Popen(  # noqa: S603 (the server's own program)
            [self._program, *self._flags(), *self._options],
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + _PATIENCE_S
        while not self._listens():
            if self._child.poll() is not None or time.monotonic() > end:
                raise LichenError(f"{self._program} did not start: {self._said()}")
            time.sleep(_TRIES_S)

    def _flags(self) -> list[str]:
        port = ["--port", str(self.port)]
        if self._tls is not None:
            port = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            for name in ("ca-cert-file", "cert-file", "key-file"):
                file = {"ca": "ca.pem", "ce": "server.pem", "ke": "server.key"}[name[:2]]
                port += [f"--tls-{name}", str(self._tls / file)]
        quiet = ["--save", "", "--appendonly", "no", "--logfile", str(self._home / "log")]
        return [*port, "--bind", "127.0.0.1", "--requirepass", self.password, *quiet]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _said(self) -> str:
        log = self._home / "log"
        return log.read_text()[-2000:] if log.exists() else "it left no log"

    def stall(self) -> None:
        """Let it hold connections and answer nothing, as a swapping machine does."""
        self._child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._child.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, with all it holds."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait(_PATIENCE_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
