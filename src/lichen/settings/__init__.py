"""Settings: flag > LICHEN_* > lichen.toml > [tool.lichen] > the user's file > default.

One frozen object, read once at the start. An unknown name or a value of the wrong kind is an error
that names the file or variable it came from and the nearest known name. What a part of lichen alone
needs to know is a section: a dataclass of that part's own, a table in the file (`[holdout]`), and
variables with its name in front (`LICHEN_HOLDOUT_SHARE`).
"""

from __future__ import annotations

import difflib
import os
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lichen.calls.batch.options import BatchOptions
from lichen.calls.coding.options import CodingOptions
from lichen.calls.compress.options import CompressOptions
from lichen.calls.gate.options import GateOptions
from lichen.calls.holdout import HoldoutOptions
from lichen.calls.option import SIZES, TIMES, choices, fields_of, read_field, unit, whole, zone
from lichen.calls.resilience.options import LimitOptions, ResilienceOptions
from lichen.calls.rules import RouteRule
from lichen.calls.shared.options import SharedOptions
from lichen.calls.similar.options import SimilarOptions
from lichen.calls.upstreams import UpstreamOptions
from lichen.ledger.errors import InputError
from lichen.settings.files import files, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# Credentials of grid sources. The environment has them without LICHEN_ too, as others' tools call
# them; none is a flag, since other users of a machine can read a command line.
CREDENTIALS = (
    "electricitymaps_token",
    "watttime_username",
    "watttime_password",
    "entsoe_token",
    "eia_api_key",
)
# How alike a variable must be to a known one to be taken for a slip: others that begin with LICHEN_
# may be somebody else's (Kubernetes makes LICHEN_SERVICE_HOST for a service of that name).
_ALIKE = 0.75


