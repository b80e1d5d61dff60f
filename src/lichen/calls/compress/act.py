"""Act: what shortening a prompt spared, in the token classes in which it would have been read.

    without the step   = what was read + the tokens that were spared

Spared tokens that stand within what the provider read from its prompt cache would have been read
from there, too, and are priced so; those within what it wrote to its cache, as written; the others
as computed afresh. Where a text stands is known by its share of the prompt, in characters.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from lichen.calls.acts import Act, Use
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.compress.prompt import Change
    from lichen.text.tokens import Tokenizer

STRATEGY = "calls.compress"
METHOD = "compressed/1"
# The spared tokens were counted by a tokenizer that is not the model's own.
ESTIMATED = "spared-tokens-estimated"


def act(
    changes: Sequence[Change], mode: str, tokenizer: Tokenizer, gaps: tuple[str, ...] = ()
) -> Act:
    """The act of shortening these texts."""
    spared = [(change.end, change.before - change.after) for change in changes]

    def undo(use: Use) -> Use:
        return use._replace(tokens=without(use.tokens, spared))

    return Act(
        STRATEGY,
        METHOD,
        undo,
        raw={
            "mode": mode,
            "texts": len(changes),
            "tokens_before": sum(change.before for change in changes),
            "tokens_after": sum(change.after for change in changes),
            "tokenizer": tokenizer.name,
            "sent": digest(changes),
        },
        gaps=(*gaps, *((ESTIMATED,) if tokenizer.is_estimate else ())),
    )


def digest(changes: Sequence[Change]) -> str:
    """The hash of the texts as they were sent, by which the call's own entry is known."""
    made = blake2b(digest_size=16)
    for change in changes:
        made.update(blake2b(change.text.encode(), digest_size=16).digest())
    return made.hexdigest()


def without(tokens: Tokens, spared: Sequence[tuple[float, int]]) -> Tokens:
    """What would have been read had nothing been spared; pairs of end (share) and tokens."""
    total = tokens.input
    if not total:
        return Tokens(sum(count for _, count in spared), 0, 0, tokens.decode, tokens.reasoning)
    read_to = tokens.cache_read / total
    written_to = (tokens.cache_read + tokens.cache_write) / total
    read = sum(count for end, count in spared if end <= read_to)
    written = sum(count for end, count in spared if read_to < end <= written_to)
    fresh = sum(count for end, count in spared if end > written_to)
    return Tokens(
        tokens.prefill + fresh,
        tokens.cache_read + read,
        tokens.cache_write + written,
        tokens.decode,
        tokens.reasoning,
    )
