"""Places view: what a job would emit in each place that it may choose from, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lichen.plan.where import Verdict
    from lichen.train.green.issued import Planning


def plain_places(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    """Each place as JSON: its zone, start and carbon [gCO₂e], or why it has no plan."""
    from lichen.train.green.plain import estimate_to_plain

    return [
        {
            "zone": one.site.zone,
            "start": one.plan.start.isoformat() if one.plan else None,
            "expected_g": estimate_to_plain(one.plan.expected) if one.plan else None,
            "why_not": one.why_not,
        }
        for one in verdicts
    ]


def show_places(verdicts: Sequence[Verdict], planning: Planning) -> None:
    """Draw what each place would emit, the chosen one marked; nothing where there is one alone."""
    from lichen.cli.green_view import when
    from lichen.cli.screen import clean, figure, fitted, screen, table

    if len(verdicts) <= 1 or planning.plan is None:
        return
    made = table("", "zone", "from", "expected", "")
    for one in sorted(verdicts, key=_grams):
        mark = "✔" if one.site.zone == planning.plan.zone else ""
        if one.plan is None:
            made.add_row(mark, one.site.zone, "", "", clean(one.why_not))
        else:
            made.add_row(mark, one.site.zone, when(one.plan.start), figure(one.plan.expected), "")
    console = screen()
    console.print(fitted(console, made))
    console.print("")


def _grams(one: Verdict) -> float:
    return one.plan.expected.value.in_grams if one.plan else float("inf")
