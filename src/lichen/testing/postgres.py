"""PostgresServer: a real PostgreSQL for as long as the tests run, from the binaries installed here.

It lives in a folder of its own under the temporary one, on a free port of the loopback address, and
asks for a password. PostgreSQL refuses to run as root: there it runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from lichen.ledger.errors import LichenError

_USER = "lichen"
_INSTALLED = Path("/usr/lib/postgresql")
_PATIENCE_S = 60
_UNPRIVILEGED = ("postgres", "nobody")


def find_programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, None where PostgreSQL is not installed."""
    found = shutil.which("pg_ctl")
    folders = [*_INSTALLED.glob("*/bin"), *([Path(found).resolve().parent] if found else [])]
    whole = [f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists()]
    return max(whole, key=_version, default=None)


class PostgresServer:
    """A server to use in a `with`; `dsn` is its address.

    Raises:
        LichenError: one of its programs failed; the message has what it said.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._home = Path(tempfile.mkdtemp(prefix="lichen-postgres-"))
        self._as: dict[str, Any] = _unprivileged()
        if self._as:
            os.chown(self._home, self._as["user"], self._as["group"])
        self._data = self._home / "data"
        self.password = secrets.token_hex(8)
        self.port = _free_port()

    @property
    def dsn(self) -> str:
        """The address, with its password."""
        return self.dsn_with(self.password)

    def dsn_with(self, password: str) -> str:
        """The address with another password."""
        return f"postgresql://{_USER}:{password}@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        try:
            self._make()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._remove()

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "
            "-c fsync=off -c shared_buffers=16MB -c max_connections=40"
        )
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", self._log, "-o", options)

    def stop(self) -> None:
        """Stop it at once, whoever is connected."""
        self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", self._data)

    def crash(self) -> None:
        """End all of its processes at once; the next start recovers what was committed."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)

    @property
    def _log(self) -> Path:
        return self._home / "log"

    def _make(self) -> None:
        secret = self._home / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)  # inside a folder that only its owner can enter
        self._run(
            "initdb",
            "-D",
            self._data,
            "--no-sync",
            "--locale=C",
            "--encoding=UTF8",
            f"--username={_USER}",
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
        )

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(  # noqa: S603 (PostgreSQL's own programs)
            [self._programs / program, *arguments],
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            # Not a pipe: the server inherits it, and reading to its end would wait for the server.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
            **self._as,
        )
        if done.returncode:
            said = self._log.read_text() if self._log.exists() else "it left no log"
            raise LichenError(f"{program} failed with status {done.returncode}: {said[-2000:]}")

    def _remove(self) -> None:
        shutil.rmtree(self._home, ignore_errors=True)


def _unprivileged() -> dict[str, Any]:
    """Whom to run as: oneself, or somebody else where one is root."""
    if os.geteuid() != 0:
        return {}
    known = {user.pw_name: user for user in pwd.getpwall()}
    for name in _UNPRIVILEGED:
        if name in known:
            user = known[name]
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise LichenError(f"PostgreSQL does not run as root, and there is no user {_UNPRIVILEGED}")


def _version(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
