"""Six typical calls, priced in every way that is open to them; the best way is named.

    python -m benchmarks.joint [--keep]

Costs are for the call and those expected with the same prefix, as `lichen.calls.joint` sums them.
With `--keep`, a CSV under results/.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lichen import assemble
from lichen.calls.joint import Situation, decide
from lichen.calls.providers.prices import price_of
from lichen.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.tokens import Tokens

RESULTS = Path(__file__).parent / "results"
# The cheap model of each provider; whether it keeps only what is marked.
MODELS = (
    ("anthropic", "claude-haiku-4-5", True),
    ("gemini", "gemini-2.5-flash", False),
    ("openai", "gpt-5-mini", False),
)
CALLS = {
    "an agent's 12th turn: tools and history held": Situation(
        20_000, 600, 300, held=0.95, again=6, shorter_prefix=0.35
    ),
    "rows of JSON behind a held manual": Situation(
        8_000, 30_000, 300, held=0.9, again=4, shorter_tail=0.6
    ),
    "one long document, asked about once": Situation(0, 60_000, 400, shorter_tail=0.5, effort=0.02),
    "the same document, asked about ten times": Situation(
        60_000, 200, 400, again=9, shorter_prefix=0.1, effort=0.02
    ),
    "a nightly classification, short prompts": Situation(600, 200, 20, again=500, can_wait=True),
    "a nightly report over a manual held by day": Situation(
        20_000, 500, 200, held=0.95, again=50, can_wait=True
    ),
}


class Row(NamedTuple):
    """One call at one provider."""

    call: str
    provider: str
    model: str
    way: str
    usd: float
    usd_as_it_is: float
    wh: float
    wh_as_it_is: float


def rows() -> list[Row]:
    meter = assemble.make_pricer(load(environ={})).calls
    made = []
    for name, situation in CALLS.items():
        for provider, model, marks in MODELS:
            price = price_of(provider, model, situation.prefix + situation.tail)
            found = decide(replace(situation, marks=marks), price, _energy(meter.read, model))
            best, plain = found.best, found.as_it_is
            assert best.usd is not None
            assert plain.usd is not None
            made.append(
                Row(name, provider, model, best.name, best.usd, plain.usd, best.wh, plain.wh)
            )
    return made


def _energy(read: Callable[..., object], model: str) -> Callable[[Tokens], float]:
    def energy(tokens: Tokens) -> float:
        made: float = read(model, tokens).energy.value.in_wh  # type: ignore[attr-defined]
        return made

    return energy


def main() -> None:
    given = argparse.ArgumentParser(prog="benchmarks.joint")
    given.add_argument("--keep", action="store_true", help="write a CSV under results/")
    told = given.parse_args()
    made = rows()
    for row in made:
        print(
            f"{row.call:<45} {row.provider:<10} {row.way:<34} "
            f"{row.usd / row.usd_as_it_is:>6.0%} of {row.usd_as_it_is:.4f} USD "
            f"{row.wh / row.wh_as_it_is:>6.0%} of {row.wh_as_it_is:.1f} Wh"
        )
    if told.keep:
        print(f"kept in {keep(made)}")


def keep(made: list[Row]) -> Path:
    """Write the rows with their date; prices and factors make them, no machine does."""
    RESULTS.mkdir(exist_ok=True)
    now = dt.datetime.now(dt.UTC).date().isoformat()
    path = RESULTS / f"{now}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("date", *Row._fields))
        out.writerows((now, *row) for row in made)
    return path


if __name__ == "__main__":
    main()
