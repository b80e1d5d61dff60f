"""Asked: the question of a call, read without copying the call.

    text      the last thing the user said, white space around it taken off
    alone     nothing was said before it: no other turn, so that it means what it says
    system    the call carries instructions of the application's
    plain     text is all that is in it: no image, voice or file, and no result of a tool

The kinds that come most often have a reader each; all others are read by their dialect's view.

Source: OpenAI API reference (chat completions, responses, completions), 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.exchange import Call

_SYSTEM = ("system", "developer")
_TEXT_PARTS = ("text", "input_text")
# Instructions that may stand before a first question.
_FEW = 8


class Asked(NamedTuple):
    """The question of a call."""

    text: str
    alone: bool
    system: bool


def asked(call: Call) -> Asked | None:
    """The question of a call; None where there is none, or not of text alone."""
    reader = _READERS.get(call.kind)
    return reader(call.fields) if reader is not None else _seen(call)


def _seen(call: Call) -> Asked | None:
    """The question as the call's dialect sees it."""
    view = call.dialect.view(call)
    if not view.asks or view.turns[-1].others or call.kind in call.dialect.embeds:
        return None
    text = "\n".join(part.text for part in view.turns[-1].texts)
    return Asked(text.strip(), len(view.turns) == 1, bool(view.system))


def _chat(fields: Mapping[str, Any]) -> Asked | None:
    messages = fields.get("messages")
    if type(messages) is list and len(messages) == 1:
        # A first question and nothing else, written out: a rule reads every call.
        only = messages[0]
        if type(only) is dict and only.get("role") == "user":
            text = only.get("content")
            if type(text) is str:
                return tuple.__new__(Asked, (text.strip(), True, False))
    return _turns(messages, system=False)


def _responses(fields: Mapping[str, Any]) -> Asked | None:
    given, system = fields.get("input"), bool(fields.get("instructions"))
    if type(given) is str:
        return Asked(given.strip(), not _goes_on(fields), system)
    found = _turns(given, system=system)
    if found is not None and _goes_on(fields):
        return found._replace(alone=False)
    return found


def _goes_on(fields: Mapping[str, Any]) -> bool:
    """Whether a conversation that others keep stands before the input."""
    return bool(fields.get("previous_response_id") or fields.get("conversation"))


def _completions(fields: Mapping[str, Any]) -> Asked | None:
    prompt = fields.get("prompt")
    return Asked(prompt.strip(), alone=True, system=False) if type(prompt) is str else None


def _turns(messages: object, *, system: bool) -> Asked | None:
    if type(messages) is not list or not messages:
        return None
    last = messages[-1]
    if type(last) is not dict or last.get("role") != "user":
        return None
    content = last.get("content")
    text = content if type(content) is str else _text_of(content)
    if text is None:
        return None
    if len(messages) == 1:
        return Asked(text.strip(), alone=True, system=system)
    before = messages[:-1]
    roles = [m.get("role") if type(m) is dict else None for m in before[:_FEW]]
    alone = len(before) <= _FEW and all(role in _SYSTEM for role in roles)
    return Asked(text.strip(), alone, system or any(role in _SYSTEM for role in roles))


def _text_of(content: object) -> str | None:
    if type(content) is not list:
        return None
    texts = []
    for part in content:
        if type(part) is not dict or part.get("type") not in _TEXT_PARTS:
            return None
        texts.append(part.get("text"))
    return "\n".join(texts) if all(type(text) is str for text in texts) else None  # type: ignore[arg-type]


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Asked | None]] = {
    "chat.completions": _chat,
    "responses": _responses,
    "completions": _completions,
}
