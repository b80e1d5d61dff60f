"""The command line: one verb, one short file, imported when it is called.

Exit codes: 0 fine · 1 a finding (a saving that does not hold, nothing to report on) · 2 wrong usage
or a tool that failed · 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lichen.ledger.errors import LichenError, NoWorkDone, UnprovenSaving, to_install

if TYPE_CHECKING:
    from collections.abc import Callable

# Which extra brings a package that may be missing; `serve` brings the others.
_EXTRAS = {
    "kubernetes": "kubernetes",
    "redis": "redis",
    "numpy": "grid",
    "psycopg": "postgres",
    "pynvml": "nvml",
}
# In the order a newcomer meets them; each is a module of this package and a function in it.
VERBS = (
    "demo",
    "serve",
    "measure",
    "forecast",
    "plan",
    "run",
    "status",
    "release",
    "cancel",
    "report",
    "sci",
    "prove",
    "recompute",
    "forget",
    "doctor",
)
FINE, FINDING, FAILED, STOPPED = 0, 1, 2, 130
_FINDINGS = (NoWorkDone, UnprovenSaving)


class Verbs(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """The verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of a verb, None if there is none of that name."""
        if cmd_name not in VERBS:
            return None
        found: click.Command = getattr(importlib.import_module(f"lichen.cli.{cmd_name}"), cmd_name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; where there is no such verb, with the one that was meant."""
        wanted = args[0]
        if wanted[:1].isalpha() and wanted not in VERBS:
            near = difflib.get_close_matches(wanted, VERBS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(VERBS)}."
            raise click.UsageError(f"there is no verb {wanted!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and end with the exit code that fits; errors are told in a line, not a traceback."""
        extra["standalone_mode"] = False
        sys.exit(_run(lambda: super(Verbs, self).main(*args, **extra)))


def _run(verb: Callable[[], Any]) -> int:
    try:
        code = verb()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; nothing more can be said, and nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except (click.Abort, KeyboardInterrupt):
        return STOPPED
    except Exception as error:  # noqa: BLE001 (each ends with a code; a fault of ours is shown whole)
        return _told(error)
    return code if isinstance(code, int) else FINE


def _told(error: Exception) -> int:
    """Tell of an error; its exit code."""
    if isinstance(error, click.ClickException):
        error.show()
    elif isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("lichen"):
        extra = _EXTRAS.get(str(error.name).partition(".")[0], "serve")
        click.echo(f"lichen: this needs {error.name}: {to_install(extra)}", err=True)
    elif isinstance(error, (LichenError, OSError)):
        click.echo(f"lichen: {error}", err=True)
    else:
        traceback.print_exception(error)
        click.echo("lichen: that is a fault in lichen: please report it, with the above", err=True)
    return FINDING if isinstance(error, _FINDINGS) else FAILED


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        from lichen import __version__

        click.echo(f"lichen {__version__}")
        ctx.exit()


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every flag that is a setting can also stand in the environment (LICHEN_ZONE=SE-SE3) "
    "or in lichen.toml. Start with `lichen demo`, then `lichen serve`.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the version and stop.",
)
def lichen() -> None:
    """AI software that lives on less energy and carbon, and proves it in one ledger."""


def main() -> NoReturn:
    """The `lichen` command."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show "₂" shows "?" instead of ending the program.
        if (change := getattr(stream, "reconfigure", None)) is not None:
            change(errors="replace")
    lichen.main(prog_name="lichen")
