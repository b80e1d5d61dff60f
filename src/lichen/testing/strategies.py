"""Hypothesis strategies for every type of the ledger.

Amounts are whole numbers of a small step, so that sums of a few of them are exact in floating point
and a law can be asked for with `==` instead of an approximation.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from lichen.ledger.entry import Baseline, Entry, Figures
from lichen.ledger.estimate import Basis, Estimate, Q
from lichen.ledger.footprint import Footprint
from lichen.ledger.ids import new_id
from lichen.ledger.quantities import Carbon, Energy, Money, Water
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Window, Work, microseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

# One step of every amount: a power of two, so that its multiples add without rounding.
STEP = 2.0**-10
_MOST = 2**20
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_LAST = datetime(2033, 1, 1, tzinfo=UTC)
# What every store can keep: no half of a character pair, and no zero character (PostgreSQL).
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_NAMES = st.text("abcdefgh.-/0123", min_size=1, max_size=12)


def amounts(low: int = 0) -> SearchStrategy[float]:
    """Multiples of `STEP`, at least `low` steps."""
    return st.integers(low, _MOST).map(lambda steps: steps * STEP)


def quantities(kind: type[Q], *, low: int = -_MOST) -> SearchStrategy[Q]:
    """Quantities of a kind."""
    return amounts(low).map(kind)


def estimates(kind: type[Q], *, low: int = 0) -> SearchStrategy[Estimate[Q]]:
    """Estimates of a kind that hold their value."""

    def made(ends: tuple[float, float, float], basis: Basis) -> Estimate[Q]:
        first, middle, last = sorted(ends)
        return Estimate(kind(middle), kind(first), kind(last), basis)

    one = amounts(low)
    return st.builds(made, st.tuples(one, one, one), st.sampled_from(Basis))


def footprints() -> SearchStrategy[Footprint]:
    """Footprints; water and money may be unknown, money is in one currency."""
    return st.builds(
        Footprint,
        estimates(Energy),
        estimates(Carbon),
        estimates(Carbon),
        st.none() | estimates(Water),
        st.none() | amounts().map(lambda amount: Money.of(amount, "EUR")),
    )


def tokens() -> SearchStrategy[Tokens]:
    """Token counts."""
    count = st.integers(0, 1_000_000)
    return st.builds(Tokens, count, count, count, count, count)


def figures(*, unit: str = "request") -> SearchStrategy[Figures]:
    """Figures in which anything may be missing that can be."""
    baseline = st.builds(Baseline, footprints(), _NAMES, _NAMES, tokens())
    return st.builds(
        Figures,
        name=_TEXT,
        strategy=st.sampled_from(["none", "calls.exact", "lichen"]),
        work=st.integers(0, 1000).map(lambda amount: Work(amount, unit)),
        footprint=footprints(),
        method=_NAMES,
        factors=_NAMES,
        zone=_NAMES,
        model=_TEXT,
        tokens=tokens(),
        raw=st.dictionaries(_TEXT, _TEXT | st.floats(allow_nan=False), max_size=3),
        baseline=st.none() | baseline,
        gaps=st.lists(_TEXT, max_size=3).map(tuple),
    )


def moments(first: datetime = _FIRST, last: datetime = _LAST) -> SearchStrategy[datetime]:
    """Moments of UTC that an entry may have."""
    span = (last - first) // timedelta(microseconds=1)
    return st.integers(0, span).map(lambda micros: first + timedelta(microseconds=micros))


@st.composite
def entries(draw: DrawFn, of: SearchStrategy[Figures] | None = None) -> Entry:
    """Entries with ids of their own."""
    start = microseconds(draw(moments()))
    length = draw(st.integers(0, 3_600_000_000))
    said = draw(figures() if of is None else of)
    return Entry(new_id(start), start, start + length, draw(_TEXT), said)


@st.composite
def signals(draw: DrawFn, kind: SignalKind = SignalKind.AVERAGE) -> GridSignal:
    """Signals of up to ten steps of 5 to 60 minutes."""
    ends = draw(st.lists(st.tuples(amounts(), amounts(), amounts()), min_size=1, max_size=10))
    lows, values, highs = zip(*(sorted(three) for three in ends), strict=True)
    start = draw(moments())
    made: Callable[..., GridSignal] = GridSignal
    columns: dict[str, Any] = {"lows": lows, "values": values, "highs": highs}
    return made(
        zone="SE-SE3",
        kind=kind,
        basis=Basis.MEASURED,
        source="drawn",
        issued_at=start,
        start=start,
        step=timedelta(minutes=draw(st.sampled_from([5, 15, 30, 60]))),
        **columns,
    )


@st.composite
def windows_in(draw: DrawFn, signal: GridSignal) -> Window:
    """Windows that a signal covers, of at least one second."""
    seconds = (signal.end - signal.start) // timedelta(seconds=1)
    first = draw(st.integers(0, seconds - 1))
    last = draw(st.integers(first + 1, seconds))
    return Window(
        signal.start + timedelta(seconds=first),
        signal.start + timedelta(seconds=last),
        signal.zone,
    )
