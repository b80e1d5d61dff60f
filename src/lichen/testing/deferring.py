"""Deferring: thousands of calls left at a service that is killed at random, and what came of them.

    with ScriptedProvider() as upstream, RunningService(folder, upstream=upstream.url) as service:
        counted = Counted(upstream)
        with Killed(service, every=(0.2, 1.0), times=10):
            left = leave(service, ["call 1", "call 2", …], within="6h")
            answers = fetch(service, left)
        assert counted.sent.keys() == {"call 1", "call 2", …}

Each caller sends its call with an Idempotency-Key of its own and again until it hears a 202, as a
careful client does.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

from lichen.calls.batch.database import open_database
from lichen.testing.provider import by_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.testing.provider import Received, ScriptedProvider
    from lichen.testing.provider_answers import Reply
    from lichen.testing.service import RunningService

T = TypeVar("T")
_CALLERS = 24
_PATIENCE_S = 300.0
_ACCEPTED, _ANSWERED = 202, 200


class Counted:
    """Counts, by Idempotency-Key, what a provider is asked; each call takes a few ms."""

    def __init__(self, upstream: ScriptedProvider) -> None:
        self.sent: Counter[str] = Counter()
        upstream.script = self._script

    def _script(self, call: Received) -> Reply:
        self.sent[call.header("idempotency-key") or ""] += 1
        return by_kind(call)


def marked(ledger: str) -> set[str]:
    """Keys of the items that say that they may have been sent twice."""
    database = open_database(ledger)
    try:
        with database.transaction() as cursor:
            cursor.execute("SELECT key FROM deferred_items WHERE twice = 1")
            return {row[0] for row in cursor.fetchall()}
    finally:
        database.close()


class Killed:
    """Kills a service at random, as a power cut would, and starts it again; so many times."""

    def __init__(
        self, service: RunningService, *, every: tuple[float, float], times: int, seed: int = 1
    ) -> None:
        self._service, self._every, self._times = service, every, times
        self._random = random.Random(seed)  # noqa: S311 (no secret)
        self._done = threading.Event()
        self.kills = 0
        self._thread = threading.Thread(target=self._run, name="killer")

    def _run(self) -> None:
        while self.kills < self._times and not self._done.is_set():
            if self._done.wait(self._random.uniform(*self._every)):
                return
            self._service.kill()
            self.kills += 1
            self._service.start()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


class Heard(NamedTuple):
    """What a caller heard: status, headers by small names, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Caller:
    """One caller with a connection that it opens again when it breaks."""

    def __init__(self, service: RunningService, key: str = "sk-test") -> None:
        self._service = service
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._line: http.client.HTTPConnection | None = None
        self._to = ""

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Heard | None:
        """What the service says; None where it is away."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            line = self._open()
            line.request(method, path, body or None, {**self._headers, **named})
            answer = line.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            return None
        return Heard(answer.status, {n.lower(): v for n, v in answer.getheaders()}, raw)

    def until(self, good: Callable[[Heard], bool], method: str, path: str, **how: str) -> Heard:
        """Ask again and again until the answer is good.

        Raises:
            AssertionError: it never was.
        """
        end = time.monotonic() + _PATIENCE_S
        heard = None
        body = how.pop("body", "").encode()
        while time.monotonic() < end:
            heard = self.ask(method, path, body, **how)
            if heard is not None and good(heard):
                return heard
            time.sleep(0.05)
        raise AssertionError(f"{method} {path}: not within {_PATIENCE_S:g} s, last {heard}")

    def _open(self) -> http.client.HTTPConnection:
        url = self._service.url
        if self._line is None or self._to != url:
            self.close()
            at = urlsplit(url)
            self._line = http.client.HTTPConnection(at.hostname or "", at.port, timeout=70)
            self._to = url
        return self._line

    def close(self) -> None:
        """Let go of the connection."""
        line, self._line = self._line, None
        if line is not None:
            line.close()


def leave(service: RunningService, keys: Sequence[str], *, within: str) -> dict[str, str]:
    """Leave a call for each key; where each can be fetched."""

    def one(caller: Caller, key: str) -> str:
        asked = {"model": "m", "messages": [{"role": "user", "content": key}]}
        heard = caller.until(
            lambda heard: heard.status == _ACCEPTED,
            "POST",
            "/v1/chat/completions",
            body=json.dumps(asked),
            x_lichen_defer=within,
            idempotency_key=key,
        )
        return heard.headers["location"]

    return dict(zip(keys, by_many(service, keys, one), strict=True))


def fetch(service: RunningService, left: dict[str, str]) -> dict[str, Heard]:
    """The answer to each call that was left, once it is there."""

    def one(caller: Caller, key: str) -> Heard:
        path = f"{left[key]}?wait=5"
        return caller.until(lambda heard: heard.status == _ANSWERED, "GET", path)

    keys = list(left)
    return dict(zip(keys, by_many(service, keys, one), strict=True))


def by_many(
    service: RunningService, keys: Sequence[str], one: Callable[[Caller, str], T]
) -> list[T]:
    """Many callers at once, each with a connection of its own."""
    held = threading.local()
    made: list[Caller] = []

    def ask(key: str) -> T:
        if not hasattr(held, "caller"):
            held.caller = Caller(service)
            made.append(held.caller)
        return one(held.caller, key)

    with ThreadPoolExecutor(_CALLERS) as pool:
        answers = list(pool.map(ask, keys))
    for caller in made:
        caller.close()
    return answers
