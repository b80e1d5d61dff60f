"""A short soak: twenty seconds of all kinds of traffic, each answer checked, memory watched.

The long one is `python -m benchmarks.soak`; it says what a service does in ten minutes.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Slow enough for a machine that runs other tests beside it.
RATE, SECONDS = 150, 20


def test_twenty_seconds_of_traffic_mix_up_no_answers_and_memory_does_not_run_off() -> None:
    asked = ["--minutes", str(SECONDS / 60), "--rate", str(RATE), "--no-csv"]

    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )

    assert ran.returncode == 0, ran.stderr + ran.stdout
    said = ran.stdout
    assert "somebody else's: 0" in said
    assert _number(r"([\d,]+) calls answered", said) > RATE * SECONDS * 0.5
    # A storm that a small tenant drew by chance may hold a few of its calls back.
    assert _number(r"should not have been: ([\d,]+)", said) < RATE * SECONDS * 0.02
    assert _number(r"last over first after that: ([\d.]+)", said) < 1.3


def _number(pattern: str, said: str) -> float:
    found = re.search(pattern, said)
    assert found is not None, said
    return float(found[1].replace(",", ""))
