"""Recorded traces: what they say, and what they refuse to make up."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from lichen.grid.trace import TRACE_FACTOR, TraceSource
from lichen.ledger.errors import InputError, NaiveTime, SignalUnavailable, UnknownZone
from lichen.ledger.estimate import Basis
from lichen.ledger.signal import SignalKind
from lichen.ledger.window import Window

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2020, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = """time,gco2_per_kwh
2020-06-01T00:00:00+00:00,100
2020-06-01T01:00:00+00:00,200
2020-06-01T02:00:00+00:00,300
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_window_is_priced_by_the_hours_it_touches(tmp_path: Path) -> None:
    trace = TraceSource(written(tmp_path, GOOD), "DE")
    window = Window(START + HOUR / 2, START + 2 * HOUR, "DE")

    signal = trace.intensity("DE", window)

    assert signal.values == (100.0, 200.0)
    assert signal.over(window).value.in_g_per_kwh == pytest.approx((0.5 * 100 + 200) / 1.5)


def test_the_step_is_inferred(tmp_path: Path) -> None:
    trace = TraceSource(written(tmp_path, GOOD), "DE")

    assert trace.signal.step == HOUR
    assert trace.signal.end == START + 3 * HOUR


def test_a_recorded_value_is_modelled_and_has_the_spread_of_published_accounts() -> None:
    trace = TraceSource([(START, 120.0), (START + HOUR, 60.0)], "DE")

    assert trace.signal.basis is Basis.MODELLED
    assert trace.signal.lows[0] == pytest.approx(120 / TRACE_FACTOR)
    assert trace.signal.highs[0] == pytest.approx(120 * TRACE_FACTOR)


@pytest.mark.parametrize(
    ("column", "value", "grams"),
    [
        ("gco2_per_kwh", "425", 425),
        ("Carbon Intensity gCO₂eq/kWh (LCA)", "425", 425),
        ("carbon_intensity", "425", 425),
        ("lifecycle_gco2_kwh", "425", 425),
        ("kgCO2e/kWh", "0.425", 425),
        ("kg_per_kwh", "0.425", 425),
        ("intensity [kg CO2/MWh]", "425", 425),
        ("MOER lbs CO2/MWh", "1000", 453.59237),
        ("tCO2 per MWh", "0.425", 425),
        ("gCO2/kWh", "0.5", 0.5),
    ],
)
def test_the_unit_of_the_column_is_read(
    tmp_path: Path, column: str, value: str, grams: float
) -> None:
    text = f"time,{column}\n2020-06-01T00:00Z,{value}\n2020-06-01T01:00Z,{value}\n"

    trace = TraceSource(written(tmp_path, text), "DE")

    assert trace.signal.values == pytest.approx((grams, grams))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("intensity", "0.425", "highest value is 0.425, which is likely no gCO2e/kWh"),
        ("gco2_per_kwh", "425000", "line 2: '425000' is 425,000 gCO2e/kWh, and no grid has more"),
        ("kgCO2e/kWh", "425", "line 2: '425' is 425,000 gCO2e/kWh, and no grid has more"),
        ("tons CO2/MWh", "0.425", "unit of the column 'tons CO2/MWh' is not known: write gCO2e/"),
    ],
)
def test_what_no_grid_has_is_taken_for_another_unit_and_refused(
    tmp_path: Path, column: str, value: str, said: str
) -> None:
    text = f"time,{column}\n2020-06-01T00:00Z,{value}\n2020-06-01T01:00Z,{value}\n"

    with pytest.raises(InputError, match=said):
        TraceSource(written(tmp_path, text), "DE")


def test_a_file_parted_by_semicolons_says_what_parts_columns(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace(",", ";"))

    with pytest.raises(InputError, match="columns are parted by commas"):
        TraceSource(path, "DE")


def test_kind_and_source_are_kept() -> None:
    rows = [(START, 1.0), (START + HOUR, 2.0)]

    trace = TraceSource(rows, "DE", kind=SignalKind.MARGINAL, source="my utility")

    assert trace.signal.kind is SignalKind.MARGINAL
    assert trace.signal.source == "my utility"


def test_a_cloud_region_is_served_by_the_trace_of_its_zone() -> None:
    trace = TraceSource([(START, 1.0), (START + HOUR, 2.0)], "SE-SE3")
    window = Window(START, START + HOUR, "aws:eu-north-1")

    assert trace.intensity("aws:eu-north-1", window).values == (1.0,)


def test_another_zone_is_unknown_to_a_trace() -> None:
    trace = TraceSource([(START, 1.0), (START + HOUR, 2.0)], "DE")

    # France is a zone, and not "unknown".
    with pytest.raises(UnknownZone, match=r"^trace .* has no zone 'FR', only DE"):
        trace.intensity("FR", Window(START, START + HOUR, "FR"))


@pytest.mark.parametrize(("begin", "end"), [(-1, 1), (2, 3), (5, 6)])
def test_outside_its_span_a_trace_says_nothing(begin: int, end: int) -> None:
    trace = TraceSource([(START, 1.0), (START + HOUR, 2.0)], "DE")

    with pytest.raises(SignalUnavailable, match="covers 2020-06-01T00:00:00"):
        trace.intensity("DE", Window(START + begin * HOUR, START + end * HOUR, "DE"))


def test_the_last_moment_of_a_trace_has_an_intensity() -> None:
    trace = TraceSource([(START, 1.0), (START + HOUR, 2.0)], "DE")
    end = Window(START + 2 * HOUR, START + 2 * HOUR, "DE")

    assert trace.intensity("DE", end).over(end).value.in_g_per_kwh == 2.0


def test_a_naive_time_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("+00:00", ""))

    with pytest.raises(NaiveTime) as refused:
        TraceSource(path, "DE")

    assert "line 2: 2020" in str(refused.value)
    assert "datetime" not in str(refused.value)


