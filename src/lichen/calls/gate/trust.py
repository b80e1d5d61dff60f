"""Trust: when a smaller model's answer may be given, as its agreement with the large one taught.

    features → score (learnt online) → threshold certified at the asked share of wrong answers

The decision is that of similar prompts (`lichen.calls.similar.decision`), with answers of a smaller
model in the place of stored ones: a share of its answers above the threshold is compared with the
large model's all the same, all below it are, and the bound holds at any time, or no answer is
given. What it learnt is kept beside the ledger's file, so that a restart does not begin anew.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from math import log1p
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.calls import learnt_file
from lichen.calls.similar.decision import Decider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lichen.calls.gate.small import Cascade
    from lichen.calls.similar.decision import Verdict

# Weights of the score before anything was learnt: the constant's, then as `features` has them. They
# only say where evidence is looked for first; what may be given, evidence alone decides.
_PRIOR = (5.0, 1.0, 1.0, -3.0, -1.0, -1.0)
# Lengths are told in units of so many characters.
_LONG = 400.0
# Small models say so where they cannot; such an answer is never given.
_REFUSALS = re.compile(
    r"\b(?:as an ai|i(?:'m| am) (?:sorry|unable|not able)|i (?:cannot|can't|do(?:n't| not) know)|"
    r"cannot (?:help|assist|answer)|not sure)\b",
    re.IGNORECASE,
)


class Said(NamedTuple):
    """What a smaller model answered: its text, and how sure it seemed.

    `agrees` is whether its second answer was the same, None where it was asked once; `logprob` the
    mean natural logarithm of its tokens' probabilities, None where they were not given.
    """

    text: str
    question: str
    agrees: bool | None = None
    logprob: float | None = None

    @property
    def gives_up(self) -> bool:
        """Whether it says that it cannot answer, or says nothing."""
        return not self.text.strip() or _REFUSALS.search(self.text[:400]) is not None


def features(said: Said) -> tuple[float, ...]:
    """Numbers about an answer, for the score: all about -1 to 1.

    Whether it agrees with itself, its probability, the lengths of question and answer, and how much
    of the question is numbers.
    """
    question = said.question
    digits = sum(map(str.isdigit, question)) / max(1, len(question))
    return (
        0.0 if said.agrees is None else (1.0 if said.agrees else -1.0),
        0.0 if said.logprob is None else max(-1.0, 1 + said.logprob),
        min(1.0, log1p(len(question) / _LONG)),
        min(1.0, log1p(len(said.text) / _LONG)),
        min(1.0, 5 * digits),
    )


class Trust:
    """One cascade's trust in its smaller model; `file` keeps what it learnt, where there is one."""

    def __init__(self, table: Cascade, file: Path | None) -> None:
        self.table = table
        self._file = file
        # What would make the same answers mean something else.
        told = (table.small, table.upstream, table.model, table.same, table.overlap, table.samples)
        self._name = hashlib.sha256(repr((told, table.error)).encode()).hexdigest()[:16]
        self.decider = Decider(table.error, prior=_PRIOR, share=max(0.02, table.explore / 2))
        self._restore()

    @property
    def is_certified(self) -> bool:
        """Whether any answer of the smaller model may be given."""
        return self.decider.certified

    def decide(self, said: Said) -> Verdict:
        """What to do with an answer."""
        return self.decider.decide(features(said))

    def learn(self, verdict: Verdict, *, same: bool, weight: float | None = None) -> None:
        """The large model answered too."""
        self.decider.learn(verdict, correct=same, weight=weight)

    def _restore(self) -> None:
        state = learnt_file.read(self._file).get(self._name)
        if state:
            self.decider.restore(state)

    def save(self) -> None:
        """Keep what was learnt; what cannot be written is learnt again."""
        if self._file is None:
            return
        held = {**learnt_file.read(self._file), self._name: self.decider.state()}
        with suppress(OSError):
            learnt_file.write(self._file, held)


def mean_logprob(answer: Mapping[str, Any]) -> float | None:
    """Mean log probability of the tokens of a whole chat completion that gives them.

    Source: OpenAI API reference, `choices[].logprobs.content[].logprob`.
    """
    choices = answer.get("choices")
    first = choices[0] if type(choices) is list and choices else None
    inner = first.get("logprobs") if type(first) is dict else None
    rows: Sequence[Any] = (inner.get("content") or ()) if type(inner) is dict else ()
    values = [row["logprob"] for row in rows if type(row) is dict and "logprob" in row]
    return sum(values) / len(values) if values else None
