"""Providers: the wire formats that lichen reads, one package a provider.

doors       which path speaks which dialect, and to whom it leads
dialect     what lichen asks of a wire format
view        a call as steps see it: texts and where they stand, whatever the format
frames      server-sent events, cut into frames
plausible   bounds that token counts must keep, and guesses where there are none
marks       how a call says which of its prefixes is to be kept
fields      a body read into an object
addresses   where the providers are
prices      what they ask for a token of each class, alone and in a batch
openai      chat completions, responses, completions, embeddings
anthropic   messages
gemini      generateContent, embedContent and their kin
"""
