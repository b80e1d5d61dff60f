"""Gemini views: the texts of each kind of call, and where they stand.

    generate_content       systemInstruction.parts[i].text, contents[i].parts[j].text, and what
                           functions gave back, where it is text
    embed_content          content.parts[i].text
    batch_embed_contents   requests[i].content.parts[j].text

Source: Gemini API reference, `Content`, `Part`, `GenerateContentRequest`, `EmbedContentRequest`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import listed, mapped
from lichen.calls.providers.gemini.names import name_in, object_of, value_of
from lichen.calls.providers.gemini.usage import answers
from lichen.calls.providers.view import Text, Turn, View, told, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.exchange import Call
    from lichen.calls.providers.view import Path

_TOOLS = ("tools", "toolConfig", "tool_config")
_SHAPE = (
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "response_mime_type",
    "response_schema",
    "response_json_schema",
    "response_modalities",
    "outputDimensionality",
    "taskType",
)


def view(call: Call) -> View:
    """The texts of a call and where they stand."""
    fields = call.fields
    if call.kind != "generate_content":
        return View((), tuple(_embedded(fields)), {}, told(fields, _SHAPE))
    where = name_in(fields, "generationConfig")
    config = object_of(fields, "generationConfig")
    instruction = name_in(fields, "systemInstruction")
    system, _, _ = _parts(fields.get(instruction), (instruction,))
    turns: list[Turn] = []
    for place, content in enumerate(listed(fields.get("contents"))):
        _turn(mapped(content), ("contents", place), turns)
    return View(
        tuple(system),
        tuple(turns),
        told(fields, _TOOLS),
        told(config, _SHAPE),
        limit(call),
        (where, name_in(config, "maxOutputTokens")),
        answers(fields),
    )


def limit(call: Call) -> int | None:
    """The most tokens that may be written."""
    if call.kind != "generate_content":
        return None
    return whole(value_of(object_of(call.fields, "generationConfig"), "maxOutputTokens"))


def _embedded(fields: Mapping[str, Any]) -> list[Turn]:
    """Each text to embed is a turn of its own."""
    asked: list[tuple[object, Path]] = [(fields.get("content"), ("content",))]
    if "requests" in fields:
        asked = [
            (mapped(one).get("content"), ("requests", place, "content"))
            for place, one in enumerate(listed(fields.get("requests")))
        ]
    turns = []
    for content, at in asked:
        texts, others, _ = _parts(content, at)
        turns.append(Turn("user", tuple(texts), tuple(others)))
    return turns


def _turn(content: Mapping[str, Any], at: Path, turns: list[Turn]) -> None:
    """A content is a turn; what functions gave back within it is one of its own, before it."""
    texts, others, given_back = _parts(content, at)
    if given_back is not None:
        turns.append(given_back)
    if texts or others or given_back is None:
        role = "assistant" if content.get("role") == "model" else "user"
        turns.append(Turn(role, tuple(texts), tuple(others)))


def _parts(content: object, at: Path) -> tuple[list[Text], list[Path], Turn | None]:
    """The texts of a content, where its other parts stand, and what functions gave back."""
    texts: list[Text] = []
    others: list[Path] = []
    back: list[Text] = []
    has_back = False
    for place, part in enumerate(map(mapped, listed(mapped(content).get("parts")))):
        here = (*at, "parts", place)
        name = name_in(part, "functionResponse")
        if type(part.get("text")) is str:
            texts.append(Text((*here, "text"), part["text"]))
        elif name in part:
            has_back = True
            said = mapped(mapped(part[name]).get("response"))
            back += [
                Text((*here, name, "response", key), value)
                for key, value in said.items()
                if type(value) is str
            ]
        else:
            others.append(here)
    return texts, others, Turn("tool", tuple(back)) if has_back else None
