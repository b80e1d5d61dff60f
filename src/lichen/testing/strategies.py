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
_BITS = 20
_MOST = 2**_BITS
_TOKEN_BITS = 12
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_LAST = datetime(2033, 1, 1, tzinfo=UTC)
# What every store can keep: no half of a character pair, and no zero character (PostgreSQL).
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_NAMES = st.text("abcdefgh.-/0123", min_size=1, max_size=12)

_STRATEGIES = st.sampled_from(["none", "calls.exact", "lichen"])
_WORK = st.integers(0, 1000).map(lambda amount: Work(amount, "request"))


def amounts(low: int = 0) -> SearchStrategy[float]:
    """Multiples of `STEP`, at least `low` steps."""
    return st.integers(low, _MOST).map(lambda steps: steps * STEP)


def quantities(kind: type[Q], *, low: int = -_MOST) -> SearchStrategy[Q]:
    """Quantities of a kind."""
    return amounts(low).map(kind)


def estimates(kind: type[Q], *, low: int = 0) -> SearchStrategy[Estimate[Q]]:
    """Estimates of a kind that hold their value, from `low` steps up."""

    def made(drawn: int) -> Estimate[Q]:
        ends = sorted((low + part) * STEP for part in _parts(drawn, 3, _BITS))
        return Estimate(kind(ends[1]), kind(ends[0]), kind(ends[2]), Basis(drawn >> 3 * _BITS))

    # One number holds all of it: a list of entries is then drawn in tens of draws, not hundreds.
    return st.integers(0, len(Basis) * 2 ** (3 * _BITS) - 1).map(made)


def _parts(number: int, count: int, bits: int) -> list[int]:
    return [number >> place * bits & 2**bits - 1 for place in range(count)]


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
    drawn = st.integers(0, 2 ** (5 * _TOKEN_BITS) - 1)
    return drawn.map(lambda number: Tokens(*_parts(number, 5, _TOKEN_BITS)))


def figures() -> SearchStrategy[Figures]:
    """Figures in which anything may be missing that can be, in requests."""
    return st.builds(
        Figures,
        name=_TEXT,
        strategy=_STRATEGIES,
        work=_WORK,
        footprint=footprints(),
        method=_NAMES,
        factors=_NAMES,
        zone=_NAMES,
        model=_TEXT,
        tokens=tokens(),
        raw=st.dictionaries(_TEXT, _TEXT | st.floats(allow_nan=False), max_size=3),
        baseline=st.none() | st.builds(Baseline, footprints(), _NAMES, _NAMES, tokens()),
        gaps=st.lists(_TEXT, max_size=3).map(tuple),
    )


def plain_figures() -> SearchStrategy[Figures]:
    """Figures that differ in their numbers only: for laws of sums, and quicker to draw."""
    fixed = st.just("fixed")
    return st.builds(
        Figures,
        name=fixed,
        strategy=_STRATEGIES,
        work=_WORK,
        footprint=footprints(),
        method=fixed,
        factors=fixed,
        zone=fixed,
        tokens=tokens(),
        baseline=st.none() | st.builds(Baseline, footprints(), fixed, fixed, tokens()),
        gaps=st.sampled_from([(), ("one",), ("one", "two")]),
    )


def moments(first: datetime = _FIRST, last: datetime = _LAST) -> SearchStrategy[datetime]:
    """Moments of UTC that an entry may have."""
    span = (last - first) // timedelta(microseconds=1)
    return st.integers(0, span).map(lambda micros: first + timedelta(microseconds=micros))


def entries(of: SearchStrategy[Figures] | None = None) -> SearchStrategy[Entry]:
    """Entries with ids of their own, of any figures or of these."""

    def made(start: int, length: int, tenant: str, said: Figures) -> Entry:
        return Entry(new_id(start), start, start + length, tenant, said)

    times = moments().map(microseconds)
    said = figures() if of is None else of
    return st.builds(made, times, st.integers(0, 3_600_000_000), _TEXT, said)


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
