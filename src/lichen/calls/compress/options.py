"""What compression can be told: the table [compress]."""

from __future__ import annotations

from dataclasses import dataclass, field

from lichen.calls.option import SIZES, choices, share, unit, whole


@dataclass(frozen=True, slots=True)
class CompressOptions:
    """How prompts are shortened where a route says `compress`.

    Attributes:
        keep: of a text's tokens, the share that a lossy selection keeps.
        least: a text with fewer tokens is left alone. [token]
        question: "documents": documents of JSON beside the words of a question, in the same message
            or in one of the user's right beside it, are shortened, too;
            "whole": the question is not touched.
        history: "keep", or "collapse": what tools said long ago is taken out.
        recent: the model's last turns, whose tools' output is never taken out.
        compressor: what selects where a route says "lossy", by the name of its entry point.
        margin: how much more often an answer may be bad for compression to count as no worse.
        error: how often compression that does no harm may be turned off, or harm be missed.
        rearm: another word than before gives routes that were turned off another trial.
        memory: what is remembered of texts that were shortened. [byte]
    """

    keep: float = field(default=0.5, metadata=share(least=0.05, most=0.95))
    least: int = field(default=64, metadata=whole(16, 2**20))
    question: str = field(default="documents", metadata=choices("documents", "whole"))
    history: str = field(default="keep", metadata=choices("keep", "collapse"))
    recent: int = field(default=10, metadata=whole(1, 1000))
    compressor: str = "extract"
    margin: float = field(default=0.05, metadata=share(most=0.5))
    error: float = field(default=0.05, metadata=share(least=0.0001, most=0.5))
    rearm: str = ""
    memory: float = field(default=32e6, metadata=unit(SIZES))
