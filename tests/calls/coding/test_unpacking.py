"""Compressed bodies read as they pass: the same bytes, however they are cut, in bounded memory."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.calls.coding.codecs import encoded
from lichen.calls.coding.unpacking import PIECE, unpacking
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"": lambda body: body,
    b"identity": lambda body: body,
    b"gzip": gzip.compress,
    b"X-Gzip ": gzip.compress,
    b"deflate": zlib.compress,
    b"br": lambda body: encoded("br", body),
    b"zstd": lambda body: encoded("zstd", body),
}


@pytest.mark.parametrize("coding", PACKED)
@given(body=st.binary(min_size=1, max_size=300), at=st.lists(st.integers(0, 300), max_size=6))
@settings(max_examples=40)
def test_a_body_is_the_same_however_it_is_cut(coding: bytes, body: bytes, at: list[int]) -> None:
    packed = PACKED[coding](body)
    ends = sorted({0, len(packed), *(place % (len(packed) + 1) for place in at)})
    reads = unpacking(coding)
    assert reads is not None

    found = b"".join(piece for a, b in pairwise(ends) for piece in reads.feed(packed[a:b]))

    assert found == body
    assert reads.whole


def test_deflate_without_its_head_is_read_too() -> None:
    packing = zlib.compressobj(wbits=-15)
    packed = packing.compress(b"the body " * 9) + packing.flush()
    reads = unpacking(b"deflate")
    assert reads is not None

    assert b"".join(reads.feed(packed)) == b"the body " * 9
    assert reads.whole


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"zstd"])
def test_frames_one_after_the_other_are_one_body(coding: bytes) -> None:
    packed = PACKED[coding](b"first, ") + PACKED[coding](b"second")
    reads = unpacking(coding)
    assert reads is not None

    assert b"".join(reads.feed(packed)) == b"first, second"


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_a_few_bytes_that_stand_for_many_come_in_bounded_pieces(coding: bytes) -> None:
    packed = PACKED[coding](bytes(9_000_000))
    reads = unpacking(coding)
    assert reads is not None

    sizes = [len(piece) for piece in reads.feed(packed)]

    assert sum(sizes) == 9_000_000
    assert max(sizes) <= 2 * PIECE


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_a_body_that_breaks_off_is_not_whole(coding: bytes) -> None:
    packed = PACKED[coding](bytes(range(256)) * 9)
    reads = unpacking(coding)
    assert reads is not None

    list(reads.feed(packed[:-4]))

    assert not reads.whole


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"zstd"])
def test_what_is_not_what_it_calls_itself_is_refused(coding: bytes) -> None:
    reads = unpacking(coding)
    assert reads is not None

    with pytest.raises(InputError, match="not what it calls itself"):
        list(reads.feed(b"\xff" + b"plain text, and no frame" * 9))


def test_a_coding_that_nobody_here_knows_is_not_read() -> None:
    assert unpacking(b"compress") is None
    assert unpacking(b"gzip, br") is None
