r"""Extract: of a context, the half that serves the question.

    s(u) = b(u)/max b  +  α · c(u)  +  σ · r(u)  +  λ · l(u)
    s'(u) = s(u) + ν · max(s of the pieces beside u)

b   fit by words (words.py)                         0 or more
c   cosine of question and piece, by the embedder, from its median up, scaled to [0, 1]; b again
    where a name or number of the question stands in few pieces: then no model is asked
r   surprise among the pieces, scaled to [0, 1]
l   1 for a line that says error or warning
ν   what answers is often said beside what is asked

Pieces stay by their score, the best first, up to the share of tokens that may stay; they keep their
order, and what went leaves a mark. The first piece stays: it says what the text is.

Source: the constants are measured on the cases of benchmarks/compress.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lichen.calls.compress.lossless import shortened
from lichen.calls.compress.units import units_of
from lichen.calls.compress.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.calls.compress.units import Units
    from lichen.ledger.ports import Embedder
    from lichen.text.tokens import Tokenizer

_ALPHA, _SIGMA, _LAMBDA, _NU = 1.0, 0.35, 0.15, 0.2
_LEVEL = re.compile(r"\b(?:ERROR|WARN(?:ING)?|FATAL|CRITICAL|Exception|Traceback|panic)\b")
# Pieces that one text may have embedded; of more, those that fit worst by words are not. [piece]
_EMBEDDED = 256


class Extract:
    """Keeps the pieces of a text that fit the question by words and by meaning.

    Raises:
        MissingExtra: there is no embedder here.
    """

    name = "extract/1"

    def __init__(self, embedder: Callable[[], Embedder]) -> None:
        self._embedder = embedder()

    def compress(self, text: str, question: str, keep: float, tokenizer: Tokenizer) -> str:
        """The text cut to a share `keep` of the tokens that it has when nothing is lost.

        The text itself where it has no pieces that could go.
        """
        units = units_of(text)
        if units is None:
            return text
        lossless = shortened(text, tokenizer)
        most = keep * (tokenizer.count(text) if lossless is None else lossless.after)
        scores = self._scores(units, question)
        return _fitting(units, scores, most, tokenizer)

    def _scores(self, units: Units, question: str) -> list[float]:
        texts = units.texts
        words = Words(texts)
        fit = _scaled(words.fit(question))
        unlike = _scaled(words.surprise()) if units.kind != "sentences" else [0.0] * len(texts)
        # A name or number of the question that few pieces have finds them without a model.
        near = fit if words.is_found(question) else self._nearness(texts, fit, question)
        own = [
            fit[n] + _ALPHA * near[n] + _SIGMA * unlike[n] + _LAMBDA * bool(_LEVEL.search(text))
            for n, text in enumerate(texts)
        ]
        made = _with_neighbours(own)
        made[0] = max(made) + 1.0
        return made

    def _nearness(self, texts: Sequence[str], fit: Sequence[float], question: str) -> list[float]:
        """How near each piece is to the question by meaning, from 0 for half of them to 1."""
        chosen = [n for n, text in enumerate(texts) if text.strip()]
        if len(chosen) > _EMBEDDED:
            chosen = sorted(sorted(chosen, key=lambda n: -fit[n])[:_EMBEDDED])
        vectors = self._embedder.embed([question, *(texts[n] for n in chosen)])
        cosines = (vectors[1:] @ vectors[0]).tolist()
        middle = sorted(cosines)[len(cosines) // 2] if cosines else 0.0
        top = max(cosines, default=0.0) - middle
        made = [0.0] * len(texts)
        for n, cosine in zip(chosen, cosines, strict=True):
            made[n] = max(0.0, cosine - middle) / top if top > 0 else 0.0
        return made


def _scaled(values: Sequence[float]) -> list[float]:
    most = max(values, default=0.0)
    return [value / most for value in values] if most > 0 else [0.0] * len(values)


def _with_neighbours(scores: Sequence[float]) -> list[float]:
    padded = [0.0, *scores, 0.0]
    return [score + _NU * max(padded[at], padded[at + 2]) for at, score in enumerate(scores)]


def _fitting(units: Units, scores: Sequence[float], most: float, tokenizer: Tokenizer) -> str:
    """The best pieces that fit; written without loss, and counted as they are sent."""
    ranked = sorted(range(len(scores)), key=lambda n: (-scores[n], n))
    sizes = [tokenizer.count(units.texts[n]) + 1 for n in ranked]
    total = sum(sizes)
    share = most / total if total else 1.0
    made = ""
    # What a piece takes among others is known but roughly: a table takes less than its rows, marks
    # of gaps take more. A few trials find how many fit.
    low, high = 0.0, 1.0
    for _ in range(6):
        stay = _first(ranked, sizes, share * total)
        text = _written(units, stay, tokenizer)
        if tokenizer.count(text) <= most:
            made, low = text, share
        else:
            high = share
        if high - low < 0.02:  # noqa: PLR2004 (of the tokens that may stay)
            break
        share = (low + high) / 2
    return made or _written(units, [ranked[0]], tokenizer)


def _first(ranked: Sequence[int], sizes: Sequence[int], room: float) -> list[int]:
    """The first pieces by rank that fit into a room, in the order of the text."""
    stay: list[int] = []
    for n, size in zip(ranked, sizes, strict=True):
        if size <= room or not stay:
            stay.append(n)
            room -= size
    return sorted(stay)


def _written(units: Units, stay: Sequence[int], tokenizer: Tokenizer) -> str:
    text = units.joined(stay)
    made = shortened(text, tokenizer)
    if made is not None:
        text = made.text
    if len(stay) < len(units.texts) and units.kind == "rows":
        text = f"({len(stay)} of {len(units.texts)} rows, those that fit the question)\n{text}"
    return text
