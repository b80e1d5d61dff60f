"""A service that is told to stop: what is under way comes to its end and is booked."""

from __future__ import annotations

import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest

from lichen.ledger.entry import OWN
from lichen.testing.provider import usual
from lichen.testing.questions import question
from lichen.testing.service import ServiceEnded
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


def refuses_connections(service: RunningService) -> bool:
    """Whether nobody new is let in."""
    with socket.socket() as knocking:
        return knocking.connect_ex(("127.0.0.1", service.port)) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_a_stream_come_to_its_end_and_books_it(
    serve: Serve, connect: Connect, upstream: ScriptedProvider, number: signal.Signals
) -> None:
    service = serve()
    rest = threading.Event()
    upstream.script = lambda call: usual(call, between=rest)
    asked = question(stream=True)
    stream = connect(service).chat.completions.create(**asked)
    came = [next(stream)]

    service.signal(number)
    until(lambda: refuses_connections(service))
    rest.set()
    came += list(stream)
    code = service.wait()
    upstream.calls.clear()
    service.start()
    again = list(connect(service).chat.completions.create(**asked))

    assert came[-1].choices[0].finish_reason == "stop"
    assert code == 0
    assert again == came
    assert upstream.calls == []
    assert service.gaps() == {}


def test_a_stop_lets_a_whole_answer_come(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service = serve()
    go = threading.Event()
    upstream.script = lambda call: usual(call, before=go)
    client = connect(service)
    answers: list[Raw] = []
    asking = threading.Thread(target=lambda: answers.append(ask(client, question())))
    asking.start()
    until(lambda: upstream.calls)

    service.signal(signal.SIGTERM)
    until(lambda: "stopping" in service.said)
    go.set()
    asking.join(10)

    assert answers[0].parse().choices[0].message.content.startswith("answer ")
    assert service.wait() == 0


def broken_off(serve: Serve, connect: Connect, upstream: ScriptedProvider, **settings: Any) -> Any:
    """A service with a stream under way that never ends, and that stream."""
    service = serve(**settings)
    never = threading.Event()
    upstream.script = lambda call: usual(call, between=never)
    stream = connect(service).chat.completions.create(**question(model="cut", stream=True))
    next(stream)
    return service, stream


def test_a_second_signal_ends_streams_at_once_and_books_what_they_used(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service, stream = broken_off(serve, connect, upstream)

    service.signal(signal.SIGTERM)
    until(lambda: "once more ends them now" in service.said)
    service.signal(signal.SIGTERM)
    code = service.wait(within=10)

    assert code == 0
    assert "stream-broken-off" in service.booked("cut").figures.gaps
    assert service.gaps() == {}
    with pytest.raises(openai.APIConnectionError):
        list(stream)


def test_a_stream_that_outlasts_the_grace_is_broken_off_and_booked(
    serve: Serve, connect: Connect, upstream: ScriptedProvider
) -> None:
    service, _ = broken_off(serve, connect, upstream, grace="0.3s")

    code = service.stop()

    assert code == 0
    assert "stream-broken-off" in service.booked("cut").figures.gaps
    assert upstream.calls[0].left.wait(5)


def test_a_port_that_is_taken_is_named_with_the_way_out(serve: Serve) -> None:
    service = serve()

    with pytest.raises(ServiceEnded, match=r"cannot listen on .*choose one with --port") as caught:
        serve(port=service.port, ledger=service.folder / "other.db")

    assert caught.value.code == 2


def test_what_the_service_itself_used_is_booked_against_what_it_saved(
    serve: Serve, connect: Connect
) -> None:
    service = serve()
    client, asked = connect(service), question()
    for _ in range(20):
        ask(client, asked)

    service.stop()

    own = [e.figures for e in service.entries() if e.figures.strategy == OWN]
    assert sum(float(figures.raw["cpu_seconds"]) for figures in own) > 0.02
    assert all(figures.footprint.energy.low.amount > 0 for figures in own)
    assert all(figures.work.amount == 0 for figures in own)
    assert service.gaps() == {}
