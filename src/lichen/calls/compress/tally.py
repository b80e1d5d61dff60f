"""Tally: what compression shows of itself, to Prometheus and on the dashboard."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lichen.ledger.panel import Panel
from lichen.ledger.show import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lichen.calls.compress.prompt import Change
    from lichen.calls.compress.trial import Trial
    from lichen.calls.compress.watch import Watch

_COLUMNS = ("Route", "Calls", "Tokens", "Bad answers, shortened", "Left alone", "State")
_NOTE = (
    "Tokens of the texts that were shortened, before and after. A bad answer is one with a sign of "
    "failure: docs/method/compress.md names them. Counts are since the service started, the trials "
    "since they began."
)


class Tally:
    """Counts by route."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._calls: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._after: Counter[str] = Counter()

    def shortened(self, route: str, made: Sequence[Change]) -> None:
        """A prompt was shortened."""
        self._calls[route] += 1
        self._before[route] += sum(change.before for change in made)
        self._after[route] += sum(change.after for change in made)

    def gauges(self) -> Mapping[str, float]:
        """Full names and values."""
        return {
            "lichen_compress_calls_total": sum(self._calls.values()),
            "lichen_compress_tokens_before_total": sum(self._before.values()),
            "lichen_compress_tokens_after_total": sum(self._after.values()),
            "lichen_compress_closed_routes": len(self._watch.closed),
        }

    def panels(self) -> Sequence[Panel]:
        """One table, a row for each route that was seen."""
        routes = sorted({*self._calls, *self._watch.trials, *self._watch.closed})
        if not routes:
            return ()
        return (Panel("Shorter prompts", _COLUMNS, tuple(map(self._row, routes)), _NOTE),)

    def _row(self, route: str) -> tuple[str, ...]:
        trial = self._watch.trials.get(route)
        before, after = self._before[route], self._after[route]
        share = f" (−{percent(1 - after / before)})" if before else ""
        return (
            route,
            f"{self._calls[route]:,}",
            f"{before:,} → {after:,}{share}",
            "–" if trial is None else f"{trial.treated.bad:,} of {trial.treated.count:,}",
            "–" if trial is None else f"{trial.held.bad:,} of {trial.held.count:,}",
            self._state(route, trial),
        )

    def _state(self, route: str, trial: Trial | None) -> str:
        since = self._watch.closed.get(route)
        if since is not None:
            when = datetime.fromtimestamp(since, UTC).isoformat(timespec="minutes")
            return f"turned itself off {when}: answers were worse"
        if trial is not None and trial.passed:
            return f"no worse, by {percent(trial.margin)}"
        return "on; not decided yet"
