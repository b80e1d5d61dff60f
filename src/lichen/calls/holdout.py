"""Holdout: calls left alone at random, so that what a strategy spares can be measured.

    avoided per call = mean energy of the held calls − mean energy of the treated ones

A baseline says what a call would have used; a randomised holdout shows it. Of the calls a strategy
would act on, a share is passed on untouched; both arms are booked as trials (trials.py), and the
report sets their means side by side.

Source: Kohavi, Tang, Xu, "Trustworthy Online Controlled Experiments", Cambridge 2020, chapter 17.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lichen.calls.option import share

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Exchange


@dataclass(frozen=True, slots=True)
class HoldoutOptions:
    """The share of calls that each strategy leaves alone, to be measured against."""

    share: float = field(default=0.02, metadata=share(most=0.5))


class Holdout:
    """Draws, once for each call and strategy, whether the strategy leaves the call alone."""

    def __init__(self, options: HoldoutOptions, draw: Callable[[], float] = random.random) -> None:
        self._share = options.share
        self._draw = draw

    def keeps(self, strategy: str, exchange: Exchange) -> bool:
        """Whether this call is held out of a strategy that would act on it.

        The draw is remembered, so that asking twice gives one answer.
        """
        if not self._share:
            return False
        held = exchange.held.get(strategy)
        if held is None:
            held = exchange.held[strategy] = self._draw() < self._share
        return held
