"""Several providers' upstreams: what is told of each."""

from __future__ import annotations

import pytest

from lichen.calls import directives
from lichen.calls.exchange import Call, Exchange
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.resilience.resilient import GAUGES, Bounds, Resilient
from lichen.calls.upstreams import Upstreams
from lichen.testing.upstreams import ScriptedUpstream, whole

BOUNDS = Bounds(retries=2, first=0.001, longest=0.05, total=5)


def scripted(*statuses: int) -> Resilient:
    acts = [whole(b"{}", status=status) for status in statuses]
    return Resilient(ScriptedUpstream(*acts), BOUNDS, None)


def a_call(provider: str) -> Exchange:
    call = Call("chat", {}, "m", stream=False, deterministic=True, reusable=True, dialect=OPENAI)
    return Exchange(
        "POST", "/v1/messages", [], b"{}", "t", 0, directives.NO_WISHES, call, provider=provider
    )


async def test_what_was_done_is_told_for_each_provider_apart() -> None:
    first, other = scripted(200), scripted(503, 503, 200)
    upstreams = Upstreams(first, {"anthropic": lambda: other, "gemini": lambda: scripted(200)})

    await upstreams.send(a_call("openai"))
    await upstreams.send(a_call("anthropic"))

    told = upstreams.gauges()
    assert told['lichen_upstream_retries_total{provider="openai"}'] == 0
    assert told['lichen_upstream_retries_total{provider="anthropic"}'] == 2


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_provider_that_was_not_asked_yet_is_told_as_0(provider: str) -> None:
    upstreams = Upstreams(scripted(200), {"anthropic": lambda: scripted(200)})

    told = upstreams.gauges()

    assert {f'{name}{{provider="{provider}"}}' for name in GAUGES} <= set(told)
    assert not any(told.values())


def test_an_upstream_to_which_nothing_is_done_has_no_gauges() -> None:
    upstreams = Upstreams(ScriptedUpstream(), {})

    assert upstreams.gauges() == {}
