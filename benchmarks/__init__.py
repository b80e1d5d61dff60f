"""Benchmarks: what lichen costs, each beside a limit or a peer measured in the same run."""
