"""A recorded trace: the carbon intensity one zone had, step by step.

    time,gco2_per_kwh
    2020-01-01T00:00:00+00:00,218.3
    2020-01-01T00:30:00+00:00,217.5

The step is the time between the first two rows, and every row must keep it: a gap is an error that
names its line, not a value somebody made up. A time without a zone is refused unless `tz` says
which clock it was read from. Outside its span a trace says nothing. A value column may name its
unit (kgCO2e/kWh); it is gCO₂e/kWh where it does not, and what no grid has in that is refused.

Source: the recorded file; TRACE_FACTOR below for its interval.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import NamedTuple, TypeAlias

from lichen.grid.regions import grid_zone
from lichen.grid.trace_unit import NAMES, grams_per_kwh
from lichen.ledger.errors import InputError, NaiveTime, NotOfThisSource, SignalUnavailable
from lichen.ledger.estimate import Basis
from lichen.ledger.plausible import LEAST_G_PER_KWH, MOST_G_PER_KWH
from lichen.ledger.signal import GridSignal, SignalKind
from lichen.ledger.window import Window

Rows: TypeAlias = Iterable[tuple[datetime | str, float | str]]

# Two published life-cycle accounts of one grid agree hour by hour within 0.91 … 1.10 (DE 2020,
# 9,000 h) and 0.88 … 1.18 (US-CAL-CISO 2022, 8,760 h) for 90 % of hours: docs/method/carbon.md.
TRACE_FACTOR = 1.2
# A step is known from two rows on.
_FEWEST_ROWS = 2


class _Reading(NamedTuple):
    """One row, and where it stands for those who must mend it."""

    where: str
    time: datetime | str
    value: float | str
    unit: float | None = 1.0  # [gCO₂e/kWh] of one; None where a file does not tell it


class TraceSource:
    """A recorded trace of one zone as a source of intensity.

    `trace` is a CSV file (also gzipped) or (time, value) rows. Of several value columns the one
    named `column` is taken, else the one named as the zone.

    Raises:
        InputError: a row is out of step; a value is missing, negative, no number, or more than any
            grid has; the unit of a file is not known, or not told where all is below 1.
        NaiveTime: a time has no zone and no `tz` is given.
        SignalUnavailable: the file cannot be read.
    """

    def __init__(
        self,
        trace: str | Path | Rows,
        zone: str,
        *,
        kind: SignalKind = SignalKind.AVERAGE,
        source: str = "",
        tz: tzinfo | None = None,
        column: str = "",
    ) -> None:
        if isinstance(trace, (str, Path)):
            origin = str(trace)
            readings = _read(Path(trace), column, zone)
        else:
            origin = "rows"
            readings = (
                _Reading(f"row {n}", time, value) for n, (time, value) in enumerate(trace, 1)
            )
        self.zone = grid_zone(zone)
        self.signal = _signal(readings, tz, zone=self.zone, kind=kind, source=source or origin)

    def intensity(self, zone: str, window: Window) -> GridSignal:
        """The steps of the trace that cover the window. [gCO₂e/kWh]

        Raises:
            UnknownZone: the trace is of another zone.
            SignalUnavailable: the trace does not reach over the window.
        """
        if grid_zone(zone) != self.zone:
            source = f"trace {self.signal.source}"
            raise NotOfThisSource(zone, source, self.zone, "record one of that zone, too")
        whole = self.signal
        if window.start < whole.start or window.end > whole.end:
            raise SignalUnavailable(
                f"{whole.kind.value} intensity of {zone} from {window.start.isoformat()} to "
                f"{window.end.isoformat()}",
                f"{whole.source} covers {whole.start.isoformat()} to {whole.end.isoformat()}",
                "ask for a window inside it or configure another source",
            )
        first = min((window.start - whole.start) // whole.step, len(whole.values) - 1)
        last = max(-((whole.start - window.end) // whole.step), first + 1)
        return GridSignal(
            zone=whole.zone,
            kind=whole.kind,
            basis=whole.basis,
            source=whole.source,
            issued_at=whole.issued_at,
            start=whole.start + whole.step * first,
            step=whole.step,
            values=whole.values[first:last],
            lows=whole.lows[first:last],
            highs=whole.highs[first:last],
        )

    def part(self, zone: str, window: Window) -> GridSignal:
        """The steps of the trace that lie in the window, as far as it reaches. [gCO₂e/kWh]

        Raises:
            UnknownZone: the trace is of another zone.
            SignalUnavailable: none of it lies in the window.
        """
        start, end = max(window.start, self.signal.start), min(window.end, self.signal.end)
        inside = Window(start, end, window.zone) if start < end else window
        return self.intensity(zone, inside)


def _read(path: Path, column: str, zone: str) -> Iterator[_Reading]:
    """The rows of a CSV file with a header."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (zlib.error, EOFError, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no readable CSV: {error}") from error
    except OSError as error:
        raise SignalUnavailable(
            f"trace {path}", error.strerror or str(error), "give the path of a CSV file"
        ) from error
    lines = csv.reader(io.StringIO(text, newline=""))
    header = next(lines, [])
    if not header:
        raise InputError(f"{path} is empty: a trace is a CSV with the columns time and gCO2e/kWh")
    time_at, value_at = _columns(path, header, column, zone)
    unit = grams_per_kwh(header[value_at], str(path))
    for row in lines:
        where = f"{path} line {lines.line_num}"
        if row and len(row) <= max(time_at, value_at):
            raise InputError(f"{where}: expected {len(header)} columns, got {row!r}")
        if row:
            yield _Reading(where, row[time_at], row[value_at], unit)


