"""`lichen demo`: the whole way once, on this machine alone."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lichen.cli.flags import json_flag, settings_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.cli.demo_calls import Told
    from lichen.cli.demo_service import DemoService
    from lichen.cli.reading import Report
    from lichen.ledger.proof import Proof


@click.command(short_help="See it all work once, on this machine alone.")
@click.option(
    "--prompts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Calls to send, one JSON object a line with id, messages, temperature, max_tokens and "
    "stream. [default: the bundled support desk]",
)
@click.option(
    "--ledger",
    metavar="FILE",
    help="Keep the book in this file; a second demo on it finds all answers stored. "
    "[default: a temporary one, gone with the demo]",
)
@settings_flags("zone", "gguf")
@json_flag
def demo(
    *,
    prompts: Path | None,
    ledger: str | None,
    zone: str | None,
    gguf: str | None,
    as_json: bool,
) -> int:
    """Start the service, send a support desk's real prompts through it, and show the ledger.

    Everything runs here: the embedded model answers, the official OpenAI client asks,
    nothing is downloaded and no provider is called.
    On a terminal the dashboard stays up until Ctrl-C.
    """
    from lichen.cli import demo_calls
    from lichen.cli.demo_service import STOPS, DemoService

    for number in STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` would have it
            signal.signal(number, signal.default_int_handler)
    calls = demo_calls.prompts(prompts)
    with tempfile.TemporaryDirectory(prefix="lichen-demo-") as folder:
        where = str(Path(ledger).absolute()) if ledger else str(Path(folder, "lichen.db"))
        zone, gguf = _told(Path(folder), zone=zone, gguf=gguf)
        given = {"ledger": where, "zone": zone, "gguf": gguf and str(Path(gguf).absolute())}
        flags = [part for name, value in given.items() if value for part in (f"--{name}", value)]
        stays = sys.stdout.isatty() and not as_json
        with DemoService(Path(folder), flags) as service:
            told = _send(service, calls, as_json=as_json)
            if stays:
                _settled(where, len(calls))
                _show(where, zone)
                _linger(service, where, kept=bool(ledger))
        if not stays:
            # The service has ended, so that the last of its own energy is in the book.
            (_show_json if as_json else _show)(where, zone)
    return _failures(told)


def _told(folder: Path, **flags: str | None) -> tuple[str, str]:
    """Zone and model of a demo: its flags, or the variables of the same names; no file's word.

    Raises:
        UnknownZone: there is no such zone; the error carries the nearest known ones.
    """
    from lichen.grid.zones import default_zone
    from lichen.settings import load

    variables = {f"LICHEN_{name.upper()}" for name in flags}
    environ = {name: os.environ[name] for name in variables & os.environ.keys()}
    settings = load(folder, {**environ, "XDG_CONFIG_HOME": str(folder)}, **flags)
    default_zone(settings.zone or None)
    return settings.zone, settings.gguf


def _send(service: DemoService, calls: Sequence[dict[str, Any]], *, as_json: bool) -> list[Told]:
    """Send the calls, with a line that moves where somebody looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from lichen.cli import demo_calls
    from lichen.cli.screen import screen
    from lichen.ledger.quantities import Energy
    from lichen.ledger.show import quantity

    console = screen(stderr=as_json)
    if not as_json:
        console.print(f"\nlichen answers at {service.url}: a gateway to a model on this machine.")
        console.print(
            f"{len(calls)} calls of a support desk, two at a time, by the OpenAI client.\n"
        )
    told: list[Told] = []
    columns = (
        TextColumn("calls"),
        MofNCompleteColumn(),
        BarColumn(None, complete_style="green", finished_style="green"),
        TextColumn("{task.fields[hits]} hits"),
        TextColumn("{task.fields[avoided]} avoided"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(calls), hits=0, avoided="0 Wh")

        def one(answer: Told) -> None:
            told.append(answer)
            avoided = Energy.wh(sum(each.avoided_wh for each in told))
            hits = sum(each.hit for each in told)
            progress.update(task, advance=1, hits=hits, avoided=quantity(avoided))

        demo_calls.send(service.url, calls, one)
    service.check()
    return told


def _settled(where: str, calls: int) -> None:
    """Wait until the calls are in the ledger: the service writes them within a quarter second."""
    import time

    for _ in range(20):
        if _report(where).calls >= calls:
            return
        time.sleep(0.1)


def _report(where: str) -> Report:
    from lichen.cli.moment import span
    from lichen.cli.reading import read

    return read(where, span(None, None))


def _proof(where: str, zone: str) -> Proof | None:
    """The proof of the newest hit, None where there was none."""
    from lichen.assemble import open_book
    from lichen.cli import naming
    from lichen.settings import Settings

    with open_book(Settings().with_(ledger=where, zone=zone)) as book:
        for strategy in (naming.EXACT, naming.COALESCE):
            for entry in book.store.entries(strategy=strategy, newest=1):
                return book.prove(entry.id)
    return None


def _show(where: str, zone: str) -> None:
    from lichen.cli import prove, report

    report.show(_report(where))
    proof = _proof(where, zone)
    if proof is not None:
        prove.show(proof)


def _show_json(where: str, zone: str) -> None:
    from lichen.cli import plain
    from lichen.cli.prove import plain_proof
    from lichen.cli.report_json import plain_report

    proof = _proof(where, zone)
    plain.echo(
        {
            "report": plain_report(_report(where), ("strategy", "model")),
            "proof": None if proof is None else plain_proof(proof),
        }
    )


def _linger(service: DemoService, where: str, *, kept: bool) -> None:
    """Leave the dashboard up until Ctrl-C."""
    from lichen.cli.screen import screen

    console = screen()
    console.print(f"The dashboard is up: {service.url}/", style="bold")
    console.print(f"Your own code: export OPENAI_BASE_URL={service.url}/v1")
    console.print("and, in its shell alone, a key that nobody reads: export OPENAI_API_KEY=none")
    console.print(f"The ledger: {where}{'' if kept else ', gone with the demo'}")
    console.print("Ctrl-C ends it.", style="quiet")
    try:
        service.wait()
    except KeyboardInterrupt:
        console.print("")


def _failures(told: Sequence[Told]) -> int:
    """1 where a call was not answered, and which."""
    failed = [each for each in told if each.error]
    if failed:
        first = failed[0]
        click.echo(
            f"lichen: {len(failed)} of {len(told)} calls failed; the first, {first.id}: "
            f"{first.error}",
            err=True,
        )
    return 1 if failed else 0
