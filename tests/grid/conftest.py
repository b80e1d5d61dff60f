"""Recorded data beside the checkout; its tests skip where it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


@pytest.fixture
def recorded() -> Path:
    """The folder of recorded carbon traces."""
    folder = SHARED / "data" / "carbon"
    if not folder.is_dir():
        pytest.skip(f"needs recorded traces in {folder}")
    return folder
