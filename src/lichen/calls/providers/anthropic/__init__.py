"""Anthropic: messages, whole and streamed.

dialect   the whole of it, as `ANTHROPIC`
call      what a body asks
usage     token counts
ending    whether an answer may be given again
view      texts, where they stand, and what lies before a cache breakpoint
said      the text of an answer, and whether it asks for a tool
marks     where a prefix may end that is to be kept
told      answers and errors of our own, in its shape

Source: Anthropic API reference, "Messages", 2026-11.
"""
