"""After a flood: easy repeats of a few questions first, then the questions of the pairs.

The flood asks each of some real questions again with a few words before or behind it, thousands of
times, and every stored answer serves. None of that says anything of the paraphrases that follow.
The wordings were written before anybody looked at what they do, and are used for nothing else.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from benchmarks.similar.replay import Groups, Run, ask
from lichen.calls.similar.decision import Decider
from lichen.calls.similar.guards import differ
from lichen.calls.similar.kinds import kind_of
from lichen.calls.similar.neighbours import Around
from lichen.calls.similar.verify import PRIOR, placed, worded

if TYPE_CHECKING:
    from benchmarks.similar.traffic import Traffic

_WORDINGS: Final = (
    "Please, {}",
    "So {}",
    "Well, {}",
    "Just {}",
    "And {}",
    "But {}",
    "{} please",
    "{} then",
    "Now, {}",
    "Then {}",
)
_QUESTIONS: Final = 400
_REPEATS: Final = 5000
# What MiniLM gives such wordings, about. [1]
_COSINES: Final = (0.94, 0.99)


def after_flood(traffic: Traffic, seed: int, delta: float, *, regions: int) -> Run:
    """The replay of questions after a flood: its own hits alone, none of the flood's."""
    lot = random.Random(seed)
    decider = Decider(delta, prior=PRIOR, draw=lot.random, regions=regions)
    order = traffic.asked(seed)
    groups = Groups(len(traffic.texts))
    for _ in range(_REPEATS):
        stored = order[lot.randrange(_QUESTIONS)]
        text = traffic.texts[stored]
        asked = lot.choice(_WORDINGS).format(text[0].lower() + text[1:])
        if differ(text, asked) is not None:
            continue
        cosine = lot.uniform(*_COSINES)
        features = (*placed(cosine, groups.history(stored), Around()), *worded(text, asked))
        verdict = decider.decide(features, kind_of(text, asked, stored.to_bytes(4)))
        if not verdict.accept:
            decider.learn(verdict, correct=True)
    return ask(traffic, order[_QUESTIONS:], decider)
