"""An upstream that refuses, is not there, or does not answer in time: what the client sees.

Each time the official client raises its own exception, nothing is stored, the book counts the gap,
and the next call is answered as if nothing had been.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI, OpenAI

from lichen.testing.provider import by_kind, in_turn, usual
from lichen.testing.provider_answers import failure
from lichen.testing.questions import question

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lichen.testing.provider import ScriptedProvider
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import AssertRecovered

# Long enough for a busy machine to answer, short enough to wait for.
SERVICE = {"timeout": "1s"}


@pytest_asyncio.fixture
async def impatient(service: RunningService) -> AsyncIterator[AsyncOpenAI]:
    """A client that waits for no answer longer than a moment."""
    async with AsyncOpenAI(
        base_url=service.base_url, api_key="sk-test", max_retries=0, timeout=0.3
    ) as made:
        yield made


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("form", [{}, {"stream": True}])
def test_an_upstream_s_error_is_the_client_s_own_as_it_came(
    client: OpenAI, upstream: ScriptedProvider, status: int, raised: type, form: dict[str, Any]
) -> None:
    upstream.script = lambda _: failure(status, retry_after="7")

    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(**question(**form))

    assert type(caught.value) is raised
    assert caught.value.response.content == failure(status).chunks[0]
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.code == "x"


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("form", [{}, {"stream": True}])
def test_an_error_is_never_stored_and_counts_as_a_gap(
    client: OpenAI,
    upstream: ScriptedProvider,
    service: RunningService,
    status: int,
    form: dict[str, Any],
    assert_recovered: AssertRecovered,
) -> None:
    upstream.script = lambda _: failure(status)
    asked = question(model=f"erring-{status}-{len(form)}", **form)
    with pytest.raises(openai.APIStatusError):
        client.chat.completions.create(**asked)

    entry = service.booked(asked["model"])

    assert entry.figures.gaps == (f"upstream-answered:{status}",)
    assert entry.figures.work.amount == 0
    assert_recovered(asked)


def test_an_error_for_embeddings_is_the_client_s_own_and_never_stored(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked: dict[str, Any] = {"model": "text-embedding-3-small", "input": "an error at first"}
    upstream.script = in_turn(lambda _: failure(500), by_kind)

    with pytest.raises(openai.InternalServerError):
        client.embeddings.create(**asked)

    assert client.embeddings.create(**asked).data[0].embedding
    assert len(upstream.calls) == 2


def test_a_client_that_tries_again_is_answered_and_its_answer_stored(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    upstream.script = in_turn(lambda _: failure(500), lambda _: failure(429), by_kind)
    asked = question()
    stubborn = client.with_options(max_retries=2)

    first = stubborn.chat.completions.create(**asked)
    second = stubborn.chat.completions.with_raw_response.create(**asked)

    assert second.headers["x-lichen-cache"] == "hit"
    assert second.parse() == first
    assert len(upstream.calls) == 3


async def test_the_async_client_raises_its_own_too(
    async_client: AsyncOpenAI, upstream: ScriptedProvider
) -> None:
    upstream.script = lambda _: failure(429)

    with pytest.raises(openai.RateLimitError):
        await async_client.chat.completions.create(**question())
    with pytest.raises(openai.RateLimitError):
        await async_client.chat.completions.create(**question(stream=True))


def test_an_upstream_that_is_not_there_is_named_with_the_way_out(
    upstream: ScriptedProvider, serve: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"127.0.0.1:{taken.getsockname()[1]}"
    service = serve(upstream=f"http://{nowhere}/v1")

    with (
        OpenAI(base_url=service.base_url, api_key="sk-secret", max_retries=0) as client,
        pytest.raises(openai.InternalServerError, match="check LICHEN_UPSTREAM") as caught,
    ):
        client.chat.completions.create(**question(model="gone"))

    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_unreachable"
    assert nowhere in caught.value.message
    assert "sk-secret" not in caught.value.message + service.said
    assert service.booked("gone").figures.gaps == ("upstream-failed:upstream_unreachable",)
    assert upstream.calls == []


@pytest.mark.parametrize("form", [{}, {"stream": True}])
def test_an_upstream_that_does_not_answer_in_time_is_a_gateway_timeout(
    client: OpenAI,
    upstream: ScriptedProvider,
    service: RunningService,
    form: dict[str, Any],
    assert_recovered: AssertRecovered,
) -> None:
    never = threading.Event()
    upstream.script = lambda call: usual(call, before=never)
    asked = question(model=f"silent-{len(form)}", **form)

    with pytest.raises(openai.InternalServerError, match="raise LICHEN_TIMEOUT") as caught:
        client.chat.completions.create(**asked)

    assert caught.value.status_code == 504
    assert caught.value.code == "upstream_timeout"
    assert service.booked(asked["model"]).figures.gaps == ("upstream-failed:upstream_timeout",)
    assert upstream.calls[0].left.wait(5)
    assert_recovered(asked)


async def test_a_client_that_gives_up_frees_the_upstream_and_counts_as_a_gap(
    impatient: AsyncOpenAI, upstream: ScriptedProvider, service: RunningService
) -> None:
    never = threading.Event()
    upstream.script = lambda call: usual(call, before=never)

    with pytest.raises(openai.APITimeoutError):
        await impatient.chat.completions.create(**question(model="given-up"))

    assert upstream.calls[0].left.wait(5)
    assert service.booked("given-up").figures.gaps == ("call-abandoned",)
