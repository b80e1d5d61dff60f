"""Paths: which requests fetch results of a provider's own batch, and what its results are called.

    OpenAI      GET /v1/files/ID/content                          a file of lines
    Anthropic   GET /v1/messages/batches/ID/results               lines
    Gemini      GET /v1beta/files/ID:download?alt=media           a file of lines
                GET /v1beta/batches/ID                            one JSON object, results within

Whether a file holds results is seen in its first line: other files have the same paths.

Source: OpenAI API reference, "Files", "Batch"; Anthropic API reference, "Message Batches"; Gemini
API reference, "Batch API", "Files", and google-genai 3.6 (`files.download`), 2026-11.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lichen.calls.exchange import Exchange

# The header in which a pipeline says where a call goes; see lichen.calls.pipeline.
_ORIGIN = b"lichen-origin"
_LINES = {
    "openai": re.compile(r"/v1/files/([^/?:]+)/content"),
    "anthropic": re.compile(r"/v1/messages/batches/([^/?:]+)/results"),
    "gemini": re.compile(
        r"(?:/download)?/v1(?:beta|alpha)?/(?:openai/)?(files/[^/?:]+)(?::download|/content)"
    ),
}
_OBJECT = re.compile(r"/v1(?:beta|alpha)?/(batches/[^/?:]+)")
# A query that asks for some fields of the answer only: its results may lack what they used.
_SOME = re.compile(r"(?:^|&)(?:\$|%24)?fields=")


class Which(NamedTuple):
    """The results of one batch: at which provider, under which name, and how they are written.

    `whole` says that they are one JSON object, and not lines.
    """

    provider: str
    name: str
    whole: bool = False


def which_of(method: str, target: str, provider: str) -> Which | None:
    """The results that a request fetches; None where it fetches none."""
    if method != "GET" or provider not in _LINES:
        return None
    path, _, query = target.partition("?")
    if _SOME.search(query):
        return None
    if found := _LINES[provider].fullmatch(path):
        return Which(provider, found[1])
    if provider == "gemini" and (found := _OBJECT.fullmatch(path)):
        return Which(provider, found[1], whole=True)
    return None


def key_of(which: Which, exchange: Exchange, url: str) -> str:
    """What tells results from all others: a hash of where they are and what they are called.

    `url` is the upstream's; in a pipeline the exchange says where it goes.
    """
    origins = [value.decode("latin-1") for name, value in exchange.headers if name == _ORIGIN]
    where = (url or "".join(origins)).rstrip("/").removesuffix("/v1")
    said = f"{where}\0{which.provider}\0{which.name}"
    return blake2b(said.encode(), digest_size=16).hexdigest()
