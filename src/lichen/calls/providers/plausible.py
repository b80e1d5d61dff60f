"""Plausible: bounds that token counts must keep, and a guess where an answer gives none.

What makes no sense is no usage: unknown is not zero. Nor is what the bytes of a call do not bear
out, since a book that has once added it up is spoilt:

    input  ≤ 2 × bytes of the request + 262,144    a token is a byte or more; services add a prompt
    output ≤ bytes of the answer + 262,144 × n     n answers, each thought about out of sight
    both   ≤ 10,000,000                            ten times the longest context on offer

Where the provider adds input that the request does not show (images, files, tools that it runs, a
conversation it keeps), only the last holds for the input.

Source: Google AI for Developers, "Gemini models" (contexts of 1,048,576 tokens); OpenAI, "Models"
(answers of 128,000).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from lichen.calls.exchange import Call

# One token of English text is about four bytes.
# Source: OpenAI Help Center, "What are tokens and how to count them?"
_BYTES_PER_TOKEN = 4
# Of an answer's JSON about half is not text the model wrote (envelope, escapes, usage).
_ENVELOPE = 2
_MOST = 10_000_000
_MOST_HIDDEN = _MOST_THOUGHT = 262_144
_BYTES_READ_TWICE = 2


def is_plausible(tokens: Tokens, call: Call, request: bytes, size: int) -> bool:
    """Whether a call of these bytes, and an answer of `size` bytes, can have taken these tokens."""
    read, written = tokens.input, tokens.output
    if read <= len(request) and written <= size:
        return True  # nearly every call: a token is some four bytes
    if max(read, written) > _MOST:
        return False
    dialect, fields = call.dialect, call.fields
    if written > size + _MOST_THOUGHT * dialect.answers(fields):
        return False
    shown = _BYTES_READ_TWICE * len(request) + _MOST_HIDDEN
    return read <= shown or dialect.reads_elsewhere(fields, request)


def is_possible(tokens: Tokens) -> bool:
    """Whether any call can have taken these tokens, where its bytes are not at hand."""
    return max(tokens.input, tokens.output) <= _MOST


def estimated_usage(call: Call, request: bytes, answer: bytes, frames: int) -> Tokens:
    """Token counts where the upstream gave none: a rough guess, to be flagged as one.

    Input by its bytes; output by the number of stream frames (one token each, as providers send
    them), or by the answer's bytes. An embedding writes none.
    """
    read = max(1, len(request) // _BYTES_PER_TOKEN)
    if call.kind in call.dialect.embeds:
        return Tokens(prefill=read)
    return Tokens(
        prefill=read, decode=frames or max(1, len(answer) // (_ENVELOPE * _BYTES_PER_TOKEN))
    )
