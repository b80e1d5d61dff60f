"""Replay: readings of a meter kept in a file, and given again in their order.

    with Recorder(RaplMeter(), "run.csv") as meter: ...      keeps what it reads, failures too
    ReplayMeter("run.csv")                                   gives it again, reading by reading

A file is CSV or, by its name, JSON (a list of objects), with these columns:

seconds      since the meter was made                           [s]
value_j      energy since the meter was made, and its interval  [J]
low_j, high_j
basis        measured, modelled or assumed
failed       empty, or why the meter could not be read then

Readings are given one a `read`, whatever the time, so that a test sees the same ones every time.
"""

from __future__ import annotations

import csv
import json
import os
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from lichen.ledger.errors import InputError, MeterUnavailable
from lichen.ledger.estimate import Basis, Estimate
from lichen.ledger.quantities import Energy

if TYPE_CHECKING:
    from lichen.ledger.ports import Meter

__all__ = ["Recorder", "ReplayMeter"]

_COLUMNS = ("seconds", "value_j", "low_j", "high_j", "basis", "failed")
# Where a recording is looked for when none is given.
VARIABLE = "LICHEN_METER_RECORDING"


class _Reading(NamedTuple):
    seconds: float
    energy: Estimate[Energy] | None
    failed: str


class ReplayMeter:
    """Gives recorded readings again; keeps `lichen.ledger.ports.Meter`."""

    method = "replay/1"
    within_s = None

    def __init__(self, path: str | os.PathLike[str] | None = None, *, covers: str = "cpu") -> None:
        """Give the readings of a file, or of the one that LICHEN_METER_RECORDING names.

        Raises:
            MeterUnavailable: no recording is named, or it cannot be opened.
            InputError: it holds what is no reading, or readings that fall.
        """
        where = path if path is not None else os.environ.get(VARIABLE, "")
        if not where:
            raise MeterUnavailable(
                "replay", "no recording is given", f"name one in {VARIABLE}, for tests only"
            )
        self._path = Path(where)
        self._readings = iter(_readings(self._path))
        self.covers = frozenset({covers})
        self.factors = f"replay:{self._path.name}"
        self.why = f"recorded readings of {self._path}"
        self.basis = Basis.ASSUMED

    def read(self) -> Estimate[Energy]:
        """The next reading. [J]

        Raises:
            MeterUnavailable: the recording has ended, or the meter could not be read then.
        """
        reading = next(self._readings, None)
        if reading is None:
            raise MeterUnavailable(
                "replay", f"{self._path} has no more readings", "record more, or read less"
            )
        if reading.energy is None:
            raise MeterUnavailable("replay", reading.failed, "so it was when it was recorded")
        return reading.energy


class Recorder:
    """A meter that passes another's readings on and keeps them; keeps `lichen.ledger.ports.Meter`.

    Each is in the file when `read` returns.
    """

    def __init__(self, meter: Meter, path: str | os.PathLike[str]) -> None:
        """Keep what `meter` reads from now on, in a new file.

        Raises:
            OSError: the file cannot be written.
        """
        self._meter, self._began = meter, time.monotonic()
        self.method = getattr(meter, "method", "replay/1")
        self.factors = getattr(meter, "factors", type(meter).__name__)
        self._path = Path(path)
        self._rows: list[dict[str, Any]] = []
        self._file = self._path.open("w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._file, _COLUMNS, lineterminator="\n")
        if not _is_json(self._path):
            self._writer.writeheader()

    def read(self) -> Estimate[Energy]:
        """The meter's reading. [J]

        Raises:
            MeterUnavailable: as the meter says; the recording says so too.
        """
        seconds = round(time.monotonic() - self._began, 6)
        try:
            energy = self._meter.read()
        except MeterUnavailable as error:
            self._keep({"seconds": seconds, "failed": error.why})
            raise
        ends = (energy.value, energy.low, energy.high)
        joules = dict(zip(_COLUMNS[1:4], (end.in_joules for end in ends), strict=True))
        self._keep({"seconds": seconds, **joules, "basis": energy.basis.name.lower()})
        return energy

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self, row: dict[str, Any]) -> None:
        if _is_json(self._path):
            self._rows.append(row)
            self._file.seek(0)
            json.dump(self._rows, self._file, indent=1)
        else:
            self._writer.writerow(row)
        self._file.flush()


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _readings(path: Path) -> list[_Reading]:
    """All readings of a file.

    Raises:
        MeterUnavailable: it cannot be opened.
        InputError: it holds what is no reading, or readings that fall.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MeterUnavailable(
            "replay", f"{path} cannot be read ({error})", "name a recording that is there"
        ) from error
    try:
        rows = json.loads(text) if _is_json(path) else list(csv.DictReader(text.splitlines()))
        found = [_reading(row) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no recording of a meter ({error!r}): it has the columns "
            f"{', '.join(_COLUMNS)}"
        ) from error
    energies = [reading.energy for reading in found if reading.energy is not None]
    for one, next_ in pairwise(energies):
        if next_.value < one.value or next_.low < one.low or next_.high < one.high:
            raise InputError(f"{path}: a meter never falls, and this one goes {one} to {next_}")
    return found


def _reading(row: dict[str, Any]) -> _Reading:
    seconds, failed = float(row["seconds"]), str(row.get("failed") or "")
    if failed:
        return _Reading(seconds, None, failed)
    value, low, high = (Energy.joules(float(row[name])) for name in _COLUMNS[1:4])
    return _Reading(seconds, Estimate(value, low, high, Basis[str(row["basis"]).upper()]), "")
