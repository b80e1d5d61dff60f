"""Freezes the model registry: parameters per model, from the installed `ecologits`, into a CSV.

Only facts are carried over: provider, name, parameter counts, what is uncertain about them. The
registry drops models when their providers retire them, so a frozen copy keeps old calls priceable.

    python tools/freeze_models.py [--retrieved 2026-11-23] [--out src/lichen/meter/models.csv]

Source: https://github.com/mlco2/ecologits, data/models.json (MPL-2.0).
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import importlib.metadata
import importlib.resources
import json
from pathlib import Path
from typing import Any

COLUMNS = (
    "provider",
    "name",
    "total_low",
    "total_high",
    "active_low",
    "active_high",
    "flags",
    "aliases",
    "source",
    "retrieved",
)


def ends(count: float | dict[str, float]) -> tuple[float, float]:
    """Lowest and highest parameter count. [billion]"""
    if isinstance(count, dict):
        return count["min"], count["max"]
    return count, count


def parameters(architecture: dict[str, Any]) -> tuple[float, float, float, float]:
    """Total low, total high, active low, active high. [billion]"""
    count = architecture["parameters"]
    if architecture["type"] == "moe":
        return *ends(count["total"]), *ends(count["active"])
    return *ends(count), *ends(count)


def aliases(registry: dict[str, Any], provider: str, name: str) -> list[str]:
    """The other names of one model."""
    return sorted(
        row["name"]
        for row in registry["aliases"]
        if row["provider"] == provider and row["alias"] == name
    )


def rows(registry: dict[str, Any], source: str, retrieved: str) -> list[tuple[str, ...]]:
    """One row a model, sorted by provider and name."""
    made = [
        (
            model["provider"],
            model["name"],
            *(f"{number:g}" for number in parameters(model["architecture"])),
            "|".join(sorted(code.removeprefix("model-") for code in model["warnings"] or ())),
            "|".join(aliases(registry, model["provider"], model["name"])),
            source,
            retrieved,
        )
        for model in registry["models"]
    ]
    return sorted(made)


def main() -> None:
    """Write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    parser.add_argument("--retrieved", default=today)
    parser.add_argument("--out", type=Path, default=Path("src/lichen/meter/models.csv"))
    chosen = parser.parse_args()

    source = f"ecologits {importlib.metadata.version('ecologits')}"
    table = importlib.resources.files("ecologits") / "data" / "models.json"
    frozen = rows(json.loads(table.read_text("utf-8")), source, chosen.retrieved)
    with chosen.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(frozen)
    print(f"{len(frozen)} models from {source} -> {chosen.out}")


if __name__ == "__main__":
    main()
