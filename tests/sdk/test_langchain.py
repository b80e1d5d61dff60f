"""LangChain's cache, kept by lichen: with its real OpenAI model against a real provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.globals import set_llm_cache
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation
from langchain_openai import ChatOpenAI, OpenAI
from openai import OpenAI as Plain
from pydantic import SecretStr

import lichen
from lichen.hooks.langchain import LichenCache
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.ledger.entry import Entry
    from lichen.testing.provider import ScriptedProvider


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[LichenCache]:
    """A cache on a ledger of its own, set for all of LangChain."""
    made = LichenCache(tmp_path / "lichen.db", zone="SE-SE3")
    set_llm_cache(made)
    yield made
    set_llm_cache(None)
    made.kept.close()


def entries(cache: LichenCache) -> list[Entry]:
    cache.kept.book.flush()
    return list(cache.kept.book.store.entries())


def chat(upstream: ScriptedProvider, **rest: Any) -> ChatOpenAI:
    given: dict[str, Any] = {"model": "gpt-4o-mini", "max_retries": 0, **rest}
    return ChatOpenAI(base_url=f"{upstream.url}/v1", api_key=SecretStr("sk-one"), **given)


def test_the_same_prompt_again_is_given_from_the_cache_and_proved(
    cache: LichenCache, upstream: ScriptedProvider
) -> None:
    model = chat(upstream)

    first, again = model.invoke("Hello"), model.invoke("Hello")

    assert first.content == again.content
    assert len(upstream.calls) == 1
    paid, hit = entries(cache)
    assert (paid.figures.strategy, hit.figures.strategy) == ("none", "calls.exact")
    assert paid.figures.model == "gpt-4o-mini"
    assert paid.figures.tokens.total > 0
    assert "tokens-estimated" not in paid.figures.gaps
    assert cache.kept.book.prove(hit.id).holds


async def test_async_calls_are_answered_from_the_same_cache(
    cache: LichenCache, upstream: ScriptedProvider
) -> None:
    model = chat(upstream)
    model.invoke("Hello")

    await model.ainvoke("Hello")

    assert len(upstream.calls) == 1
    assert [e.figures.strategy for e in entries(cache)] == ["none", "calls.exact"]


def test_another_prompt_or_another_parameter_is_another_call(
    cache: LichenCache, upstream: ScriptedProvider
) -> None:
    chat(upstream).invoke("Hello")

    chat(upstream).invoke("Hello!")
    chat(upstream, temperature=0.5).invoke("Hello")

    assert len(upstream.calls) == 3
    assert {e.figures.strategy for e in entries(cache)} == {"none"}


def test_a_completion_model_tells_no_tokens_so_they_are_estimated(
    cache: LichenCache, upstream: ScriptedProvider
) -> None:
    model = OpenAI(
        base_url=f"{upstream.url}/v1", api_key=SecretStr("sk-one"), model="gpt-3.5-turbo-instruct"
    )

    for _ in range(2):
        model.invoke("Hello")

    assert len(upstream.calls) == 1
    assert "tokens-estimated" in entries(cache)[0].figures.gaps


def test_after_clear_the_model_is_asked_anew(
    cache: LichenCache, upstream: ScriptedProvider
) -> None:
    model = chat(upstream)
    model.invoke("Hello")

    cache.clear()
    model.invoke("Hello")

    assert len(upstream.calls) == 2


def test_clear_leaves_what_the_gateway_kept(
    cache: LichenCache, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    ask: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0,
    }
    with lichen.pipeline(tmp_path / "lichen.db", zone="SE-SE3") as pipeline:
        plain = Plain(
            base_url=f"{upstream.url}/v1", api_key="sk-one", http_client=pipeline.client()
        )
        plain.chat.completions.create(**ask)

        cache.clear()
        plain.chat.completions.create(**ask)

    assert len(upstream.calls) == 1


def test_answers_outlive_the_process_that_kept_them(
    cache: LichenCache, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    chat(upstream).invoke("Hello")
    cache.kept.close()

    later = LichenCache(tmp_path / "lichen.db", zone="SE-SE3")
    set_llm_cache(later)
    chat(upstream).invoke("Hello")

    assert len(upstream.calls) == 1
    later.kept.close()


def test_an_answer_past_its_time_is_not_given(tmp_path: Path) -> None:
    cache = LichenCache(tmp_path / "lichen.db", ttl=0)
    cache.update("p", "m", [Generation(text="old")])

    assert cache.lookup("p", "m") is None
    cache.kept.close()


def test_cached_and_thought_tokens_are_told_apart(cache: LichenCache) -> None:
    message = AIMessage(
        "Hi",
        usage_metadata={
            "input_tokens": 100,
            "output_tokens": 30,
            "total_tokens": 130,
            "input_token_details": {"cache_read": 60, "cache_creation": 10},
            "output_token_details": {"reasoning": 20},
        },
        response_metadata={"model_name": "claude-sonnet-4"},
    )

    cache.update("p", "m", [ChatGeneration(message=message)])

    assert entries(cache)[0].figures.tokens == Tokens(30, 60, 10, 10, 20)


@pytest.mark.parametrize("answer", [[], [Generation(text="x", generation_info={"o": object()})]])
def test_what_cannot_be_kept_breaks_no_call(cache: LichenCache, answer: list[Generation]) -> None:
    cache.update("p", "m", answer)

    assert cache.lookup("other", "m") is None
