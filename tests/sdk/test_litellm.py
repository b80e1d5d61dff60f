"""LiteLLM's calls in the book, by its own callback: against a real provider."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import lichen
from lichen.testing.provider import by_kind, in_turn
from lichen.testing.provider_answers import failure

if TYPE_CHECKING:
    from lichen.testing.provider import ScriptedProvider

CHILD = Path(__file__).with_name("litellm_child.py")


def run(upstream: ScriptedProvider, ledger: Path, *hows: str) -> list[str]:
    """What the child says when it calls in these ways, one after the other."""
    done = subprocess.run(
        [sys.executable, str(CHILD), upstream.url, str(ledger), *hows],
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_calls_are_booked_with_their_tokens_failures_as_gaps_and_nothing_breaks_a_call(
    upstream: ScriptedProvider, tmp_path: Path
) -> None:
    ledger = tmp_path / "lichen.db"
    upstream.script = in_turn(by_kind, by_kind, lambda _call: failure(500), by_kind)

    hows = ("sync", "async", "failing", "broken")
    said = run(upstream, ledger, *hows)

    answered = [line.partition(":")[0] for line in said if ": " in line]
    assert [how for how in answered if how in hows] == ["sync", "async", "broken"]
    with lichen.open(ledger) as book:
        *told, failed = book.store.entries()
    assert len(told) == 2
    for entry in told:
        assert entry.figures.model.startswith("gpt-4o-mini")
        assert entry.figures.tokens.input > 0
        assert entry.figures.tokens.output > 0
        assert entry.figures.zone == "DE"
        assert entry.figures.footprint.energy.value.amount > 0
    assert failed.figures.work.amount == 0
    assert failed.figures.gaps == ("upstream-failed:litellm",)
    assert b"a secret" not in ledger.read_bytes()
