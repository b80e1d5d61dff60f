"""Budget: one [[gate.budget]] as it is written: for whom, how much, and over what time."""

from __future__ import annotations

from dataclasses import dataclass, field

from lichen.calls.gate.period import PERIODS
from lichen.calls.gate.rule import check_name, check_zone
from lichen.calls.kinds import kinds
from lichen.calls.option import choices, share, unit, whole

_MANY = {"k": 1e3, "M": 1e6, "G": 1e9}
_WATT_HOURS = {"mWh": 1e-3, "Wh": 1.0, "kWh": 1e3, "MWh": 1e6}
_GRAMS = {"mg": 1e-3, "g": 1.0, "kg": 1e3, "t": 1e6}
QUANTITIES = ("tokens", "energy", "carbon", "money")
_CODE_LENGTH = 3


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget as written: tokens, energy [Wh], carbon [gCO₂e] or money [currency] per period.

    It counts apart for `each` tenant, for each project (of each tenant), or for all together.
    `zone` is the time zone of its hours, days and months; `soft` the share from which answers bear
    a warning.
    """

    name: str = ""
    route: str = field(default="*", metadata=kinds())
    model: str = "*"
    tenant: str = "*"
    project: str = "*"
    each: str = field(default="tenant", metadata=choices("tenant", "project", "all"))
    per: str = field(default="day", metadata=choices(*PERIODS))
    zone: str = "UTC"
    tokens: float = field(default=0.0, metadata=unit(_MANY, above_zero=True))
    energy: float = field(default=0.0, metadata=unit(_WATT_HOURS, above_zero=True))
    carbon: float = field(default=0.0, metadata=unit(_GRAMS, above_zero=True))
    money: float = field(default=0.0, metadata=unit({}, above_zero=True))
    currency: str = "USD"
    soft: float = field(default=0.8, metadata=share())
    # Keys that one budget keeps apart; those beyond share one count.
    most: int = field(default=10_000, metadata=whole(1, 1_000_000))
    mode: str = field(default="on", metadata=choices("on", "dry"))

    @property
    def period(self) -> str:
        """How long it holds, as people say it: an hour, a day."""
        return f"{'an' if self.per == 'hour' else 'a'} {self.per}"

    @property
    def of(self) -> str:
        """What it limits: tokens, energy, carbon or money."""
        return next((name for name in QUANTITIES if getattr(self, name)), "")

    @property
    def limit(self) -> float:
        """How much. [token, Wh, gCO₂e or currency]"""
        return float(getattr(self, self.of))

    @property
    def unit(self) -> str:
        """What `limit` is counted in."""
        units = {"tokens": "tokens", "energy": "Wh", "carbon": "gCO2e", "money": self.currency}
        return units[self.of]

    def check(self) -> str:
        """What does not go together, with the way out; empty where all does."""
        given = [name for name in QUANTITIES if getattr(self, name)]
        if len(given) != 1:
            said = " and ".join(given) or "nothing"
            return f"it limits {said}: give one of {', '.join(QUANTITIES)}"
        if len(self.currency) != _CODE_LENGTH or not self.currency.isupper():
            return f"currency {self.currency!r} is no ISO 4217 code such as USD"
        return check_name(self.name) or check_zone(self.zone)
