"""Gate: is the call needed at all?

rule, rulebook      [[gate.rule]]: answered, refused, capped, cut or shared without a model
arithmetic, dates   questions that can be answered here, by choice
pattern, template   what rules match with, and answer with
budget, budgets     [[gate.budget]]: who has how much left; counts keeps it over restarts
holds               what calls that wait were charged, until they are answered
small, cascade      [[gate.cascade]]: a smaller model is asked first, where it is shown to do
price, entries      what an answer spared, as an estimate that says so; proof runs it again
step                the step that does all this
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.calls.exchange import Step
    from lichen.calls.steps import StepParts


def open_step(parts: StepParts) -> Step | None:
    """The step, None where there is neither a rule nor a budget.

    Raises:
        InputError: a rule makes no sense.
        MissingExtra: a rule's pattern needs google-re2.
    """
    options = parts.options("gate")
    if not options.rule and not options.budget:
        return None
    from lichen.calls.gate.step import make_step  # noqa: PLC0415 (only where it is asked for)

    return make_step(parts, options)


def open_cascade(parts: StepParts) -> Step | None:
    """The step that asks a smaller model first, None where no cascade is configured.

    Raises:
        InputError: its upstream's address makes no sense.
    """
    options = parts.options("gate")
    if not options.cascade:
        return None
    from lichen.calls.gate.cascade import make_cascade  # noqa: PLC0415 (only where it is asked for)

    return make_cascade(parts, options)