def test_a_naive_time_is_read_by_the_clock_it_is_said_to_be_of(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("+00:00", ""))

    trace = TraceSource(path, "DE", tz=ZoneInfo("Europe/Berlin"))

    assert trace.signal.start == START - 2 * HOUR


def test_a_clock_that_is_put_back_is_a_gap_in_local_time_and_none_in_utc() -> None:
    utc = [datetime(2020, 10, 24, 22, tzinfo=UTC) + hour * HOUR for hour in range(6)]
    local = [moment.astimezone(ZoneInfo("Europe/Berlin")) for moment in utc]
    naive = [moment.replace(tzinfo=None, fold=0) for moment in local]

    assert TraceSource([(moment, 1.0) for moment in local], "DE").signal.step == HOUR
    with pytest.raises(InputError, match="step of this trace"):
        TraceSource([(moment, 1.0) for moment in naive], "DE", tz=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("2020-06-01T03:00:00+00:00,300", "line 4.*2:00:00 after the row before"),
        ("2020-06-01T01:00:00+00:00,300", "line 4.*0:00:00 after the row before"),
        ("2020-06-01T00:00:00+00:00,300", "line 4.* is before the row before it"),
        ("2020-06-01T02:00:00+00:00,-5", "line 4: '-5'"),
        ("2020-06-01T02:00:00+00:00,", "line 4: ''"),
        ("2020-06-01T02:00:00+00:00,n/a", "line 4: 'n/a'"),
        ("2020-06-01T02:00:00+00:00,nan", "line 4: 'nan'"),
        ("2020-06-01T02:00:00+00:00,inf", "line 4: 'inf'"),
        ("2020-06-01T02:00:00+00:00,1.7e308", "line 4: '1.7e308'"),
        ("yesterday,300", "line 4: 'yesterday' is no time"),
        ("0001-01-01T00:00:00+05:00,300", "line 4: .* is no time"),
        ("2020-06-01T02:00:00+00:00", "line 4: expected 2 columns"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_value(tmp_path: Path, bad: str, said: str) -> None:
    lines = [*GOOD.splitlines()[:3], bad]

    with pytest.raises(InputError, match=said):
        TraceSource(written(tmp_path, "\n".join(lines)), "DE")


def test_time_that_runs_backwards_is_refused() -> None:
    with pytest.raises(InputError, match="time must go forward"):
        TraceSource([(START, 1.0), (START - HOUR, 2.0)], "DE")


@pytest.mark.parametrize("text", ["time,value\n", "time,value\n2020-06-01T00:00:00+00:00,5\n"])
def test_too_few_rows_have_no_step(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="needs 2 or more"):
        TraceSource(written(tmp_path, text), "DE")


def test_a_file_without_a_time_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no time column"):
        TraceSource(written(tmp_path, "hour,value\n1,2\n"), "DE")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty: a trace is a CSV"):
        TraceSource(written(tmp_path, ""), "DE")


def test_of_several_columns_the_one_named_as_the_zone_is_taken(tmp_path: Path) -> None:
    text = "time,DE,FR\n2020-06-01T00:00:00Z,500,50\n2020-06-01T01:00:00Z,400,40\n"

    trace = TraceSource(written(tmp_path, text), "FR")

    assert trace.signal.values == (50.0, 40.0)


def test_of_several_columns_none_is_guessed(tmp_path: Path) -> None:
    text = "time,direct,lifecycle\n2020-06-01T00:00:00Z,500,550\n2020-06-01T01:00:00Z,400,450\n"
    path = written(tmp_path, text)

    with pytest.raises(InputError, match="'direct', 'lifecycle'"):
        TraceSource(path, "DE")
    assert TraceSource(path, "DE", column="lifecycle").signal.values == (550.0, 450.0)


def test_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'marginal'"):
        TraceSource(written(tmp_path, GOOD), "DE", column="marginal")


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SignalUnavailable, match="give the path of a CSV file"):
        TraceSource(tmp_path / "none.csv", "DE")


def test_a_broken_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode())[:40])

    with pytest.raises(InputError, match="no readable CSV"):
        TraceSource(path, "DE")


def test_blank_lines_are_no_gaps(tmp_path: Path) -> None:
    trace = TraceSource(written(tmp_path, GOOD + "\n\n"), "DE")

    assert len(trace.signal.values) == 3


@pytest.mark.parametrize(
    ("zone", "rows", "mean"),
    [("DE", 18_575, 315.18), ("FR", 18_574, 56.72), ("GB", 18_576, 214.51)],
)
def test_a_real_half_hourly_trace_is_read_whole(
    recorded: Path, zone: str, rows: int, mean: float
) -> None:
    path = recorded / f"lwa2020_{zone}_30min.csv.gz"

    signal = TraceSource(path, zone, tz=UTC).signal

    assert signal.step == timedelta(minutes=30)
    assert len(signal.values) == rows
    whole = Window(signal.start, signal.end, zone)
    assert signal.over(whole).value.in_g_per_kwh == pytest.approx(mean, abs=0.01)


def test_two_accounts_of_one_year_agree_within_the_interval_of_a_trace(recorded: Path) -> None:
    one = TraceSource(recorded / "lwa2020_DE_30min.csv.gz", "DE", tz=UTC)
    other = TraceSource(recorded / "ensembleci_DE_hourly.csv.gz", "DE", column="lifecycle_gco2_kwh")
    hours = [datetime(2020, 1, 1, tzinfo=UTC) + n * HOUR for n in range(8784)]

    inside = [one.signal.at(hour).holds(other.signal.at(hour).value) for hour in hours]

    assert sum(inside) / len(inside) > 0.9
