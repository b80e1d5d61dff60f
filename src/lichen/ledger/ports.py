"""Ports: the protocols through which strategies, meters, grids and stores meet.

Nothing here imports a strategy, a meter or a grid; `lichen.assemble` joins them. A stranger's
implementation needs only to keep a protocol and pass its contract in `lichen.testing`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    import numpy as np
    from numpy.typing import NDArray

    from lichen.ledger.entry import Entry
    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Carbon, Energy
    from lichen.ledger.recompute import Pricing, Revision
    from lichen.ledger.rollup import Period, Totals
    from lichen.ledger.signal import GridSignal
    from lichen.ledger.tokens import Tokens
    from lichen.ledger.window import Reserved, Window


class Meter(Protocol):
    """Reads energy."""

    def read(self) -> Estimate[Energy]:
        """Energy used since the meter was made; never decreases. [J]

        Raises:
            MeterUnavailable: it can no longer be read.
        """
        ...


class WindowMeter(Protocol):
    """Reads all that a measured window may spend; its stands are split among open windows.

    `within_s` is how often it must be read at least [s], None where that does not matter; `faults`
    counts the failed readings.
    """

    method: str
    within_s: float | None
    faults: int

    def stand(self) -> tuple[float, ...]:
        """Where all it reads stands now, seconds first; never decreases, never raises."""
        ...

    def failed_since(self, faults: int) -> tuple[str, ...]:
        """What failed to be read since there had been so many faults, by name."""
        ...

    def raw(
        self, spent: Sequence[float], reserved: Reserved | None
    ) -> tuple[dict[str, float | str], tuple[str, ...]]:
        """Raw quantities for a difference of two stands, and what could not be known."""
        ...


@dataclass(frozen=True, slots=True)
class CallReading:
    """What one call to a model used, by model: energy at the wall, and embodied carbon.

    `gaps` name what had to be assumed, such as "model-unknown". `factors` are the version of the
    tables, where the method's own do not say it. `pue` is the PUE that the energy holds where a
    data centre was assumed; 0 where none was. [1]
    """

    energy: Estimate[Energy]
    embodied: Estimate[Carbon]
    gaps: tuple[str, ...] = ()
    factors: str = ""
    pue: float = 0.0

    def times(self, scale: float) -> CallReading:
        """So many times as much."""
        return replace(self, energy=self.energy * scale, embodied=self.embodied * scale)


class CallMeter(Protocol):
    """Prices a model call from its tokens."""

    method: str
    factors: str

    def read(self, model: str, tokens: Tokens) -> CallReading:
        """Energy [J] and embodied carbon [gCO₂e] of one call."""
        ...


class IntensitySource(Protocol):
    """Knows a grid's carbon intensity."""

    def intensity(self, zone: str, window: Window) -> GridSignal:
        """Carbon intensity of a zone over a window. [gCO₂e/kWh]

        Raises:
            UnknownZone: no such zone.
            SignalUnavailable: not for that window.
        """
        ...


class ForecastSource(Protocol):
    """Forecasts a grid's carbon intensity."""

    def forecast(
        self, zone: str, horizon: timedelta, *, issued_at: datetime | None = None
    ) -> GridSignal:
        """Carbon intensity of a zone from now, or from `issued_at`, over a horizon. [gCO₂e/kWh]

        The signal covers the whole horizon, and its `issued_at` says when it was made: nothing
        that was known only later is in it.

        Raises:
            UnknownZone: no such zone.
            SignalUnavailable: no forecast of it, or none that far.
        """
        ...


class Embedder(Protocol):
    """Gives texts as unit vectors, so that near vectors are like texts. Safe among threads.

    `name` tells its vectors from those of any other embedder: they never mix.
    """

    name: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of texts, (n, dimension); the same text always has the same one."""
        ...

    def is_whole(self, text: str) -> bool:
        """Whether it reads the whole text, and no part of it is cut off."""
        ...


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that should be in the book and is not: what, how many, and when first and last."""

    what: str
    count: int
    first: datetime
    last: datetime


class Store(Protocol):
    """Keeps the book. Append-only: nothing written is changed, a correction is a new revision.

    Safe to share among threads. After `append` returns, the entries survive kill -9.
    """

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries and their roll-ups, all or none. The same entry twice counts once.

        Raises:
            EntryConflict: an id exists with other contents.
            StoreUnavailable: they could not be written.
        """
        ...

    def entry(self, entry_id: str) -> Entry | None:
        """One entry as now priced, None if there is none."""
        ...

    def entries(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        strategy: str | None = None,
        newest: int | None = None,
    ) -> Iterator[Entry]:
        """Entries in [since, until), oldest first; or the `newest` n of them, newest first."""
        ...

    def totals(
        self, period: Period, *, since: datetime | None = None, until: datetime | None = None
    ) -> list[Totals]:
        """Roll-ups whose period starts in [since, until), oldest first."""
        ...

    def note_gap(self, what: str, count: int, at: datetime) -> None:
        """Count something that should be in the book and is not."""
        ...

    def gaps(self) -> list[Gap]:
        """All counted gaps."""
        ...

    def reprice(self, pricing: Pricing, reason: str) -> Revision:
        """Price every entry again with `pricing`, keep the old figures, rebuild the roll-ups."""
        ...

    def revisions(self) -> list[Revision]:
        """Every time history was priced again, oldest first."""
        ...

    def close(self) -> None:
        """Release the store; closing twice is fine."""
        ...
