"""Write docs/cli.md from the command line itself, so that the two cannot drift apart.

python tools/cli_reference.py            write it
python tools/cli_reference.py --check    fail where it is stale
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from lichen.cli import VERBS, lichen
from lichen.cli.flags import FLAGS

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
_WIDTH = 80
_HEAD = """\
# The command line

<!-- Written by tools/cli_reference.py from the program's own help; `make check` compares. -->

Each verb prints a table for people and, with `--json`, the same figures for machines. Numbers come
with their 90 % interval; energy and carbon are in base units in JSON (`energy_j`, `carbon_g`), and
every estimate is `{"value", "low", "high", "basis"}`. Keys are only ever added.

| exit code | means |
|---|---|
| 0 | fine |
| 1 | a finding: a saving that does not hold, no work to divide by, something broken |
| 2 | wrong usage, or a tool that failed: the message says what, which value, and the way out |
| 130 | stopped by Ctrl-C, or a job that was cancelled |
| any | of `measure` and `run`: the command's own; 126, 127 where it could not be started |

On a terminal there is colour, unless `NO_COLOR` is set; in a pipe there is none, and no progress.
"""
_JSON = """\
## JSON

What stands at the top of each verb's `--json`, for `jq` and the like:

| verb | keys |
|---|---|
| `plan` | `order`, `at`, `why`, `plan`, `signals` |
| `status` | `jobs` |
| `report` | `ledger`, `since`, `until`, `calls`, `hits`, `hit_rate`, `withheld_hits`, `tokens`, \
`tokens_spared`, `used`, `overhead`, `avoided`, `net`, `sci`, `by`, `trials`, `dry_runs`, \
`similar`, `gaps`, `entries` |
| `sci` | `per`, `carbon_g_per_unit`, `carbon_g`, `work`, `energy_j`, `operational_carbon_g`, \
`embodied_carbon_g`, `gaps` |
| `prove` | `entry`, `holds`, `claimed`, `found`, `steps` |
| `recompute` | `number`, `at`, `reason`, `entries`, `changed`, `relative_change`, `before`, \
`after`, `dry_run` |
| `recompute --list` | `revisions` |
| `doctor` | `healthy`, `checks` |
| `measure` | `id`, `start`, `end`, `name`, `work`, `unit`, `zone`, `method`, `factors`, `raw`, \
`gaps`, `used`, `command`, `exit_code`, `still_running`, `memory_energy_j`; in one line, on the \
standard error |
| `demo` | `report`, `proof` |

```console
$ lichen report --since today --json | jq '.net.energy_j.value / 3600'    # Wh saved today, net
```
"""
_SETTINGS = """\
## Settings

A setting is looked for in this order, and the first that has it wins:

1. the flag (`--zone SE-SE3`)
2. the environment (`LICHEN_ZONE=SE-SE3`)
3. `lichen.toml` in this folder (`zone = "SE-SE3"`), then `[tool.lichen]` in `pyproject.toml`
4. `~/.config/lichen/lichen.toml`
5. the default

| setting | environment | default | what it says |
|---|---|---|---|
"""
_ROUTES = """
Rules for calls of one kind stand in `lichen.toml` only, the first that matches holds:

```toml
[[route]]
model = "gpt-4o-mini"        # and route = "chat.completions"; * matches anything
sampled = "reuse"            # calls with a temperature may get a stored answer
scope = "tenant"
ttl = "2h"
```
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, "## lichen", _help(lichen, "lichen")]
    group = click.Context(lichen, info_name="lichen")
    for verb in VERBS:
        command = lichen.get_command(group, verb)
        assert command is not None
        parts += [f"## lichen {verb}", _help(command, f"lichen {verb}")]
    return (
        "\n\n".join(part.strip() for part in (*parts, _JSON, _SETTINGS + _rows() + _ROUTES)) + "\n"
    )


def _help(command: click.Command, name: str) -> str:
    context = click.Context(
        command, info_name=name, terminal_width=_WIDTH, help_option_names=["-h", "--help"]
    )
    return f"```text\n{command.get_help(context).rstrip()}\n```"


def _rows() -> str:
    rows = []
    for name, flag in FLAGS.items():
        rows.append(f"| `{name}` | `LICHEN_{name.upper()}` | {flag.default} | {flag.help} |\n")
    return "".join(rows)


def main() -> int:
    """Write or check the page."""
    os.environ.pop("COLUMNS", None)
    made = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made:
            print(f"{PAGE.name} is stale: run python tools/cli_reference.py")
            return 1
        return 0
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
