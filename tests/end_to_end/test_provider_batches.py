"""What may wait a day goes to the provider's own batches: here a second lichen is the provider."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from lichen.testing.deferring import Caller, fetch, leave
from lichen.testing.service import RunningService
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.testing.provider import ScriptedProvider
    from tests.end_to_end.conftest import Serve

AUTO = {"LICHEN_BATCH_PROVIDER": "auto", "LICHEN_BATCH_LEASE": "1s"}
ON = {"LICHEN_BATCH_ENABLED": "on", "LICHEN_BATCH_LEASE": "1s"}


def test_a_day_is_given_to_the_providers_batch(
    serve: Serve, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    folder = tmp_path / "provider"
    folder.mkdir()
    with RunningService(folder, upstream=upstream.url, environ=ON) as provider:
        service = serve(upstream=provider.url, environ=AUTO)
        left = leave(service, [f"call {n}" for n in range(5)], within="25h")
        answers = fetch(service, left)
        with closing(Caller(provider)) as caller:
            listed = caller.ask("GET", "/v1/batches")
        service.stop()
    entries = service.entries()
    calls = [e for e in entries if e.figures.raw.get("provider_batch")]

    assert all(b"choices" in heard.body for heard in answers.values())
    assert listed is not None
    assert listed.body.count(b'"lichen_offer"') >= 1
    assert len(calls) == 5
    assert {e.figures.raw["price_share"] for e in calls} == {0.5}
    assert all("time-of-run-unknown" in e.figures.gaps for e in calls)
    assert all(e.figures.strategy == "none" for e in calls)


def test_a_kill_while_a_batch_runs_at_the_provider_makes_no_second(
    serve: Serve, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    folder = tmp_path / "provider"
    folder.mkdir()
    with RunningService(folder, upstream=upstream.url, environ=ON) as provider:
        service = serve(upstream=provider.url, environ=AUTO)
        left = leave(service, [f"call {n}" for n in range(20)], within="25h")
        with closing(Caller(provider)) as caller:
            until(lambda: (h := caller.ask("GET", "/v1/batches")) and b"lichen_offer" in h.body)
        service.kill()
        service.start()
        answers = fetch(service, left)

    assert len(answers) == 20
    assert [call.method for call in upstream.calls].count("POST") == 20


def test_a_provider_without_batches_is_asked_call_by_call(
    serve: Serve, upstream: ScriptedProvider
) -> None:
    service = serve(environ=AUTO)

    answers = fetch(service, leave(service, ["one", "two"], within="25h"))
    asked = [call.target for call in upstream.calls]

    assert all(b"choices" in heard.body for heard in answers.values())
    assert asked.count("/v1/chat/completions") == 2
    assert "/v1/files" in asked
