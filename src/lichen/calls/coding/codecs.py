"""Codecs: gzip, brotli and Zstandard, by the names that HTTP has for them.

    decoded(name, encoded(name, body), most) = body      where the body has at most `most` bytes

What is read is bounded: a body of a few bytes may stand for gigabytes, so reading stops at the
bound, and a body that breaks off, or goes on after its end, is refused. gzip is Python's own; the
others come with `lichen[compress]`.

Source: RFC 9110 §8.4.1 (content codings), RFC 7932 (brotli), RFC 8878 (Zstandard; §3.1.1.1.2: a
window of 8 MB is what every reader must bear).
"""

from __future__ import annotations

import zlib
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

# Fast levels: what they leave is a few percent more than the slowest ones do, at a tenth of the
# time. Measured with benchmarks/compress.
_GZIP_LEVEL, _BROTLI_QUALITY, _ZSTD_LEVEL = 5, 4, 3
_GZIP = 31  # zlib's window of 15 bits, with gzip's head
ZSTD_WINDOW_LOG = 23
_ALIASES = {"x-gzip": "gzip"}


class BodyTooLargeError(InputError):
    """A compressed body stands for more bytes than may be taken."""


def named(coding: bytes) -> str:
    """The coding that a header names, where it can be read here; else empty."""
    name = coding.decode("latin-1").strip().lower()
    name = _ALIASES.get(name, name)
    return name if name in available() else ""


@cache
def available() -> tuple[str, ...]:
    """The codings that can be had here, those we like best first."""
    found = [name for name, module in (("zstd", zstd_name()), ("br", "brotli")) if _has(module)]
    return (*found, "gzip")


def _has(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its package is there
        return False


@cache
def zstd_name() -> str:
    """Python's own module from 3.14 on, else the one that goes back to older ones."""
    return "compression.zstd" if _has("compression.zstd") else "backports.zstd"


def encoded(name: str, body: bytes) -> bytes:
    """A body, compressed."""
    if name == "gzip":
        packing = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
        return packing.compress(body) + packing.flush()
    module: Any = import_module(zstd_name() if name == "zstd" else "brotli")
    if name == "zstd":
        made: bytes = module.compress(body, level=_ZSTD_LEVEL)
    else:
        made = module.compress(body, quality=_BROTLI_QUALITY)
    return made


def decoded(name: str, body: bytes, most: float) -> bytes:
    """A compressed body, as it was.

    Raises:
        BodyTooLargeError: it stands for more than `most` bytes.
        InputError: it is not what it calls itself, or breaks off.
    """
    limit = int(most)
    try:
        made = _READERS[name](body, limit)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"the request body cannot be read as {name}: {error}") from error
    if len(made) > limit:
        raise BodyTooLargeError(
            f"the request body, decoded from {name}, is over the limit of {limit:,} bytes: send "
            "less or raise LICHEN_BODY_LIMIT"
        )
    return made


def _frames(make: Callable[[], Any], body: bytes, limit: int) -> bytes:
    """What one or more frames, one after the other, stand for; at most a byte over the limit."""
    made = b""
    while True:
        frame = make()
        made += frame.decompress(body, limit + 1 - len(made))
        if len(made) > limit:
            return bytes(made)
        if not frame.eof:
            raise InputError("the compressed request body breaks off before its end; send it again")
        body = frame.unused_data
        if not body:
            return bytes(made)


def _gunzipped(body: bytes, limit: int) -> bytes:
    return _frames(lambda: zlib.decompressobj(_GZIP), body, limit)


def _unzstd(body: bytes, limit: int) -> bytes:
    module: Any = import_module(zstd_name())
    options = {module.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
    return _frames(lambda: module.ZstdDecompressor(options=options), body, limit)


def _unbrotli(body: bytes, limit: int) -> bytes:
    module: Any = import_module("brotli")
    reader = module.Decompressor()
    parts = [reader.process(body, output_buffer_limit=limit + 1)]
    size = len(parts[0])
    while size <= limit and not reader.is_finished() and not reader.can_accept_more_data():
        parts.append(reader.process(b"", output_buffer_limit=limit + 1 - size))
        size += len(parts[-1])
    if size <= limit and not reader.is_finished():
        raise InputError("the compressed request body breaks off before its end; send it again")
    return b"".join(parts)[: limit + 1]


_READERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzipped,
    "br": _unbrotli,
    "zstd": _unzstd,
}
