"""A real `lichen run` on a trace by the second: run, settled, reported, proved."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lichen.assemble import open_store
from lichen.meter.host import reading_of_cpu
from lichen.settings import load

if TYPE_CHECKING:
    from pathlib import Path

LICHEN = [sys.executable, "-m", "lichen"]
# When the clean seconds begin, and until when they last, after the trace is written. [s]
CLEAN, DIRTY_AGAIN = 6, 16


@pytest.fixture
def trace(tmp_path: Path) -> str:
    """A trace of DE by the second: 600 g/kWh, and 100 from some seconds on."""
    start = datetime.now(UTC).replace(microsecond=0)
    rows = [
        f"{(start + timedelta(seconds=n)).isoformat()},{100 if CLEAN <= n < DIRTY_AGAIN else 600}"
        for n in range(-5, 120)
    ]
    (tmp_path / "trace.csv").write_text("time,gco2_per_kwh\n" + "\n".join(rows) + "\n")
    return "trace.csv"


def shell(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LICHEN, *words], capture_output=True, text=True, check=False, timeout=60
    )


def told(*words: str) -> Any:
    done = shell(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_job_that_waited_is_settled_reported_and_proved_and_only_once(trace: str) -> None:
    where = ("--zone", "DE", "--trace", trace)
    order = ("--finish-by", "in 40s", "--duration", "2s", "--power", "3.6kW")

    ran = shell("run", *order, *where, "--", "sleep", "2")
    jobs = [told("status", *where)["jobs"] for _ in range(2)][1]
    entries = told("report", "--entries", "9")["entries"]
    [mine] = [each for each in entries if each["strategy"] == "train.green"]
    proved = shell("prove", mine["id"], *where)
    by_job = shell("prove", jobs[0]["id"], *where)

    assert ran.returncode == 0, ran.stderr
    assert "avoided" in ran.stderr
    [job] = jobs
    assert job["settlement"]["entry"]["id"] == mine["id"]
    # 3.6 kW over 2 s is 2 Wh; 600 − 100 g/kWh of it is 1 g, and starting takes a part of a second.
    saved = job["settlement"]["entry"]["avoided"]
    assert 0.8 < saved["operational_carbon_g"]["value"] < 1.2
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "The saving holds." in proved.stdout
    assert (by_job.returncode, by_job.stdout) == (0, proved.stdout)


def test_a_job_that_measures_itself_has_each_joule_in_one_entry(trace: str) -> None:
    spin = "import time\nwhile time.process_time() < 1.5: pass"
    inner = (*LICHEN, "measure", "--zone", "DE", "--", sys.executable, "-c", spin)
    where = ("--zone", "DE", "--trace", trace)

    ran = shell("run", "--finish-by", "in 40s", "--duration", "2s", *where, "--", *inner)
    with closing(open_store(load().ledger)) as store:
        entries = list(store.entries())

    assert ran.returncode == 0, ran.stderr
    assert "its own windows booked" in ran.stderr
    [job] = [each for each in entries if each.figures.strategy == "train.green"]
    inside = [each for each in entries if each.figures.raw.get("job") == job.figures.raw["job"]]
    assert {each.figures.strategy for each in inside} == {"train.green", "none.measured", "lichen"}
    # What the kernel counted for the whole job, by the meter that priced the windows too.
    cpu_s = float(job.figures.raw["cpu_seconds"])
    booked = sum(each.figures.footprint.energy.value.in_joules for each in inside)
    assert cpu_s > 1.5
    assert booked == pytest.approx(reading_of_cpu(cpu_s).energy.value.in_joules)
    assert job.saving is not None


def test_without_a_recording_a_job_is_not_settled_and_says_what_to_do() -> None:
    ran = shell("run", "--finish-by", "in 40s", "--duration", "1s", "--zone", "DE", "--", "true")
    [job] = told("status", "--settle", "--zone", "DE")["jobs"]
    listed = shell("status", "--settle", "--zone", "DE")

    assert ran.returncode == 0, ran.stderr
    assert job["settlement"]["settled"] is False
    assert "no source is configured; set LICHEN_GRID" in job["settlement"]["why"]
    assert "not settled yet" in listed.stdout
