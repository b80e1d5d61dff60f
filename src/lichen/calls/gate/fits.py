"""Fits: whether a text of lichen's own can be an answer to a call, and who its caller says it is.

It cannot where the call asks for what only a model has: several answers, JSON or a schema, a voice,
probabilities, a tool that must be called, an answer to be fetched later.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.exchange import Call, Exchange

PROJECT = b"x-lichen-project"
# A project's name in reports and counters is at most that long. [character]
_LONGEST = 64
# Fields, by themselves or in a generation's configuration, that ask for what only a model has.
# Source: OpenAI, Anthropic and Gemini API references, 2026-11.
_ONLY_A_MODEL = ("logprobs", "top_logprobs", "responseLogprobs", "echo", "background", "audio")
_FREE_CHOICES = (None, "auto", "none")


def fits(call: Call) -> bool:
    """Whether an answer in words, made here, is what the call asks for."""
    view = call.dialect.view(call)
    if view.answers != 1 or not view.turns or call.kind in call.dialect.embeds:
        return False
    fields = call.fields
    inner = fields.get("generationConfig")
    for said in (fields, inner if type(inner) is dict else {}):
        if any(said.get(name) for name in _ONLY_A_MODEL):
            return False
    return _is_free(view.tools.get("tool_choice")) and _is_plain(view.format)


def _is_free(choice: object) -> bool:
    """Whether no tool must be called."""
    named = choice.get("type") if type(choice) is dict else choice
    return named in _FREE_CHOICES


def _is_plain(form: Mapping[str, Any]) -> bool:
    """Whether words will do."""
    return all(_says_words(value) for name, value in form.items() if name != "verbosity")


def _says_words(value: object) -> bool:
    if type(value) is dict:
        inner = value.get("format", value)
        return type(inner) is dict and inner.get("type", "text") == "text"
    return value in (["text"], "text", "text/plain")


def project_of(exchange: Exchange) -> str:
    """The project that the caller names in `x-lichen-project`; empty where it names none.

    It is written nowhere as it is: see `project_hash`.
    """
    for name, value in exchange.headers:
        if name == PROJECT:
            text = value.decode("latin-1").strip()[:_LONGEST]
            return "".join(letter for letter in text if letter.isprintable())
    return ""


def project_hash(payer: str, project: str) -> str:
    """A project as counts have it: callers may put in its name what is nobody else's business.

    SHA-256("lichen project" ‖ 0 ‖ payer ‖ 0 ‖ name), the first 64 bits. A name that can be guessed
    can be found by it; two payers' projects of one name cannot be told to be the same.
    """
    if not project:
        return ""
    named = f"lichen project\0{payer}\0{project}".encode()
    return hashlib.sha256(named).hexdigest()[:16]
