"""Settings: flag > LICHEN_* > lichen.toml > [tool.lichen] > the user's file > default.

One frozen object, read once at the start. An unknown name or a value of the wrong kind is an error
that names the file or variable it came from and the nearest known name.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from ipaddress import ip_address
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.calls.rules import RouteRule
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMES = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
# Source: IEC 80000-13 (binary prefixes), SI Brochure, 9th edition (decimal ones).
_SIZES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_UNITS: dict[str, dict[str, float]] = {
    "timeout": _TIMES,
    "connect_timeout": _TIMES,
    "grace": _TIMES,
    "ttl": _TIMES,
    "body_limit": _SIZES,
    "cache_size": _SIZES,
    "cache_entry_limit": _SIZES,
}
# With 0 of these no call could ever be answered.
_ABOVE_ZERO = ("timeout", "connect_timeout", "body_limit")
_CHOICES = {"sampled": ("bypass", "reuse"), "scope": ("tenant", "shared")}
_MOST = {"port": 65535}
# How alike a variable must be to a known one to be taken for a slip: others that begin with LICHEN_
# may be somebody else's (Kubernetes makes LICHEN_SERVICE_HOST for a service of that name).
_ALIKE = 0.75


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
    # What each [[route]] says; the settings above hold for what it does not say.
    routes: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether the service listens to this machine alone."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def rules(self) -> tuple[RouteRule, ...]:
        """Rules in order of precedence, the general one last."""
        general = RouteRule("*", "*", self.sampled, self.scope, self.ttl)
        return (*(replace(general, **row) for row in self.routes), general)

    def with_(self, **flags: Any) -> Settings:
        """These settings with flags that were given (those not None) over them.

        Raises:
            InputError: a name is unknown or a value makes no sense.
        """
        given = {name: value for name, value in flags.items() if value is not None}
        return _apply(self, given, "a flag")


_KINDS = {f.name: str(f.type) for f in (*fields(RouteRule), *fields(Settings))}
_NAMES = tuple("route" if f.name == "routes" else f.name for f in fields(Settings))
_ROUTE_NAMES = tuple(f.name for f in fields(RouteRule))


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
    for variable, text in environ.items():
        # An empty variable is how a compose file says that it has nothing to say.
        if (name := _named(variable)) and text:
            settings = _apply(settings, {name: text}, variable)
    return settings.with_(**flags)


def _named(variable: str) -> str:
    """The setting that an environment variable gives; empty where it is none of ours."""
    prefix, _, name = variable.partition("LICHEN_")
    name = name.lower()
    if prefix or not name:
        return ""
    if name in _NAMES and name != "route":
        return name
    if near := difflib.get_close_matches(name, _NAMES, 1, _ALIKE):
        way_out = (
            "routes are set in lichen.toml, as [[route]] tables"
            if near[0] == "route"
            else f"did you mean LICHEN_{near[0].upper()}?"
        )
        raise InputError(f"{variable}: there is no such setting: {way_out}")
    return ""


def _files(directory: Path, environ: Mapping[str, str]) -> list[Path]:
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


def _table(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}") from error
    if path.name == "pyproject.toml":
        table = table.get("tool", {}).get("lichen", {})
        if type(table) is not dict:
            raise InputError(f"{path}: [tool.lichen] must be a table, got {table!r}")
    return table


def _apply(settings: Settings, table: Mapping[str, Any], where: str) -> Settings:
    made: dict[str, Any] = {}
    for raw_name, value in table.items():
        name = raw_name.replace("-", "_")
        if name not in _NAMES:
            raise InputError(f"{where}: unknown setting {raw_name!r}: {_hint(name, _NAMES)}")
        if name == "route":
            made["routes"] = _routes(value, where)
        else:
            made[name] = _value(name, value, where)
    return replace(settings, **made)


def _hint(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"


def _routes(rows: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(rows, (list, tuple)):
        raise InputError(f"{where}: routes are written as [[route]] tables, got route = {rows!r}")
    return tuple(_route(row, where) for row in rows)


def _route(row: Any, where: str) -> Mapping[str, Any]:
    if isinstance(row, RouteRule):
        return asdict(row)
    if not isinstance(row, dict):
        raise InputError(f"{where}: a [[route]] is a table, got {row!r}")
    for name in row:
        if name not in _ROUTE_NAMES:
            raise InputError(
                f"{where}: unknown {name!r} in a [[route]]: {_hint(name, _ROUTE_NAMES)}"
            )
    return {name: _value(name, value, where) for name, value in row.items()}


def _value(name: str, value: Any, where: str) -> Any:
    """The value of a setting, checked.

    Secrets are not repeated in the error: it may be logged.
    """
    try:
        return _read(name, value)
    except ValueError as error:
        shown = "what it is" if name in ("token", "upstream_key") else repr(value)
        raise InputError(f"{where}: {name} cannot be {shown}: {error}") from None


def _read(name: str, value: Any) -> Any:
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ValueError(f"it is one of {', '.join(_CHOICES[name])}")
    kind = _KINDS[name]
    if kind == "str":
        if not isinstance(value, str):
            raise ValueError("it must be text, in quotes")
        return value
    return _whole(name, value) if kind == "int" else _amount(name, value)


def _whole(name: str, value: Any) -> int:
    most = _MOST.get(name, 2**31)
    text = str(value).strip()
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        raise ValueError(f"it is a whole number from 0 to {most}")
    return int(text)


def _amount(name: str, value: Any) -> float:
    """A plain number, or one with a unit: "90s", "2h", "256MB"."""
    units = _UNITS[name]
    text = str(value).strip()
    unit = next((u for u in sorted(units, key=len, reverse=True) if text.endswith(u)), "")
    try:
        amount = float(text.removesuffix(unit)) * units.get(unit, 1.0)
    except ValueError:
        amount = -1.0
    if not isfinite(amount) or amount < 0 or (amount == 0 and name in _ABOVE_ZERO):
        least = "above 0" if name in _ABOVE_ZERO else "of 0 or more"
        raise ValueError(f"it is a number {least}, plain or with one of {', '.join(units)}")
    return amount
