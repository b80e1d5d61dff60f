"""Words: what strategies, gaps, methods and tokens are called on the page, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.entry import NONE, OWN, WINDOW
from lichen.ledger.estimate import Basis

if TYPE_CHECKING:
    from lichen.ledger.entry import Figures
    from lichen.ledger.rollup import Totals

DOCS = "https://lichen.readthedocs.io"
# What the embedded model uses while no call runs has no strategy of its own in the book.
OUTSIDE = "outside"
_IDLE = "idle"
# The method of what nobody could tell.
_UNKNOWN = "unknown/"
# A name from outside may be of any length; a column is not. [characters]
LONGEST_NAME = 48


class Said(NamedTuple):
    """A title, and a sentence or two that explain it."""

    title: str
    meaning: str = ""


class Method(NamedTuple):
    """How a number is made, the page of the documentation that shows it, and what to note."""

    title: str
    page: str
    note: str = ""

    @property
    def address(self) -> str:
        """Where the method is explained."""
        return f"{DOCS}/{self.page}/"


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

GAPS = {
    "energy-of-cpu-alone": Said(
        "energy of the CPU alone",
        "Nobody metered the job or named its power: accelerators are not in its energy.",
    ),
    "power-assumed": Said(
        "power assumed", "Neither metered nor told: say what a job draws with --power."
    ),
    "actuals-estimated": Said(
        "grid estimated",
        "The grid's source publishes no actual values of that zone or time: its estimates stand.",
    ),
    "interval-across-zones": Said(
        "two grids compared",
        "It ran in another zone than it would have: how far the errors of two grids go together is "
        "not known, so the interval of what was avoided is the widest there can be.",
    ),
    "embodied-unknown": Said(
        "hardware's making unknown", "It is not known which hardware the job ran on."
    ),
    "model-unknown": Said(
        "model not in the registry",
        "Priced as wide as its family or as all known models, never as zero.",
    ),
    "zone-assumed": Said(
        "grid zone not told",
        "The wide world average stands in. Set LICHEN_ZONE to where this machine is, and "
        "LICHEN_UPSTREAM_ZONE where the model runs elsewhere.",
    ),
    "intensity-unavailable": Said(
        "grid intensity missing",
        "No figure for that zone and time, so the wide world average stands in.",
    ),
    "tokens-estimated": Said(
        "tokens not reported",
        "The service told no token counts, so these are estimates: the input by the call's bytes, "
        "the output by the frames of its stream or the bytes of its answer.",
    ),
    "baseline-estimated": Said(
        "baseline estimated",
        "No model was asked, so what it would have used is estimated from how long answers were.",
    ),
    "output-assumed": Said(
        "length of answers assumed",
        "Fewer than ten answers of that model had been seen since the service began: a usual, wide "
        "length stands in.",
    ),
    "answers-alike-assumed": Said(
        "answers taken as alike", "Those left out are taken to be as long as those that came."
    ),
    "same-tokens-assumed": Said(
        "tokens taken as the same", "The large model is taken to use as many as the smaller one."
    ),
    "tokens-shared-by-estimate": Said(
        "tokens shared by length",
        "It went with other callers' inputs in one call: the service counted the tokens of all, "
        "and each one's share is by the length of its input.",
    ),
    "time-of-run-unknown": Said(
        "time of run not known",
        "It came in one of the provider's own batches, which ran some time within a day: its grid "
        "is taken at the time it was fetched.",
    ),
    "batch-answered-later": Said(
        "batch left with the provider",
        "What its calls used is booked when its results are fetched through lichen.",
    ),
    "batch-line-without-usage": Said(
        "batch answer without token counts", "It was answered, and tells nothing of what it used."
    ),
    "batch-line-implausible": Said(
        "batch answer not believed", "It tells more tokens than any call can have taken."
    ),
    "batch-line-unreadable": Said(
        "batch answer not readable", "A line of a batch's results that is none."
    ),
    "batch-line-too-long": Said(
        "batch answer too long to read",
        "Its line is longer than LICHEN_BATCH_ITEM_LIMIT; it was passed on.",
    ),
    "batch-results-too-large": Said(
        "batch results too large to read", "They were passed on; none of their lines is booked."
    ),
    "batch-results-unreadable": Said(
        "batch results not readable",
        "They came in a coding that nothing here reads: `pip install lichen[compress]` may help.",
    ),
    "usage-implausible": Said(
        "token counts not believed",
        "More tokens than the bytes of the call allow; they were estimated instead.",
    ),
    "calls not booked": Said(
        "calls not booked", "This machine's clock is before 2024, when entries begin: set it right."
    ),
    "stream-broken-off": Said(
        "stream broke off", "Only what had arrived until then could be counted."
    ),
    "call-abandoned": Said(
        "call given up", "The client left before the answer; what the service used is not known."
    ),
    "upstream-failed": Said(
        "service not reached", "No answer came; what it used, if anything, is not known."
    ),
    "upstream-answered": Said(
        "service answered with an error",
        "It tells no tokens then: what was not measured on this machine is not known.",
    ),
    "not-modelled": Said(
        "not read by lichen",
        "A POST to a path whose answers lichen cannot read: it was passed on, and what it used is "
        "not known.",
    ),
    "not-priced": Said("not priced", "The call was answered and its use could not be computed."),
    "window-shared": Said(
        "windows at the same time",
        "Measured side by side, they share equally: which of them used how much is not known.",
    ),
    "meter-failed": Said("meter failed", "It could not be read for a part of the window."),
    "no-meter": Said("no meter", "Nothing here reads energy: `lichen doctor` says why."),
    "gpu-unmetered": Said(
        "accelerator not metered", "Its making is counted, its energy is not: nothing reads it."
    ),
    "sync-failed": Said("device not waited for", "Work of the window may lie outside it."),
    "still-running": Said("left running", "What the command started went on after its window."),
    "entries dropped": Said(
        "lines not written", "The ledger could not keep up or be written: `lichen doctor` says why."
    ),
    "entries lost": Said("lines lost", "A hard stop took at most the last quarter of a second."),
    "calls under way": Said(
        "calls broken off", "The service was killed while they ran: what they used is not known."
    ),
    "entries refused": Said("lines refused", "Their id was taken by another line."),
}

_WARM = "Its low end supposes that the prompt would have been in the model's prompt cache. "
METHODS = {
    "tokens": Method("token model", "method/energy"),
    "process": Method("process meter", "method/process"),
    "window": Method("measured window", "method/process"),
    "stored-call": Method("the stored call's own footprint", "method/savings", _WARM),
    "shared-call": Method("the shared call's own footprint", "method/savings", _WARM),
    "gate": Method("what such calls have used, estimated", "calls"),
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
    """The strategy of a roll-up; OUTSIDE for what a model used for no call."""
    if row.strategy == NONE and not row.model and row.used.energy.value.amount:
        return OUTSIDE
    return row.strategy


def failure(figures: Figures) -> str:
    """The gap that says why a call failed; empty where it did not."""
    if figures.work.amount:
        return ""
    return next((gap for gap in figures.gaps if gap.startswith(_FAILURES)), "")


def answered_by(figures: Figures) -> Said:
    """Who answered an entry, that it failed and how, or that it was no call."""
    if figures.name == _IDLE:
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
    said = next((GAPS[known] for known in GAPS if kind.startswith(known)), Said(kind))
    return Said(f"{said.title} ({short(which)})" if which and kind in GAPS else said.title, said[1])


def method(name: str) -> Method:
    """What a method is called and where it is explained."""
    return METHODS.get(name.partition("/")[0], Method(name, "method"))


def short(name: str) -> str:
    """A name from outside, cut to what a column holds."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def times(amount: float, one: str) -> str:
    """The noun for an amount: call, calls."""
    return one if amount == 1 else f"{one}s"
