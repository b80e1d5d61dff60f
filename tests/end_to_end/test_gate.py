"""The gate in a real service: rules and budgets, as the official client sees them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import OpenAI

from lichen.testing.provider import ScriptedProvider
from lichen.testing.service import RunningService, ServiceEnded
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = """
[holdout]
share = 0

[[gate.rule]]
name = "hours"
pattern = '(?i)^hours in (?P<city>\\w+)\\??$'
answer = "Nine to five in {city}."

[[gate.rule]]
name = "sums"
local = "arithmetic"

[[gate.rule]]
name = "long"
longer = 500
"""
LONG = "x" * 4000
BUDGET = """
[[gate.budget]]
name = "team"
tokens = 400
per = "month"
each = "all"
"""


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


def started(folder: Path, provider: ScriptedProvider, told: str) -> RunningService:
    (folder / "lichen.toml").write_text(told)
    return RunningService(folder, upstream=provider.url)


def client_of(service: RunningService) -> OpenAI:
    return OpenAI(base_url=service.base_url, api_key="sk-test", max_retries=3)


def ask(client: OpenAI, text: str, **fields: object) -> str:
    made = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": text}], **fields
    )  # type: ignore[call-overload]  # fields come and go
    return made.choices[0].message.content or ""


def ask_until_refused(client: OpenAI) -> None:
    for number in range(64):
        ask(client, f"again {number}", max_tokens=60)


def test_rules_answer_the_official_client_whole_and_streamed(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    with started(tmp_path, provider, RULES) as service, client_of(service) as client:
        whole = ask(client, "Hours in Lund?")
        total = ask(client, "What is 12 * (3 + 4)?")
        chunks = list(
            client.chat.completions.create(
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": "hours in Malmo"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        answer = client.responses.create(model="gpt-4o-mini", input="Hours in Ystad")
        with client.responses.stream(model="gpt-4o-mini", input="Hours in Ystad") as stream:
            streamed = stream.get_final_response().output_text

    assert (whole, total) == ("Nine to five in Lund.", "84")
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "Nine to five in Malmo."
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 0
    assert answer.output_text == streamed == "Nine to five in Ystad."
    assert provider.calls == []


def test_rules_answer_the_other_official_clients(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    import anthropic
    from google import genai

    told = RULES.replace('name = "hours"', 'name = "hours"\nalways = true')
    with started(tmp_path, provider, told) as service:
        claude = anthropic.Anthropic(base_url=service.url, api_key="sk-ant", max_retries=0)
        asked: Any = {
            "model": "claude-test",
            "max_tokens": 50,
            "messages": [{"role": "user", "content": "Hours in Lund?"}],
        }
        whole: Any = claude.messages.create(**asked).content[0]
        with claude.messages.stream(**asked) as stream:
            streamed = stream.get_final_text()
        gemini = genai.Client(api_key="g", http_options={"base_url": service.url})
        name = "gemini-2.5-flash"
        answer = gemini.models.generate_content(model=name, contents="Hours in Lund?").text
        stream_of = gemini.models.generate_content_stream(model=name, contents="Hours in Lund?")
        chunks = "".join(chunk.text or "" for chunk in stream_of)
        with pytest.raises(anthropic.APIStatusError) as raised:
            claude.messages.create(
                **{**asked, "messages": [{"role": "user", "content": "x" * 4000}]}
            )
        claude.close()
        gemini.close()

    assert {whole.text, streamed, answer, chunks} == {"Nine to five in Lund."}
    assert raised.value.status_code == 413
    assert provider.calls == []


def test_a_refusal_is_the_clients_own_error_and_no_entry(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    over = BUDGET.replace("400", "10")
    with started(tmp_path, provider, RULES + over) as service, client_of(service) as client:
        with pytest.raises(openai.APIStatusError, match="about 750 tokens long") as raised:
            ask(client, "abc" * 1000)
        with pytest.raises(openai.RateLimitError, match="over budget") as spent:
            ask(client, "Tell me about lichens.")
        service.stop()
        calls = [entry for entry in service.entries() if entry.figures.work.amount]

    assert raised.value.status_code == 413
    assert not provider.calls
    assert not calls
    for refused in (raised, spent):
        headers = refused.value.response.headers
        assert headers["x-lichen-cache"] == "gate"
        assert "x-lichen-id" not in headers


def test_a_budget_is_a_rate_limit_error_that_is_not_tried_again_and_outlives_a_restart(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    with started(tmp_path, provider, BUDGET) as service, client_of(service) as client:
        with ThreadPoolExecutor(16) as pool:
            tries = [pool.submit(ask, client, f"{n}", max_tokens=60) for n in range(64)]
        refused = [done for done in tries if done.exception() is not None]
        sent = len(provider.calls)
        # A kill forgets what was charged in the last quarter of a second.
        time.sleep(1)
        service.kill()
        service.start()
        with client_of(service) as again, pytest.raises(openai.RateLimitError) as raised:
            ask_until_refused(again)

    assert 4 <= sent < 30
    assert len(refused) == 64 - sent
    assert all(isinstance(done.exception(), openai.RateLimitError) for done in refused)
    assert len(provider.calls) <= sent + 2
    headers = raised.value.response.headers
    assert headers["x-should-retry"] == "false"
    assert int(headers["retry-after"]) > 0


def test_a_service_with_a_bad_rule_does_not_start_and_says_why(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    bad = '[[gate.rule]]\nname = "bomb"\npattern = "(a)\\\\1"\nanswer = "x"\n'

    with pytest.raises(ServiceEnded, match=r"(?s)lichen\.toml.*bomb.*look-around"):
        started(tmp_path, provider, bad).start()


def test_the_dashboard_and_the_metrics_show_rules_and_budgets(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    with started(tmp_path, provider, RULES + BUDGET) as service, client_of(service) as client:
        ask(client, "Hours in Lund?")
        until(lambda: "is the call needed at all?" in service.get("/", accept="text/html")[1])
        _, page = service.get("/", accept="text/html")
        _, metrics = service.get("/metrics")

    assert "400 tokens a month (UTC)" in page
    assert "lichen_gate_answered_calls_total 1" in metrics
    assert "Lund" not in page + metrics
