"""Guard: who may speak to the service.

On loopback: this machine, by a loopback name. A page in a browser that reaches the port by another
name (DNS rebinding) is refused. On any other address: whoever shows the token, in `x-lichen-token`,
as a bearer credential, or in the cookie that the dashboard sets.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from lichen.serve.http import Request
    from lichen.settings import Settings

COOKIE = "lichen_token"
_LOOPBACK = ("localhost", "127.", "[::1]")
# Long enough that guessing is hopeless: 16 characters of a random token hold 96 bits.
_SHORTEST = 16
_KNOWN_HOSTS = 256


class Guard:
    """Decides about each request.

    Raises:
        InputError: an address beyond loopback without a token, or with one too short.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.is_loopback and not settings.token:
            raise InputError(
                f"{settings.host} can be reached from other machines, so it needs a token: set "
                'LICHEN_TOKEN to a long random text (python -c "import secrets; '
                'print(secrets.token_urlsafe(32))") or listen on 127.0.0.1'
            )
        if settings.token and len(settings.token) < _SHORTEST:
            raise InputError(
                f"LICHEN_TOKEN has {len(settings.token)} characters, it needs {_SHORTEST} or more"
            )
        self._token = settings.token.encode()
        self._any_host = not settings.is_loopback
        self._hosts: dict[bytes, bool] = {b"": True}

    def refusal(self, request: Request) -> tuple[int, str, str] | None:
        """Status, message and code why a request may not pass; None where it may."""
        host = request.host
        known = self._hosts.get(host)
        if not (self._knows(host) if known is None else known):
            return (
                421,
                "this service listens to this machine alone: use http://127.0.0.1 or localhost",
                "misdirected",
            )
        if self._token and not self._shows_token(request):
            return (
                401,
                (
                    "this service needs its token: send it in the x-lichen-token header, as the API "
                    "key, or open the dashboard once with ?token=..."
                ),
                "missing_token",
            )
        return None

    def _knows(self, host: bytes) -> bool:
        known = self._any_host or host.lower().startswith(tuple(n.encode() for n in _LOOPBACK))
        if len(self._hosts) < _KNOWN_HOSTS:
            self._hosts[host] = known
        return known

    def _shows_token(self, request: Request) -> bool:
        shown: list[bytes] = []
        for name, value in request.headers:
            if name in (b"x-lichen-token", b"api-key", b"x-api-key"):
                shown.append(value)
            elif name == b"authorization" and value[:7].lower() == b"bearer ":
                shown.append(value[7:])
            elif name == b"cookie":
                shown.append(_cookie(value))
        return any(hmac.compare_digest(value, self._token) for value in shown)

    def asked_in_query(self, request: Request) -> bool:
        """Whether the target carries the token as ?token=..., as a browser first does."""
        query = request.target.partition(b"?")[2].decode("latin-1")
        given = parse_qs(query).get("token", [""])[0].encode()
        return bool(self._token) and hmac.compare_digest(given, self._token)

    def cookie(self) -> bytes:
        """The cookie that keeps a browser signed in."""
        return b"%b=%b; Path=/; HttpOnly; SameSite=Strict" % (COOKIE.encode(), self._token)


def _cookie(header: bytes) -> bytes:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header.decode("latin-1"))
    except CookieError:
        return b""
    return jar[COOKIE].value.encode("latin-1") if COOKIE in jar else b""
