"""Flags: the settings as options of the command line, each told once, for every verb that has it.

A flag that is not given leaves the word to LICHEN_*, lichen.toml, pyproject.toml and the default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


class Flag(NamedTuple):
    """What stands behind a flag: the form of its value, its default, a help text that teaches."""

    form: str
    default: str
    help: str


# By the names of lichen.settings.Settings; a test holds the two together.
FLAGS: dict[str, Flag] = {
    "ledger": Flag(
        "FILE|URL",
        "lichen.db",
        "The ledger: an SQLite file, or postgresql://... What writes into it (serve, run, measure) "
        "makes it where there is none.",
    ),
    "host": Flag(
        "ADDRESS",
        "127.0.0.1",
        "Address to listen on. Any other than this machine's own demands a --token.",
    ),
    "port": Flag("PORT", "8420", "Port of gateway, dashboard and metrics; 0 takes a free one."),
    "token": Flag(
        "SECRET",
        "none",
        "What clients must show as their API key. Other users of this machine can read a command "
        "line: LICHEN_TOKEN keeps it to yourself.",
    ),
    "upstream": Flag(
        "URL",
        "none",
        "The service that answers what lichen cannot, such as https://api.openai.com/v1. Without "
        "one it is OpenAI where OPENAI_API_KEY is set, else the embedded model.",
    ),
    "upstream_key": Flag(
        "SECRET",
        "none",
        "Key to show the upstream in place of the clients' own. Better given as "
        "LICHEN_UPSTREAM_KEY, for the same reason as --token.",
    ),
    "zone": Flag(
        "ZONE",
        "unknown",
        "Grid zone of this machine, such as SE-SE3, DE or FR. Without one, the world average with "
        "a wide interval stands in, and the report says so.",
    ),
    "upstream_zone": Flag(
        "ZONE", "unknown", "Grid zone of the upstream's data centre, where you know it."
    ),
    "trace": Flag(
        "FILE",
        "none",
        "A recorded trace of the zone's grid (CSV: time, gCO2e/kWh), asked before the yearly "
        "averages.",
    ),
    "grid": Flag(
        "NAMES",
        "none",
        "Live grid sources for plans and forecasts, in order: neso, electricitymaps, watttime, "
        "entsoe, eia. Their credentials are told in the environment or in lichen.toml.",
    ),
    "grid_cache": Flag("FOLDER|memory:", "~/.cache/lichen/grid", "Where their answers are kept."),
    "grid_urls": Flag(
        "NAME=URL,...", "their own", "Other addresses of theirs: a proxy, a mirror, a test."
    ),
    "gguf": Flag(
        "FILE", "SmolLM2-135M-Instruct, where installed", "Weights of the embedded model."
    ),
    "threads": Flag("N", "0", "CPU threads of the embedded model; 0 takes all cores but one."),
    "context": Flag(
        "TOKENS",
        "2048",
        "Tokens of prompt and answer together that one call of the embedded model may have; memory "
        "grows with it.",
    ),
    "sampled": Flag(
        "bypass|reuse",
        "bypass",
        "Calls with a temperature: `bypass` asks the model anew each time (a regenerate button "
        "wants another answer), `reuse` gives the stored answer.",
    ),
    "scope": Flag(
        "tenant|shared",
        "tenant",
        "Who gets a stored answer: only the credential that paid for it, or everyone.",
    ),
    "ttl": Flag("TIME", "1d", "How long a stored answer serves: 90s, 2h, 7d."),
    "state": Flag(
        "FOLDER",
        "beside the ledger",
        "Where steps keep what they learn. With a ledger in a database it is in memory, and lost "
        "at a stop, unless a folder is named: one for each service.",
    ),
    "cache": Flag(
        "FILE|memory:|URL",
        "beside the ledger",
        "Where answers are stored; memory: forgets them at the end, redis://... shares them with "
        "other services (LICHEN_CACHE keeps its password to yourself).",
    ),
    "cache_size": Flag("SIZE", "256MB", "Most bytes of stored answers; the oldest go first."),
    "cache_entry_limit": Flag("SIZE", "8MB", "A larger answer is not stored."),
    "body_limit": Flag("SIZE", "64MB", "A larger request is refused."),
    "timeout": Flag("TIME", "10min", "How long the upstream may be silent."),
    "connect_timeout": Flag("TIME", "10s", "How long reaching the upstream may take."),
    "grace": Flag("TIME", "30s", "How long running answers may take to end at a stop."),
}


def settings_flags(*names: str) -> Callable[[F], F]:
    """Options for these settings, in this order."""

    def add(function: F) -> F:
        for name in reversed(names):
            flag = FLAGS[name]
            option = click.option(
                f"--{name.replace('_', '-')}",
                name,
                metavar=flag.form,
                help=f"{flag.help} [default: {flag.default}]",
            )
            function = option(function)
        return function

    return add


json_flag = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for machines: stable keys, base units."
)
since_flag = click.option(
    "--since",
    metavar="TIME",
    help="From when on: 90s, 1h or 7d ago, `today`, a day (2026-11-23) or a moment with its zone "
    "(2026-11-23T08:00+01:00). [default: all of it]",
)
until_flag = click.option(
    "--until", metavar="TIME", help="Up to when, written the same way. [default: now]"
)
