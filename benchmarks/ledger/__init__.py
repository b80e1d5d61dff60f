"""What the ledger costs: writing an entry, and reading a report."""
