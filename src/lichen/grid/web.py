"""Web: asks one source over HTTP, within a time, and not before it may be asked again.

An answer is bytes or a `SignalUnavailable` that says what happened and the way out. Nothing hangs:
a request has one time limit from name look-up to last byte, kept by a thread that is waited for no
longer, so that a server which sends a byte now and then ends it too. Redirects are not followed.

A source that says Retry-After, cannot be reached or is broken is left alone for that time. The
time is on the shelf, so that the next process keeps it as well. What lies on the shelf is of one
address and one account, under a salted hash of both: a test server's answers, or another account's,
are never taken for this one's. Credentials are in no error: what a
server says is quoted without them, and no address is quoted at all.

The client is the standard library's urllib: a few requests an hour need no pool of connections,
and the base install stays light. It knows proxies and certificates of the system.

Source: RFC 9110 §10.2.3 (Retry-After), §15 (status codes).
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from hashlib import pbkdf2_hmac
from http import HTTPStatus
from http.client import HTTPException
from queue import Empty, SimpleQueue
from secrets import token_hex
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

from lichen.grid.refusal import Refused
from lichen.grid.shelf import Kept, Shelf
from lichen.ledger.errors import InputError, SignalUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TIMEOUT_S = 10.0
# How long a source that could not be reached, or broke, is left alone.
LEFT_ALONE = timedelta(minutes=5)
# Nobody is told to wait longer than a day: a date far off is somebody's mistake.
_LONGEST_WAIT = timedelta(days=1)
# A year of quarter-hours by type from ENTSO-E is some 20 MB.
_LARGEST = 32_000_000
_CHUNK = 65_536
# How many questions that were denied are remembered.
_DENIED = 64
# How much of what a server says is quoted.
_QUOTED = 160
# A password must not be guessed from its mark, whose salt lies beside it: some 10 ms a guess.
_ROUNDS = 20_000
_MARK_BYTES = 8
_AGENT = "lichen (+https://lichen.readthedocs.io)"


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A credential must not follow to another address."""

    def redirect_request(self, *_: object) -> None:
        """Follow nowhere."""


