"""Text: when do two texts say the same?

embeddings   a text as a unit vector: the built-in MiniLM, and its worker thread
shingles     the cheap first look: does any entry share enough of the rarer words?
nearest      the nearest of many vectors, in scopes that never mix
tokens       how many tokens a text has, by the tokenizer of the model's family
"""
