"""Words: what strategies, gaps, methods and tokens are called on the page, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.entry import NONE, OWN, WINDOW
from lichen.ledger.estimate import Basis
from lichen.operate.watch.gap_words import GAPS, Said

if TYPE_CHECKING:
    from lichen.ledger.entry import Figures
    from lichen.ledger.rollup import Totals

# Where a checkout of lichen has its documentation: it is published nowhere yet.
DOCS = "docs"
# What the embedded model uses while no call runs has no strategy of its own in the book.
OUTSIDE = "outside"
_IDLE = "idle"
# The method of what nobody could tell.
_UNKNOWN = "unknown/"
# A name from outside may be of any length; a column is not. [characters]
LONGEST_NAME = 48


class Method(NamedTuple):
    """How a number is made, the page of the documentation that shows it, and what to note."""

    title: str
    page: str
    note: str = ""

    def told(self, name: str) -> str:
        """Its title, its own name, and where it is explained, if lichen does."""
        return f"{self.title} ({name}{f', {DOCS}/{self.page}.md' if self.page else ''})"


STRATEGIES = {
    NONE: Said("asked the model", "Answered by the model, as it came."),
    "none.sampled": Said(
        "asked again",
        "An answer was stored, but the policy for sampled calls wants a new one: "
        'sampled = "reuse" on a route changes that.',
    ),
    WINDOW: Said("measured window", "A piece of a program, or a command, measured as it ran."),
    "calls.exact": Said("stored answer", "The same call had been answered before."),
    "calls.coalesce": Said("shared answer", "The same call was under way: one answer for all."),
    "calls.gate": Said(
        "rules and smaller models",
        "A rule of yours knew the answer, or a smaller model was asked, for better or for worse.",
    ),
    "calls.similar": Said(
        "answer to a like question", "A question like it had been answered, within the error asked."
    ),
    "calls.compress": Said("shorter prompt", "Tokens that the model did not have to read."),
    "calls.prefix": Said(
        "prefix kept", "Tokens that the provider had read before and took from its own cache."
    ),
    "calls.batch": Said("sent later or together", "Waited for a cleaner hour, or for company."),
    "train.green": Said(
        "run when clean", "A job that waited for a cleaner grid, against running it at once."
    ),
    OWN: Said("lichen itself", "CPU time of the service and this page."),
    OUTSIDE: Said("outside any call: loading and idle", "What the embedded model used then."),
}
# Gaps of a call that gave no answer.
_FAILURES = ("upstream-failed", "upstream-answered", "call-abandoned")

_WARM = "Its low end supposes that the prompt would have been in the model's prompt cache. "
METHODS = {
    "tokens": Method("token model", "method/energy"),
    "process": Method("process meter", "method/process"),
    "window": Method("measured window", "method/process"),
    "stored-call": Method("the stored call's own footprint", "method/savings", _WARM),
    "shared-call": Method("the shared call's own footprint", "method/savings", _WARM),
    "gate": Method("what such calls have used, estimated", "calls/gate"),
    "similar-call": Method("the like question's own footprint", "method/savings", _WARM),
    "difference": Method("the call with and without the step", "method/savings"),
    "settlement": Method("settled on the grid as it was", "method/savings"),
    "run-now": Method("the same job, run at once", "method/savings"),
    "unknown": Method("not known", "method/uncertainty"),
}

BASES = {
    Basis.MEASURED: "measured",
    Basis.MODELLED: "modelled",
    Basis.ASSUMED: "assumed",
}

TOKENS = {
    "prefill": "input, computed",
    "cache_read": "input, from the provider's cache",
    "cache_write": "input, put in the provider's cache",
    "decode": "output",
    "reasoning": "output, reasoning",
}


def strategy(name: str) -> Said:
    """What a strategy is called; one that is not known here goes by its own name."""
    return STRATEGIES.get(name, Said(name))


def strategy_of(row: Totals) -> str:
    """The strategy of a roll-up; OUTSIDE for what a model used for no call.

    A call whose request names no model did work, and stays what it was.
    """
    outside = not row.model and not row.work.amount and row.used.energy.value.amount
    if row.strategy == NONE and outside:
        return OUTSIDE
    return row.strategy


def failure(figures: Figures) -> str:
    """The gap that says why a call failed; empty where it did not."""
    if figures.work.amount:
        return ""
    return next((gap for gap in figures.gaps if gap.startswith(_FAILURES)), "")


def is_idle(figures: Figures) -> bool:
    """Whether an entry is what the embedded model used outside any call."""
    return figures.name == _IDLE


def answered_by(figures: Figures) -> Said:
    """Who answered an entry, that it failed and how, or that it was no call."""
    if is_idle(figures):
        return STRATEGIES[OUTSIDE]
    if failed := failure(figures):
        which = failed.partition(":")[2]
        why = f"error {which}" if which.isdigit() else short(which) or gap(failed).title
        return Said(f"failed: {why}", gap(failed).meaning)
    return strategy(figures.strategy)


def is_known(figures: Figures) -> bool:
    """Whether what an entry used is known; where it is not, a figure of 0 says nothing."""
    return not figures.method.startswith(_UNKNOWN)


def gap(name: str) -> Said:
    """What a gap means; the part after a colon says which one."""
    kind, _, which = name.partition(":")
    # The longest word says most of it, in whatever order they stand.
    word = max((known for known in GAPS if kind.startswith(known)), key=len, default="")
    said = GAPS.get(word, Said(kind))
    return Said(f"{said.title} ({short(which)})" if which and kind in GAPS else said.title, said[1])


def method(name: str) -> Method:
    """What a method is called and where it is explained."""
    return METHODS.get(name.partition("/")[0], Method(name, ""))


def short(name: str) -> str:
    """A name from outside, cut to what a column holds."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def times(amount: float, one: str) -> str:
    """The noun for an amount: call, calls."""
    return one if amount == 1 else f"{one}s"
