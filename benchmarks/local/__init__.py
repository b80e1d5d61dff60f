"""The embedded model, measured: what a read, a written and a cached token cost on this machine."""
