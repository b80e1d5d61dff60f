"""Doors: whose path it is, what is asked there, and what is taken out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.providers.doors import Door, enter


@dataclass
class Request:
    target: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


ANTHROPIC = [(b"anthropic-version", b"2026-10-21")]
GOOGLE = [(b"x-goog-api-key", b"AIza")]


def opened(target: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> Door:
    door = enter(Request(target, headers or []))
    assert door is not None
    return door


@pytest.mark.parametrize(
    ("target", "provider", "dialect", "kind"),
    [
        (b"/v1/chat/completions", "openai", "openai", "chat.completions"),
        (b"/v1/chat/completions?x=1", "openai", "openai", "chat.completions"),
        (b"/openai/v1/embeddings", "openai", "openai", "embeddings"),
        (b"/v1/messages", "anthropic", "anthropic", "messages"),
        (b"/v1/messages?beta=true", "anthropic", "anthropic", "messages"),
        (b"/anthropic/v1/messages", "anthropic", "anthropic", "messages"),
        (b"/anthropic/v1/chat/completions", "anthropic", "openai", "chat.completions"),
        (b"/v1beta/openai/chat/completions", "gemini", "openai", "chat.completions"),
        (b"/v1beta/models/m:generateContent", "gemini", "gemini", "generate_content"),
        (b"/v1/models/m:generateContent", "gemini", "gemini", "generate_content"),
        (
            b"/v1beta/models/m:streamGenerateContent?alt=sse",
            "gemini",
            "gemini",
            "generate_content",
        ),
        (b"/v1beta/tunedModels/t:generateContent", "gemini", "gemini", "generate_content"),
        (b"/v1beta/models/m:embedContent", "gemini", "gemini", "embed_content"),
        (b"/v1beta/models/m:batchEmbedContents", "gemini", "gemini", "batch_embed_contents"),
        (b"/gemini/v1/models/m:generateContent", "gemini", "gemini", "generate_content"),
    ],
)
def test_a_path_leads_to_a_provider_and_says_what_is_asked(
    target: bytes, provider: str, dialect: str, kind: str
) -> None:
    door = opened(target)

    assert (door.provider, door.dialect.name, door.kind) == (provider, dialect, kind)


@pytest.mark.parametrize(
    ("headers", "provider"), [([], "openai"), (ANTHROPIC, "anthropic"), (GOOGLE, "gemini")]
)
@pytest.mark.parametrize("target", [b"/v1/models", b"/v1/files", b"/v1/files/f1/content"])
def test_a_path_that_several_have_is_told_by_what_the_client_sends(
    target: bytes, headers: list[tuple[bytes, bytes]], provider: str
) -> None:
    assert opened(target, headers).provider == provider


@pytest.mark.parametrize(
    ("target", "headers", "gap"),
    [
        (b"/v1/files", [], ""),
        (b"/v1/uploads/u1/parts", [], ""),
        (b"/v1/batches", [], "batch-answered-later"),
        (b"/v1/batches/b1/cancel", [], ""),
        (b"/v1/images/generations", [], "not-modelled"),
        (b"/v1/messages/count_tokens", [], ""),
        (b"/v1/messages/batches", [], "batch-answered-later"),
        (b"/v1/messages/batches/b1/cancel", [], ""),
        (b"/v1/files", ANTHROPIC, ""),
        (b"/v1beta/models/m:countTokens", [], ""),
        (b"/v1beta/models/m:batchGenerateContent", [], "batch-answered-later"),
        (b"/v1beta/models/imagen:predict", [], "not-modelled"),
        (b"/upload/v1beta/files", [], ""),
        (b"/v1beta/cachedContents", [], "not-modelled"),
    ],
)
def test_what_asks_no_model_is_no_gap_and_what_is_answered_later_is_named(
    target: bytes, headers: list[tuple[bytes, bytes]], gap: str
) -> None:
    door = opened(target, headers)

    assert (door.kind, door.gap) == ("", gap)


@pytest.mark.parametrize(
    "target", [b"/", b"/entry/1", b"/metrics", b"/anthropic", b"/openai/deployments/x", b"*", b""]
)
def test_all_else_is_no_door(target: bytes) -> None:
    assert enter(Request(target)) is None


def test_a_prefix_is_taken_off_and_all_else_left() -> None:
    request = Request(b"/anthropic/v1/messages?beta=true")

    enter(request)

    assert request.target == b"/v1/messages?beta=true"


@pytest.mark.parametrize(
    ("target", "left", "key"),
    [
        (b"/v1beta/models/m:generateContent?key=AIza%2B1", b"", b"AIza+1"),
        (b"/v1beta/models/m:generateContent?alt=sse&key=K&x=1", b"?alt=sse&x=1", b"K"),
        (b"/v1beta/models/m:generateContent?key=K&key=L", b"", b"K"),
        (b"/v1beta/models/m:generateContent?monkey=K", b"?monkey=K", None),
        (b"/v1beta/models/m:generateContent?key=%0d%0ax:y", b"", None),
    ],
)
def test_a_key_in_the_query_is_moved_to_a_header(
    target: bytes, left: bytes, key: bytes | None
) -> None:
    request = Request(target, [(b"accept", b"*/*")])

    enter(request)

    assert request.target == b"/v1beta/models/m:generateContent" + left
    shown = [(b"x-goog-api-key", key)] if key is not None else []
    assert request.headers == [(b"accept", b"*/*"), *shown]


segments = st.sampled_from(
    [b"v1", b"v1beta", b"anthropic", b"gemini", b"models", b"m:generateContent", b"messages"]
)


@given(st.lists(segments | st.binary(max_size=6), max_size=5), st.binary(min_size=1, max_size=20))
def test_no_path_breaks_a_door_and_no_key_stays_in_a_target(
    parts: list[bytes], query: bytes
) -> None:
    request = Request(b"/" + b"/".join(parts) + b"?alt=sse&key=" + query.hex().encode())

    door = enter(request)

    if door is not None and door.provider == "gemini" and b"?" not in b"".join(parts):
        assert b"key=" not in request.target.partition(b"?")[2]
