"""The tables of a report: by strategy, model and hour; what is missing; single entries."""

from __future__ import annotations

from datetime import datetime
from textwrap import fill
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lichen.cli import naming
from lichen.cli.screen import Held, cell, clean, fitted, sentence, stacked, table, title
from lichen.ledger.show import count, quantity
from lichen.operate.watch import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console, RenderableType

    from lichen.cli.reading import Report
    from lichen.ledger.entry import Entry
    from lichen.ledger.summary import Line

    Part = Callable[[Report, Console], Iterator[RenderableType]]

_IN = (0, 0, 0, 2)
# Names of two parts; those from outside, such as models', are left as they are.
_LONG = ("failed: ", naming.strategy(naming.OUTSIDE))
# Names of lichen's own are broken to so many characters where the screen is narrow.
_OURS = frozenset(said.title for said in words.STRATEGIES.values())
_NARROW = 15
# An hour's line beside its bar: when, calls, used, avoided.
_BESIDE_HOURS = 52


def _by_strategy(found: Report, console: Console) -> Iterator[RenderableType]:
    rows = [(naming.strategy(line.name), line, None) for line in found.by["strategy"]]
    return _lines("By strategy", "answered by" if found.calls else "strategy", rows, console)


def _by_model(found: Report, console: Console) -> Iterator[RenderableType]:
    if found.only_measured and not any(line.name for line in found.by["model"]):
        return iter(())  # no model, nothing to tell apart
    hits = found.hits_by["model"]
    rows = [(line.name or "outside any call", line, hits[line.name]) for line in found.by["model"]]
    return _lines("By model", "model", rows, console)


def _lines(
    heading: str, first: str, rows: Sequence[tuple[str, Line, float | None]], console: Console
) -> Iterator[RenderableType]:
    """A table of lines; on a narrow screen without tokens, and intervals below the values."""
    drawn = (_lines_table(first, rows, wide=wide) for wide in (True, False))
    yield ""
    yield title(heading)
    yield fitted(console, *drawn)


def _lines_table(
    first: str, rows: Sequence[tuple[str, Line, float | None]], *, wide: bool
) -> Table:
    between = " " if wide else "\n"
    made = table(first, "calls", right=(1,))
    if wide:
        made.add_column("tokens", justify="right")
    for name in ("energy used", "energy avoided", "carbon avoided"):
        made.add_column(name)
    for name, line, hits in sorted(rows, key=lambda row: -row[1].calls):
        tokens = [count(line.tokens.total)] if wide else []
        saved = "loss" if line.saved.carbon.value.amount < 0 else "gain"
        made.add_row(
            Held(clean(name) if wide else _in_lines(name)),
            _calls(line, hits, " · " if wide else "\n"),
            *tokens,
            cell(line.used.energy, between=between),
            cell(line.saved.energy, saved, between=between),
            cell(line.saved.carbon, saved, between=between),
        )
    return made


def _in_lines(name: str) -> str:
    """A name of lichen's own on two lines, for a narrow column."""
    if name.startswith(_LONG):
        return clean(name).replace(": ", ":\n")
    return fill(name, _NARROW) if name in _OURS else clean(name)


def _calls(line: Line, hits: float | None, between: str) -> Text:
    """How many calls; of a line that is of other work, that there are none to count."""
    made = Text(count(line.calls) if line.calls or not line.work else "–")
    if hits is not None and line.calls:
        made.append(f"{between}{count(hits)} hit{'' if hits == 1 else 's'}", style="dim")
    return made


def _by_hour(found: Report, console: Console) -> Iterator[RenderableType]:
    """An hour a line: a bar of energy used and avoided, on one scale."""
    lines = found.by["hour"]
    width = max(10, min(50, console.width - _BESIDE_HOURS))
    largest = max((_total(line) for line in lines), default=0.0) or 1.0
    made = table("hour", "█ used  ░ avoided", "calls", "used", "avoided", right=(2,))
    for line in lines:
        used, saved = line.used.energy.value, line.saved.energy.value
        parts = ((used.amount, "█", ""), (saved.amount, "░", "gain"))
        drawn = stacked([(size / largest, mark, style) for size, mark, style in parts], width)
        made.add_row(
            datetime.fromisoformat(line.name).astimezone().strftime("%a %d %b %H:%M"),
            drawn,
            count(line.calls),
            quantity(used),
            Text(quantity(saved), style="loss" if saved.amount < 0 else "gain"),
        )
    yield ""
    yield title("By hour", "energy")
    yield fitted(console, made)


def _total(line: Line) -> float:
    return line.used.energy.value.amount + max(0.0, line.saved.energy.value.amount)


TABLES: dict[str, Part] = {"strategy": _by_strategy, "model": _by_model, "hour": _by_hour}


