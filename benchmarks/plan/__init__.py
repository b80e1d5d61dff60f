"""How good and how quick plans are: against two papers, and against a plain loop."""
