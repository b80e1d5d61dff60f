"""Reading: results as they pass, whole or not; what was used is known at their end and not before.

reading.feed(chunk) …  reading.end() → Uses, or None where they are no whole results
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from lichen.calls.batch.fetched.lines import Lines
from lichen.calls.batch.fetched.said import SAID
from lichen.calls.batch.fetched.uses import Use, Uses
from lichen.calls.batch.fetched.values import EACH, Values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.batch.fetched.paths import Which

TOO_LONG = "batch-line-too-long"
UNREADABLE = "batch-line-unreadable"
# Lines of one batch: twice as many as the largest takes.
# Source: Anthropic API reference, "Message Batches" (100,000 requests); OpenAI, "Batch" (50,000).
MOST = 200_000
# The ids that lichen gives to what it puts into a provider's batch itself.
_OURS = re.compile(r"(?:dfr|batch_req)_[0-9a-f]{32}")
# The first of them tell whose batch it is.
_TOLD = 100


class NoResults(Exception):  # noqa: N818 (named for what it is)
    """What passes are no results of a batch, and nothing is to be booked of it."""


class TooMany(Exception):  # noqa: N818 (as above)
    """More results than can be held."""


class Reading(Protocol):
    """Reads results."""

    @property
    def ours(self) -> list[str]:
        """Ids of lichen's own calls among them, some of many."""
        ...

    def feed(self, chunk: bytes) -> None:
        """Some more bytes.

        Raises:
            NoResults: these are none.
            TooMany: these are too many.
        """
        ...

    def end(self) -> Uses | None:
        """What they used, once all has passed; None where they are not whole.

        Raises:
            NoResults: these are none.
        """
        ...


def reading_of(which: Which, most: float) -> Reading:
    """What reads those results; a line has at most `most` bytes."""
    return Whole(which.provider, most) if which.whole else ByLine(which.provider, most)


class _Counted:
    """The uses of the lines that passed; `known` says that they are surely results."""

    def __init__(self, provider: str, most_lines: int, *, known: bool) -> None:
        self._said, self._most = SAID[provider], most_lines
        self.known = known
        self.uses = Uses()
        self.ours: list[str] = []
        self.lines = 0

    def add(self, place: int, line: bytes | None) -> None:
        """Take one; None is one that was too long.

        Raises:
            NoResults: it is the first that can be read, and none of results.
            TooMany: it is one too many.
        """
        self.lines += 1
        if self.lines > self._most:
            raise TooMany
        if line is None:
            self.uses.add(place, Use("other", "", gap=TOO_LONG))
            return
        said = _object(line)
        if said is None or not self._said.is_line(said):
            if not self.known:
                raise NoResults
            self.uses.add(place, Use("other", "", gap=UNREADABLE))
            return
        self.known = True
        self._note_ours(said)
        if (use := self._said.use(said)) is not None:
            self.uses.add(place, use)

    def _note_ours(self, said: Mapping[str, Any]) -> None:
        name = said.get("custom_id") or said.get("key")
        if name is None and isinstance(metadata := said.get("metadata"), dict):
            name = metadata.get("key")
        if isinstance(name, str) and len(self.ours) < _TOLD and _OURS.fullmatch(name):
            self.ours.append(name)


class ByLine:
    """A file of lines."""

    def __init__(self, provider: str, most: float, *, most_lines: int = MOST) -> None:
        self._read = _Counted(provider, most_lines, known=False)
        self._lines = Lines(self._read.add, most)
        self._begun = False

    @property
    def ours(self) -> list[str]:
        """Ids of lichen's own calls."""
        return self._read.ours

    def feed(self, chunk: bytes) -> None:
        """Some more bytes."""
        if not self._begun and (first := chunk.lstrip(b"\xef\xbb\xbf \r\n\t")):
            self._begun = True
            if not first.startswith(b"{"):
                raise NoResults
        self._lines.feed(chunk)

    def end(self) -> Uses | None:
        """What they used; a last line that breaks off says that more was to come."""
        last = self._lines.end()
        if last is not None:
            place, line = last
            if line is not None and not _is_json(line):
                return None
            self._read.add(place, line)
        if not self._read.known:
            raise NoResults
        return self._read.uses


_ROOTS = (("response",), ("metadata", "output"))
_LISTS = ("inlinedResponses", "inlinedEmbedContentResponses")
_DONE, _MODEL = ("done",), ("metadata", "model")
_EACH = {(*root, name, "inlinedResponses", EACH): root for root in _ROOTS for name in _LISTS}
_WANTED = frozenset((_DONE, _MODEL, *_EACH))


class Whole:
    """A batch of Gemini's with its results within; they stand there once, or twice the same."""

    def __init__(self, provider: str, most: float, *, most_lines: int = MOST) -> None:
        self._by_root = {root: _Counted(provider, most_lines, known=True) for root in _ROOTS}
        self._values = Values(_WANTED, self._take, most)
        self._done = False
        self._model = ""

    @property
    def ours(self) -> list[str]:
        """Ids of lichen's own calls, where the provider gives back the keys of requests."""
        return [name for read in self._by_root.values() for name in read.ours]

    def feed(self, chunk: bytes) -> None:
        """Some more bytes."""
        self._values.feed(chunk)

    def end(self) -> Uses | None:
        """What they used, if the batch has ended."""
        if not self._values.end() or not self._done:
            return None
        read = next((read for read in self._by_root.values() if read.lines), None)
        if read is None:
            raise NoResults
        read.uses.model = self._model
        return read.uses

    def _take(self, path: tuple[str, ...], value: bytes | None) -> None:
        if path in _EACH:
            read = self._by_root[_EACH[path]]
            read.add(read.lines + 1, value)
        elif path == _DONE:
            self._done = value == b"true"
        elif value is not None:
            self._model = str(orjson.loads(value)).removeprefix("models/")


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        made = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return made if isinstance(made, dict) else None
