"""`python -m lichen`: the command line."""

from __future__ import annotations

from lichen.cli import main

if __name__ == "__main__":
    main()
