"""What a client asks of the answer store, with the official client's own headers; and the books."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import openai
import pytest

from lichen.testing.provider import by_kind, usual
from lichen.testing.provider_answers import failure
from lichen.testing.questions import question
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from openai import OpenAI

    from lichen.testing.provider import ScriptedProvider
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Connect, Serve


def ask(client: OpenAI, asked: dict[str, Any], wish: str = "") -> Any:
    """The raw answer of a chat call that wishes something of the store."""
    headers = {"Cache-Control": wish} if wish else {}
    return client.chat.completions.with_raw_response.create(**asked, extra_headers=headers)


def cache(raw: Any) -> str:
    return str(raw.headers["x-lichen-cache"])


def lichen(service: RunningService, *words: str) -> Any:
    """What a verb of the command line says of a service's ledger, as JSON."""
    command = [sys.executable, "-m", "lichen", *words, "--ledger", str(service.ledger), "--json"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return json.loads(said.stdout)


def test_no_store_is_neither_answered_from_the_store_nor_kept(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked = question()

    answers = [ask(client, asked, wish) for wish in ("no-store", "no-store", "", "no-store")]

    assert [cache(raw) for raw in answers] == ["bypass", "bypass", "miss", "bypass"]
    assert len(upstream.calls) == 4


def test_no_cache_asks_anew_and_the_new_answer_serves_from_then_on(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked = question()
    old, new = ask(client, asked), ask(client, asked, "no-cache")

    third = ask(client, asked)

    assert new.content != old.content
    assert (cache(third), third.content) == ("hit", new.content)
    assert len(upstream.calls) == 2


def test_max_age_0_asks_anew_once_the_answer_has_aged(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    asked = question()
    first = ask(client, asked)

    young, old = ask(client, asked, "max-age=3600"), ask(client, asked, "max-age=0")

    assert (cache(young), young.content) == ("hit", first.content)
    assert cache(old) == "miss"
    assert len(upstream.calls) == 2


def test_only_if_cached_never_asks_the_upstream(client: OpenAI, upstream: ScriptedProvider) -> None:
    asked = question()

    with pytest.raises(openai.InternalServerError, match="only-if-cached") as caught:
        ask(client, asked, "only-if-cached")
    calls = len(upstream.calls)
    ask(client, asked)

    assert (caught.value.status_code, caught.value.code, calls) == (504, "only_if_cached", 0)
    assert cache(ask(client, asked, "only-if-cached")) == "hit"


def test_stale_if_error_serves_an_answer_past_its_time_while_the_upstream_fails(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    client, asked = connect(serve(ttl="0s")), question()
    first = ask(client, asked)
    upstream.script = lambda _: failure(503)

    stale = ask(client, asked, "stale-if-error=600")

    assert (cache(stale), stale.content) == ("stale", first.content)
    with pytest.raises(openai.InternalServerError):
        ask(client, asked)


def test_an_upstream_s_no_store_is_kept_to(client: OpenAI, upstream: ScriptedProvider) -> None:
    upstream.script = lambda call: usual(
        call, headers=(*by_kind(call).headers, ("cache-control", "no-store"))
    )
    asked = question()

    answers = [ask(client, asked) for _ in range(2)]

    assert [cache(raw) for raw in answers] == ["miss", "miss"]


def test_frames_are_replayed_as_they_came_comments_and_all(
    client: OpenAI, upstream: ScriptedProvider
) -> None:
    odd = b": keep-alive\r\n\r\nevent: odd\nid: 7\ndata: {}\n\n"
    upstream.script = lambda call: usual(call, chunks=(odd, *by_kind(call).chunks))
    asked = question(stream=True)
    first = ask(client, asked).http_response.read()

    again = ask(client, asked)

    assert cache(again) == "hit"
    assert again.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert again.http_response.read() == first
    assert first.startswith(odd)
    assert first.endswith(b"data: [DONE]\n\n")


def test_a_fresh_report_counts_the_hits_that_the_policy_withheld(
    serve: Serve, connect: Connect
) -> None:
    service = serve()
    client = connect(service)
    sampled, fixed = question(temperature=0.7), question()
    for asked in (sampled, sampled, sampled, fixed, fixed):
        ask(client, asked)
    until(lambda: sum(e.figures.name == "chat.completions" for e in service.entries()) == 5)

    report = lichen(service, "report")

    assert (report["calls"], report["hits"], report["withheld_hits"]) == (5, 1, 2)


def test_a_route_that_reuses_sampled_answers_withholds_none(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve(sampled="reuse")
    client, sampled = connect(service), question(temperature=0.7)

    answers = [ask(client, sampled) for _ in range(3)]
    until(lambda: sum(e.figures.name == "chat.completions" for e in service.entries()) == 3)
    report = lichen(service, "report")

    assert [cache(raw) for raw in answers] == ["miss", "hit", "hit"]
    assert (report["hits"], report["withheld_hits"]) == (2, 0)
    assert len(upstream.calls) == 1


def test_a_hit_is_proved_by_its_id(client: OpenAI, service: RunningService) -> None:
    asked = question()
    paid = ask(client, asked)
    hit = ask(client, asked).headers["x-lichen-id"]
    until(lambda: any(e.id == hit for e in service.entries()))

    proof = lichen(service, "prove", hit)

    assert proof["holds"] is True
    assert any(paid.headers["x-lichen-id"] in step for step in proof["steps"])


def test_a_service_that_shares_answers_gives_them_to_every_credential(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve(scope="shared")
    asked = question()
    first = ask(connect(service), asked)

    other = ask(connect(service, api_key="sk-of-another"), asked)

    assert (cache(other), other.content) == ("hit", first.content)
    assert len(upstream.calls) == 1
