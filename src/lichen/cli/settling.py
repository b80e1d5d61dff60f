"""Settling: jobs settled from the command line, with a limit, and what came of it."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lichen.ledger.errors import LichenError
from lichen.ledger.show import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lichen.ledger.entry import Entry
    from lichen.settings import Settings
    from lichen.train.green.queue import Queue
    from lichen.train.green.record import Record
    from lichen.train.green.settle import Settlement
    from lichen.train.green.worth import Worth

# How long a verb waits for a grid's source; what is not settled then is settled later. [s]
LIMIT_S = 12.0


def settle(
    settings: Settings, queue: Queue, records: Iterable[Record], *, limit_s: float | None = LIMIT_S
) -> dict[str, Settlement]:
    """Settle what can be settled, each by its job's id; what takes too long is left out.

    It never breaks a run: a grid or a ledger that cannot be read leaves jobs as they are.
    """
    made: dict[str, Settlement] = {}

    def work() -> None:
        from lichen.assemble import make_settler, open_store

        try:
            with closing(open_store(str(queue.path))) as store:
                settler = make_settler(settings, store)
                for record in records:
                    if record.stretches:
                        made[record.id] = settler.settle(record)
        except LichenError as error:
            click.echo(f"lichen: not settled: {error}", err=True)

    thread = threading.Thread(target=work, name="settling", daemon=True)
    thread.start()
    thread.join(limit_s)
    return dict(made)


def worth(settings: Settings, queue: Queue, settlement: Settlement) -> Worth | None:
    """What share of the promise and of the oracle a settled job got."""
    from lichen.assemble import open_history
    from lichen.train.green.worth import worth_of

    if settlement.entry is None:
        return None
    plannings = queue.plannings(settlement.record.id)
    actual = open_history(settings)
    return worth_of(settlement.record, settlement.entry, plannings, actual, datetime.now(UTC))


def plain_settlement(settlement: Settlement | None, shares: Worth | None = None) -> dict[str, Any]:
    """As JSON: the entry, or why there is none yet."""
    from lichen.cli import plain

    if settlement is None:
        return {"settled": False, "why": "it has not run, or no source answered in time"}
    if settlement.entry is None:
        return {"settled": False, "why": settlement.why}
    made = {"settled": True, "entry": plain.entry(settlement.entry)}
    return {**made, "worth": shares.to_plain()} if shares else made


def tell(settlements: dict[str, Settlement]) -> None:
    """Say in a line each what came of jobs, for the end of a run."""
    for one in settlements.values():
        click.echo(f"lichen: job {one.record.id} {said(one)}", err=True)


def said(settlement: Settlement) -> str:
    """What came of a job, in words; a loss as plainly as a gain."""
    entry = settlement.entry
    if entry is None:
        return f"is not settled yet: {settlement.why}"
    used, saving = f"{entry.figures.footprint.carbon}{_by_guess(entry)}", entry.saving
    if share := float(entry.figures.raw.get("booked_share", 0.0)):
        used += f" beside the {percent(share)} of its energy that its own windows booked"
    if saving is None:
        return f"used {used}; it did not end well, so nothing is claimed"
    carbon = saving.footprint.carbon
    if carbon.value.in_grams < 0:
        return f"used {used}: {carbon * -1.0} MORE than if it had run at once"
    return f"used {used}, avoided {carbon}: `lichen prove {entry.id}`"


def _by_guess(entry: Entry) -> str:
    """That nobody knows what a job drew, as of one whose end nobody saw; else empty."""
    from lichen.train.green.account import ASSUMED
    from lichen.train.green.order import POWER

    if ASSUMED not in entry.figures.gaps:
        return ""
    return f" at an assumed power of {POWER} (say what it draws with --power)"


def show(settlement: Settlement, shares: Worth | None) -> None:
    """Draw what a job's waiting was worth."""
    from rich.padding import Padding

    from lichen.cli.screen import clean, figure, screen, sentence, table

    console = screen()
    entry = settlement.entry
    if entry is None:
        console.print(sentence(f"Not settled yet: {settlement.why}", "warn"))
        return
    facts = table("", "")
    facts.show_header = False
    figures = entry.figures
    facts.add_row("entry", entry.id)
    facts.add_row("used", figure(figures.footprint.carbon))
    if entry.saving and figures.baseline:
        carbon = entry.saving.footprint.carbon
        lost = carbon.value.in_grams < 0
        facts.add_row("run now", figure(figures.baseline.footprint.carbon))
        facts.add_row("lost" if lost else "avoided", figure(carbon, "loss" if lost else "gain"))
    for name, text in _shares(shares):
        facts.add_row(name, text)
    if share := float(figures.raw.get("booked_share", 0.0)):
        held = f"booked {percent(share)} of its energy: not in the lines above"
        facts.add_row("its windows", held)
    facts.add_row("energy", figure(figures.footprint.energy).append(f"  from {_how(figures)}"))
    facts.add_row("grid", clean(str(figures.raw.get("intensity_from", ""))))
    if figures.gaps:
        facts.add_row("gaps", clean(", ".join(figures.gaps)))
    console.print(Padding(facts, (1, 0, 1, 2), expand=False))


def _how(figures: Any) -> str:
    names = {
        "cpu seconds": "CPU time alone: accelerators are not in it",
        "power assumed": "an assumed power: say what it draws with --power",
    }
    how = str(figures.raw.get("energy_from", "unknown"))
    return names.get(how, how)


def _shares(shares: Worth | None) -> Sequence[tuple[str, str]]:
    if shares is None:
        return ()
    made = [("of running now", shares.said())]
    if shares.of_promise is not None:
        made.append(("of the promise", _part(shares.of_promise, shares.promised)))
    if shares.of_oracle is not None:
        made.append(("of the oracle", _part(shares.of_oracle, shares.oracle)))
    elif shares.why:
        made.append(("of the oracle", "not known yet"))
    return made


def _part(got: float, whole: float | None) -> str:
    """A share of a share that a plan has. [1]"""
    return f"{percent(got)} of {percent(whole or 0.0, 1)} operational"
