"""View: a call as steps see it, whatever its wire format.

    fields = {"messages": [{"role": "user", "content": "Hello"}], ...}
    view.question = Text(("messages", 0, "content"), "Hello")
    put(fields, {view.question.path: "Hi"})      a copy, with that one text changed

Nothing of a call is moved or merged: a view only points at the texts in it. What is no text (an
image, a tool call, a field nobody here has heard of) stays where it is, and a step that compares
calls compares it by `Dialect.canonical`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Where something stands in a call's fields: names of objects and places in lists.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A text in a call, and where it stands.

    `pinned` says that it lies in a prefix which the client asked its provider to keep: to change it
    is to pay for that prefix anew.
    """

    path: Path
    text: str
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation, or one input of a call that has no conversation.

    `role` is "user", "assistant" or "tool" (what a tool gave back), in every dialect. `others` are
    the parts that are no text, such as images, files and tool calls.
    """

    role: str
    texts: tuple[Text, ...]
    others: tuple[Path, ...] = ()


@dataclass(frozen=True)
class View:
    """What a call says: instructions, conversation, tools, the format asked for, its bounds.

    `system` holds the instructions wherever they stand; `turns` all else in its order. `tools` and
    `format` hold the call's own fields that speak of them, by name. `limit` is the most tokens that
    may be written [token], None where the call sets none, and `limit_path` where it stands or would
    stand; `answers` is how many answers are asked for.
    """

    system: tuple[Text, ...] = ()
    turns: tuple[Turn, ...] = ()
    tools: Mapping[str, Any] = field(default_factory=dict)
    format: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    limit_path: Path = ()
    answers: int = 1

    @cached_property
    def question(self) -> Text | None:
        """The last text of the last turn of the user; None where the user says nothing."""
        for turn in reversed(self.turns):
            if turn.role == "user" and turn.texts:
                return turn.texts[-1]
        return None

    @property
    def asks(self) -> bool:
        """Whether the question stands at the end, so that it is what is to be answered now.

        A conversation that ends with a tool's result or the assistant's own words goes on instead.
        """
        return bool(self.turns) and self.turns[-1].role == "user" and bool(self.turns[-1].texts)

    @property
    def texts(self) -> tuple[Text, ...]:
        """All texts, instructions first."""
        return (*self.system, *(text for turn in self.turns for text in turn.texts))


def put(fields: Mapping[str, Any], changes: Mapping[Path, Any]) -> dict[str, Any]:
    """The fields with other values at some places; what is not changed is shared, not copied.

    A last name that is not there yet is added; a value of None takes it away.

    Raises:
        KeyError, IndexError: there is no such place.
    """
    changed = dict(fields)
    copied: dict[Path, Any] = {(): changed}
    for path, value in changes.items():
        parent = changed
        for depth, name in enumerate(path[:-1], 1):
            parent = _own(copied, parent, path[:depth], name)
        if value is None:
            parent.pop(path[-1])  # type: ignore[arg-type]  # a list takes a place, an object a name
        else:
            parent[path[-1]] = value  # type: ignore[index]
    return changed


def _own(copied: dict[Path, Any], parent: Any, path: Path, name: str | int) -> Any:
    """The value under a name, copied the first time it is reached."""
    if path not in copied:
        value = parent[name]
        copied[path] = parent[name] = value.copy()
    return copied[path]


def told(fields: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of the named fields that a call has."""
    return {name: fields[name] for name in names if fields.get(name) is not None}


def whole(value: object) -> int | None:
    """A count that is one: a whole number, not negative."""
    return value if type(value) is int and value >= 0 else None
