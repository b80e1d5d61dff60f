"""An upstream with retries, a breaker and a standby around it, in front of scripted failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from lichen.calls import directives
from lichen.calls.exchange import Answer, Call, Exchange
from lichen.calls.providers.gemini.dialect import GEMINI
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.resilience.breaker import Trip
from lichen.calls.resilience.resilient import Bounds, Resilient
from lichen.calls.resilience.standby import Standby, key_apart, read_models
from lichen.ledger.errors import InputError, NotAsked, UpstreamError
from lichen.testing.upstreams import (
    ScriptedUpstream,
    chat_answer,
    embedding_answer,
    failed,
    streamed,
    whole,
)

if TYPE_CHECKING:
    from lichen.calls.providers.dialect import Dialect
    from lichen.testing.upstreams import Act

# Pauses short enough for a test.
QUICK = Bounds(retries=2, first=0.001, longest=0.05, total=5)
TRIP = Trip(most=0.5, least=4, hold=0.05, longest=1)
NO = b'{"error": {"message": "no"}}'


def refused(status: int, **headers: str) -> Act:
    named = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
    return whole(NO, status=status, headers=named)


def unreachable() -> Act:
    async def act(_exchange: Exchange) -> Answer:
        raise UpstreamError("refused", code="upstream_unreachable", sent=False)

    return act


def a_call(tenant: str = "t", model: str = "gpt-4o", **fields: Any) -> Exchange:
    asked = {"model": model, "messages": [], **fields}
    stream = bool(fields.get("stream"))
    call = Call("chat", asked, model, stream, deterministic=True, reusable=True, dialect=OPENAI)
    headers = [(b"authorization", b"Bearer sk-client"), (b"cookie", b"a=b"), (b"x-own", b"1")]
    body = orjson.dumps(asked)
    return Exchange(
        "POST", "/v1/chat/completions", headers, body, tenant, 0, directives.NO_WISHES, call
    )


def around(
    *script: Act, standby: Standby | None = None, bounds: Bounds = QUICK, **how: Any
) -> tuple[Resilient, ScriptedUpstream]:
    upstream = ScriptedUpstream(*script)
    return Resilient(upstream, bounds, how.pop("trip", TRIP), standby=standby, **how), upstream


@pytest.mark.parametrize("first", [refused(429), refused(503), refused(529), unreachable()])
async def test_a_refusal_is_followed_by_another_try_and_the_tries_are_counted(first: Act) -> None:
    resilient, upstream = around(first, whole(chat_answer()))
    exchange = a_call()

    answer = await resilient.send(exchange)

    assert (answer.status, upstream.count) == (200, 2)
    assert exchange.raw["attempts"] == 2
    assert resilient.retries == 1


@pytest.mark.parametrize("status", [400, 401, 404, 409, 500])
async def test_what_another_try_does_not_mend_passes_as_it_came(status: int) -> None:
    resilient, upstream = around(refused(status))

    answer = await resilient.send(a_call())

    assert (answer.status, answer.body, upstream.count) == (status, NO, 1)


async def test_after_the_last_try_the_last_answer_passes_as_it_came() -> None:
    resilient, upstream = around(refused(503), refused(502), refused(503, x_own="last"))

    answer = await resilient.send(a_call())

    assert (answer.status, upstream.count) == (503, 3)
    assert (b"x-own", b"last") in answer.headers


async def test_a_refusal_in_place_of_a_stream_is_read_whole_and_tried_again() -> None:
    resilient, upstream = around(streamed(b"no, ", b"503", status=503), whole(chat_answer()))

    answer = await resilient.send(a_call(stream=True))

    assert (answer.status, upstream.count) == (200, 2)
    assert all(stream.closed for stream in upstream.streams)


async def test_a_stream_that_has_begun_is_never_asked_for_again() -> None:
    resilient, upstream = around(streamed(b"data: 1\n\n", UpstreamError("broke off")))

    answer = await resilient.send(a_call(stream=True))

    assert answer.stream is not None
    with pytest.raises(UpstreamError):
        [chunk async for chunk in answer.stream]
    assert upstream.count == 1


async def test_the_upstream_s_own_wait_is_kept_to() -> None:
    resilient, _ = around(refused(429, retry_after_ms="40"), whole(chat_answer()))
    began = asyncio.get_running_loop().time()

    await resilient.send(a_call())

    assert asyncio.get_running_loop().time() - began >= 0.04


async def test_a_longer_wait_than_is_waited_for_goes_to_the_client_at_once() -> None:
    resilient, upstream = around(refused(429, retry_after="7"))

    answer = await resilient.send(a_call())

    assert (answer.status, upstream.count) == (429, 1)
    assert (b"retry-after", b"7") in answer.headers


async def test_no_try_outlasts_the_time_of_the_call() -> None:
    bounds = Bounds(retries=5, first=0.001, longest=1, total=0.1)
    hang = asyncio.Event()
    resilient, upstream = around(refused(503), whole(b"", after=hang), bounds=bounds)
    began = asyncio.get_running_loop().time()

    with pytest.raises(UpstreamError) as caught:
        await resilient.send(a_call())

    assert (caught.value.status, caught.value.code) == (504, "upstream_timeout")
    assert asyncio.get_running_loop().time() - began < 1
    assert upstream.count == 2


async def test_a_client_that_is_at_its_own_retry_is_not_multiplied() -> None:
    resilient, upstream = around(refused(503))
    exchange = a_call()
    exchange.headers.append((b"x-stainless-retry-count", b"1"))

    await resilient.send(exchange)

    assert upstream.count == 1


async def test_an_upstream_in_trouble_gets_a_tenth_more_calls_and_no_more() -> None:
    resilient, upstream = around(refused(503, retry_after="0"), trip=None)

    for number in range(300):
        await resilient.send(a_call(tenant=str(number)))

    assert upstream.count <= 300 * 1.1 + 10


async def test_a_failing_upstream_is_left_alone_and_the_client_is_told_when_to_come() -> None:
    resilient, upstream = around(refused(503), bounds=Bounds(retries=0))
    for number in range(4):
        await resilient.send(a_call(tenant=str(number)))

    with pytest.raises(NotAsked) as caught:
        await resilient.send(a_call("another"))

    assert (caught.value.status, caught.value.code) == (503, "upstream_failing")
    assert caught.value.wait_s is not None
    assert 0 < caught.value.wait_s <= 2
    assert upstream.count == 4
    assert resilient.gauges()["lichen_upstream_breaker_open"] == 1


async def test_an_upstream_that_is_back_is_found_by_a_probe() -> None:
    resilient, upstream = around(*[refused(503)] * 4, whole(chat_answer()), bounds=Bounds(0))
    for _ in range(4):
        await resilient.send(a_call())
    await asyncio.sleep(0.06)

    answers = [await resilient.send(a_call()) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert upstream.count == 7


async def test_a_probe_whose_client_leaves_does_not_leave_the_breaker_open() -> None:
    hang = asyncio.Event()
    resilient, _ = around(
        *[refused(503)] * 4, whole(b"", after=hang), whole(chat_answer()), bounds=Bounds(0)
    )
    for _ in range(4):
        await resilient.send(a_call())
    await asyncio.sleep(0.06)
    probe = asyncio.create_task(resilient.send(a_call()))
    await asyncio.sleep(0.01)
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)

    answer = await resilient.send(a_call())

    assert answer.status == 200


async def test_a_storm_of_429_holds_back_its_own_tenant_and_model_alone() -> None:
    resilient, upstream = around(refused(429, retry_after="30"))
    for _ in range(10):
        await resilient.send(a_call("noisy"))

    with pytest.raises(NotAsked) as caught:
        await resilient.send(a_call("noisy"))
    other_tenant = await resilient.send(a_call("quiet"))
    other_model = await resilient.send(a_call("noisy", "gpt-4o-mini"))

    assert (caught.value.status, caught.value.code) == (429, "upstream_rate_limited")
    assert caught.value.wait_s is not None
    assert 29 < caught.value.wait_s <= 46
    assert (other_tenant.status, other_model.status, upstream.count) == (429, 429, 12)


async def test_a_storm_on_a_key_that_all_share_holds_all_back() -> None:
    resilient, _ = around(refused(429, retry_after="30"), shares_key=True)
    for number in range(10):
        await resilient.send(a_call(str(number)))

    with pytest.raises(NotAsked):
        await resilient.send(a_call("another"))


async def test_an_account_without_money_is_no_storm() -> None:
    broke = whole(b'{"error": {"code": "insufficient_quota"}}', status=429)
    resilient, upstream = around(broke)

    answers = [await resilient.send(a_call()) for _ in range(25)]

    assert {answer.status for answer in answers} == {429}
    assert upstream.count == 25


async def test_the_client_s_own_faults_do_not_open_the_breaker() -> None:
    resilient, upstream = around(refused(400), refused(404), refused(500))

    for _ in range(60):
        await resilient.send(a_call())

    assert upstream.count == 60


async def test_what_asks_no_model_passes_as_it_came() -> None:
    resilient, upstream = around(refused(503))
    look_up = Exchange("GET", "/v1/models", [], b"", "t", 0, directives.NO_WISHES)

    answer = await resilient.send(look_up)

    assert (answer.status, upstream.count) == (503, 1)


# The standby.


def a_standby(*script: Act, models: str = "") -> tuple[Standby, ScriptedUpstream]:
    other = ScriptedUpstream(*(script or (whole(chat_answer("From another.")),)))
    other.url, other.zone = "http://standby.example", "SE-SE3"
    return Standby(other, read_models(models)), other


@pytest.mark.parametrize(
    "first", [refused(503), refused(429), refused(500), unreachable(), failed()]
)
async def test_the_standby_answers_once_the_tries_are_spent_and_says_so(first: Act) -> None:
    standby, other = a_standby(models="gpt-4o*=llama")
    resilient, _ = around(first, standby=standby)

    answer = await resilient.send(a_call())

    assert answer.status == 200
    assert (b"x-lichen-upstream", b"fallback") in answer.headers
    assert answer.served is not None
    assert (answer.served.zone, answer.served.model) == ("SE-SE3", "llama")
    assert orjson.loads(other.calls[0].body)["model"] == "llama"
    assert resilient.fallbacks == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
async def test_the_standby_is_never_asked_for_what_is_the_client_s_fault(status: int) -> None:
    standby, other = a_standby()
    resilient, _ = around(refused(status), standby=standby)

    answer = await resilient.send(a_call())

    assert (answer.status, other.count) == (status, 0)


async def test_the_client_s_credential_and_account_never_go_to_the_standby() -> None:
    standby, other = a_standby()
    resilient, _ = around(failed(), standby=standby)
    exchange = a_call()
    exchange.headers += [
        (b"x-api-key", b"k"),
        (b"api-key", b"k"),
        (b"x-goog-api-key", b"k"),
        (b"openai-organization", b"org-1"),
    ]

    await resilient.send(exchange)

    assert other.calls[0].headers == [(b"x-own", b"1")]


async def test_while_the_breaker_is_open_the_standby_is_asked_at_once() -> None:
    standby, other = a_standby()
    resilient, upstream = around(refused(503), standby=standby, bounds=Bounds(0))

    answers = [await resilient.send(a_call(str(number))) for number in range(10)]

    assert {answer.status for answer in answers} == {200}
    assert (upstream.count, other.count) == (4, 10)
    assert resilient.standing_in == "http://standby.example"


@pytest.mark.parametrize("act", [refused(401), refused(500), failed()])
async def test_where_the_standby_fails_too_the_upstream_s_own_failure_is_told(act: Act) -> None:
    told: list[object] = []
    made, _ = a_standby(act)
    standby = Standby(made.upstream, warn=told.append)
    resilient, _ = around(refused(503, x_own="mine"), standby=standby)

    answer = await resilient.send(a_call())

    assert answer.status == 503
    assert (b"x-own", b"mine") in answer.headers
    assert "fallback upstream" in str(told[0])


async def test_a_body_that_cannot_be_written_again_without_loss_is_not_put_to_another_model() -> (
    None
):
    standby, other = a_standby(models="*=llama")
    resilient, _ = around(refused(503), standby=standby)
    exchange = a_call()
    exchange.body = b'{"model": "gpt-4o", "seed": 123456789012345678901, "messages": []}'

    answer = await resilient.send(exchange)

    assert (answer.status, other.count) == (503, 0)


async def test_a_model_that_stands_in_the_path_is_mapped_there() -> None:
    standby, other = a_standby(models="gemini-*=gemma")
    resilient, _ = around(refused(503), standby=standby)
    call = Call(
        kind="chat",
        fields={"contents": []},
        model="gemini-2.5-pro",
        stream=False,
        deterministic=True,
        reusable=True,
        dialect=OPENAI,
    )
    path = "/v1beta/models/gemini-2.5-pro:generateContent"
    exchange = Exchange("POST", path, [], b'{"contents": []}', "t", 0, directives.NO_WISHES, call)

    await resilient.send(exchange)

    assert other.calls[0].target == "/v1beta/models/gemma:generateContent"
    assert other.calls[0].body == b'{"contents": []}'


def embeddings(dialect: Dialect, kind: str, target: str) -> Exchange:
    asked = {"model": "embed-1", "input": "a"}
    call = Call(
        kind, asked, "embed-1", stream=False, deterministic=True, reusable=True, dialect=dialect
    )
    body = orjson.dumps(asked)
    return Exchange("POST", target, [], body, "t", 0, directives.NO_WISHES, call)


OF_OPENAI = (OPENAI, "embeddings", "/v1/embeddings")
OF_GEMINI = (GEMINI, "embed_content", "/v1beta/models/embed-1:embedContent")


@pytest.mark.parametrize("asked", [OF_OPENAI, OF_GEMINI])
@pytest.mark.parametrize(("models", "answers"), [("embed-*=minilm", ""), ("", "minilm")])
async def test_no_other_model_s_vectors_are_given_for_those_asked_for(
    asked: tuple[Dialect, str, str], models: str, answers: str
) -> None:
    standby, other = a_standby(whole(embedding_answer()), models=models)
    other.model = answers
    resilient, _ = around(refused(500), standby=standby)

    answer = await resilient.send(embeddings(*asked))

    assert (answer.status, other.count) == (500, 0)
    assert resilient.fallbacks == 0


@pytest.mark.parametrize("asked", [OF_OPENAI, OF_GEMINI])
@pytest.mark.parametrize("models", ["", "gpt-*=llama", "embed-1=embed-1, *=llama"])
async def test_the_same_model_s_vectors_may_come_from_the_standby(
    asked: tuple[Dialect, str, str], models: str
) -> None:
    standby, other = a_standby(whole(embedding_answer()), models=models)
    resilient, _ = around(refused(500), standby=standby)

    answer = await resilient.send(embeddings(*asked))

    assert (answer.status, other.count) == (200, 1)


def test_an_answer_of_the_standby_has_a_key_of_its_own() -> None:
    key = b"k" * 32

    apart = {key, key_apart(key, "http://a"), key_apart(key, "http://b")}

    assert len(apart) == 3


@pytest.mark.parametrize("text", ["gpt", "=x", "a=", "a=b, c"])
def test_a_map_of_models_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write model=model pairs"):
        read_models(text)