def held_out(found: Report, console: Console) -> Iterator[RenderableType]:
    """What the randomised holdouts show, whatever the baselines claim."""
    if not found.trials:
        return
    made = table("strategy", "left alone", "acted on", "energy avoided per call", right=(1, 2))
    for trial in found.trials:
        avoided = trial.avoided
        told: Text = Text("too few calls to say", style="quiet")
        if avoided is not None:
            told = cell(avoided, "loss" if avoided.value.amount < 0 else "gain", between=" ")
        name = clean(naming.strategy(trial.strategy))
        made.add_row(name, count(trial.held.n), count(trial.treated.n), told)
    yield ""
    yield title("Measured against calls left alone", "a share drawn at random: [holdout]")
    yield fitted(console, made)


def dry_run(found: Report, console: Console) -> Iterator[RenderableType]:
    """What rules in a dry run would have spared: no saving, and in no total."""
    if not found.dry:
        return
    made = table("rule", "calls", "would have spared", right=(1, 2))
    for name, sums in found.dry.items():
        made.add_row(clean(name), count(sums.n), cell(sums.energy, "quiet", between=" "))
    yield ""
    yield title("Dry runs", "nothing was spared: what would have been, had the rule acted")
    yield fitted(console, made)


def similar(found: Report, console: Console) -> Iterator[RenderableType]:
    """What deciders on similar questions gave or would have given, and their measured error."""
    if not found.similar:
        return
    counted = ("would answer", "given", "held out", "verified", "wrong", "error ≤")
    made = table("model", "asked error", *counted, "says", right=range(1, 8))
    for each in found.similar:
        counts = (each.would, each.given, each.withheld, each.verified, each.wrong)
        told = (f"{100 * each.bound:.1f} %", each.stands)
        asked = f"{100 * each.delta:g} %"
        made.add_row(Held(clean(each.model or "any")), asked, *map(count, counts), *told)
    yield ""
    yield title("Similar questions", "since the first; shadow mode answers nothing")
    yield fitted(console, made)
    for each in found.similar:
        yield sentence(f"{clean(each.model or 'any')}: {each.says}.")


def withheld(found: Report) -> Iterator[RenderableType]:
    """How many hits the policy for sampled calls left out."""
    line = found.withheld
    if line.calls:
        yield ""
        yield title("Hits left out", naming.calls(line.calls))
        yield sentence(
            f"For {naming.calls(line.calls)} with a temperature and no seed an answer was stored, "
            "and the model was asked anew: a regenerate button wants another answer. That used "
            f"{quantity(line.used.energy.value)}. Where the same answer serves, say "
            'sampled = "reuse" for that route.'
        )


def gaps(found: Report) -> Iterator[RenderableType]:
    """What could not be known: how often, its name, and what it means."""
    summary = found.summary
    in_entries = summary.work.gaps + summary.overhead.gaps
    rows = [(n, what) for what, n in found.named.most_common()]
    rows += [(gap.count, gap.what) for gap in summary.gaps if gap.count]
    if not rows and not in_entries:
        return
    named = sum(found.named.values())
    aside = "counted in entries, which are calls and what ran outside any call"
    if named != in_entries:
        aside = (
            f"{count(in_entries)} in entries; named: those of the newest {count(found.looked_at)}"
        )
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(justify="right")
    for times, what in rows:
        made.add_row(Text(f"{count(times)} ×", style="warn"), _gap(what))
    yield ""
    yield title("What could not be known", aside)
    yield Padding(made, _IN, expand=False)


def _gap(what: str) -> Text:
    made = Text.assemble((clean(naming.gap(what)), "bold"))
    means = naming.gap_means(what)
    return made.append(f"  {clean(means)}") if means else made


def entries(found: Report, console: Console) -> Iterator[RenderableType]:
    """The newest entries, a line each."""
    if not found.entries:
        return
    yield ""
    yield title("Newest entries", "`lichen prove ID` runs the evidence of a saving again")
    yield fitted(console, *(_entries(found.entries, model=model) for model in (True, False)))


def _entries(shown: Sequence[Entry], *, model: bool) -> Table:
    made = table("id", "when", "answered by", "tokens", "used", "avoided", right=(3,))
    for entry in shown:
        made.add_row(*_entry(entry, model=model))
    return made


def _entry(entry: Entry, *, model: bool) -> tuple[str | Text, ...]:
    figures, saving = entry.figures, entry.saving
    who = naming.answered_by(figures)
    if model and figures.model:
        who = f"{who} · {figures.model}"
    avoided = Text("–", style="quiet")
    if saving is not None:
        energy, carbon = saving.footprint.energy.value, saving.footprint.carbon.value
        # What was moved to a cleaner hour takes the energy it takes: its carbon is what was spared.
        amount = carbon if carbon.amount > 0 >= energy.amount else energy
        avoided = Text(quantity(amount), style="loss" if amount.amount < 0 else "gain")
    return (
        entry.id,
        entry.window.start.astimezone().strftime("%H:%M:%S"),
        clean(who) if model else _in_lines(who),
        count(figures.tokens.total),
        quantity(figures.footprint.energy.value) if naming.is_known(figures) else "?",
        avoided,
    )
