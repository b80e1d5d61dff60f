"""Files: where settings are written down, and what stands in them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


def files(directory: Path, environ: Mapping[str, str]) -> list[Path]:
    """The files there are, those that say the last word last."""
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    found = [
        home / "lichen" / "lichen.toml",
        directory / "pyproject.toml",
        directory / "lichen.toml",
    ]
    return [path for path in found if _is_there(path)]


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that this user may not enter holds no settings of theirs
        return False


def table_of(path: Path) -> dict[str, Any]:
    """What a file says.

    Raises:
        InputError: it cannot be read.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        # What most who write TOML for the first time leave out.
        told = str(error)
        hint = '; text needs quotes: zone = "SE-SE3"' if "Invalid value" in told else ""
        if "Illegal character '\\n'" in told or "Unterminated string" in told:
            hint = "; a quote is missing at the end of a text"
        raise InputError(f"{path} cannot be read as TOML: {error}{hint}") from error
    if path.name == "pyproject.toml":
        table = table.get("tool", {}).get("lichen", {})
        if type(table) is not dict:
            raise InputError(f"{path}: [tool.lichen] must be a table, got {table!r}")
    return table
