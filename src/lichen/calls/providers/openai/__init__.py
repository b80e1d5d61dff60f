"""OpenAI: chat completions, responses, completions and embeddings, and all who speak as it does.

dialect   the whole of it, as `OPENAI`
call      what a body asks
usage     token counts
ending    whether an answer may be given again
view      texts, and where they stand
told      answers and errors of our own, in its shape

Source: OpenAI API reference, 2026-11.
"""
