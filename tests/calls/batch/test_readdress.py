"""Where Anthropic's results are, in answers that pass: lichen's address, where it is sure of it."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls import directives
from lichen.calls.batch.fetched.readdress import Readdressing, results_url
from lichen.calls.exchange import Answer, Exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lichen.calls.exchange import Headers

PORT = 8787
THEIRS = "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results"
OURS = "http://127.0.0.1:8787/v1/messages/batches/msgbatch_1/results"
HERE = [(b"host", b"127.0.0.1:8787"), (b"connection", b"keep-alive")]
JSON = (b"content-type", b"application/json; charset=utf-8")


def exchange(target: str = "/v1/messages/batches/msgbatch_1", **how: Any) -> Exchange:
    given = {"provider": "anthropic", "method": "GET", "headers": HERE, **how}
    asked = given.pop("method"), target, given.pop("headers"), b"", "t", 0
    return Exchange(*asked, directives.NO_WISHES, **given)


def body(url: str = THEIRS, **more: Any) -> bytes:
    return json.dumps({"id": "msgbatch_1", "results_url": url, **more}).encode()


async def told(
    asked: Exchange | None = None, answer: Answer | None = None, said: str = "auto"
) -> Any:
    made = await Readdressing(said, PORT)(
        asked or exchange(), answer or Answer(200, [JSON], body())
    )
    assert made.stream is None
    return json.loads(made.body)


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([(b"host", b"127.0.0.1:1234")], "http://127.0.0.1:1234"),
        ([(b"host", b"localhost:8787")], "http://localhost:8787"),
        ([(b"host", b"[::1]:8787")], "http://[::1]:8787"),
        ([(b"host", b"lichen.internal:8787")], "http://lichen.internal:8787"),
        # A balancer that ends TLS and says nothing: the scheme is not known.
        ([(b"host", b"lichen.example")], ""),
        ([(b"host", b"lichen.example:443")], ""),
        # nginx as it comes.
        ([(b"host", b"127.0.0.1:8787"), (b"connection", b"close")], ""),
        ([(b"host", b"a.example"), (b"x-forwarded-proto", b"https")], "https://a.example"),
        (
            [
                (b"host", b"backend:8787"),
                (b"x-forwarded-host", b"A.example, b.example"),
                (b"x-forwarded-proto", b"https, http"),
            ],
            "https://a.example",
        ),
        ([(b"host", b"127.0.0.1:8787"), (b"x-forwarded-for", b"192.0.2.1")], ""),
        ([(b"host", b"127.0.0.1:8787"), (b"via", b"1.1 proxy")], ""),
        ([(b"host", b"a.example"), (b"x-forwarded-proto", b"javascript")], ""),
        # Forged, or broken.
        ([(b"host", b'127.0.0.1:8787/","x":"')], ""),
        ([(b"host", b"127.0.0.1:8787@evil.example")], ""),
        ([(b"host", b"evil.example#:8787")], ""),
        ([(b"host", b"evil.example:8787\\u002f")], ""),
        ([(b"host", b"localhost:99999")], ""),
        ([(b"host", b"")], ""),
        ([], ""),
        ([(b"host", b"a"), (b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"/x")], ""),
        ([*HERE, (b"lichen-origin", b"https://api.anthropic.com")], ""),
    ],
)
def test_the_address_is_the_one_that_the_client_surely_used(headers: Headers, address: str) -> None:
    found = Readdressing("auto", PORT).address(headers)

    assert found == address


async def test_one_batch_and_a_page_of_them_name_lichens_address() -> None:
    page = json.dumps({"data": [{"results_url": THEIRS}, {"results_url": None}]}).encode()

    one = await told()
    many = await told(exchange("/v1/messages/batches?limit=9"), Answer(200, [JSON], page))
    cancelled = await told(exchange("/v1/messages/batches/msgbatch_1/cancel", method="POST"))

    assert one["results_url"] == cancelled["results_url"] == OURS
    assert many["data"] == [{"results_url": OURS}, {"results_url": None}]


async def test_the_settings_name_an_address_or_leave_the_providers() -> None:
    named = await told(said="https://lichen.example")
    off = await told(said="off")

    assert named["results_url"] == OURS.replace("http://127.0.0.1:8787", "https://lichen.example")
    assert off["results_url"] == THEIRS


@pytest.mark.parametrize("given", ["on", "ftp://a", "https://a b", "//a", "https://a?x", ""])
def test_a_setting_that_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"https://lichen\.example"):
        results_url(given)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (exchange(provider="openai"), Answer(200, [JSON], body())),
        (exchange("/v1/messages/batches/msgbatch_1/results"), Answer(200, [JSON], body())),
        (exchange(), Answer(404, [JSON], body())),
        (exchange(), Answer(200, [(b"content-type", b"text/plain")], body())),
        (exchange(), Answer(200, [JSON], body("https://elsewhere.example/results/1"))),
        (exchange(), Answer(200, [JSON], json.dumps({"text": body().decode()}).encode())),
    ],
)
async def test_all_else_passes_byte_for_byte(asked: Exchange, answer: Answer) -> None:
    came = answer.body

    passed = await Readdressing("auto", PORT)(asked, answer)

    assert passed.body == came


class Chunks:
    """A stream of chunks that notes whether it was closed."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks, self.closed = list(chunks), False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._chunks:
            raise StopAsyncIteration
        return self._chunks.pop(0)

    async def aclose(self) -> None:
        self.closed = True


async def test_a_compressed_answer_in_pieces_is_read_and_goes_on_plain() -> None:
    packed = gzip.compress(body())
    stream = Chunks(packed[:20], packed[20:])
    headers = [JSON, (b"content-encoding", b"gzip")]

    answer = Answer(200, headers, stream=stream, length=len(packed))
    made = await Readdressing("auto", PORT)(exchange(), answer)

    assert json.loads(made.body)["results_url"] == OURS
    assert made.headers == [JSON]
    assert (made.stream, made.length, stream.closed) == (None, None, True)


async def test_a_compressed_answer_without_results_goes_on_as_it_came() -> None:
    packed = gzip.compress(b'{"results_url": null}')
    headers = [JSON, (b"content-encoding", b"gzip")]

    made = await Readdressing("auto", PORT)(exchange(), Answer(200, headers, packed))

    assert (made.headers, made.body) == (headers, packed)


async def test_an_answer_that_is_too_long_passes_as_it_came() -> None:
    chunks = [body(), *(b" " * 1_000_000 for _ in range(9)), b"end"]
    answer = Answer(200, [JSON], stream=Chunks(*chunks))

    made = await Readdressing("auto", PORT)(exchange(), answer)

    assert made.stream is not None
    assert [chunk async for chunk in made.stream] == chunks
