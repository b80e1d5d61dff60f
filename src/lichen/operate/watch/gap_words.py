"""Gap words: what could not be known, by the names that the book has for it, and what they mean.

A gap is named by the longest of these words that it begins with; what follows a colon says which
one. The table in docs/gaps.md explains the same words, and says what to do about them.
"""

from __future__ import annotations

from typing import NamedTuple


class Said(NamedTuple):
    """A title, and a sentence or two that explain it."""

    title: str
    meaning: str = ""


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
        "Fewer than ten answers of that model had been seen yet: a usual, wide length stands in.",
    ),
    "upstream-not-measured-yet": Said(
        "own model not measured yet",
        "This machine's own model is measured, and no call of it had been yet: its use is taken as "
        "that of a provider's hardware.",
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
    "usage-implausible": Said(
        "token counts not believed",
        "More tokens than the bytes of the call allow; they were estimated instead.",
    ),
    "calls not booked": Said(
        "calls not booked", "This machine's clock is before 2024, when entries begin: set it right."
    ),
    "calls not charged": Said(
        "calls not charged to a budget", "The model's price is not known, and unknown is not zero."
    ),
    "a smaller model was asked": Said(
        "smaller model silent", "What it used on calls that it did not answer is not known."
    ),
    "shorter prompts turned themselves off": Said(
        "shorter prompts off", "Answers were worse on that route where prompts were shortened."
    ),
    "what steps did to a call": Said(
        "steps not booked", "The call is in the book; the line of what a step spared is not."
    ),
    "the embedded model ended": Said(
        "embedded model ended", "What it used since its last reading went with it."
    ),
    "lichen's own use": Said(
        "lichen's own use not booked", "This machine's clock is before 2024: set it right."
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
    "answer-unreadable": Said(
        "answer not read", "Lichen could not read the answer, which went on as it came."
    ),
    "earlier-tries-not-metered": Said(
        "earlier tries not metered",
        "It took more than one try: what those before the last one used is not known.",
    ),
    "batch-answered-later": Said(
        "batch answered later",
        "A batch made at the provider itself: what its calls used is booked when its results are "
        "fetched through lichen.",
    ),
    "batch-line-without-usage": Said(
        "batch answer without token counts",
        "A line of a batch's results was answered, and tells nothing of what it used.",
    ),
    "batch-line-implausible": Said(
        "batch answer not believed",
        "A line of a batch's results tells more tokens than any call can have taken.",
    ),
    "batch-line-unreadable": Said(
        "batch answer not readable", "A line of a batch's results is none; it was passed on."
    ),
    "batch-line-too-long": Said(
        "batch answer too long to read",
        "A line of a batch's results is longer than is held; it was passed on.",
    ),
    "batch-results-too-large": Said(
        "batch results too large to read", "They were passed on; none of their lines is booked."
    ),
    "batch-results-not-booked": Said(
        "batch results left unbooked",
        "The service was killed before all of their lines were booked: some are missing.",
    ),
    "batch-results-not-read": Said(
        "batch results passed unread",
        "A download passed unread, as 32 others were being read: if it held results of a batch, "
        "none of their lines is booked.",
    ),
    "batch-results-unreadable": Said(
        "batch results not readable",
        "They could not be decoded and were passed on; none of their lines is booked.",
    ),
    "spared-tokens-estimated": Said(
        "spared tokens estimated",
        "No tokenizer of that model is at hand, so what a shorter prompt spared is an estimate.",
    ),
    "price-unknown": Said(
        "price not known", "The model is in no price table: energy alone decided what was done."
    ),
    "tokens-unknown": Said("tokens not known", "Whoever made the call told no tokens of it."),
    "work-unknown": Said(
        "work not known", "The trainer does not count what its work is to be counted in."
    ),
    "method-unknown": Said(
        "method not known", "Nothing installed here can price what was read by that method."
    ),
    "signal-short": Said(
        "forecast too short", "It ends before the deadline, so later hours were not considered."
    ),
    "pause-unproven": Said(
        "first pause early or none",
        "Until it has left a checkpoint a job is paused only while all of its work could be done "
        "again: its first pause was planned earlier than would be best, or none was.",
    ),
    "pue-unknown": Said(
        "PUE left out",
        "That of one of the places is not known, so no place's was counted: what their buildings "
        "add had no part in the choice, nor in what it was worth.",
    ),
    "forecast-unavailable": Said(
        "no forecast", "No source had one for the zone, so the job was not shifted."
    ),
    "clock-set": Said("clock was set", "While the job was driven: its times are off by as much."),
    "raised": Said("ended by an exception", "The measured code did not come to its end."),
    "paused": Said("paused", "This stretch ended to be resumed: its work is counted at the end."),
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
    "readings of lichen's own energy": Said(
        "own energy lost", "A hard stop took what lichen had not booked of it, at most 5 s each."
    ),
    "entries refused": Said("lines refused", "Their id was taken by another line."),
}
