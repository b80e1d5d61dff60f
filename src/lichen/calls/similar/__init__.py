"""Similar prompts: an answer is given again only where evidence says that it serves."""