class Web:
    """One source's address.

    `secrets` are never quoted; `account` are the credentials that answers depend on. `clock` gives
    the time, in UTC.

    Raises:
        InputError: the address is no http or https URL.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        shelf: Shelf | None = None,
        timeout: float = TIMEOUT_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"the address of {name} must begin with https://, got {url!r}")
        self.name, self.url, self.timeout, self.now = name, url.rstrip("/"), timeout, clock
        self.shelf = shelf or Shelf()
        self.secrets: tuple[str, ...] = ()
        self.account: tuple[str, ...] = ()
        self._denied: dict[str, tuple[datetime, str, str]] = {}
        self._opener = urllib.request.build_opener(_NoRedirect)

    def get(
        self,
        what: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        allowed: tuple[int, ...] = (),
    ) -> Reply:
        """The answer to a GET; a status of 400 or more only where it is `allowed`.

        `what` is asked for, in the words of an error.

        Raises:
            SignalUnavailable: there is no answer, or no good one.
        """
        self._keep_away(what)
        query = f"?{urlencode(params)}" if params else ""
        question = path + query
        if question in self._denied and self.now() < self._denied[question][0]:
            raise SignalUnavailable(what, *self._denied[question][1:])
        request = urllib.request.Request(  # noqa: S310 (the scheme was looked at)
            f"{self.url}{path}{query}", headers={"User-Agent": _AGENT, **(headers or {})}
        )
        try:
            reply = self._within_time(request)
        except TimeoutError:
            raise self._leave(what, f"it gave no answer within {self.timeout:g} s") from None
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise self._leave(what, f"it cannot be reached: {self.quote(str(reason))}") from None
        if reply.status == HTTPStatus.OK or reply.status in allowed:
            return reply
        refusal = self._refused(what, reply)
        if not isinstance(refusal, Refused):
            self._deny(question, refusal)
        raise refusal

    def key(self, *key: str) -> tuple[str, ...]:
        """The key on the shelf of what this address told this account."""
        return (self.name, self._mark, *key)

    @cached_property
    def _mark(self) -> str:
        """A hash of address and account; its salt is the shelf's own."""
        kept = self.shelf.get("salt")
        if kept is None or not isinstance(kept.what, str):
            self.shelf.put(("salt",), Kept(self.now(), None, token_hex(16)))
            # Another process may have been quicker: what lies there now is everybody's.
            kept = self.shelf.get("salt")
        salt = str(kept.what if kept else "")
        told = "\0".join((self.url, *self.account)).encode()
        return pbkdf2_hmac("sha256", told, salt.encode(), _ROUNDS, _MARK_BYTES).hex()

    def quote(self, said: str) -> str:
        """What a server said, in one short line, without a credential."""
        for secret in self.secrets:
            for form in (secret, quote_plus(secret)):
                said = said.replace(form, "***")
        line = " ".join("".join(c if c.isprintable() else " " for c in said).split())
        return line if len(line) <= _QUOTED else line[: _QUOTED - 1] + "…"

    def held(self) -> str:
        """Why the source may not be asked now; empty where it may."""
        hold = self.shelf.get(*self.key("hold"))
        now = self.now()
        if hold is None or hold.until is None or not hold.stands(now):
            return ""
        if hold.until - now > _LONGEST_WAIT:
            return ""  # written down by a clock that was wrong
        return f"{hold.what}, so it is not asked before {hold.until:%F %T} UTC"

    def _deny(self, question: str, refusal: SignalUnavailable) -> None:
        """Remember a question that will not be answered: others may be."""
        while len(self._denied) >= _DENIED:
            self._denied.pop(next(iter(self._denied)), None)
        self._denied[question] = (self.now() + LEFT_ALONE, refusal.why, refusal.mend)

    def _keep_away(self, what: str) -> None:
        if why := self.held():
            raise Refused(what, why, "wait, or configure another source")

    def _leave(self, what: str, why: str, wait: timedelta = LEFT_ALONE, mend: str = "") -> Refused:
        """Leave the source alone for a time, and say so."""
        now = self.now()
        self.shelf.put(self.key("hold"), Kept(now, now + wait, why))
        self.shelf.put(self.key("trouble"), Kept(now, None, why))
        way_out = mend or "check the network and the source's status, or configure another"
        return Refused(what, why, way_out)

    def _refused(self, what: str, reply: Reply) -> SignalUnavailable:
        status = reply.status
        said = self.quote(reply.body[: 4 * _QUOTED].decode("utf-8", "replace"))
        why = f"it answered {status}" + (f": {said}" if said else "")
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            wait = _wait(reply.headers.get("retry-after", ""), self.now())
            return self._leave(what, why, wait, f"wait {wait}, or configure another source")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._leave(what, why)
        self.shelf.put(self.key("trouble"), Kept(self.now(), None, why))
        if status == HTTPStatus.UNAUTHORIZED:
            return Refused(what, why, f"check the credential of {self.name}")
        if status == HTTPStatus.FORBIDDEN:
            return SignalUnavailable(
                what, why, f"check what the plan of this credential of {self.name} covers"
            )
        if status < HTTPStatus.BAD_REQUEST:
            why = f"it answered {status}: it has moved"
        return SignalUnavailable(what, why, "see whether its API has changed")

    def _within_time(self, request: urllib.request.Request) -> Reply:
        """The reply, waited for no longer than the time limit.

        Raises:
            TimeoutError: it took longer; the thread ends by itself, as its sockets time out.
        """
        box: SimpleQueue[Reply | Exception] = SimpleQueue()

        def ask() -> None:
            try:
                box.put(self._ask(request))
            except Exception as error:  # noqa: BLE001 (handed over to the thread that asked)
                box.put(error)

        Thread(target=ask, name=f"lichen-grid-{self.name}", daemon=True).start()
        try:
            got = box.get(timeout=self.timeout)
        except Empty:
            raise TimeoutError from None
        if isinstance(got, urllib.error.URLError) and isinstance(got.reason, TimeoutError):
            raise TimeoutError from None
        if isinstance(got, Exception):
            raise got
        return got

    def _ask(self, request: urllib.request.Request) -> Reply:
        end = time.monotonic() + self.timeout
        try:
            answer = self._opener.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = bytearray()
            while chunk := answer.read1(_CHUNK):
                body += chunk
                if len(body) > _LARGEST:
                    raise ValueError(f"its answer is longer than {_LARGEST} bytes")
                if time.monotonic() > end:
                    raise TimeoutError
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, headers, bytes(body))


def _wait(retry_after: str, now: datetime) -> timedelta:
    """How long Retry-After says to wait: seconds or a date; five minutes where it says nothing."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text), 10**8)), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return LEFT_ALONE
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(until - now, timedelta(0)), _LONGEST_WAIT)
