"""Meeting: whether a call meets what a rule asks, and what it says to fill the rule's template.

Each test gives the groups of a template, none of them for a rule that needs none; None where the
call does not meet the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.calls.gate import arithmetic, dates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.exchange import Call, Exchange
    from lichen.calls.gate.asked import Asked
    from lichen.calls.gate.rulebook import Ready

    Test = Callable[[Ready, Exchange, Call, Asked | None], Mapping[str, str] | None]

# One token of English text is about four bytes.
# Source: OpenAI Help Center, "What are tokens and how to count them?"
BYTES_PER_TOKEN = 4
_NOTHING: Mapping[str, str] = {}
# Characters of a question that can be answered here.
_LONGEST_LOCAL = 160


def _is_heard(ready: Ready, question: Asked | None) -> Asked | None:
    """The question, where it stands as the rule wants it."""
    if question is None:
        return None
    rule = ready.rule
    if (rule.turns == "first" and not question.alone) or (
        rule.system == "none" and question.system
    ):
        return None
    return question


def _exact(
    ready: Ready, _exchange: Exchange, _call: Call, question: Asked | None
) -> Mapping[str, str] | None:
    # Its place was found by its text.
    return _NOTHING if _is_heard(ready, question) is not None else None


def _pattern(
    ready: Ready, _exchange: Exchange, _call: Call, question: Asked | None
) -> Mapping[str, str] | None:
    heard = _is_heard(ready, question)
    if heard is None or ready.pattern is None:
        return None
    return ready.pattern.groups_in(heard.text)


def _empty(
    ready: Ready, _exchange: Exchange, _call: Call, question: Asked | None
) -> Mapping[str, str] | None:
    heard = _is_heard(ready, question)
    return _NOTHING if heard is not None and not heard.text else None


def _repeat(
    _ready: Ready, exchange: Exchange, _call: Call, _question: Asked | None
) -> Mapping[str, str] | None:
    wishes = exchange.directives
    return None if wishes.no_store or wishes.no_cache else _NOTHING


def _longer(
    ready: Ready, exchange: Exchange, call: Call, _question: Asked | None
) -> Mapping[str, str] | None:
    # A token is a byte or more, and most bodies are short: nothing is counted for them.
    if len(exchange.body) <= ready.rule.longer * BYTES_PER_TOKEN:
        return None
    count = tokens_in(call)
    if count <= ready.rule.longer:
        return None
    return {"tokens": str(count), "limit": str(ready.rule.longer)}


def tokens_in(call: Call) -> int:
    """Input tokens of a call's texts, estimated: four bytes of UTF-8 each. [token]"""
    texts = call.dialect.view(call).texts
    size = sum(len(text.text.encode("utf-8", "replace")) for text in texts)
    return size // BYTES_PER_TOKEN


def _local(
    ready: Ready, _exchange: Exchange, _call: Call, question: Asked | None
) -> Mapping[str, str] | None:
    heard = _is_heard(ready, question)
    if heard is None or len(heard.text) > _LONGEST_LOCAL:
        return None
    result = None
    if "arithmetic" in ready.rule.local:
        result = arithmetic.value_of(heard.text)
    if result is None and "dates" in ready.rule.local:
        result = dates.answer_to(heard.text, ready.today)
    return None if result is None else {"result": result}


def _any(
    _ready: Ready, _exchange: Exchange, _call: Call, _question: Asked | None
) -> Mapping[str, str] | None:
    return _NOTHING


TESTS: Mapping[str, Test] = {
    "exact": _exact,
    "pattern": _pattern,
    "empty": _empty,
    "repeat": _repeat,
    "longer": _longer,
    "local": _local,
    "": _any,
}
