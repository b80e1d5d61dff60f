"""Compressor: makes one text of a context shorter; the port through which others' come in.

Lossless ways come first and always run; a `Compressor` by entry point ("lichen.compressor") then
selects what stays, where a route says "lossy". It is told the question that the text serves, which
is the one of the text's own turn, so that the same text is cut the same way in every later call.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from lichen.calls.compress.blocks import Said
from lichen.calls.compress.lossless import (
    first_shorter,
    has_marks,
    short_document,
    shortened,
    with_short_documents,
)
from lichen.calls.compress.prompt import CONTEXT, DOCUMENT, Change
from lichen.calls.compress.stale import notice

if TYPE_CHECKING:
    from lichen.calls.compress.lossless import Made
    from lichen.calls.compress.memory import Memory
    from lichen.calls.compress.options import CompressOptions
    from lichen.calls.compress.prompt import Place
    from lichen.text.tokens import Tokenizer

# No text of so few characters has as many tokens as the least that is looked at. [character]
_PER_TOKEN = 2


class Compressor(Protocol):
    """Selects what of a text stays. Made with the house's embedder, opened when first asked for.

    The same text, question and budget always give the same result.
    """

    name: str

    def compress(self, text: str, question: str, keep: float, tokenizer: Tokenizer) -> str:
        """The text cut to a share `keep` of its tokens, or a little more; never longer.

        Raises:
            LichenError: it cannot work here, with the way out.
        """
        ...


class Shortening:
    """Shortens the texts of one call, in their order.

    `compressor` is None where nothing may be lost; `out` are the chains of texts that are taken out
    altogether.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        options: CompressOptions,
        memory: Memory,
        compressor: Compressor | None = None,
        out: frozenset[bytes] = frozenset(),
    ) -> None:
        self._tokenizer, self._options, self._memory = tokenizer, options, memory
        self._compressor, self._out = compressor, out
        self._said = Said()

    def left(self, place: Place) -> None:
        """This text goes on as it is."""
        self._said.heard(place.text)

    def shortened(self, place: Place) -> Change | None:
        """What becomes of a text; None where it goes on as it is."""
        made: Made | None = None
        is_context = place.use == CONTEXT
        if len(place.text) >= _PER_TOKEN * self._options.least:
            made = self._made(place)
        text = place.text if made is None else made.text
        if not is_context or has_marks(place.text):
            self._said.heard(text)
        else:
            referring = self._said.referring(text)
            if referring != text:
                made = first_shorter(place.text, (referring,), self._tokenizer) or made
        if made is None:
            return None
        return Change(place.path, made.text, made.before, made.after)

    def _made(self, place: Place) -> Made | None:
        if place.chain in self._out:
            return first_shorter(place.text, (notice(place.text),), self._tokenizer)
        selects = self._compressor is not None and place.use == CONTEXT
        key = (
            place.text.encode("utf-8", "surrogatepass"),
            self._tokenizer.name.encode(),
            place.use.encode(),
            place.question.encode("utf-8", "surrogatepass") if selects else b"",
        )
        return self._memory.made(
            tuple(blake2b(part, digest_size=16).digest() for part in key),
            lambda: self._make(place, selects=selects),
        )

    def _make(self, place: Place, *, selects: bool) -> Made | None:
        made: Made | None = None
        if place.use != CONTEXT:
            if self._options.question != "whole":
                way = short_document if place.use == DOCUMENT else with_short_documents
                made = way(place.text, self._tokenizer)
        elif not selects or (made := self._selected(place)) is None:
            made = shortened(place.text, self._tokenizer)
        return made if made is not None and made.before >= self._options.least else None

    def _selected(self, place: Place) -> Made | None:
        assert self._compressor is not None
        if not place.question.strip():
            return None
        keep = self._options.keep
        made = self._compressor.compress(place.text, place.question, keep, self._tokenizer)
        return first_shorter(place.text, (made,), self._tokenizer)
