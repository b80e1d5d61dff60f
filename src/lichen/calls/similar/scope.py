"""Scope: which calls may be compared at all, and with which others.

    scope = SHA-256("similar" ‖ key of the call with its question taken out)

The question is the last text of the user; all else must be the same to the byte: tenant, upstream,
path, headers that matter, model, system prompt, tools, format, sampling, images, the conversation
so far, and every field lichen has never heard of. So no guard is needed for any of these: a call
with another temperature, or an image that differs by a pixel, looks into another scope.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lichen.calls.key import key_of
from lichen.calls.level import level_of

if TYPE_CHECKING:
    from lichen.calls.exchange import Exchange

# Characters of a question beyond which no embedder that is known here reads all of it: four times
# its tokens. Longer ones cost a tokenizer's time for nothing.
LONGEST = 2000
SCOPE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it may be compared: its scope, whose it is, and its question."""

    scope: bytes
    owner: str
    question: str


def asked(exchange: Exchange, upstream: str) -> Asked | None:
    """What an exchange asks, None where no similar answer may serve it.

    None for calls that may not be reused, that bring a tool's result, that want vectors or more
    than one answer, or whose question is empty or too long to be read whole.
    """
    call, rule, wishes = exchange.call, exchange.rule, exchange.directives
    if call is None or rule is None or not exchange.key or wishes.no_store:
        return None
    if call.kind in call.dialect.embeds:
        return None
    view = call.dialect.view(call)
    question = view.question
    if question is None or not view.asks or view.answers != 1:
        return None
    if not question.text.strip() or len(question.text) > LONGEST:
        return None
    # Where the user's last turn has several texts, those before the last are part of the scope.
    rest = call.dialect.with_texts(call.fields, {question.path: ""})
    owner = exchange.tenant if rule.scope == "tenant" else "*"
    key = key_of(
        replace(call, fields=rest),
        scope=owner,
        upstream=upstream,
        target=exchange.target,
        headers=exchange.headers,
        level=level_of(call, rule, exchange.headers),
    )
    if not key:
        return None
    return Asked(hashlib.sha256(b"similar\0" + key).digest()[:SCOPE_BYTES], owner, question.text)
