"""Tap: a stream seen as it passes, and told once how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.calls.tap import Tap
from lichen.ledger.errors import UpstreamError
from lichen.testing.upstreams import ScriptedStream

if TYPE_CHECKING:
    from lichen.testing.upstreams import Part


class Noting(Tap):
    """Notes what it is told."""

    def __init__(self, *parts: Part) -> None:
        self.within = ScriptedStream(parts)
        super().__init__(self.within)
        self.told: list[str | bytes] = []

    def saw(self, chunk: bytes) -> None:
        self.told.append(chunk)

    def finished(self) -> None:
        self.told.append("finished")

    def cut(self) -> None:
        self.told.append("cut")


async def test_chunks_pass_as_they_came_and_the_end_is_told_once() -> None:
    tap = Noting(b"a", b"", b"b")

    passed = [chunk async for chunk in tap]
    with pytest.raises(StopAsyncIteration):
        await anext(tap)
    await tap.aclose()

    assert passed == [b"a", b"", b"b"]
    assert tap.told == [b"a", b"", b"b", "finished"]


async def test_a_stream_that_breaks_off_was_cut() -> None:
    tap = Noting(b"a", UpstreamError("broke"))
    await anext(tap)

    with pytest.raises(UpstreamError):
        await anext(tap)
    await tap.aclose()

    assert tap.told == [b"a", "cut"]


async def test_a_stream_that_is_left_was_cut_and_lets_go_of_what_is_within() -> None:
    tap = Noting(b"a", b"b")
    await anext(tap)

    await tap.aclose()
    await tap.aclose()

    assert tap.told == [b"a", "cut"]
    assert tap.within.closed


async def test_a_stream_that_nobody_began_to_read_is_told_too() -> None:
    tap = Noting(b"a")

    await tap.aclose()

    assert tap.told == ["cut"]


async def test_closing_that_fails_within_is_told_all_the_same() -> None:
    class Stuck(ScriptedStream):
        async def aclose(self) -> None:
            raise OSError("stuck")

    tap = Noting()
    tap._stream = Stuck([b"a"])

    with pytest.raises(OSError, match="stuck"):
        await tap.aclose()

    assert tap.told == ["cut"]
