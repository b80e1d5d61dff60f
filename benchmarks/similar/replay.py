"""One replay: texts are asked in order, each looks for a stored one, and the decider decides.

A hit is not stored, since nobody answered it; all others go to the upstream and are stored. The
outcome of a would-be hit that went to the upstream is the judgement of its pair, where there is
one. Answers that were verified to serve one another form groups, as in the step.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lichen.calls.similar.decision import Decider
from lichen.calls.similar.kinds import REGIONS
from lichen.calls.similar.neighbours import History, Neighbour, around
from lichen.calls.similar.verify import PRIOR, placed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.similar.traffic import Traffic


@dataclass(slots=True)
class Run:
    """What one replay came to: counts of calls, true repeats, hits and wrong hits.

    `late` repeats came after the first hit; `unjudged` hits are of pairs that nobody judged.
    `errors` are the wrong hits, as numbers of texts (stored, asked).
    """

    calls: int = 0
    repeats: int = 0
    late: int = 0
    hits: int = 0
    wrong: int = 0
    unjudged: int = 0
    standing: str = ""
    errors: list[tuple[int, int]] = field(default_factory=list)


class Groups:
    """Which stored texts were verified to serve one another, and how often each did."""

    def __init__(self, count: int) -> None:
        self._up = list(range(count))
        self._own = [[0, 0] for _ in range(count)]
        self._all = [[0, 0] for _ in range(count)]
        self._size = [1] * count

    def of(self, text: int) -> int:
        """The group of a text."""
        while self._up[text] != text:
            self._up[text] = self._up[self._up[text]]
            text = self._up[text]
        return text

    def history(self, text: int) -> History:
        """How often a text's answer and its group's were right and wrong."""
        group = self.of(text)
        right, wrong = self._own[text]
        group_right, group_wrong = self._all[group]
        return History(right, wrong, group_right, group_wrong, self._size[group])

    def verified(self, stored: int, asked: int, *, correct: bool) -> None:
        """Count an outcome; where the answer served, the two are of one group."""
        group, other = self.of(stored), self.of(asked)
        self._own[stored][not correct] += 1
        self._all[group][not correct] += 1
        if correct and other != group:
            self._up[other] = group
            self._size[group] += self._size[other]
            for place in (0, 1):
                self._all[group][place] += self._all[other][place]


def replay(traffic: Traffic, seed: int, delta: float, *, prior: Sequence[float] = PRIOR) -> Run:
    """Replay the texts that are not the prior's, in the order of a seed."""
    lot = random.Random(seed)
    decider = Decider(delta, prior=prior, draw=lot.random, regions=len(REGIONS))
    run = ask(traffic, traffic.asked(seed), decider)
    run.standing = str(decider.standing)
    return run


def ask(
    traffic: Traffic,
    order: Sequence[int],
    decider: Decider,
    heard: Callable[[tuple[float, ...], bool], None] = lambda *_: None,
) -> Run:
    """Ask the texts in order; `heard` is told the features and outcome of each verified one."""
    run, stored, seen = Run(len(order)), bytearray(len(traffic.texts)), set[int]()
    groups = Groups(len(traffic.texts))
    for asked in order:
        if traffic.classes[asked] in seen:
            run.repeats += 1
            run.late += run.hits > 0
        seen.add(traffic.classes[asked])
        near = traffic.near(asked, stored)
        found = next((other for other in near if not other.differs), None)
        if found is None:
            stored[asked] = 1
            continue
        beside = [Neighbour(n.cosine, groups.of(n.text), n.differs) for n in near]
        features = (
            *placed(found.cosine, groups.history(found.text), around(beside)),
            *traffic.worded(found.text, asked),
        )
        kind = traffic.kind(found.text, asked, groups.of(found.text))
        verdict = decider.decide(features, kind)
        correct = traffic.judge(found.text, asked)
        if verdict.accept:
            _count(run, found.text, asked, correct=correct)
            continue
        stored[asked] = 1
        if correct is not None:
            decider.learn(verdict, correct=correct)
            groups.verified(found.text, asked, correct=correct)
            heard(features, correct)
    return run


def _count(run: Run, stored: int, asked: int, *, correct: bool | None) -> None:
    if correct is None:
        run.unjudged += 1
        return
    run.hits += 1
    if not correct:
        run.wrong += 1
        run.errors.append((stored, asked))
