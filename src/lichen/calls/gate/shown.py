"""Shown: what the gate tells Prometheus and the dashboard. No prompt, no tenant, no project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.panel import Panel
from lichen.ledger.show import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lichen.calls.gate.budgets import Purse
    from lichen.calls.gate.counts import Counts
    from lichen.calls.gate.rulebook import Ready
    from lichen.calls.gate.step import Gate

_DOES = {
    "answer": "answered",
    "refuse": "refused",
    "share": "shared",
    "cap": "capped",
    "cut": "cut",
}


def gauges(gate: Gate) -> Mapping[str, float]:
    """Calls by what rules did to them, would-have counts, refusals, and use of budgets."""
    made = {f"lichen_gate_{name}_calls_total": 0.0 for name in _DOES.values()}
    made |= {"lichen_gate_dry_calls_total": 0.0, "lichen_gate_dry_energy_joules_total": 0.0}
    for ready in gate.rulebook.rules:
        if ready.is_dry:
            made["lichen_gate_dry_calls_total"] += ready.met
            made["lichen_gate_dry_energy_joules_total"] += ready.spared.joules
        else:
            made[f"lichen_gate_{_DOES[ready.does]}_calls_total"] += ready.met
    live = [purse for purse in gate.budgets.purses if purse.budget.mode == "on"]
    dry = [purse for purse in gate.budgets.purses if purse.budget.mode == "dry"]
    made["lichen_gate_over_budget_calls_total"] = float(sum(purse.refused for purse in live))
    made["lichen_gate_dry_over_budget_calls_total"] = float(sum(purse.refused for purse in dry))
    return made


def panels(gate: Gate) -> list[Panel]:
    """Rules and budgets as tables."""
    made = []
    if gate.rulebook.rules:
        made.append(
            Panel(
                "Rules: is the call needed at all?",
                ("rule", "mode", "does", "calls", "energy"),
                tuple(_rule_row(ready) for ready in gate.rulebook.rules),
                "Since the service started. What a dry rule would have spared is no saving, and "
                "stands in no total; a refusal and a cap on max_tokens claim none.",
            )
        )
    if gate.budgets.purses:
        made.append(
            Panel(
                "Budgets",
                ("budget", "limit", "counted apart", "most used", "over budget"),
                tuple(_budget_row(purse, gate.budgets.counts) for purse in gate.budgets.purses),
                "Calls under way are counted at what they are expected to take.",
            )
        )
    return made


def _rule_row(ready: Ready) -> tuple[str, ...]:
    would = "would have spared " if ready.is_dry else "spared "
    energy = f"{would}{ready.spared.energy}" if ready.spared.joules else "–"
    return ready.rule.name, ready.rule.mode, ready.does, f"{ready.met:,}", energy


def _budget_row(purse: Purse, counts: Counts) -> tuple[str, ...]:
    budget = purse.budget
    start = purse.period.start
    used = [
        amount
        for slot, amount in counts.slots().items()
        if slot.start == start and slot.bucket.partition("/")[0] == budget.name
    ]
    share = max(used, default=0.0) / budget.limit
    limit = f"{budget.limit:,g} {budget.unit} {budget.period} ({budget.zone})"
    dry = " (dry)" if budget.mode == "dry" else ""
    return f"{budget.name}{dry}", limit, f"{len(used):,}", percent(share), f"{purse.refused:,}"
