"""Route: the way to an upstream, straight or through the proxy that the environment names.

    http://…  through a proxy   the request names the whole URL (absolute-form)
    https://… through a proxy   CONNECT host:port, then TLS with the upstream itself

HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are read as everybody reads them; this machine is
always reached straight.

Source: RFC 9110 §9.3.6 (CONNECT), RFC 9112 §3.2.2 (absolute-form).
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    P = TypeVar("P", bound=asyncio.Protocol)

_PORTS = {"http": 80, "https": 443}
# A user and password in a URL, whether or not it can be read as one.
_CREDENTIAL = re.compile(r"//[^/?#]*@")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# What a proxy says to CONNECT is a head, and short. [byte]
_LONGEST_WORD = 16 * 1024


class Route:
    """The way to the service at a URL.

    `authorities` is a PEM file with those that certificates are checked against, in place of the
    system's. Nothing switches the check off.

    Raises:
        InputError: the URL is not http or https, its proxy speaks another protocol, or the
            authorities cannot be read.
    """

    def __init__(self, url: str, *, authorities: str = "") -> None:
        parts = _split(url)
        self.is_tls = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or _PORTS[parts.scheme]
        # As names go over the wire, and without credentials: this goes into headers and errors.
        plain = self.host if self.host.isascii() else self.host.encode("idna").decode("ascii")
        self.host_name = f"[{plain}]" if ":" in plain else plain
        self.authority = f"{self.host_name}:{parts.port}" if parts.port else self.host_name
        self.prefix = parts.path.rstrip("/").encode("latin-1")
        self.basic = _basic(parts)
        self._proxy = _proxy_for(parts)
        self._authorities = authorities
        if authorities:
            _ = self._context  # a file that cannot be read is told of at the start
        # What requests carry and name where a proxy reads them.
        self.for_proxy = b""
        if self._proxy is not None and not self.is_tls:
            self.prefix = b"http://%b%b" % (self.authority.encode("latin-1"), self.prefix)
            if granted := _basic(self._proxy):
                self.for_proxy = b"proxy-authorization: %b\r\n" % granted

    @cached_property
    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._authorities or None)
        except OSError as error:  # ssl.SSLError is one
            raise InputError(
                f"the authorities in {self._authorities!r} cannot be read: "
                f"{error.strerror or error.args[-1]}; authorities in [resilience] names a PEM file"
            ) from error
        context.set_alpn_protocols(["http/1.1"])
        return context

    async def connect(self, loop: asyncio.AbstractEventLoop, make: Callable[[], P]) -> P:
        """A connected protocol.

        Raises:
            OSError: it cannot be reached, or its certificate does not hold.
        """
        tls = self._context if self.is_tls else None
        name = self.host if self.is_tls else None
        if self._proxy is None:
            _, line = await loop.create_connection(
                make, self.host, self.port, ssl=tls, server_hostname=name
            )
        elif tls is None:
            _, line = await loop.create_connection(make, *_address(self._proxy))
        else:
            tunnel = await self._tunnel(loop, self._proxy)
            try:
                _, line = await loop.create_connection(
                    make, sock=tunnel, ssl=tls, server_hostname=name
                )
            except BaseException:
                tunnel.close()
                raise
        return line

    async def _tunnel(self, loop: asyncio.AbstractEventLoop, proxy: SplitResult) -> socket.socket:
        """A socket that a proxy has connected to the upstream."""
        tunnel = await _connected(loop, _address(proxy))
        try:
            target = f"{self.host_name}:{self.port}".encode("latin-1")
            granted = _basic(proxy)
            credential = b"proxy-authorization: %b\r\n" % granted if granted else b""
            await loop.sock_sendall(
                tunnel,
                b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (target, target, credential),
            )
            await _granted(loop, tunnel)
        except BaseException:
            tunnel.close()
            raise
        return tunnel


async def _connected(loop: asyncio.AbstractEventLoop, where: tuple[str, int]) -> socket.socket:
    """A socket to a host, at the first of its addresses that answers."""
    failure: OSError = OSError(f"{where[0]} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        *where, type=socket.SOCK_STREAM
    ):
        tried = socket.socket(family, kind, protocol)
        try:
            tried.setblocking(False)  # noqa: FBT003 (the socket's own)
            await loop.sock_connect(tried, address)
        except OSError as error:
            failure = error
            tried.close()
        except BaseException:
            tried.close()
            raise
        else:
            return tried
    raise failure


async def _granted(loop: asyncio.AbstractEventLoop, tunnel: socket.socket) -> None:
    """Read the proxy's answer to CONNECT, byte by byte: what follows it is the upstream's."""
    word = b""
    while not word.endswith(b"\r\n\r\n"):
        more = await loop.sock_recv(tunnel, 1)
        if not more or len(word) > _LONGEST_WORD:
            raise ConnectionError("the proxy gave no proper answer to CONNECT")
        word += more
    status = word.split(b"\r\n", 1)[0].split(b" ")
    if len(status) < 2 or not status[1].startswith(b"2"):  # noqa: PLR2004 (version and status)
        said = b" ".join(status[1:]).decode("latin-1")
        raise ConnectionError(f"the proxy refused to connect: {said}")


def shown(url: str) -> str:
    """A URL as people may see it: without the credentials in it."""
    return _CREDENTIAL.sub("//", url)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.scheme in _PORTS and parts.hostname and parts.port != 0:
            return parts
    except ValueError:  # a port that is no number, a bracket that does not close
        pass
    raise InputError(
        f"it must be an http(s) URL such as https://api.openai.com/v1, got {shown(url)!r}"
    )


def _proxy_for(upstream: SplitResult) -> SplitResult | None:
    if upstream.hostname in _LOOPBACK:
        return None
    proxies = getproxies_environment()
    url = proxies.get(upstream.scheme) or proxies.get("all")
    if not url or proxy_bypass(upstream.netloc.rpartition("@")[2]):
        return None
    proxy = urlsplit(url if "://" in url else f"http://{url}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise InputError(
            f"the proxy for {upstream.scheme} is a {proxy.scheme!r} one, and only http:// proxies "
            f"can be used: change {upstream.scheme.upper()}_PROXY or put the host into NO_PROXY"
        )
    return proxy


def _address(proxy: SplitResult) -> tuple[str, int]:
    return proxy.hostname or "", proxy.port or _PORTS["http"]


def _basic(parts: SplitResult) -> bytes:
    """The credential in a URL as a header shows it; empty where there is none."""
    if parts.username is None:
        return b""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return b"Basic " + base64.b64encode(pair.encode())
