"""`lichen serve`: gateway, dashboard and metrics on one port."""

from __future__ import annotations

from typing import Any

import click

from lichen.cli.flags import settings_flags


@click.command(short_help="Answer LLM calls, meter them, and keep the book.")
@settings_flags(
    "ledger",
    "state",
    "host",
    "port",
    "token",
    "upstream",
    "upstream_key",
    "zone",
    "upstream_zone",
    "trace",
    "gguf",
    "threads",
    "context",
    "sampled",
    "scope",
    "ttl",
    "cache",
    "cache_size",
    "cache_entry_limit",
    "body_limit",
    "timeout",
    "connect_timeout",
    "grace",
)
def serve(**flags: Any) -> int:
    """Answer LLM calls for any OpenAI client, and keep the book of what they use and spare.

    Point your code at it with one environment variable, and change nothing else:

    \b
        export OPENAI_BASE_URL=http://127.0.0.1:8420/v1

    Identical calls are answered from the store, every call is metered in tokens, Wh and gCO2e, and
    http://127.0.0.1:8420/ shows it live. Ctrl-C or SIGTERM lets running answers end first.
    """  # noqa: D301 (click's mark for a paragraph to leave as it is)
    from lichen.serve import run
    from lichen.settings import load

    return run(load(**flags))
