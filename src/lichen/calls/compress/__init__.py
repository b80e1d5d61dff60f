"""Compress: shorter prompts. Lossless first, selection by choice, and what watches over both.

exact_json, table, space, lossless   a text with fewer tokens that says the same, to the digit
expand, blocks                       the way back; what is said twice, said once
prompt, conversation, memory, stale  which texts of a call, and what was sent before
compressor, step, act, options       the step, and what it books
weighing                             is it cheaper so? the joint decision, before anything is sent
signs, trial, watch, tally           are answers worse for it?
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.calls.compress.step import Compress
    from lichen.calls.steps import StepParts

OFF = "off"


def open_step(parts: StepParts) -> Compress | None:
    """The step, from what all steps are made from; None where no route asks for it.

    Raises:
        InputError: nothing installed provides the compressor that the settings name.
    """
    if not parts.rules.any("compress", OFF):
        return None
    from lichen.calls.compress.opening import opened  # noqa: PLC0415 (only where it is asked for)

    return opened(parts)
