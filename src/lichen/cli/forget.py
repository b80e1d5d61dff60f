"""`lichen forget`: erase what was kept of a tenant, with words in it, or older than a moment."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from lichen.cli.flags import json_flag, settings_flags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.assemble.forgetting import Erased
    from lichen.calls.forget import Forget
    from lichen.settings import Settings

# Services look every 2 s (lichen.serve.heeding) and write what waits 0.2 s later.
_HEARD_S = 3.0
CANNOT = (
    "what the provider keeps of calls: ask it (OpenAI, Anthropic and Google each have a way)",
    "backups, snapshots and replicas of the ledger, and a database's own log",
    "answer files of services on other machines, where --contains was asked: forget there as well",
    "jobs of `lichen run` and their commands, which stand in the ledger's file",
    "old blocks of a disk, which no program can reach",
)
BLIND = (
    "prompts: they are not stored, only hashes, in which words cannot be found; what stays of one "
    "is its answer, and only that was searched"
)

NO_SHARED = (
    "a cache that services share: none is named here. Where they have one, in LICHEN_CACHE, "
    "forget with the same"
)


@click.command(short_help="Erase what was kept of a tenant, with words in it, or that is old.")
@click.option("--tenant", metavar="HASH", default="", help="The tenant, as the ledger has it.")
@click.option(
    "--key",
    is_flag=True,
    help="Ask for an API key, and forget the tenant it stands for; it is not shown or kept.",
)
@click.option("--contains", metavar="TEXT", default="", help="What holds these words.")
@click.option(
    "--before", metavar="TIME", help="What is older: 30d, today, 2026-11-23, or with a zone."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@settings_flags("ledger", "state", "cache")
@json_flag
def forget(
    *,
    tenant: str,
    key: bool,
    contains: str,
    before: str | None,
    yes: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Erase answers, what steps hold (vectors, texts, waiting calls), and text of the ledger.

    Where several are given, all must hold. In the ledger a tenant becomes "forgotten" and the
    hashes of what it asked go; its numbers stay, so that no sum changes. A service may run
    meanwhile: it drops its copies within seconds. The exit code is 1 where nothing was found.
    """
    from lichen.cli.reading import existing
    from lichen.settings import load

    settings = load(**flags)
    existing(settings.ledger).close()
    wanted = list(_wanted(tenant, contains, before, asks_key=key))
    _confirm(wanted[0], settings, yes=yes)
    erased = _erase(wanted, settings)
    _tell(erased, _unreached(settings, with_words=bool(contains)), as_json=as_json)
    found = erased.entries or erased.answers or erased.shared_answers or any(erased.steps.values())
    return 0 if found else 1


def _wanted(tenant: str, contains: str, before: str | None, *, asks_key: bool) -> Iterator[Forget]:
    from datetime import UTC, datetime

    from lichen.calls.forget import Forget
    from lichen.calls.tenant import tenants_of_key
    from lichen.cli.moment import moment

    moment_ = None if before is None else moment(before, datetime.now(UTC))
    if asks_key and tenant:
        raise click.UsageError("--tenant and --key both name a tenant: give one of them")
    tenants = [tenant]
    if asks_key:
        tenants = tenants_of_key(click.prompt("API key", hide_input=True, err=True))
    for each in tenants:
        yield Forget(each, contains, moment_)


def _confirm(which: Forget, settings: Settings, *, yes: bool) -> None:
    """Ask before anything is erased.

    Raises:
        UsageError: nobody can be asked.
        Abort: they said no.
    """
    if yes:
        return
    from lichen.cli.reading import shown

    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: say --yes to erase without asking")
    said = [f"of tenant {which.tenant}" if which.tenant else ""]
    said.append(f"with {which.contains!r} in it" if which.contains else "")
    said.append(f"older than {which.before:%F %R %Z}" if which.before else "")
    what = ", ".join(filter(None, said))
    click.confirm(
        f"Erase what was kept {what}, in {shown(settings.ledger)} and beside it, for good?",
        abort=True,
        err=True,
    )


def _erase(wanted: list[Forget], settings: Settings) -> Erased:
    from lichen.assemble.forgetting import Erased, Eraser

    eraser = Eraser(settings, lambda message: click.echo(f"lichen: {message}", err=True))
    erased = sum((eraser.forget(which) for which in wanted), Erased())
    # A service that runs hears of it meanwhile; whether one does, nobody can tell from here.
    time.sleep(_HEARD_S)
    return sum((eraser.finish(which) for which in wanted), erased)


def _unreached(settings: Settings, *, with_words: bool) -> list[str]:
    """What stays, in words."""
    from lichen.assemble.exchanges import answers_place

    shared = "://" in answers_place(settings)
    return [*CANNOT, *([BLIND] if with_words else []), *([] if shared else [NO_SHARED])]


def _tell(erased: Erased, cannot: list[str], *, as_json: bool) -> None:
    if as_json:
        from lichen.cli import plain

        plain.echo(
            {
                "entries": erased.entries,
                "answers": erased.answers,
                "shared_answers": erased.shared_answers,
                "steps": erased.steps,
                "not_reached": cannot,
            }
        )
        return
    from lichen.cli.screen import clean, screen, sentence, table, title

    made = table("erased", "", right=(1,))
    made.add_row("lines of the ledger that say less now", f"{erased.entries:,}")
    made.add_row("stored answers", f"{erased.answers:,}")
    made.add_row("answers shared with other services", f"{erased.shared_answers:,}")
    for name, count in sorted(erased.steps.items()):
        made.add_row(clean(f"held by {name}"), f"{count:,}")
    console = screen()
    for part in ("", title("Forgotten"), "", made, "", sentence("Not reached from here:")):
        console.print(part)
    for line in cannot:
        console.print(sentence(f"· {line}"))
    console.print("")
