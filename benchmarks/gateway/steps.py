"""Settings in which every step is configured and none is hit, for `--steps`.

The gate's rules read every call and answer none, budgets are never reached, the fallback is never
needed; the route that shortens prompts and looks for like ones names a model that the traffic does
not ask for, since looking is what those two cost (benchmarks/similar, benchmarks/compress). So what
a run with them shows is what it costs to have them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from benchmarks.gateway.traffic import MODEL
from lichen.calls.rules import RouteRule
from lichen.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

# A model that nobody asks for.
_OTHER = "a-model-that-nobody-asks-for"
# A section each, and what a [[route]] says; those that this lichen does not know are left out.
_SECTIONS = {
    "gate": f"""
[[gate.rule]]
name = "never"
model = "{MODEL}"
exact = ["ping"]
answer = "pong"

[[gate.rule]]
name = "too-long"
model = "{MODEL}"
longer = 100000

[[gate.budget]]
name = "never-reached"
each = "tenant"
per = "month"
tokens = "900000G"
""",
    "batch": """
[batch]
enabled = "on"
""",
    "resilience": """
[resilience]
fallback = "http://127.0.0.1:9/v1"
fallback_models = "*=another"
""",
}
_ROUTE = {"similar": "on", "compress": "lossless", "stale_if_error": "10m"}


def all_steps() -> str:
    """The settings as lichen.toml has them."""
    known = {field.name for field in dataclasses.fields(Settings)}
    ruled = {field.name for field in dataclasses.fields(RouteRule)}
    told = [text for name, text in _SECTIONS.items() if name in known]
    route = [f'{name} = "{value}"' for name, value in _ROUTE.items() if name in ruled]
    return "".join(told) + "\n".join(["\n[[route]]", f'model = "{_OTHER}"', *route, ""])


def write(folder: Path) -> dict[str, str]:
    """Write them where a service started with these variables finds them."""
    home = folder / "all-steps"
    (home / "lichen").mkdir(parents=True, exist_ok=True)
    (home / "lichen" / "lichen.toml").write_text(all_steps())
    return {"XDG_CONFIG_HOME": str(home)}
