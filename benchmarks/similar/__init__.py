"""Similar prompts: the error among hits, the repeats answered, the traps, and the cost."""
