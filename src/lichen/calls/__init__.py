"""Strategy 1 · calling LLM APIs: a call on its way through steps, each of which may spare some."""
