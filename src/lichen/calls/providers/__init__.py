"""Providers: the wire formats that lichen reads, one package a provider.

doors       which path speaks which dialect, and to whom it leads
dialect     what lichen asks of a wire format
view        a call as steps see it: texts and where they stand, whatever the format
frames      server-sent events, cut into frames
plausible   bounds that token counts must keep, and guesses where there are none
openai      chat completions, responses, completions, embeddings
"""
