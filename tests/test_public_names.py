"""The public face: these names and no others, and nothing heavy behind the import."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import lichen

PUBLIC = [
    "SCI",
    "Baseline",
    "Basis",
    "Book",
    "Carbon",
    "CarbonIntensity",
    "Energy",
    "Entry",
    "Estimate",
    "Figures",
    "Footprint",
    "GridSignal",
    "LichenError",
    "Money",
    "Power",
    "Reserved",
    "Saving",
    "Tokens",
    "Water",
    "Window",
    "Work",
    "open",
    "pausable",
    "pipeline",
]

_LOADED = """
import json, sys
before = set(sys.modules)
import lichen
{then}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded_by(then: str = "") -> list[str]:
    """The modules that a fresh interpreter loads for lichen."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED.format(then=then)],
        check=True,
        capture_output=True,
        text=True,
    )
    names: list[str] = json.loads(done.stdout)
    return names


def strangers(modules: list[str]) -> set[str]:
    roots = {name.partition(".")[0] for name in modules}
    return roots - set(sys.stdlib_module_names) - {"lichen"}


def test_the_public_names_are_these() -> None:
    assert lichen.__all__ == PUBLIC


def test_the_public_names_are_in_order() -> None:
    constants = [name for name in PUBLIC if name.isupper()]
    classes = [name for name in PUBLIC if not name.isupper() and name[0].isupper()]
    functions = [name for name in PUBLIC if name.islower()]

    assert sorted(constants) + sorted(classes) + sorted(functions) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name: str) -> None:
    found: Any = getattr(lichen, name)

    assert found.__name__ == name
    assert found.__doc__


def test_dir_shows_the_public_names() -> None:
    assert dir(lichen) == sorted(PUBLIC)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'tracker'"):
        lichen.tracker  # noqa: B018 (it is the look-up that fails)


def test_importing_lichen_loads_the_standard_library_only() -> None:
    modules = loaded_by()

    assert strangers(modules) == set()
    assert [name for name in modules if name.startswith("lichen.")] == []


def test_the_whole_ledger_stands_on_the_standard_library() -> None:
    modules = loaded_by(
        "from lichen import Book, Entry, SCI, GridSignal\n"
        "import lichen.ledger.sqlite, lichen.ledger.memory, lichen.ledger.postgres\n"
        "import lichen.ledger.writer"
    )

    assert strangers(modules) == set()
    assert "lichen.ledger.postgres" in modules
