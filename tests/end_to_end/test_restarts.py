"""A service that begins again: what was stored is given again, what was lost is counted."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import openai

from lichen.ledger.entry import OWN
from lichen.ledger.tally import BROKEN_AT_STOP, LOST_AT_STOP, OWN_AT_STOP
from lichen.testing.provider import usual
from lichen.testing.questions import question
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from openai import OpenAI

    from lichen.testing.provider import ScriptedProvider
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Connect, Serve

    Raw = Any


def ask(client: OpenAI, asked: dict[str, Any]) -> Raw:
    """The raw answer of a chat call."""
    return client.chat.completions.with_raw_response.create(**asked)


def calls(service: RunningService) -> int:
    """How many calls stand in the ledger."""
    return sum(entry.figures.strategy != OWN for entry in service.entries())


def test_a_stored_answer_outlives_the_service(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve()
    asked = question()
    first = ask(connect(service), asked)
    service.stop()

    service.start()
    second = ask(connect(service), asked)

    assert second.headers["x-lichen-cache"] == "hit"
    assert second.content == first.content
    assert len(upstream.calls) == 1


def test_a_stored_stream_is_replayed_byte_for_byte_after_a_restart(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve()
    asked = question(stream=True, stream_options={"include_usage": True})
    first = ask(connect(service), asked).http_response.read()
    service.stop()

    service.start()
    again = ask(connect(service), asked)

    assert again.headers["x-lichen-cache"] == "hit"
    assert again.http_response.read() == first
    assert first.endswith(b"data: [DONE]\n\n")
    assert len(upstream.calls) == 1


def test_a_hit_claims_the_same_before_and_after_a_restart(serve: Serve, connect: Connect) -> None:
    service = serve()
    asked = question()
    ask(connect(service), asked)
    before = ask(connect(service), asked).headers
    service.stop()

    service.start()
    after = ask(connect(service), asked).headers

    for name in ("x-lichen-avoided-energy-wh", "x-lichen-avoided-carbon-g"):
        assert after[name] == before[name]


def test_an_answer_stored_long_enough_ago_outlives_kill_9(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve()
    asked = question()
    first = ask(connect(service), asked)
    until(lambda: calls(service) == 1)
    # Answers are written as often as entries, by a thread of their own.
    threading.Event().wait(0.5)
    service.kill()

    service.start()
    second = ask(connect(service), asked)

    assert second.headers["x-lichen-cache"] == "hit"
    assert second.content == first.content
    assert len(upstream.calls) == 1


def test_kill_9_loses_at_most_the_last_flush_and_what_it_loses_is_counted(
    serve: Serve, connect: Connect
) -> None:
    service = serve()
    client = connect(service)
    asked = question()
    early = 200
    for _ in range(early):
        ask(client, asked)
    until(lambda: calls(service) == early)
    late = 50
    for _ in range(late):
        ask(client, asked)
    service.kill()

    service.start()
    written = calls(service)
    lost = service.gaps().get(LOST_AT_STOP, 0)
    service.stop()
    service.start()

    assert early <= written < early + late
    # An entry of the service's own use may have been among them.
    assert written + lost in (early + late, early + late + 1)
    assert service.gaps() == {LOST_AT_STOP: lost, OWN_AT_STOP: 1}


def test_kill_9_in_the_middle_of_calls_counts_them(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    release = threading.Event()
    upstream.script = lambda call: usual(call, before=release)
    service = serve()
    client = connect(service)
    callers = [
        threading.Thread(target=gives_up, args=(client, question()), daemon=True) for _ in range(3)
    ]
    for caller in callers:
        caller.start()
    until(lambda: len(upstream.calls) == len(callers))
    service.kill()
    release.set()
    for caller in callers:
        caller.join(10)

    service.start()

    assert until(lambda: service.gaps().get(BROKEN_AT_STOP)) == len(callers)


def gives_up(client: OpenAI, asked: dict[str, Any]) -> None:
    """Ask, and take it that the service ends meanwhile."""
    with suppress(openai.OpenAIError):
        client.chat.completions.create(**asked)


def test_without_the_store_s_file_answers_end_with_the_service(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve(cache="memory:")
    asked = question()
    ask(connect(service), asked)
    assert ask(connect(service), asked).headers["x-lichen-cache"] == "hit"
    service.stop()

    service.start()
    again = ask(connect(service), asked)

    assert again.headers["x-lichen-cache"] == "miss"
    assert len(upstream.calls) == 2
    assert not list(service.folder.glob("*answers*"))


def test_an_answer_past_its_time_is_asked_for_anew(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve(ttl="2s")
    client, asked = connect(service), question()
    first = ask(client, asked)
    hit = ask(client, asked)

    new = until(lambda: (raw := ask(client, asked)).headers["x-lichen-cache"] == "miss" and raw)

    assert hit.content == first.content
    assert new.content != first.content
    assert len(upstream.calls) == 2


def test_the_store_keeps_to_its_size_and_lets_the_oldest_go(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve(cache_size="200kB")
    client = connect(service)
    asked = [question(seed=1, metadata={"n": str(n)}) for n in range(40)]
    padding = (b" " * 10_000,)
    upstream.script = lambda call: usual(call, chunks=(*usual(call).chunks, *padding))
    for each in asked:
        ask(client, each)
    service.stop()

    service.start()
    client = connect(service)
    newest, oldest = ask(client, asked[-1]), ask(client, asked[0])

    assert newest.headers["x-lichen-cache"] == "hit"
    assert oldest.headers["x-lichen-cache"] == "miss"
    kept = sum(path.stat().st_size for path in service.folder.glob("book.db.answers*"))
    assert kept < 1_000_000
