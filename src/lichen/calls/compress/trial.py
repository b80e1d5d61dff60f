r"""Trial: is an answer bad more often where prompts are shortened? Asked after every answer.

    D_k = mean(bad, treated since the last held one) − bad(k-th held)      in [−1, 1]
    W_k = W_{k−1} · (1 + λ_k · (D_k − m))                                  W_0 = 1
    λ_k = min(c / (1 + |m|), max(0, (D̄_{k−1} − m) / (V_{k−1} + (D̄_{k−1} − m)²)))

bad      an answer with a sign of failure (signs.py)                        0 or 1
D̄, V     mean and variance of the differences before the k-th, shrunk to 0 and ¼
m        what is doubted: that D is at most m on average
c        ½, so that no single answer can take everything

Where m holds, W is a non-negative supermartingale, so that W ever reaches 1/α has a probability of
at most α, however often one looks (Ville). Two doubts are held at once:

    harm     m = 0:       rejected, shortened prompts do have worse answers: compression turns off
    safety   −D, m = −μ:  rejected, D is below the margin μ: compression is no worse

The holdout is drawn by conversation; the differences count as independent, which long conversations
bend (they make a bad one count more often): docs/method/compress.md says by how much.

Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS-B
86 (2024), 1-27, aGRAPA; Ville (1939).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# The most of its wealth that a bet may lose.
_CAUTION = 0.5
# What is supposed of the differences before there are any: one of mean 0 and this variance.
_VARIANCE = 0.25
# Wealth does not sink below this, so that harm that begins late is still found. What the floor adds
# is less than 0.001 in a million answers.
_FLOOR = 1e-9


@dataclass(slots=True)
class Bet:
    """One doubt: that the mean is at most `most`. `wealth` is the evidence against it."""

    most: float
    wealth: float = 1.0
    peak: float = 1.0
    count: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def see(self, value: float) -> None:
        """One more difference, in [−1, 1]."""
        mean = self.total / (self.count + 1)
        variance = (_VARIANCE + self.squares) / (self.count + 1)
        edge = mean - self.most
        stake = max(0.0, edge / (variance + edge * edge)) if edge else 0.0
        stake = min(stake, _CAUTION / (1 + abs(self.most)))
        self.wealth = max(_FLOOR, self.wealth * (1 + stake * (value - self.most)))
        self.peak = max(self.peak, self.wealth)
        self.count += 1
        self.total += value
        self.squares += (value - self.total / (self.count + 1)) ** 2


@dataclass(slots=True)
class Arm:
    """How many answers, and how many of them bad."""

    count: int = 0
    bad: int = 0

    @property
    def share(self) -> float:
        """The share of bad answers; 0 where there are none at all."""
        return self.bad / self.count if self.count else 0.0


@dataclass(slots=True)
class Trial:
    """The trial of one route. `margin` is μ, `error` α."""

    margin: float
    error: float
    treated: Arm = field(default_factory=Arm)
    held: Arm = field(default_factory=Arm)
    since: Arm = field(default_factory=Arm)
    harm: Bet = field(default_factory=lambda: Bet(0.0))
    safety: Bet = field(default_factory=lambda: Bet(0.0))

    def __post_init__(self) -> None:
        """Doubt that it is safe by the margin."""
        self.safety.most = -self.margin

    def see(self, *, bad: bool, held: bool) -> None:
        """One more answer."""
        arm = self.held if held else self.treated
        arm.count += 1
        arm.bad += bad
        if not held:
            self.since.count += 1
            self.since.bad += bad
        elif self.since.count:
            difference = self.since.share - bad
            self.since = Arm()
            self.harm.see(difference)
            self.safety.see(-difference)

    @property
    def failed(self) -> bool:
        """Whether it is shown that shortened prompts have worse answers."""
        return self.harm.peak >= 1 / self.error

    @property
    def passed(self) -> bool:
        """Whether it is shown that they are no worse, by the margin."""
        return self.safety.peak >= 1 / self.error

    def kept(self) -> dict[str, Any]:
        """What must outlive the process, as JSON holds it."""
        return {
            "treated": [self.treated.count, self.treated.bad],
            "held": [self.held.count, self.held.bad],
            "harm": _bet(self.harm),
            "safety": _bet(self.safety),
        }

    @classmethod
    def again(cls, margin: float, error: float, kept: dict[str, Any]) -> Trial:
        """The trial that was kept.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        return cls(
            margin,
            error,
            Arm(*map(int, kept["treated"])),
            Arm(*map(int, kept["held"])),
            harm=Bet(0.0, *map(float, kept["harm"])),
            safety=Bet(-margin, *map(float, kept["safety"])),
        )


def _bet(bet: Bet) -> list[float]:
    return [bet.wealth, bet.peak, bet.count, bet.total, bet.squares]
