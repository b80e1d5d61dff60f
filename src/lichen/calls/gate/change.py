"""Change: calls capped and cut before they go anywhere.

    max_tokens   the most tokens that may be written, where the call asks for more or says nothing
    n            the most answers; what the others would have written is booked as spared
    cut          the oldest turns go, whole, until the texts fit; instructions and the last stay

Turns go in groups that begin with the user, so that a tool's result never loses its call, and four
groups at a time, so that the prefix stays the same for the next turns and the provider's prompt
cache still serves it. What a cap on max_tokens spares nobody can tell, so nothing is claimed for
it: an answer that ends by itself was not capped, one that was would have had an unknown length.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from lichen.calls.acts import Act, Use
from lichen.calls.gate.entries import GATE
from lichen.calls.gate.meeting import BYTES_PER_TOKEN, tokens_in
from lichen.calls.gate.proof import CAPPED, CUT
from lichen.calls.providers.view import put
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.exchange import Call, Exchange
    from lichen.calls.gate.rule import Rule
    from lichen.calls.providers.view import Path, Turn

# Where the number of answers stands.
# Source: OpenAI API reference (`n`); Gemini API reference, GenerationConfig.
_ANSWERS: tuple[Path, ...] = (
    ("n",),
    ("generationConfig", "candidateCount"),
    ("generation_config", "candidate_count"),
)
_GROUPS = 4
# Where the most tokens to write stand, in the calls that come most often.
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def cap(exchange: Exchange, call: Call, rule: Rule) -> bool:
    """Cap a call; whether there was anything to cap."""
    if _is_within(call.fields, rule):
        return False
    view = call.dialect.view(call)
    changes: dict[Path, Any] = {}
    if (
        rule.max_tokens
        and view.limit_path
        and (view.limit or rule.max_tokens + 1) > rule.max_tokens
    ):
        changes[view.limit_path] = rule.max_tokens
    if rule.n and view.answers > rule.n and (path := _answers_path(call.fields)):
        changes[path] = rule.n
        spared = view.answers / rule.n
        exchange.acts.append(
            Act(
                GATE,
                CAPPED,
                partial(_more_answers, factor=spared),
                {"rule": rule.name, "asked_n": view.answers, "given_n": rule.n},
                ("answers-alike-assumed",),
            )
        )
    if not changes:
        return False
    rewrite(exchange, call, put(call.fields, changes))
    return True


def _is_within(fields: Mapping[str, Any], rule: Rule) -> bool:
    """Whether a call is within its caps by a look at its own fields, as most are."""
    if "generationConfig" in fields or "generation_config" in fields:
        return False
    if rule.n and fields.get("n") not in (None, 1):
        return False
    given = None
    for name in _LIMITS:
        if name in fields:
            given = fields[name]
            break
    return not rule.max_tokens or (type(given) is int and 0 < given <= rule.max_tokens)


def _answers_path(fields: Mapping[str, Any]) -> Path:
    for path in _ANSWERS:
        at: Any = fields
        for name in path:
            at = at.get(name) if type(at) is dict else None
        if type(at) is int:
            return path
    return ()


def _more_answers(use: Use, factor: float) -> Use:
    tokens = use.tokens
    more = Tokens(
        tokens.prefill,
        tokens.cache_read,
        tokens.cache_write,
        round(tokens.decode * factor),
        round(tokens.reasoning * factor),
    )
    return use._replace(tokens=more)


def cut(exchange: Exchange, call: Call, rule: Rule) -> bool:
    """Cut the oldest turns of a call that is too long; whether any went."""
    places = _cut_places(call, rule.longer)
    if not places:
        return False
    before = tokens_in(call)
    name = places[0][0]
    gone = {place for _, place in places}
    rest = [item for place, item in enumerate(call.fields[name]) if place not in gone]
    rewrite(exchange, call, {**call.fields, name: rest})
    removed = before - tokens_in(call)
    exchange.acts.append(
        Act(
            GATE,
            CUT,
            partial(_longer, removed=removed),
            {"rule": rule.name, "removed": removed, "turns": len(gone)},
            ("tokens-estimated",),
        )
    )
    return True


def _longer(use: Use, removed: int) -> Use:
    return use._replace(tokens=use.tokens + Tokens(prefill=removed))


def _cut_places(call: Call, limit: int) -> list[tuple[str, int]]:
    """Where the turns stand that must go; none where the call is not made of turns."""
    view = call.dialect.view(call)
    groups: list[tuple[list[tuple[str, int]], int]] = []
    for turn in view.turns:
        place = _place(turn)
        if place is None:
            return []
        size = sum(len(text.text.encode("utf-8", "replace")) for text in turn.texts)
        if not groups or (turn.role == "user" and turn.texts):
            groups.append(([], 0))
        had, sizes = groups[-1]
        groups[-1] = ([*had, place], sizes + size)
    excess = tokens_in(call) - limit
    gone: list[tuple[str, int]] = []
    for number, (places, size) in enumerate(groups[:-1]):
        if excess <= 0 and number % _GROUPS == 0:
            break
        gone += places
        excess -= size // BYTES_PER_TOKEN
    return gone


def _place(turn: Turn) -> tuple[str, int] | None:
    """The list and the place in it where a turn stands."""
    paths = (*(text.path for text in turn.texts), *turn.others)
    if not paths or len(paths[0]) < 2:  # noqa: PLR2004 (a name and a place)
        return None
    name, place = paths[0][:2]
    return (name, place) if type(name) is str and type(place) is int else None


def rewrite(exchange: Exchange, call: Call, fields: dict[str, Any]) -> None:
    """Give a call other fields, and its exchange the bytes that say so."""
    try:
        body = orjson.dumps(fields)
    except TypeError:  # half of a surrogate pair, or a number beyond 64 bits
        body = json.dumps(fields).encode()
    call.fields, exchange.body = fields, body