def _columns(path: Path, header: list[str], column: str, zone: str) -> tuple[int, int]:
    """Where the time and the value stand."""
    names = [name.strip() for name in header]
    times = [name for name in names if "time" in name.lower() or "date" in name.lower()]
    if not times:
        raise InputError(f"{path} has no time column: its header is {names!r}")
    others = [name for name in names if name != times[0]]
    if column or zone in others:
        wanted = column or zone
    elif len(others) == 1:
        wanted = others[0]
    else:
        raise InputError(
            f"{path} has the value columns {others!r}: leave one, or name one as the zone is named "
            f"({zone}); columns are parted by commas"
        )
    if wanted not in others:
        raise InputError(f"{path} has no column {wanted!r}: its header is {names!r}")
    return names.index(times[0]), names.index(wanted)


def _signal(
    readings: Iterable[_Reading], tz: tzinfo | None, *, zone: str, kind: SignalKind, source: str
) -> GridSignal:
    """The signal of all readings, each one step after the one before."""
    start = step = before = None
    values: list[float] = []
    told = True
    for reading in readings:
        moment = _moment(reading, tz)
        if before is None or start is None:
            start = moment
        elif step is None:
            step = _first_step(reading, moment - before)
        elif moment - before != step:
            raise _off_step(reading, moment, moment - before, step)
        before = moment
        values.append(_value(reading))
        told = told and reading.unit is not None
    if start is None or step is None:
        raise InputError(f"{source} has {len(values)} rows: a trace needs {_FEWEST_ROWS} or more")
    if not told and 0 < max(values) < LEAST_G_PER_KWH:
        raise InputError(
            f"{source}: its highest value is {max(values):g}, which is likely no gCO2e/kWh: name "
            f"the column with its unit, {NAMES}"
        )
    return GridSignal(
        zone=zone,
        kind=kind,
        # Recorded, but from generation and factors: no meter reads carbon.
        basis=Basis.MODELLED,
        source=source,
        issued_at=start + step * len(values),
        start=start,
        step=step,
        values=tuple(values),
        lows=tuple(value / TRACE_FACTOR for value in values),
        highs=tuple(value * TRACE_FACTOR for value in values),
    )


def _moment(reading: _Reading, tz: tzinfo | None) -> datetime:
    """The time of a row in UTC, so that a change of clocks is no change of step."""
    moment = reading.time
    try:
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment.strip())
        if moment.tzinfo is None and tz is not None:
            moment = moment.replace(tzinfo=tz)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(
            f"{reading.where}: {reading.time!r} is no time such as 2020-01-01T00:00:00+00:00"
        ) from None
    raise NaiveTime(moment, reading.where)


def _off_step(reading: _Reading, moment: datetime, gap: timedelta, step: timedelta) -> InputError:
    """What is wrong with a row that is not one step after the one before."""
    if gap < timedelta(0):
        return InputError(
            f"{reading.where}: {moment.isoformat()} is before the row before it: order the rows"
        )
    return InputError(
        f"{reading.where}: {moment.isoformat()} is {gap} after the row before, but the step of "
        f"this trace is {step}: fill or cut the gap"
    )


def _first_step(reading: _Reading, step: timedelta) -> timedelta:
    if step <= timedelta(0):
        raise InputError(f"{reading.where}: time must go forward, it goes by {step}")
    return step


def _value(reading: _Reading) -> float:
    """The value of a row in its unit. [gCO₂e/kWh]"""
    try:
        value = float(reading.value) * (1.0 if reading.unit is None else reading.unit)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise InputError(
            f"{reading.where}: {reading.value!r} is no intensity: a number ≥ 0 is needed, in "
            "gCO2e/kWh"
        )
    if value > MOST_G_PER_KWH:
        raise InputError(
            f"{reading.where}: {reading.value!r} is {value:,g} gCO2e/kWh, and no grid has more "
            f"than {MOST_G_PER_KWH:,g}: name the column with its unit, {NAMES}"
        )
    return value
