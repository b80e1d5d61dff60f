"""Unpacking: a compressed body read as it passes, piece by piece, with bounded memory.

    b"".join(piece for chunk in chunks for piece in unpacking.feed(chunk)) = body

The body itself goes on as it came; this reads along. No piece has more than `PIECE` bytes, however
much a few bytes stand for.

Source: RFC 9110 §8.4.1 (content codings): "deflate" is the zlib format, of which some servers leave
out the head.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from lichen.calls.coding.codecs import ZSTD_WINDOW_LOG, named, zstd_name
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The most that one step gives. [byte]
PIECE = 256 * 1024
_GZIP, _ZLIB, _RAW = 31, 15, -15
# A zlib head says so in its low four bits (RFC 1950 §2.2).
_DEFLATE_METHOD = 8


class Unpacking(Protocol):
    """Reads one body."""

    @property
    def whole(self) -> bool:
        """Whether what came has come to its end."""
        ...

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What some more bytes stand for.

        Raises:
            InputError: they are not what they call themselves.
        """
        ...


def unpacking(coding: bytes) -> Unpacking | None:
    """What reads a coding that a header names, empty for none; None where nothing here can."""
    plain = coding.strip().lower()
    if plain in (b"", b"identity"):
        return _Plain()
    make = _Deflated if plain == b"deflate" else _MAKERS.get(named(coding))
    return _Framed(make) if make is not None else None


class _Plain:
    """What is not compressed."""

    whole = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk


class _Frame(Protocol):
    """One compressed stream of bytes; `ended` at its end, `rest` is what came behind it."""

    @property
    def ended(self) -> bool: ...
    @property
    def rest(self) -> bytes: ...
    def read(self, data: bytes) -> tuple[bytes, bool]:
        """A piece, and whether another may be had without more data."""


class _Framed:
    """Frames, one after the other; `make` begins one."""

    def __init__(self, make: Callable[[], _Frame]) -> None:
        self._make = make
        self._frame: _Frame | None = None

    @property
    def whole(self) -> bool:
        return self._frame is None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        more = bool(chunk)
        while more:
            frame = self._frame = self._frame or self._make()
            try:
                piece, more = frame.read(chunk)
            except Exception as error:
                raise InputError(f"a body that is not what it calls itself: {error}") from error
            chunk = b""
            if piece:
                yield piece
            if frame.ended:
                self._frame, chunk = None, frame.rest
                more = bool(chunk)


class _Inflated:
    """zlib's formats."""

    def __init__(self, window: int) -> None:
        self._zlib = zlib.decompressobj(window)

    @property
    def ended(self) -> bool:
        return self._zlib.eof

    @property
    def rest(self) -> bytes:
        return self._zlib.unused_data

    def read(self, data: bytes) -> tuple[bytes, bool]:
        piece = self._zlib.decompress(self._zlib.unconsumed_tail + data, PIECE)
        return piece, bool(self._zlib.unconsumed_tail) or len(piece) == PIECE


class _Deflated:
    """The zlib format, with its head or without: its first byte tells."""

    def __init__(self) -> None:
        self._inner: _Inflated | None = None

    @property
    def ended(self) -> bool:
        return self._inner is not None and self._inner.ended

    @property
    def rest(self) -> bytes:
        return self._inner.rest if self._inner is not None else b""

    def read(self, data: bytes) -> tuple[bytes, bool]:
        if self._inner is None:
            has_head = data[0] & 0x0F == _DEFLATE_METHOD
            self._inner = _Inflated(_ZLIB if has_head else _RAW)
        return self._inner.read(data)


class _Unzstd:
    """Zstandard."""

    def __init__(self) -> None:
        module: Any = import_module(zstd_name())
        options = {module.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
        self._zstd = module.ZstdDecompressor(options=options)

    @property
    def ended(self) -> bool:
        return bool(self._zstd.eof)

    @property
    def rest(self) -> bytes:
        return bytes(self._zstd.unused_data)

    def read(self, data: bytes) -> tuple[bytes, bool]:
        return self._zstd.decompress(data, PIECE), not self._zstd.needs_input


class _Unbrotli:
    """Brotli; nothing comes behind its end."""

    rest = b""

    def __init__(self) -> None:
        module: Any = import_module("brotli")
        self._brotli = module.Decompressor()

    @property
    def ended(self) -> bool:
        return bool(self._brotli.is_finished())

    def read(self, data: bytes) -> tuple[bytes, bool]:
        piece = self._brotli.process(data, output_buffer_limit=PIECE)
        return piece, len(piece) >= PIECE or not self._brotli.can_accept_more_data()


def _gunzipped() -> _Frame:
    return _Inflated(_GZIP)


_MAKERS: dict[str, Callable[[], _Frame]] = {
    "gzip": _gunzipped,
    "br": _Unbrotli,
    "zstd": _Unzstd,
}
