"""Screen: how the verbs look in a terminal. Imported by a verb when it draws, never for --help.

Colour comes on a terminal only and not under NO_COLOR; every mark and bar also reads without it.
What is drawn here is text from outside too (model names), so control characters are shown as �.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

if TYPE_CHECKING:
    from collections.abc import Iterable

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
# From this width on, an interval stands beside its value, not below it. [characters]
WIDE = 110
_EIGHTHS = " ▏▎▍▌▋▊▉█"


class _Screen(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line, which ends quietly."""
        raise BrokenPipeError


def screen(*, stderr: bool = False) -> Console:
    """A console for people: plain where nobody looks, 80 columns where nobody says."""
    return _Screen(stderr=stderr, theme=THEME, markup=False, highlight=False, emoji=False)


def clean(text: str) -> str:
    """The text without characters that could move the cursor or change the terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)


def title(text: str, aside: str = "") -> Text:
    """A heading, with a quiet remark behind it."""
    made = Text.assemble((clean(text), "title"))
    return made.append(f"  {clean(aside)}", style="quiet") if aside else made


def sentence(text: str, style: str = "") -> RenderableType:
    """A sentence, wrapped and set in."""
    return Padding(Text(clean(text), style=style), (0, 0, 0, 2), expand=False)


def table(*headings: str, right: Iterable[int] = ()) -> Table:
    """A table without lines; columns in `right` are numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="head")
    for index, heading in enumerate(headings):
        made.add_column(heading, justify="right" if index in set(right) else "left")
    return made


def figure(known: Estimate[Energy] | Estimate[Carbon], style: str = "") -> Text:
    """An estimate in one line, the interval quieter than the value."""
    value, _, interval = str(known).partition(" (")
    made = Text(value, style=style, no_wrap=True)
    return made.append(f" ({interval}", style="not bold dim") if interval else made


def cell(known: Estimate[Energy] | Estimate[Carbon], width: int, style: str = "") -> Text:
    """An estimate for a column: the interval below the value where the screen is narrow."""
    if known.value.amount == known.low.amount == known.high.amount == 0:
        return Text("–", style="quiet")
    value, _, interval = str(known).partition(" (")
    made = Text(value, style=style)
    if interval:
        made.append(" (" if width >= WIDE else "\n(", style="not bold dim")
        made.append(interval, style="not bold dim")
    return made


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
