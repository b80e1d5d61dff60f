"""`lichen prove ID`: run the evidence of a saving again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lichen.cli.flags import json_flag, settings_flags

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from lichen.cli.plain import Plain
    from lichen.ledger.proof import Proof
    from lichen.settings import Settings

# How a proof's step begins that did not hold; see lichen.calls.proof.
_FAILED = "NOT so"


@click.command(short_help="Run the evidence of a saving again.")
@click.argument("entry_id", metavar="ID")
@settings_flags("ledger", "state", "zone", "trace", "grid")
@json_flag
def prove(*, entry_id: str, as_json: bool, **flags: Any) -> int:
    """Run the evidence of one saving again and show each step.

    ID is what `lichen report --entries 10` and the x-lichen-id header of an answer show, or that of
    a job that was settled. The exit code is 1 where the saving does not
    hold, or its evidence is gone.
    """
    from lichen.assemble import open_book
    from lichen.cli import plain
    from lichen.cli.reading import existing, no_trace_here
    from lichen.ledger.errors import InputError
    from lichen.settings import load

    settings = load(**flags)
    existing(settings.ledger).close()
    with open_book(settings) as book:
        try:
            proof = book.prove(entry_id)
        except InputError:
            if not (entry := _entry_of_job(settings, entry_id)):
                raise
            proof = book.prove(entry)
    if as_json:
        plain.echo(plain_proof(proof))
    else:
        show(proof)
    if not proof.holds and not settings.trace:
        click.echo(no_trace_here("this proof"), err=True)
    return 0 if proof.holds else 1


def _entry_of_job(settings: Settings, name: str) -> str:
    """The entry of a job that was settled; empty where the name is no job's.

    Raises:
        InputError: the job is not settled, so it has no entry.
    """
    from contextlib import closing

    from lichen.assemble import open_queue, open_store
    from lichen.ledger.errors import InputError, LichenError
    from lichen.train.green.settle import entry_id

    try:
        with open_queue(settings) as queue:
            record = queue.get(name)
    except LichenError:
        return ""
    with closing(open_store(settings.ledger)) as store:
        entry = store.entry(entry_id(record)) if record.stretches else None
    if entry is None:
        raise InputError(
            f"{record.id} is a job that is not settled, so there is no saving to prove: "
            "`lichen status --settle` settles it or says why not"
        )
    return entry.id


def plain_proof(proof: Proof) -> Plain:
    """A proof as JSON."""
    from lichen.cli import plain

    return {
        "entry": plain.entry(proof.entry),
        "holds": proof.holds,
        "claimed": plain.saving(proof.claimed),
        "found": plain.saving(proof.found),
        "steps": list(proof.steps),
    }


def show(proof: Proof) -> None:
    """Draw a proof."""
    from rich.padding import Padding

    from lichen.cli import naming
    from lichen.cli.screen import fitted, screen, title

    figures = proof.entry.figures
    said = (naming.strategy(figures.strategy), figures.model, proof.claimed.method)
    aside = " · ".join(filter(None, said))
    console = screen()
    inner = (0, 0, 0, 2)
    for part in (
        "",
        title(f"Proof of {proof.entry.id}", aside),
        "",
        Padding(_steps(proof), inner, expand=False),
        "",
        fitted(console, _sides(proof, " "), _sides(proof, "\n")),
        "",
        Padding(_verdict(proof), inner, expand=False),
        "",
    ):
        console.print(part)


def _steps(proof: Proof) -> Table:
    from rich.table import Table
    from rich.text import Text

    from lichen.cli.screen import Held, clean
    from lichen.ledger.proof import NOT_CHECKED

    made = Table.grid(padding=(0, 2, 0, 0))
    for number, step in enumerate(proof.steps, 1):
        mark = Text("✔", style="gain")
        if step.startswith(_FAILED):
            mark = Text("✘", style="loss")
        elif step.startswith(NOT_CHECKED):
            mark = Text("?", style="warn")
        made.add_row(Text(str(number), style="quiet"), mark, Held(clean(step)))
    return made


def _verdict(proof: Proof) -> Text:
    from rich.text import Text

    from lichen.ledger.proof import NOT_CHECKED

    if not proof.holds:
        return Text("The saving does NOT hold.", style="lost")
    if any(step.startswith(NOT_CHECKED) for step in proof.steps):
        return Text("The saving holds, as far as it can be checked.", style="gained")
    return Text("The saving holds.", style="gained")


def _sides(proof: Proof, between: str) -> Table:
    """What was claimed and what was found."""
    from lichen.cli.screen import figure, table

    made = table("", "energy", "carbon")
    for name, saving in (("claimed", proof.claimed), ("found", proof.found)):
        energy, carbon = saving.footprint.energy, saving.footprint.carbon
        made.add_row(name, figure(energy, between=between), figure(carbon, between=between))
    return made
