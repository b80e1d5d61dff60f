"""How short prompts become, what of them stays, and what that costs."""
