"""Downloads that go wrong, or are of something else: nothing is booked that is not sure."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.batch.fetched.reading import TOO_LONG
from lichen.calls.batch.fetched.watch import NOT_READ, TOO_LARGE, UNREADABLE
from lichen.ledger.errors import UpstreamError
from lichen.testing.batch_results import (
    lines,
    openai_line,
)
from lichen.testing.callers import answered, request
from lichen.testing.upstreams import chat_answer, streamed
from tests.calls.batch.fetching import BOTH, FILE, RESULTS, as_is, booked, fetched, parts

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.testing.upstreams import Act
    from tests.calls.conftest import Build


BROKEN: dict[str, tuple[Act, dict[str, Any]]] = {
    "breaks off": (as_is(*parts()[:-9], UpstreamError("broke off")), {}),
    "breaks off at a line's end": (as_is(RESULTS, UpstreamError("broke off")), {}),
    "is shorter than it said": (as_is(RESULTS, length=len(RESULTS) + 1), {}),
    "ends in a line": (as_is(RESULTS[:-20]), {}),
    "is a part": (streamed(RESULTS, status=206), {"range": "bytes=0-"}),
    "is an error": (streamed(RESULTS, status=404), {}),
    "is half of what was compressed": (
        as_is(gzip.compress(RESULTS)[:-3], content_encoding="gzip"),
        {},
    ),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_download_that_is_not_whole_books_nothing_and_the_next_one_does(
    build: Build, tmp_path: Path, case: str
) -> None:
    act, headers = BROKEN[case]
    house = build(act, as_is(RESULTS), ledger=str(tmp_path / "book.db"))

    await fetched(house, **headers)
    await asyncio.sleep(0.05)
    before = house.entries
    await fetched(house)

    assert before == []
    assert await booked(house) == BOTH


async def test_a_download_that_the_client_leaves_books_nothing(build: Build) -> None:
    house = build(as_is(*parts()), as_is(RESULTS))
    made = request(b"", target=FILE, method=b"GET")
    made.gate = asyncio.Event()
    answering = asyncio.ensure_future(answered(house.gateway, made))
    await asyncio.sleep(0.01)

    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)
    await fetched(house)

    assert await booked(house) == BOTH
    assert len(house.entries) == 2


@pytest.mark.parametrize("coding", ["gzip", "identity"])
async def test_compressed_results_are_read_and_pass_as_they_came(build: Build, coding: str) -> None:
    sent = gzip.compress(RESULTS) if coding == "gzip" else RESULTS
    house = build(as_is(*parts(sent), content_encoding=coding))

    heard = await fetched(house, accept_encoding="gzip")

    assert heard.answer == sent
    assert heard.answer_headers["content-encoding"] == coding
    assert await booked(house) == BOTH


async def test_results_in_a_coding_that_nobody_reads_are_a_counted_gap(build: Build) -> None:
    house = build(as_is(RESULTS, content_encoding="compress"))

    await fetched(house)

    assert await booked(house) == []
    assert [gap.what for gap in house.book.store.gaps()] == [UNREADABLE]


async def test_a_line_that_is_too_long_is_a_gap_and_the_others_are_booked(build: Build) -> None:
    long = lines(openai_line("long", chat_answer("x" * 2000)))
    house = build(as_is(*parts(RESULTS + long)), batch={"item_limit": 1500})

    await fetched(house)
    await booked(house)

    assert [entry.figures.gaps for entry in house.entries][-1] == (TOO_LONG,)
    assert [entry.figures.work.amount for entry in house.entries] == [1, 1, 0]


async def test_more_results_than_can_be_held_are_a_counted_gap(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lichen.calls.batch.fetched.watch._MOST_BYTES", 300)
    house = build(as_is(*parts()))

    heard = await fetched(house)

    assert heard.answer == RESULTS
    assert await booked(house) == []
    assert [gap.what for gap in house.book.store.gaps()] == [TOO_LARGE]


async def test_a_download_beyond_those_read_at_once_passes_and_is_a_counted_gap(
    build: Build,
) -> None:
    all_begun = asyncio.Event()
    house = build(as_is(RESULTS[:9], all_begun, RESULTS[9:]))
    files = [b"/v1/files/file-%d/content" % number for number in range(33)]

    downloads = [asyncio.ensure_future(fetched(house, file)) for file in files]
    await asyncio.sleep(0.1)
    all_begun.set()
    heard = await asyncio.gather(*downloads)
    again = await fetched(house, files[-1])

    assert {one.answer for one in (*heard, again)} == {RESULTS}
    assert [(gap.what, gap.count) for gap in house.book.store.gaps()] == [(NOT_READ, 1)]
    assert len(await booked(house)) == 33 * len(BOTH)


async def test_other_files_and_lists_pass(build: Build) -> None:
    house = build(as_is(b"\x89PNG\r\n"), as_is(b'{"data": []}'))

    picture = await fetched(house)
    listed = await fetched(house, b"/v1/files")

    assert (picture.answer, listed.answer) == (b"\x89PNG\r\n", b'{"data": []}')
    assert await booked(house) == []
    assert house.book.store.gaps() == []


async def test_a_ledger_that_cannot_be_written_breaks_no_download(
    build: Build, tmp_path: Path
) -> None:
    house = build(as_is(*parts()), ledger=str(tmp_path))

    heard = await fetched(house)

    assert heard.answer == RESULTS
    assert await booked(house) == []
    assert house.troubles
