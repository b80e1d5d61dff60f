"""The key: everything that changes an answer, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from lichen.calls.key import is_exact, key_of
from lichen.calls.providers.openai.dialect import OPENAI

if TYPE_CHECKING:
    from lichen.calls.exchange import Headers

CHAT: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "temperature": 0,
}


def key(
    fields: dict[str, Any] | bytes,
    *,
    kind: str = "chat.completions",
    scope: str = "tenant-1",
    upstream: str = "https://api.example",
    target: str = "/v1/chat/completions",
    headers: Headers | None = None,
) -> bytes:
    body = fields if isinstance(fields, bytes) else orjson.dumps(fields)
    call = OPENAI.read_call(kind, target.encode(), body)
    return key_of(call, scope=scope, upstream=upstream, target=target, headers=headers or [])


def test_the_order_of_fields_does_not_matter() -> None:
    turned = dict(reversed(CHAT.items()))

    assert key(turned) == key(CHAT)


def test_white_space_and_escapes_do_not_matter() -> None:
    spaced = b'{ "model":"gpt-4o-mini",\n "messages": [{"role":"user", "content":"H\\u0065llo"}],'
    spaced += b' "temperature": 0.0 }'

    assert key(spaced) == key(CHAT)


@pytest.mark.parametrize("name", ["temperature", "top_p", "seed", "presence_penalty"])
def test_a_whole_number_may_be_written_with_a_point(name: str) -> None:
    assert key(CHAT | {name: 1}) == key(CHAT | {name: 1.0})


def test_a_number_and_its_text_are_not_alike() -> None:
    assert key(CHAT | {"temperature": "0"}) != key(CHAT)
    assert key(CHAT | {"temperature": False}) != key(CHAT)


@pytest.mark.parametrize(
    "inert", ["user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"]
)
def test_who_asks_and_how_it_is_billed_does_not_matter(inert: str) -> None:
    assert key(CHAT | {inert: "anything"}) == key(CHAT)


def test_the_metadata_of_a_response_counts_since_the_answer_repeats_them() -> None:
    asked = {"model": "gpt-4o-mini", "input": "Hello", "temperature": 0}

    one = key(asked | {"metadata": {"ticket": "1"}}, kind="responses")
    two = key(asked | {"metadata": {"ticket": "2"}}, kind="responses")

    assert one != two


@pytest.mark.parametrize(
    "told",
    [
        {"model": "gpt-4o"},
        {"messages": [{"role": "user", "content": "Hello!"}]},
        {"messages": [{"role": "system", "content": "Hello"}]},
        {"temperature": 0.5},
        {"stream": True},
        {"stream_options": {"include_usage": True}},
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "look_up"}}]},
        {"response_format": {"type": "json_object"}},
        {"max_tokens": 5},
        {"seed": 1},
        {"store": True},
        {"service_tier": "flex"},
        {"a_field_nobody_knows": None},
        {"": 0},
    ],
)
def test_every_other_field_counts_known_or_not(told: dict[str, Any]) -> None:
    assert key(CHAT | told) != key(CHAT)


def test_the_order_within_a_list_counts() -> None:
    one, two = {"role": "user", "content": "a"}, {"role": "user", "content": "b"}

    assert key(CHAT | {"messages": [one, two]}) != key(CHAT | {"messages": [two, one]})


def test_tenants_have_keys_of_their_own() -> None:
    assert key(CHAT, scope="tenant-2") != key(CHAT)


def test_a_shared_scope_has_one_key_for_all() -> None:
    assert key(CHAT, scope="*") == key(CHAT, scope="*")


def test_another_upstream_has_other_keys() -> None:
    assert key(CHAT, upstream="https://other.example") != key(CHAT)


def test_the_query_string_counts() -> None:
    assert key(CHAT, target="/v1/chat/completions?api-version=2") != key(CHAT)


@pytest.mark.parametrize(
    "name",
    [
        b"openai-organization",
        b"openai-project",
        b"openai-beta",
        b"azureml-model-deployment",
        b"extra-parameters",
        b"x-portkey-config",
        b"cookie",
        b"cf-access-client-secret",
        b"x-nobody-has-heard-of-it",
    ],
)
def test_every_header_that_may_change_the_answer_or_say_who_asks_counts(name: bytes) -> None:
    assert key(CHAT, headers=[(name, b"one")]) != key(CHAT)
    assert key(CHAT, headers=[(name, b"one")]) != key(CHAT, headers=[(name, b"two")])


def test_the_order_of_headers_does_not_matter() -> None:
    one, two = (b"openai-organization", b"o"), (b"openai-project", b"p")

    assert key(CHAT, headers=[one, two]) == key(CHAT, headers=[two, one])


@pytest.mark.parametrize(
    "name",
    [
        b"user-agent",
        b"x-request-id",
        b"accept",
        b"connection",
        b"traceparent",
        b"x-stainless-retry-count",
        b"x-forwarded-for",
        b"idempotency-key",
    ],
)
def test_headers_of_the_connection_and_of_one_attempt_do_not_count(name: bytes) -> None:
    assert key(CHAT, headers=[(name, b"7")]) == key(CHAT)


def test_scope_upstream_and_target_cannot_run_into_each_other() -> None:
    assert key(CHAT, scope="a", upstream="b/c") != key(CHAT, scope="a\nb", upstream="/c")


def test_a_call_that_has_no_canonical_form_has_no_key() -> None:
    deep = b'{"model": "m", "x": %b1%b}' % (b"[" * 500, b"]" * 500)

    assert key(deep) == b""


def test_numbers_beyond_all_bounds_have_a_key_and_break_nothing() -> None:
    assert len(key(CHAT | {"temperature": 1e300})) == 32
    assert len(key(b'{"model": "m", "seed": 36893488147419103232}')) == 32


@pytest.mark.parametrize(
    "text",
    ["18446744073709551616", "-9223372036854775809", "1e30", "1E+19", "123456789012345678901234"],
)
def test_a_number_that_reading_would_round_is_not_exact(text: str) -> None:
    assert not is_exact(b'{"seed": %b}' % text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "18446744073709551615",
        "-9223372036854775808",
        "1e3",
        "0.1234567890123456789012",
        '"18446744073709551616"',
        '"order 184467440737095516160 and hex 3e19"',
    ],
)
def test_a_number_of_64_bits_or_in_a_text_is_exact(text: str) -> None:
    assert is_exact(b'{"seed": %b}' % text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"messages": [{"role": "user", "content": "evil"}], "messages": []}',
        '{"messages": [{"content": "evil", "content": "good"}]}',
        '{"model": "a", "\\u006dodel": "b"}',
    ],
)
def test_a_name_that_stands_twice_is_not_exact(text: str) -> None:
    assert not is_exact(text.encode())
