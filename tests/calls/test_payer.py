"""Who pays: where lichen's own key goes upstream, a made-up credential makes no new payer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.batch.step import BatchStep
from lichen.calls.resilience.admission import Admission
from lichen.calls.tenant import payer_of
from lichen.calls.upstreams import Upstreams
from lichen.testing.callers import request
from lichen.testing.upstreams import ScriptedUpstream, chat_answer, chat_usage, whole

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.testing.callers import HeardRequest, House
    from tests.calls.conftest import Build

ACT = whole(chat_answer(usage=chat_usage(read=20, written=30)))
ONE: dict[str, Any] = {"budget": [{"tokens": 120, "each": "tenant"}]}
# Where else callers of OpenAI's API may show a credential.
ELSEWHERE = ("api_key", "x_api_key", "ocp_apim_subscription_key", "x_goog_api_key")


class HouseKeyed(ScriptedUpstream):
    """An upstream to which lichen's own key goes."""

    holds_key = True


def chat(text: str = "Hi") -> dict[str, Any]:
    asked = [{"role": "user", "content": text}]
    return {"model": "gpt-4o-mini", "messages": asked, "max_tokens": 30, "temperature": 0}


def made(build: Build, upstream: ScriptedUpstream, **settings: Any) -> House:
    return build(upstream=upstream, holdout={"share": 0}, **settings)


async def asked_by(house: House, *keys: str) -> list[int]:
    heard = [await house.ask(chat(str(n)), key=key) for n, key in enumerate(keys)]
    return [each.status for each in heard]


async def test_a_new_credential_gets_nobody_past_a_budget_where_lichen_pays(build: Build) -> None:
    house = made(build, HouseKeyed(ACT), gate=ONE)

    statuses = await asked_by(house, "r0", "r1", "r2", "r3", "r4")

    assert statuses == [200, 200, 429, 429, 429]


@pytest.mark.parametrize("header", ELSEWHERE)
async def test_nor_does_one_in_another_header(build: Build, header: str) -> None:
    house = made(build, HouseKeyed(ACT), gate=ONE)

    heard = [await house.ask(chat(str(n)), **{header: f"r{n}"}) for n in range(4)]

    assert [each.status for each in heard] == [200, 200, 429, 429]


async def test_where_each_pays_with_a_key_each_has_a_budget(build: Build) -> None:
    house = made(build, ScriptedUpstream(ACT), gate=ONE)

    statuses = await asked_by(house, "a", "b", "c", "a", "a")

    assert statuses == [200, 200, 200, 200, 429]


async def test_each_provider_is_judged_by_its_own_upstream(build: Build) -> None:
    theirs = ScriptedUpstream(ACT)
    upstream: Any = Upstreams(HouseKeyed(ACT), {"anthropic": lambda: theirs})
    layers = made(build, upstream).gateway.layers
    shown = b"\0x-api-key=k"

    assert layers.payer(shown, "openai") == layers.payer(b"", "openai")
    assert layers.payer(shown, "anthropic") == payer_of(shown, "anthropic")


async def test_who_shows_the_token_alone_and_who_shows_more_have_one_share(build: Build) -> None:
    upstream = HouseKeyed(ACT)
    house = made(build, upstream)
    alone = request(chat("alone"))
    alone.headers = [pair for pair in alone.headers if pair[0] != b"authorization"]
    answering = house.gateway.handle(alone)
    assert answering is not None
    await answering

    await asked_by(house, "r1", "r2")

    assert len({exchange.payer for exchange in upstream.calls}) == 1


async def test_made_up_credentials_leave_room_for_nobody_else_to_take(build: Build) -> None:
    gate = asyncio.Event()
    house = made(build, HouseKeyed(whole(chat_answer(), after=gate)))
    house.gateway._admission = Admission(most=8)
    made_up = [asyncio.create_task(house.ask(chat(f"{n}"), key=f"r{n}")) for n in range(8)]
    await asyncio.sleep(0.05)
    gate.set()

    statuses = [(await each).status for each in made_up]

    assert statuses.count(200) == 7
    assert statuses.count(503) == 1


async def test_answers_stay_apart_by_what_is_shown(build: Build) -> None:
    upstream = HouseKeyed(ACT)
    house = made(build, upstream)

    for key in ("one", "two", "one", "two"):
        await house.ask(chat("the same"), key=key)

    assert upstream.count == 2
    assert len({exchange.tenant for exchange in upstream.calls}) == 2


async def test_calls_that_wait_are_charged_to_who_pays_too(build: Build, tmp_path: Path) -> None:
    upstream = HouseKeyed(ACT)
    house = made(build, upstream, gate=ONE, ledger=str(tmp_path / "book.db"))
    await house.gateway.layers.start()

    waits = [await left(house, f"r{n}") for n in range(3)]
    taken = [each for each in waits if each.status == 202]
    statuses = [(await fetched(house, each, f"r{n}")).status for n, each in enumerate(taken)]
    await house.gateway.layers.close()

    assert len({exchange.payer for exchange in upstream.calls}) == 1
    assert waits[-1].status == 429
    assert set(statuses) == {200}


async def test_a_new_credential_gets_no_new_share_of_the_queue(
    build: Build, tmp_path: Path
) -> None:
    given: Any = {"ledger": str(tmp_path / "book.db"), "batch": {"tenant_limit": 2}}
    house = made(build, HouseKeyed(ACT), **given)

    before = [(await left(house, f"r{n}")).status for n in range(3)]
    step = next(s for s in house.gateway.layers.steps if isinstance(s, BatchStep))
    step.sender.fullness.seen(await step.desk.work(lambda queue: queue.outlook.waiting()))
    swept = await left(house, "r9")
    await house.gateway.layers.close()

    assert before == [202, 202, 429]
    assert (swept.status, swept.json["error"]["code"]) == (429, "queue_full")


async def test_a_new_credential_gets_no_new_room_for_files(build: Build, tmp_path: Path) -> None:
    given: Any = {"enabled": "on", "files_limit": 10}
    house = made(build, HouseKeyed(ACT), ledger=str(tmp_path / "book.db"), batch=given)

    heard = [await uploaded(house, f"r{n}") for n in range(3)]
    await house.gateway.layers.close()

    assert [each.status for each in heard] == [200, 200, 413]


async def left(house: House, key: str) -> HeardRequest:
    return await house.ask(chat(key), key=key, x_lichen_defer="1h")


async def fetched(house: House, waits: HeardRequest, key: str) -> HeardRequest:
    path = waits.answer_headers["location"]
    return await house.ask(b"", method=b"GET", target=f"{path}?wait=2".encode(), key=key)


async def uploaded(house: House, key: str) -> HeardRequest:
    form = (
        b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
        b"12345\r\n--b--\r\n"
    )
    sent = request(form, target=b"/v1/files", key=key)
    sent.headers[0] = (b"content-type", b"multipart/form-data; boundary=b")
    answering = house.gateway.handle(sent)
    assert answering is not None
    await answering
    return sent
