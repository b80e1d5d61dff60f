"""Guard: who may speak to the service.

On loopback: this machine, by a loopback name. A page in a browser that reaches the port by another
name (DNS rebinding), or from another site (cross-site request), is refused. On any other address:
whoever shows the token, in `x-lichen-token`, as a bearer credential, as an API key, or in the
cookie that the dashboard sets. The token never goes on to the upstream.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.serve.http import Request
    from lichen.settings import Settings

COOKIE = "lichen_token"
# Long enough that guessing is hopeless: 16 characters of a random token hold 96 bits.
_SHORTEST = 16
# Host and Origin values remembered, so that each is looked at once.
_REMEMBERED = 256
# A browser keeps the dashboard signed in for this long. [s]
_SIGNED_IN_S = 30 * 86400
# Headers that may carry the token as it is.
_PLAIN = (b"x-lichen-token", b"api-key", b"x-api-key", b"x-goog-api-key")

MISSING_TOKEN = "missing_token"  # noqa: S105 (the name of an error)

Refusal = tuple[int, str, str]

_MISDIRECTED = (
    421,
    "this service listens to this machine alone: use http://127.0.0.1 or localhost",
    "misdirected",
)
_FOREIGN = (
    403,
    (
        "a page of another site may not use this service: call it from a program, or from a page "
        "that this machine serves"
    ),
    "foreign_origin",
)
_NO_TOKEN = (
    401,
    (
        "this service needs its token: send it in the x-lichen-token header, as the API key, or "
        "open the dashboard once with ?token=..."
    ),
    MISSING_TOKEN,
)


class Guard:
    """Decides about each request.

    Raises:
        InputError: an address beyond loopback without a token, or one too short or unusable.
    """

    def __init__(self, settings: Settings) -> None:
        token = settings.token
        if not settings.is_loopback and not token:
            raise InputError(
                f"{settings.host or 'every address'} can be reached from other machines, so it "
                'needs a token: set LICHEN_TOKEN to a long random text (python -c "import secrets; '
                'print(secrets.token_urlsafe(32))") or listen on 127.0.0.1'
            )
        if token and len(token) < _SHORTEST:
            raise InputError(
                f"LICHEN_TOKEN has {len(token)} characters, it needs {_SHORTEST} or more"
            )
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise InputError(
                "LICHEN_TOKEN has a character that no header can carry: use letters, digits, - "
                "and _, without spaces or line ends"
            )
        self._token = token.encode()
        # What a browser keeps is not the token itself.
        self._signed = hashlib.sha256(b"lichen cookie\0" + self._token).hexdigest()
        self._local = settings.is_loopback
        self._hosts: dict[bytes, bool] = {b"": True}
        self._origins: dict[bytes, bool] = {b"": True}

    def refusal(self, request: Request) -> Refusal | None:
        """Status, message and code why a request may not pass; None where it may.

        Takes the token out of the request, so that it goes no further.
        """
        if self._local:
            host, origin = request.host, request.origin
            if not (self._hosts.get(host) or _found(self._hosts, host, is_loopback_host)):
                return _MISDIRECTED
            if not (self._origins.get(origin) or _found(self._origins, origin, _is_at_home)):
                return _FOREIGN
        if self._token and not self._takes_token(request):
            return _NO_TOKEN
        return None

    def _takes_token(self, request: Request) -> bool:
        kept: list[tuple[bytes, bytes]] = []
        shown = False
        for name, value in request.headers:
            if self._is_token(name, value):
                shown = True
            elif name == b"cookie" and COOKIE.encode() in value:
                signed, others = _opened(value)
                shown = shown or hmac.compare_digest(signed, self._signed.encode())
                if others:
                    kept.append((name, others))
            else:
                kept.append((name, value))
        request.headers = kept
        return shown

    def _is_token(self, name: bytes, value: bytes) -> bool:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return hmac.compare_digest(value[7:].strip(), self._token)
        return name in _PLAIN and hmac.compare_digest(value, self._token)

    def asked_in_query(self, request: Request) -> bool:
        """Whether the target carries the token as ?token=..., as a browser first does."""
        query = request.target.partition(b"?")[2].decode("latin-1")
        given = parse_qs(query).get("token", [""])[0].encode()
        return bool(self._token) and hmac.compare_digest(given, self._token)

    def cookie(self) -> bytes:
        """The cookie that keeps a browser signed in."""
        return (
            f"{COOKIE}={self._signed}; Path=/; Max-Age={_SIGNED_IN_S}; HttpOnly; SameSite=Strict"
        ).encode()


def is_loopback_host(host: bytes) -> bool:
    """Whether a Host header names this machine: localhost, or an address of its loopback."""
    try:
        name = urlsplit(f"//{host.decode('ascii')}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _is_at_home(origin: bytes) -> bool:
    """Whether a page's origin is this machine, or an application and no site at all."""
    scheme, colon, host = origin.partition(b"://")
    return bool(colon) and (scheme not in (b"http", b"https") or is_loopback_host(host))


def _found(known: dict[bytes, bool], value: bytes, look: Callable[[bytes], bool]) -> bool:
    """Look at a value that is not remembered as good; remember what was found."""
    if value in known:
        return known[value]
    found = look(value)
    if len(known) < _REMEMBERED:
        known[value] = found
    return found


def _opened(header: bytes) -> tuple[bytes, bytes]:
    """The sign in a Cookie header, and the header without it."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header.decode("latin-1"))
    except CookieError:
        return b"", b""
    signed = jar.pop(COOKIE, None)
    others = "; ".join(f"{name}={morsel.coded_value}" for name, morsel in jar.items())
    return (signed.value if signed is not None else "").encode("latin-1"), others.encode("latin-1")
