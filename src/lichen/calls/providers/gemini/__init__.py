"""Gemini: generateContent, streamGenerateContent, embedContent and batchEmbedContents.

dialect   the whole of it, as `GEMINI`
call      what a path and a body ask
names     fields, which may be written in two ways
usage     token counts
ending    whether an answer may be given again
view      texts, and where they stand
said      the text of an answer, and whether it asks for a tool
told      answers and errors of our own, in its shape

Source: Google AI for Developers, Gemini API reference, 2026-11.
"""
