"""A report as JSON: the same figures as on the screen, in base units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.cli import naming, plain
from lichen.cli.reading import shown

if TYPE_CHECKING:
    from lichen.cli.plain import Plain
    from lichen.cli.reading import Report
    from lichen.ledger.trial import Trial


def plain_report(found: Report, by: tuple[str, ...]) -> Plain:
    """All of a report."""
    summary, span = found.summary, found.span
    work = summary.work
    return {
        "ledger": shown(found.where),
        "since": None if span.since is None else plain.time(span.since),
        "until": None if span.until is None else plain.time(span.until),
        "calls": found.calls,
        "hits": found.hits,
        "hit_rate": found.hits / found.calls if found.calls else None,
        "withheld_hits": found.withheld.work,
        "tokens": plain.tokens(work.tokens),
        "tokens_spared": plain.tokens(work.spared),
        "used": plain.footprint(work.used),
        "overhead": plain.footprint(summary.overhead.used),
        "avoided": plain.footprint(work.saved),
        "net": plain.footprint(summary.net),
        "sci": [plain.sci(rate) for rate in found.sci],
        "by": {name: _lines(found, name) for name in by},
        "trials": [_trial(trial) for trial in found.trials],
        "dry_runs": [
            {"name": name, "calls": sums.n, "would_have_avoided_j": plain.estimate(sums.energy)}
            for name, sums in found.dry.items()
        ],
        "similar": [each._asdict() for each in found.similar],
        "gaps": _gaps(found),
        "entries": [plain.entry(entry) for entry in found.entries],
    }


def _lines(found: Report, name: str) -> list[Plain]:
    hits = found.hits_by[name]
    return [{**plain.line(line), "hits": hits[line.name]} for line in found.by[name]]


def _trial(trial: Trial) -> Plain:
    avoided = trial.avoided
    return {
        "strategy": trial.strategy,
        "held_calls": trial.held.n,
        "treated_calls": trial.treated.n,
        "avoided_j_per_call": None if avoided is None else plain.estimate(avoided),
    }


def _gaps(found: Report) -> Plain:
    summary = found.summary
    return {
        "in_entries": summary.work.gaps + summary.overhead.gaps,
        "named_in_newest_entries": found.looked_at,
        "named": [
            {"what": what, "count": count, "means": naming.gap_means(what)}
            for what, count in found.named.most_common()
        ],
        "of_the_ledger": [
            {
                "what": gap.what,
                "count": gap.count,
                "first": plain.time(gap.first),
                "last": plain.time(gap.last),
                "means": naming.gap_means(gap.what),
            }
            for gap in summary.gaps
            if gap.count
        ],
    }
