"""Gemini answers: the text in one, and whether it asks for a function, whole or streamed.

Source: Gemini API reference, `GenerateContentResponse`, `Part`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import listed, mapped, said_in
from lichen.calls.providers.gemini.ending import last_of_array
from lichen.calls.providers.gemini.names import name_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def answer_text(kind: str, body: bytes) -> str:
    """The text of an answer, whole or streamed; empty where it has none. Of several, the first."""
    if kind != "generate_content":
        return ""
    return "".join(
        part["text"]
        for said in _said(body)
        for part in _parts(said, first=True)
        if type(part.get("text")) is str and not part.get("thought")
    )


def calls_tools(_kind: str, body: bytes) -> bool:
    """Whether an answer, whole or streamed, asks the client to run a function."""
    return b"unction" in body and any(
        name_in(part, "functionCall") in part
        for said in _said(body)
        for part in _parts(said, first=False)
    )


def _said(body: bytes) -> Iterator[dict[str, Any]]:
    return last_of_array(body) if body.lstrip()[:1] == b"[" else said_in(body.lstrip())


def _parts(said: Mapping[str, Any], *, first: bool) -> Iterator[dict[str, Any]]:
    for place, one in enumerate(map(mapped, listed(said.get("candidates")))):
        if first and one.get("index", place) != 0:
            continue
        yield from map(mapped, listed(mapped(one.get("content")).get("parts")))
