"""Values: some values of a JSON document, taken out as it passes, one in memory at a time.

    {"done": true, "response": {"inlinedResponses": {"inlinedResponses": [A, B]}}}

    ("done",)                                                    true
    ("response", "inlinedResponses", "inlinedResponses", "*")    A, then B

Only what stands around the values is read, so that each may be of any form; whether one is JSON is
seen by whoever takes it.

Source: RFC 8259, "The JavaScript Object Notation (JSON) Data Interchange Format", §2.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    Path = tuple[str, ...]

EACH = "*"
_IN_STRING = re.compile(rb'["\\]')
_OUTSIDE = re.compile(rb'["{}\[\],:]|[^\s"{}\[\],:]+')
# Within a value that is taken, or passed over, only its depth counts.
_WITHIN = re.compile(rb'["{}\[\]]')
_AFTER_LITERAL = re.compile(rb'[\s"{}\[\],:]')
_OPEN, _CLOSE = b"{[", b"}]"
# Deeper than this no value is looked for.
_DEEPEST = 64
_LONGEST_KEY = 128
_NEVER = -1


class Values:
    """Gives each value whose path is `wanted` to `take`; None for one longer than `most` [byte]."""

    def __init__(
        self,
        wanted: Container[Path],
        take: Callable[[Path, bytes | None], None],
        most: float,
    ) -> None:
        self._wanted, self._take, self._most = wanted, take, most
        self._path: list[str] = []
        self._objects: list[bool] = []
        self._depth = 0
        self._in_string = self._escaped = self._at_key = self._in_literal = self._begun = False
        self._key: bytearray | None = None
        # The value that is taken: its path, the depth at which it began, and what has come of it.
        self._taken: Path | None = None
        self._base = _NEVER
        self._held = bytearray()
        self._size = self._from = 0

    def feed(self, chunk: bytes) -> None:
        """Some more bytes.

        Raises:
            InputError: this is no JSON document.
        """
        at, self._from = 0, 0
        while at < len(chunk):
            if self._in_literal:
                at = self._literal(chunk, at)
            elif self._in_string:
                at = self._string(chunk, at)
            else:
                at = self._structure(chunk, at)
        self._hold(chunk, len(chunk))

    def end(self) -> bool:
        """There are no more bytes; whether the document was whole."""
        if self._in_literal:
            self._in_literal, self._from = False, 0
            self._value_ended(b"", 0)
        return self._begun and self._depth == 0 and not self._in_string

    def _structure(self, chunk: bytes, at: int) -> int:
        found = (_WITHIN if self._base >= 0 else _OUTSIDE).search(chunk, at)
        if found is None:
            return len(chunk)
        mark, at = found[0], found.start()
        if mark == b'"':
            self._string_begins(at)
        elif mark in _OPEN:
            self._value_begins(at)
            self._opens(is_object=mark == b"{")
        elif mark in _CLOSE:
            self._closes(chunk, at + 1)
        elif mark == b",":
            self._at_key = bool(self._objects) and self._objects[-1]
        elif mark == b":":
            self._at_key = False
        else:
            self._value_begins(at)
            self._in_literal = True
            return at
        return at + 1

    def _literal(self, chunk: bytes, at: int) -> int:
        """A number, true, false or null: it ends where it cannot go on."""
        found = _AFTER_LITERAL.search(chunk, at)
        if found is None:
            return len(chunk)
        self._in_literal = False
        self._value_ended(chunk, found.start())
        return found.start()

    def _string_begins(self, at: int) -> None:
        self._in_string = True
        if self._base >= 0:
            return
        if self._at_key:
            self._key = bytearray()
        else:
            self._value_begins(at)

    def _string(self, chunk: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            self._keyed(chunk[at : at + 1])
            return at + 1
        found = _IN_STRING.search(chunk, at)
        end = found.start() if found is not None else len(chunk)
        self._keyed(chunk[at:end])
        if found is None:
            return end
        if found[0] == b"\\":
            self._escaped = True
            self._keyed(b"\\")
        else:
            self._in_string = False
            self._string_ended(chunk, end + 1)
        return end + 1

    def _keyed(self, piece: bytes) -> None:
        if self._key is not None and len(self._key) <= _LONGEST_KEY:
            self._key += piece

    def _string_ended(self, chunk: bytes, end: int) -> None:
        key, self._key = self._key, None
        if key is not None:
            self._path[-1] = key.decode("utf-8", "replace")
        else:
            self._value_ended(chunk, end)

    def _value_begins(self, at: int) -> None:
        self._begun = True
        if self._base >= 0:
            return
        path = tuple(self._path)
        if path in self._wanted:
            self._taken, self._base, self._from = path, self._depth, at
            self._held, self._size = bytearray(), 0

    def _value_ended(self, chunk: bytes, end: int) -> None:
        if self._base != self._depth:
            return
        self._hold(chunk, end)
        path, self._taken, self._base = self._taken, None, _NEVER
        assert path is not None
        held, self._held = bytes(self._held), bytearray()
        self._take(path, held if self._size <= self._most else None)

    def _hold(self, chunk: bytes, end: int) -> None:
        """Keep what came of the value that is taken."""
        if self._base < 0:
            return
        self._size += end - self._from
        if self._size <= self._most:
            self._held += chunk[self._from : end]
        else:
            self._held.clear()
        self._from = end

    def _opens(self, *, is_object: bool) -> None:
        self._depth += 1
        if self._base >= 0:
            return
        if self._depth > _DEEPEST:
            raise InputError(f"a document that is nested deeper than {_DEEPEST}")
        self._objects.append(is_object)
        self._path.append("" if is_object else EACH)
        self._at_key = is_object

    def _closes(self, chunk: bytes, end: int) -> None:
        self._depth -= 1
        if self._depth < 0:
            raise InputError("a document that closes more than it opens")
        if self._base < 0:
            self._objects.pop()
            self._path.pop()
            self._at_key = False
        else:
            self._value_ended(chunk, end)
