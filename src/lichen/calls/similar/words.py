"""Words that decide: what a change of one of them does to a question, by a table beside this file.

The table `words.csv` gives, for each group, a value and the words that stand for it. Groups:
negation and avoidance; what is asked (when, where, …); numbers, scales, dates and units in letters;
poles, the two sides of an axis (`enable+`, `enable-`); kin; and classes, whose members exclude one
another (`colour:red`, `colour:blue`). Lists beside them: common words, stop words of languages, and
words that give an order its meaning.

Source: written for lichen; English.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

_LISTS: Final = frozenset({"english", "common", "foreign", "order", "list"})


class Mark(NamedTuple):
    """What a word stands for: the table's `group` and the `value` within it."""

    group: str
    value: str


class Table(NamedTuple):
    """The table as read: `marks` by word, `lists` by name, stop words by language, synonyms."""

    marks: dict[str, tuple[Mark, ...]]
    lists: dict[str, frozenset[str]]
    foreign: dict[str, frozenset[str]]
    synonyms: dict[str, frozenset[str]]


@lru_cache(maxsize=1)
def table() -> Table:
    """The table, read once, on first use."""
    read = Table({}, {}, {}, {})
    text = files("lichen.calls.similar").joinpath("words.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        group, value, words = row["group"], row["value"], row["words"].split()
        if group == "foreign":
            read.foreign[value] = frozenset(words)
        elif group == "synonym":
            for word in words:
                read.synonyms[word] = read.synonyms.get(word, frozenset()) | {value}
        elif group in _LISTS:
            read.lists[value] = frozenset(words)
        else:
            for word in words:
                read.marks[word] = (*read.marks.get(word, ()), Mark(group, value))
    return read


def words(name: str) -> frozenset[str]:
    """One of the table's lists: "english", "common", "asking", "directed", …"""
    return table().lists[name]


SHORT_UNITS: Final = {
    "m": "m",
    "k": "kelvin",
    "f": "fahrenheit",
    "g": "g",
    "l": "l",
    "h": "hour",
    "s": "second",
    "min": "minute",
    "w": "watt",
    "v": "volt",
    "b": "byte",
    "in": "inch",
    "c": "celsius",
    "d": "day",
    "j": "joule",
    "am": "am",
    "pm": "pm",
}
"""Units of one or two letters: they count only right behind a number."""

SIGNS: Final = {
    "$": "usd",
    "€": "eur",
    "£": "pound",
    "₹": "inr",
    "¥": "yen",
    "%": "percent",
    "°": "degree",
}
"""Units that are written as signs."""
