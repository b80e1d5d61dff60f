"""A ledger of known figures, and the command line run on it as a user would."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from lichen.cli import lichen
from lichen.ledger.entry import Baseline, Figures
from lichen.ledger.footprint import Footprint
from lichen.ledger.sqlite import SqliteStore
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work
from lichen.settings import CREDENTIALS
from lichen.testing.samples import MOMENT, sample_entry, sample_footprint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from click.testing import Result

    Run = Callable[..., Result]
    Make = Callable[[Sequence[Figures]], Path]

TOKENS = Tokens(prefill=100, decode=50)


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, and none of this machine's settings."""
    others = {"OPENAI_API_KEY", "COLUMNS", "NO_COLOR", *(name.upper() for name in CREDENTIALS)}
    for name in os.environ:
        if name.startswith("LICHEN_") or name in others:
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run() -> Run:
    """Run the command line; the result has exit_code, stdout and stderr."""

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(lichen, [str(each) for each in arguments])

    return invoke


class Kinds:
    """Figures of each kind a ledger holds; `wh` is what a model used, or would have used."""

    def call(self, wh: float = 1.0, **changes: Any) -> Figures:
        """A call that a model answered."""
        given: dict[str, Any] = {
            "name": "chat.completions",
            "strategy": "none",
            "work": Work(1, "request"),
            "footprint": sample_footprint(wh=wh),
            "method": "tokens/1",
            "factors": "2026-11",
            "zone": "SE-SE3",
            "model": "small",
            "tokens": TOKENS,
        }
        return Figures(**{**given, **changes})

    def hit(self, wh: float = 1.0, **changes: Any) -> Figures:
        """A call answered from the store."""
        baseline = Baseline(sample_footprint(wh=wh), "stored-call/1", "0" * 16, TOKENS)
        given: dict[str, Any] = {
            "strategy": "calls.exact",
            "footprint": Footprint.zero(),
            "tokens": Tokens(),
            "baseline": baseline,
        }
        return self.call(**{**given, **changes})

    def overhead(self, wh: float = 0.1) -> Figures:
        """What lichen itself used."""
        own = {"name": "overhead", "strategy": "lichen", "work": Work(0, "request")}
        return self.call(wh, tokens=Tokens(), model="", **own)


@pytest.fixture
def kinds() -> Kinds:
    """Figures of each kind."""
    return Kinds()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a ledger of an entry for each of the figures."""

    def ledger(figures: Sequence[Figures]) -> Path:
        path = tmp_path / "book.db"
        entries = [
            sample_entry(MOMENT + timedelta(minutes=place), each)
            for place, each in enumerate(figures)
        ]
        with closing(SqliteStore(path)) as store:
            store.append(entries)
        return path

    return ledger


@pytest.fixture
def ledger(make: Make, kinds: Kinds) -> Path:
    """Three calls to a model, one of them asked again, three hits, and lichen's own use."""
    return make(
        [
            kinds.call(),
            kinds.call(2.0, model="large", gaps=("model-unknown",)),
            kinds.call(strategy="none.sampled", gaps=("zone-assumed",)),
            kinds.hit(),
            kinds.hit(2.0, model="large"),
            kinds.hit(strategy="calls.coalesce"),
            kinds.call(0, work=Work(0, "request"), gaps=("upstream-answered:429",)),
            kinds.overhead(),
        ]
    )
