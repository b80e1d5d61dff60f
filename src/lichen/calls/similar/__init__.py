"""Similar prompts: an answer is given again only where evidence says that it serves.

step, after     a call on its way; what is learnt once the answer has come
looker          what takes time, in a thread of its own
scope           which calls may be compared at all
index, kept     questions in memory, and where they last
guards, verify  what tells two questions apart; how like they are
decision        whether to answer, with a bound on the error among hits
judge           whether two answers say the same
hit, proof      a hit's entry, and its evidence run again
worth, show     whether it pays; what it shows
others, told    what services that share a cache tell one another of questions
seen, resting   what is kept, for reports and proofs; and where nobody asks any more
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.calls.exchange import Step
    from lichen.calls.steps import StepParts


def open_step(parts: StepParts) -> Step | None:
    """The step, None where no route asks for similar answers and none did before.

    Raises:
        MissingExtra: a route does, and the embedder's packages are not installed.
    """
    if not parts.rules.any("similar", "off"):
        path = parts.place.file("similar")
        if path is None or not path.is_file():
            return None
        from lichen.calls.similar.resting import Resting  # noqa: PLC0415 (only where it is there)

        return Resting(path, parts.warn)
    from lichen.calls.similar.step import Similar  # noqa: PLC0415 (only where it is asked for)

    return Similar(parts, parts.options("similar"))
