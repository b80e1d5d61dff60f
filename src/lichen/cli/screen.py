"""Screen: how the verbs look in a terminal. Imported by a verb when it draws, never for --help.

Colour comes on a terminal only and not under NO_COLOR; every mark and bar also reads without it.
Numbers wrap and are never cut: a table that is too wide becomes a list (`fitted`), and no line ends
inside an interval or between a number and its unit (`Held`).
What is drawn here is text from outside too (model names), so control characters are shown as �.
"""

from __future__ import annotations

import re
import sys
from typing import IO, TYPE_CHECKING, Any, cast

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, JustifyMethod, OverflowMethod
    from rich.containers import Lines

    from lichen.ledger.estimate import Estimate
    from lichen.ledger.quantities import Carbon, Energy

THEME = Theme(
    {
        "title": "bold",
        "quiet": "dim",
        "gain": "green",
        "loss": "red",
        "gained": "bold green",
        "lost": "bold red",
        "warn": "yellow",
        "head": "dim",
        "address": "cyan",
    }
)
_EIGHTHS = " ▏▎▍▌▋▊▉█"
# Columns that stand empty left of what is set in. [characters]
_INDENT = 2
# Wider than any table: how wide it would like to be. [characters]
_ENDLESS = 10_000
# What breaks nowhere: an interval, a share, a number with its unit.
_WHOLE = re.compile(r"\([^()]* – [^()]*\)|\([\d,.]+ %\)|\d [^\W\d]*(?:Wh|CO₂e|W)\b|\d %")
# Stands for a blank at which no line may end while lines are made; one column wide, never shown.
_HELD = "\ue000"
_BLANKS_AT_END = re.compile(r"[ ]+(?=\n)")


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line, which ends quietly."""
        raise BrokenPipeError


class _Trimmed:
    """A file without the blanks with which tables fill their lines up."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(_BLANKS_AT_END.sub("", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Held(Text):
    """Text whose lines end neither inside an interval nor between a number and its unit."""

    def wrap(
        self,
        console: Console,
        width: int,
        *,
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        tab_size: int = 8,
        no_wrap: bool | None = None,
    ) -> Lines:
        """As rich does, with the blanks that hold; what is too long is folded, never cut."""
        lines = self._bound().wrap(
            console,
            width,
            justify=justify,
            overflow="fold" if overflow != "ignore" else overflow,
            tab_size=tab_size,
            no_wrap=no_wrap,
        )
        for line in lines:
            line.plain = line.plain.replace(_HELD, " ")
        return lines

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Its narrowest is its longest held piece. [characters]"""
        return self._bound().__rich_measure__(console, options)

    def _bound(self) -> Text:
        made = Text.assemble(self)
        made.plain = _WHOLE.sub(lambda piece: piece[0].replace(" ", _HELD), self.plain)
        return made


def screen(*, stderr: bool = False) -> Console:
    """A console for people: plain where nobody looks, 80 columns where nobody says."""
    file = sys.stderr if stderr else sys.stdout
    return _Screen(
        file=cast("IO[str]", _Trimmed(file)),
        theme=THEME,
        markup=False,
        highlight=False,
        emoji=False,
    )


def clean(text: str) -> str:
    """The text without characters that could move the cursor or change the terminal.

    What came in several lines stands in one: a line break or a tab is a blank.
    """
    return "".join(c if c.isprintable() else " " if c in "\n\r\t" else "�" for c in text)


def title(text: str, aside: str = "") -> Text:
    """A heading, with a quiet remark behind it."""
    made = Text.assemble((clean(text), "title"))
    return made.append(f"  {clean(aside)}", style="quiet") if aside else made


def sentence(text: str, style: str = "") -> RenderableType:
    """A sentence, wrapped and set in."""
    return Padding(Held(clean(text), style=style), (0, 0, 0, _INDENT), expand=False)


def fitted(console: Console, *tables: Table) -> RenderableType:
    """The first of the tables that fits, set in; the last one as a list where none does."""
    room = console.width - _INDENT
    chosen: RenderableType | None = next((t for t in tables if _wanted(t, console) <= room), None)
    if chosen is None:
        chosen = _listed(tables[-1])
    return Padding(chosen, (0, 0, 0, _INDENT), expand=False)


def _wanted(drawn: RenderableType, console: Console) -> int:
    """How wide it would be if nobody held it back. [characters]"""
    return Measurement.get(console, console.options.update_width(_ENDLESS), drawn).maximum


def _listed(made: Table) -> RenderableType:
    """A table as a list: each row by its first cell, the others below it by their headings."""
    heads = [column.header if made.show_header else "" for column in made.columns]
    parts: list[RenderableType] = []
    for first, *others in zip(*(column.cells for column in made.columns), strict=True):
        parts.append(first)
        named = [(h, c) for h, c in zip(heads[1:], others, strict=True) if c != ""]
        grid = Table.grid(padding=(0, 2, 0, 0))
        for head, cell_shown in named:
            row = (Text(str(head), style="head"), cell_shown) if any(heads) else (cell_shown,)
            grid.add_row("", *row)
        parts.append(grid)
    return Group(*parts)


def table(*headings: str, right: Iterable[int] = ()) -> Table:
    """A table without lines; columns in `right` are numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="head")
    for index, heading in enumerate(headings):
        made.add_column(heading, justify="right" if index in set(right) else "left")
    return made


def figure(
    known: Estimate[Energy] | Estimate[Carbon], style: str = "", *, between: str = " "
) -> Text:
    """An estimate, its interval quieter; `between` the two stands a blank or a new line."""
    value, _, interval = str(known).partition(" (")
    made = Held(value, style=style)
    return made.append(f"{between}({interval}", style="not bold dim") if interval else made


def cell(
    known: Estimate[Energy] | Estimate[Carbon], style: str = "", *, between: str = " "
) -> Text:
    """An estimate for a column, in which nothing is a dash."""
    if known.value.amount == known.low.amount == known.high.amount == 0:
        return Text("–", style="quiet")
    return figure(known, style, between=between)


def width_of(*texts: str) -> int:
    """How wide the widest is. [characters]"""
    return max(map(cell_len, texts), default=0)


def bar(share: float, width: int, *, encoding: str = "utf-8") -> str:
    """A bar of `share` (0 to 1) of a width, to an eighth of a character."""
    share = min(1.0, max(0.0, share))
    if not encoding.lower().startswith("utf"):
        return "#" * round(share * width)
    eighths = round(share * width * 8)
    # Something that is there is seen, however little it is.
    eighths = max(eighths, 1) if share else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def stacked(shares: Iterable[tuple[float, str, str]], width: int) -> Text:
    """Shares of a width side by side, each with its own character and style."""
    made, at = Text(no_wrap=True), 0.0
    for share, character, style in shares:
        end = at + max(0.0, share)
        made.append(character * (round(end * width) - round(at * width)), style=style)
        at = end
    return made
