"""Dialect: what lichen asks of a wire format, so that no step need know one.

A dialect reads calls and answers of its provider and writes lichen's own words in the provider's
shape. It never changes what passes: bytes go on as they came. All of it is pure, and bears any
bytes: a reader says what it could read, and refuses with `InputError` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.exchange import Call
    from lichen.calls.providers.marks import Marks
    from lichen.calls.providers.view import Path, View
    from lichen.ledger.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Told:
    """An answer in lichen's own words, ready to be sent."""

    content_type: bytes
    body: bytes


class Dialect(Protocol):
    """A provider's wire format. `kind` is what a call asks for, such as "chat.completions".

    `embeds` names the kinds that give vectors and write nothing.
    """

    @property
    def name(self) -> str:
        """The provider's name, as the book and settings have it: "openai"."""
        ...

    @property
    def embeds(self) -> frozenset[str]:
        """The kinds of calls that give vectors and write no token."""
        ...

    @property
    def marks(self) -> Marks | None:
        """How a call says which prefix is to be kept; None where the provider keeps unasked."""
        ...

    def read_call(self, kind: str, target: bytes, body: bytes) -> Call:
        """What a request asks: its target, as the provider knows it, and its body.

        Raises:
            InputError: the body is not a JSON object.
        """
        ...

    def canonical(self, kind: str, fields: Mapping[str, Any]) -> bytes:
        """Everything in the fields that changes an answer, one way to write it.

        Raises:
            TypeError: it cannot be written down again: it is nested too deep.
        """
        ...

    def view(self, call: Call) -> View:
        """The texts of a call and where they stand."""
        ...

    def limit(self, call: Call) -> int | None:
        """`view(call).limit` alone, for what looks at every call: the most tokens to be written."""
        ...

    def with_texts(self, fields: Mapping[str, Any], texts: Mapping[Path, Any]) -> dict[str, Any]:
        """The fields with other texts, or other values, at some places: see `view.put`."""
        ...

    def answer_text(self, kind: str, body: bytes) -> str:
        """The text of an answer, whole or streamed; empty where it has none."""
        ...

    def calls_tools(self, kind: str, body: bytes) -> bool:
        """Whether an answer, whole or streamed, asks the client to run a tool."""
        ...

    def answer_with(self, call: Call, text: str, answer_id: str = "") -> Told:
        """An answer to a call in lichen's own words, streamed where the call asks for a stream.

        `answer_id` is the id it has, so that the body names the entry as the header does; a new
        one where none is given.

        Raises:
            InputError: the call's kind has no answer in words, such as embeddings.
        """
        ...

    def usage(self, kind: str, answer: Mapping[str, Any]) -> Tokens | None:
        """Token counts of a whole answer, None where it has none that make sense."""
        ...

    def stream_usage(self, kind: str, head: bytes, tail: bytes) -> Tokens | None:
        """Token counts of a stream by its first and last bytes (which may overlap), or None."""
        ...

    def is_sound(self, kind: str, answer: Mapping[str, Any]) -> bool:
        """Whether a whole answer is one, and complete."""
        ...

    def ended_well(self, kind: str, stream: bytes) -> bool:
        """Whether a stream, of which only the end need be given, came to its own end."""
        ...

    def answers(self, fields: Mapping[str, Any]) -> int:
        """How many answers a call asks for, at least 1."""
        ...

    def reads_elsewhere(self, fields: Mapping[str, Any], request: bytes) -> bool:
        """Whether input may come from where the request's bytes do not show it."""
        ...

    def error_body(self, status: int, message: str, code: str) -> bytes:
        """An error of lichen's, so that the provider's clients raise their own exceptions."""
        ...

    def error_frame(self, status: int, message: str, code: str) -> bytes:
        """The same in the midst of a stream."""
        ...
