"""Doors: which paths speak a dialect, and to whom they lead.

    OpenAI      /v1/chat/completions, /v1/responses, /v1/completions, /v1/embeddings, and all of
                /v1/ that no other provider's client asks for
    Anthropic   /v1/messages, and what its client asks for: it sends `anthropic-version`
    Gemini      /v1beta/..., /upload/..., /v1/models/{model}:generateContent, and what its client
                asks for: it sends `x-goog-api-key`, or `?key=`
    any         /openai/v1/..., /anthropic/v1/..., /gemini/v1beta/...: whose it is stands in front

The paths that come most often are found by one look-up. A key in the query is a credential: it is
taken out of the target, which may be shown and hashed, and put where its client puts it otherwise.

Source: OpenAI, Anthropic and Gemini API references, their paths; their official Python clients.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote_to_bytes

from lichen.calls.providers.anthropic.dialect import ANTHROPIC
from lichen.calls.providers.gemini.dialect import GEMINI
from lichen.calls.providers.openai.dialect import OPENAI

if TYPE_CHECKING:
    from lichen.calls.providers.dialect import Dialect

    Headers = list[tuple[bytes, bytes]]

# What a POST is booked as that asks a model for something lichen cannot read, such as an image.
NOT_MODELLED = "not-modelled"
# A batch: what its calls take is known when they are answered.
AT_RESULTS = "batch-answered-later"


@dataclass(frozen=True, slots=True)
class Door:
    """What a path leads to.

    `dialect` is how its calls and errors are written, `provider` whose upstream answers, `kind`
    what a POST to it asks for; empty where lichen reads nothing in it, and `gap` is what the book
    then says: nothing where no model is asked, as for an upload.
    """

    dialect: Dialect
    provider: str
    kind: str = ""
    gap: str = NOT_MODELLED


class Asked(Protocol):
    """What of a request says where it goes; both are changed where a door asks for it."""

    target: bytes
    headers: Headers


# Paths whose calls lichen reads, as they come most often: one look-up finds them.
DOORS: dict[bytes, Door] = {
    b"/v1/chat/completions": Door(OPENAI, "openai", "chat.completions"),
    b"/v1/responses": Door(OPENAI, "openai", "responses"),
    b"/v1/completions": Door(OPENAI, "openai", "completions"),
    b"/v1/embeddings": Door(OPENAI, "openai", "embeddings"),
    b"/v1/messages": Door(ANTHROPIC, "anthropic", "messages"),
    # Gemini as it speaks OpenAI's dialect.
    b"/v1beta/openai/chat/completions": Door(OPENAI, "gemini", "chat.completions"),
    b"/v1beta/openai/embeddings": Door(OPENAI, "gemini", "embeddings"),
}
_DIALECTS: dict[str, Dialect] = {"openai": OPENAI, "anthropic": ANTHROPIC, "gemini": GEMINI}
_PREFIX = re.compile(rb"/(openai|anthropic|gemini)(?=/(?:v1|v1beta|v1alpha|upload|download)/)")
_GEMINI_PATH = re.compile(rb"/(?:v1beta|v1alpha|(?:upload|download)/v1[a-z]*)/")
# What is asked of a Gemini model, by the word behind the colon; "" where it asks for no answer.
_ACTIONS = {
    b"generateContent": "generate_content",
    b"streamGenerateContent": "generate_content",
    b"embedContent": "embed_content",
    b"batchEmbedContents": "batch_embed_contents",
}
_BATCH_ACTIONS = (b"batchGenerateContent", b"asyncBatchEmbedContent")
_QUIET_ACTIONS = (b"countTokens", b"computeTokens", b"cancel", b"register")
# POSTs that ask no model for anything, and those whose calls are answered later.
_QUIET = re.compile(
    rb"/v1(?:beta|alpha)?/(?:files|uploads|vector_stores|messages/count_tokens|batches/[^/]+/cancel"
    rb"|messages/batches/[^/]+/cancel)(?:/|$)|/(?:upload|download)/"
)
_BATCH = re.compile(rb"/v1/(?:batches|messages/batches)$")
_KEY = re.compile(rb"(?:^|&)key=([^&]*)")


@dataclass(slots=True)
class _Target:
    """A target without the rest of its request."""

    target: bytes
    headers: Headers


def door_of(target: bytes) -> Door:
    """The door of a target alone; where it is nobody's, OpenAI's."""
    return enter(_Target(target, [])) or Door(OPENAI, "openai")


def enter(request: Asked) -> Door | None:
    """The door of a request, which is made to ask as its provider knows it; None: it asks no API.

    A prefix that says whose it is is gone then: this is done once for each request.
    """
    target = request.target
    if (door := DOORS.get(target)) is not None:
        return door
    found = _PREFIX.match(target)
    provider = found[1].decode() if found is not None else ""
    if found is not None:
        target = request.target = target[found.end() :]
    path, _, query = target.partition(b"?")
    action = path.rpartition(b"/")[2].rpartition(b":")[2] if b":" in path else b""
    if not provider:
        provider = _whose(path, action, query, request.headers)
    if not provider:
        return None
    if provider == "gemini" and b"key=" in query:
        _hide_key(request, path, query)
    return _door(provider, path, action)


def _whose(path: bytes, action: bytes, query: bytes, headers: Headers) -> str:
    """Whose path it is; empty where it is nobody's."""
    if (known := DOORS.get(path)) is not None:
        return known.provider
    if _GEMINI_PATH.match(path) or action in _ACTIONS or action in _BATCH_ACTIONS:
        return "gemini"
    if path.startswith(b"/v1/messages/"):
        return "anthropic"
    return _by_client(query, headers) if path.startswith(b"/v1/") else ""


def _by_client(query: bytes, headers: Headers) -> str:
    """Whose client asks, by what it sends."""
    names = {name for name, _ in headers}
    if b"anthropic-version" in names:
        return "anthropic"
    asks_google = b"x-goog-api-key" in names or b"x-goog-api-client" in names
    return "gemini" if asks_google or _KEY.search(query) else "openai"


def _door(provider: str, path: bytes, action: bytes) -> Door:
    known = DOORS.get(path)
    if known is not None:
        return known if known.provider == provider else Door(known.dialect, provider, known.kind)
    dialect = _DIALECTS[provider]
    if provider == "gemini" and action:
        if action in _ACTIONS:
            return Door(dialect, provider, _ACTIONS[action])
        if action in _BATCH_ACTIONS:
            return Door(dialect, provider, gap=AT_RESULTS)
        if action in _QUIET_ACTIONS:
            return Door(dialect, provider, gap="")
    if _QUIET.match(path):
        return Door(dialect, provider, gap="")
    return Door(dialect, provider, gap=AT_RESULTS if _BATCH.match(path) else NOT_MODELLED)


def _hide_key(request: Asked, path: bytes, query: bytes) -> None:
    """Put a key that stands in the query where headers have it."""
    found = _KEY.search(query)
    if found is None:
        return
    left = b"&".join(part for part in query.split(b"&") if not part.startswith(b"key="))
    request.target = b"%b?%b" % (path, left) if left else path
    key = unquote_to_bytes(found[1].replace(b"+", b" "))
    # What no header can carry is no key; the upstream says so.
    if key and key.isascii() and key.decode("ascii").isprintable():
        others = [pair for pair in request.headers if pair[0] != b"x-goog-api-key"]
        request.headers = [*others, (b"x-goog-api-key", key)]
