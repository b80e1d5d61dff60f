"""OpenAI views: the texts of each kind of call, and where they stand.

    chat.completions   messages[i].content, or its parts of type "text" and "refusal"
    responses          instructions, input, or its items' content parts and tools' outputs
    completions        prompt, or each of several
    embeddings         input, or each of several

Source: OpenAI API reference, the kinds' own `messages`, `input` and `prompt`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import listed, mapped
from lichen.calls.providers.view import Text, Turn, View, told, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.exchange import Call
    from lichen.calls.providers.view import Path

_INSTRUCTIONS = ("system", "developer")
_ROLES = {"assistant": "assistant", "tool": "tool", "function": "tool"}
_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_TOOLS = (
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tool_calls",
    "functions",
    "function_call",
)
_FORMAT = ("response_format", "text", "verbosity", "modalities", "encoding_format", "dimensions")
# Where the most tokens to write stand: the newer name first.
_LIMITS = {
    "chat.completions": ("max_completion_tokens", "max_tokens"),
    "responses": ("max_output_tokens",),
    "completions": ("max_tokens",),
    "embeddings": (),
}
# Fields of a chat message, and items of a response, that carry what is no text.
_BESIDE = ("tool_calls", "function_call", "audio")


def view(call: Call) -> View:
    """The texts of a call and where they stand."""
    fields = call.fields
    system, turns = _READERS[call.kind](fields)
    names = _LIMITS[call.kind]
    given = _given(fields, names)
    return View(
        tuple(system),
        tuple(turns),
        told(fields, _TOOLS),
        told(fields, _FORMAT),
        whole(fields.get(given)),
        (given or names[0],) if names else (),
        whole(fields.get("n")) or 1,
    )


def limit(call: Call) -> int | None:
    """The most tokens that may be written."""
    return whole(call.fields.get(_given(call.fields, _LIMITS[call.kind])))


def _given(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The field among these that says something."""
    return next((name for name in names if fields.get(name) is not None), "")


_Said = tuple[list[Text], list[Turn]]


def _chat(fields: Mapping[str, Any]) -> _Said:
    system: list[Text] = []
    turns: list[Turn] = []
    for place, message in enumerate(listed(fields.get("messages"))):
        at: Path = ("messages", place)
        _message(mapped(message), at, system, turns)
    return system, turns


def _message(message: Mapping[str, Any], at: Path, system: list[Text], turns: list[Turn]) -> None:
    texts, others = content(message.get("content"), (*at, "content"))
    others += [(*at, name) for name in _BESIDE if message.get(name)]
    role = message.get("role")
    if role in _INSTRUCTIONS:
        system += texts
    else:
        known = _ROLES.get(role, "user") if type(role) is str else "user"
        turns.append(Turn(known, tuple(texts), tuple(others)))


def content(value: object, at: Path) -> tuple[list[Text], list[Path]]:
    """The texts of a content, which is one text or a list of parts; where its other parts stand."""
    if type(value) is str:
        return [Text(at, value)], []
    texts: list[Text] = []
    others: list[Path] = []
    for place, part in enumerate(listed(value)):
        if type(part) is str:  # one of several prompts
            texts.append(Text((*at, place), part))
            continue
        name = _TEXTS.get(str(mapped(part).get("type")), "")
        text = mapped(part).get(name)
        if type(text) is str:
            texts.append(Text((*at, place, name), text))
        else:
            others.append((*at, place))
    return texts, others


def _response(fields: Mapping[str, Any]) -> _Said:
    system: list[Text] = []
    turns: list[Turn] = []
    instructions, asked = fields.get("instructions"), fields.get("input")
    if type(instructions) is str:
        system.append(Text(("instructions",), instructions))
    if type(asked) is str:
        turns.append(Turn("user", (Text(("input",), asked),)))
    for place, item in enumerate(listed(asked)):
        _item(mapped(item), ("input", place), system, turns)
    return system, turns


def _item(item: Mapping[str, Any], at: Path, system: list[Text], turns: list[Turn]) -> None:
    """One item of a response's input: a message, a tool's output, or what the model did before."""
    if item.get("type", "message") == "message":
        _message(item, at, system, turns)
    elif "output" in item:
        texts, others = content(item["output"], (*at, "output"))
        turns.append(Turn("tool", tuple(texts), tuple(others)))
    else:
        turns.append(Turn("assistant", (), (at,)))


def _prompt(fields: Mapping[str, Any]) -> _Said:
    return [], _each(fields.get("prompt"), ("prompt",))


def _input(fields: Mapping[str, Any]) -> _Said:
    return [], _each(fields.get("input"), ("input",))


def _each(value: object, at: Path) -> list[Turn]:
    """Several inputs of one call, each a turn of its own; tokens are no text."""
    if value is None:
        return []
    texts, others = content(value, at)
    if others or type(value) not in (str, list):
        return [Turn("user", tuple(texts), tuple(others) or (at,))]
    return [Turn("user", (text,)) for text in texts]


_READERS = {
    "chat.completions": _chat,
    "responses": _response,
    "completions": _prompt,
    "embeddings": _input,
}
