"""Settings: flag > LICHEN_* > lichen.toml or [tool.lichen] > the user's file > default.

One frozen object, read once at the start. An unknown name or a value of the wrong kind is an error
that names the file or variable it came from and the nearest known name.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.calls.rules import RouteRule
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "B": 1.0}
_CHOICES = {"sampled": ("bypass", "reuse"), "scope": ("tenant", "shared")}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything lichen can be told. Times in seconds, sizes in bytes."""

    ledger: str = "lichen.db"
    cache: str = ""
    zone: str = ""
    trace: str = ""
    host: str = "127.0.0.1"
    port: int = 8420
    token: str = field(default="", repr=False)
    upstream: str = ""
    upstream_key: str = field(default="", repr=False)
    upstream_zone: str = ""
    gguf: str = ""
    threads: int = 0
    timeout: float = 600.0
    connect_timeout: float = 10.0
    body_limit: float = 64e6
    cache_size: float = 256e6
    cache_entry_limit: float = 8e6
    grace: float = 30.0
    ttl: float = 86400.0
    sampled: str = "bypass"
    scope: str = "tenant"
    routes: tuple[RouteRule, ...] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether the service listens to this machine alone."""
        return self.host in _LOOPBACK or self.host.startswith("127.")

    @property
    def rules(self) -> tuple[RouteRule, ...]:
        """Rules in order of precedence, the general one last."""
        return (*self.routes, RouteRule("*", "*", self.sampled, self.scope, self.ttl))

    def with_(self, **flags: Any) -> Settings:
        """These settings with flags that were given (those not None) over them."""
        given = {name: value for name, value in flags.items() if value is not None}
        return _apply(self, given, "a flag")


def load(
    directory: Path | None = None, environ: Mapping[str, str] | None = None, **flags: Any
) -> Settings:
    """Settings from all sources in their order.

    Raises:
        InputError: a name is unknown or a value makes no sense; says where it stands.
    """
    environ = os.environ if environ is None else environ
    settings = Settings()
    for path in _files(directory or Path.cwd(), environ):
        settings = _apply(settings, _table(path), str(path))
    names = {f"LICHEN_{f.name.upper()}": f.name for f in fields(Settings) if f.name != "routes"}
    for variable, name in names.items():
        if variable in environ:
            settings = _apply(settings, {name: environ[variable]}, variable)
    return settings.with_(**flags)


def _files(directory: Path, environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    found = [
        home / "lichen" / "lichen.toml",
        directory / "pyproject.toml",
        directory / "lichen.toml",
    ]
    return [path for path in found if path.is_file()]


def _table(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}") from error
    if path.name == "pyproject.toml":
        table = table.get("tool", {}).get("lichen", {})
    return dict(table)


def _apply(settings: Settings, table: Mapping[str, Any], where: str) -> Settings:
    known = {f.name for f in fields(Settings)}
    made: dict[str, Any] = {}
    for raw_name, value in table.items():
        name = "routes" if raw_name == "route" else raw_name.replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise InputError(f"{where}: unknown setting {raw_name!r}: {hint}")
        if name == "routes":
            made[name] = tuple(_rule(row, settings, where) for row in value)
        else:
            made[name] = _value(name, value, where)
    return _checked(replace(settings, **made), where)


def _rule(row: Any, settings: Settings, where: str) -> RouteRule:
    if isinstance(row, RouteRule):
        return row
    start = RouteRule("*", "*", settings.sampled, settings.scope, settings.ttl)
    known = {f.name for f in fields(RouteRule)}
    if not isinstance(row, dict) or not set(row) <= known:
        raise InputError(f"{where}: a [[route]] takes {', '.join(sorted(known))}; got {row!r}")
    return replace(start, **{name: _value(name, value, where) for name, value in row.items()})


def _value(name: str, value: Any, where: str) -> Any:
    kind = {f.name: f.type for f in (*fields(Settings), *fields(RouteRule))}[name]
    try:
        if name in _CHOICES and value not in _CHOICES[name]:
            raise ValueError(f"one of {', '.join(_CHOICES[name])}")  # noqa: TRY301 (one message below)
        if kind == "float":
            return _number(value)
        return int(value) if kind == "int" else str(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: {name} cannot be {value!r}: {error}") from None


def _number(value: Any) -> float:
    """A plain number, or one with a unit: "90s", "2h", "256MB"."""
    text = str(value).strip()
    for unit, factor in (*_SIZES.items(), *sorted(_UNITS.items(), key=lambda u: -len(u[0]))):
        if text.endswith(unit) and text[: -len(unit)].strip().replace(".", "", 1).isdigit():
            return float(text[: -len(unit)]) * factor
    return float(text)


def _checked(settings: Settings, where: str) -> Settings:
    if not 0 <= settings.port <= 65535:  # noqa: PLR2004 (TCP ports)
        raise InputError(f"{where}: port must lie in 0..65535, got {settings.port}")
    for name in ("ttl", "timeout", "connect_timeout", "body_limit", "cache_size", "grace"):
        if getattr(settings, name) < 0:
            raise InputError(f"{where}: {name} must be ≥ 0, got {getattr(settings, name)!r}")
    return settings