_ZONE = zone()
_TIME = unit(TIMES)
_TIME_ABOVE_0 = unit(TIMES, above_zero=True)
# More than a machine has cores wait for one another, and thousands for the whole machine.
_MOST_THREADS = max(16, os.cpu_count() or 1)
_SIZE = unit(SIZES)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything lichen can be told. Times in seconds, sizes in bytes. Secrets stand in no repr."""

    ledger: str = "lichen.db"
    # A folder for what steps learn; beside the ledger if empty, in memory where that is no file.
    state: str = ""
    cache: str = ""
    zone: str = field(default="", metadata=_ZONE)
    trace: str = ""
    # Live grid sources by the names of their entry points, in order: "neso,electricitymaps".
    grid: str = ""
    # Where their answers are kept: a folder, or "memory:". The user's cache folder if empty.
    grid_cache: str = ""
    # Other addresses of theirs: "neso=http://127.0.0.1:8001,eia=...".
    grid_urls: str = ""
    electricitymaps_token: str = field(default="", repr=False)
    watttime_username: str = field(default="", repr=False)
    watttime_password: str = field(default="", repr=False)
    entsoe_token: str = field(default="", repr=False)
    eia_api_key: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: int = field(default=8420, metadata=whole(0, 65535))
    token: str = field(default="", repr=False)
    upstream: str = ""
    upstream_key: str = field(default="", repr=False)
    upstream_zone: str = field(default="", metadata=_ZONE)
    gguf: str = ""
    threads: int = field(default=0, metadata=whole(0, _MOST_THREADS))
    # 2**20 tokens is more than any open model reads.
    context: int = field(default=2048, metadata=whole(1, 2**20))
    # With a time or a size of 0 no call could ever be answered.
    timeout: float = field(default=600.0, metadata=_TIME_ABOVE_0)
    connect_timeout: float = field(default=10.0, metadata=_TIME_ABOVE_0)
    body_limit: float = field(default=64e6, metadata=unit(SIZES, above_zero=True))
    cache_size: float = field(default=256e6, metadata=_SIZE)
    cache_entry_limit: float = field(default=8e6, metadata=_SIZE)
    grace: float = field(default=30.0, metadata=_TIME)
    ttl: float = field(default=86400.0, metadata=_TIME)
    sampled: str = field(default="bypass", metadata=choices("bypass", "reuse"))
    scope: str = field(default="tenant", metadata=choices("tenant", "shared"))
    # The steps of a call by the names of their entry points, outermost first.
    steps: tuple[str, ...] = (
        "gate",
        "exact",
        "similar",
        "compress",
        "coalesce",
        "lease",
        "cascade",
        "batch",
        "prefix",
        "keeping",
    )
    # What turns texts into vectors, by the name of its entry point.
    embedder: str = "minilm"
    # Bodies compressed on the wire.
    coding: CodingOptions = field(default_factory=CodingOptions)
    compress: CompressOptions = field(default_factory=CompressOptions)
    anthropic: UpstreamOptions = field(default_factory=UpstreamOptions)
    gemini: UpstreamOptions = field(default_factory=UpstreamOptions)
    holdout: HoldoutOptions = field(default_factory=HoldoutOptions)
    similar: SimilarOptions = field(default_factory=SimilarOptions)
    batch: BatchOptions = field(default_factory=BatchOptions)
    gate: GateOptions = field(default_factory=GateOptions)
    # What is done about an upstream that fails, and how much is taken on at once.
    resilience: ResilienceOptions = field(default_factory=ResilienceOptions)
    limits: LimitOptions = field(default_factory=LimitOptions)
    shared: SharedOptions = field(default_factory=SharedOptions)
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
        made = self
        for name, value in flags.items():
            if value is not None:
                made = _apply(made, {name: value}, f"--{name.replace('_', '-')}")
        return made


_FIELDS = {("route" if n == "routes" else n): f for n, f in fields_of(Settings).items()}
_NAMES = tuple(_FIELDS)
_SECTIONS: dict[str, Any] = {
    f.name: owner for f in fields(Settings) if is_dataclass(owner := cast("Any", f.default_factory))
}
# What is told in a file or a variable, and has no flag.
UNFLAGGED = ("steps", "embedder", *_SECTIONS)
_IN_SECTIONS = {
    f"{section}_{name}": (section, name)
    for section, owner in _SECTIONS.items()
    for name in fields_of(owner)
}


def load(
    directory: Path | None = None, environ: Mapping[str, str] | None = None, **flags: Any
) -> Settings:
    """Settings from all sources in their order.

    Raises:
        InputError: a name is unknown or a value makes no sense; says where it stands.
    """
    environ = os.environ if environ is None else environ
    settings = Settings()
    for path in files(directory or Path.cwd(), environ):
        settings = _apply(settings, table_of(path), str(path))
    for name in CREDENTIALS:
        if given := environ.get(name.upper()):
            settings = _apply(settings, {name: given}, name.upper())
    for variable, given in environ.items():
        # An empty variable is how a compose file says that it has nothing to say.
        if (name := _named(variable)) and given:
            settings = _apply(settings, _told(name, given), variable)
    return settings.with_(**flags)


def _told(name: str, given: str) -> Mapping[str, Any]:
    """What a variable says, as a file would say it."""
    if name in _IN_SECTIONS:
        section, inner = _IN_SECTIONS[name]
        return {section: {inner: given}}
    return {name: given}


def _named(variable: str) -> str:
    """The setting that an environment variable gives; empty where it is none of ours."""
    prefix, _, name = variable.partition("LICHEN_")
    name = name.lower()
    if prefix or not name:
        return ""
    known = (*(n for n in _NAMES if n not in _SECTIONS), *_IN_SECTIONS)
    if name in known and name != "route":
        return name
    if near := difflib.get_close_matches(name, known, 1, _ALIKE):
        way_out = (
            "routes are set in lichen.toml, as [[route]] tables"
            if near[0] == "route"
            else f"did you mean LICHEN_{near[0].upper()}?"
        )
        raise InputError(f"{variable}: there is no such setting: {way_out}")
    return ""


def _apply(settings: Settings, table: Mapping[str, Any], where: str) -> Settings:
    made: dict[str, Any] = {}
    for raw_name, value in table.items():
        name = raw_name.replace("-", "_")
        if name not in _NAMES:
            raise InputError(f"{where}: unknown setting {raw_name!r}: {_hint(name, _NAMES)}")
        if name == "route":
            made["routes"] = _routes(value, where)
        elif name in _SECTIONS:
            made[name] = _section(settings, name, value, where)
        else:
            made[name] = read_field(_FIELDS[name], value, f"{where}: {name}")
    return replace(settings, **made)


def _section(settings: Settings, name: str, value: Any, where: str) -> Any:
    had = getattr(settings, name)
    if isinstance(value, _SECTIONS[name]):
        return value
    if not isinstance(value, dict):
        raise InputError(f"{where}: {name} is a table, written [{name}], got {value!r}")
    known, made = fields_of(_SECTIONS[name]), {}
    for raw_name, inner in value.items():
        field_name = raw_name.replace("-", "_")
        if field_name not in known:
            hint = _hint(field_name, tuple(known))
            raise InputError(f"{where}: unknown {raw_name!r} in [{name}]: {hint}")
        what = f"{where}: {field_name} in [{name}]"
        made[field_name] = read_field(known[field_name], inner, what)
    return replace(had, **made)


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
    known = fields_of(RouteRule)
    for name in row:
        if name not in known:
            raise InputError(
                f"{where}: unknown {name!r} in a [[route]]: {_hint(name, tuple(known))}"
            )
    return {name: read_field(known[name], value, f"{where}: {name}") for name, value in row.items()}
