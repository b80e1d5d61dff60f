"""Plan words: how a job was planned, and what is noted of it, as people read it.

A plan's method is one word for each thing that was chosen, as in `place/1 contiguous/1`; records
and JSON keep it, screens say what it means.

Source: lichen.plan (docs/method/plan.md).
"""

from __future__ import annotations

import re

PLANNED = {
    "place": "in the cleanest place",
    "contiguous": "for the cleanest hours, in one piece",
    "interruptible": "for the cleanest hours, in as many pieces as that takes",
    "elastic": "for the cleanest hours, on more machines while it is cleaner",
    "run-now": "at once",
    "level": "as soon as it may, since all hours are alike",
}
_METHOD = re.compile(r"([a-z-]+)/\d+")


def planned(method: str) -> str:
    """What a plan's method chose; a part that is not known here stays as it is."""
    return " ".join(_METHOD.sub(_phrase, part) for part in method.split())


def _phrase(found: re.Match[str]) -> str:
    return PLANNED.get(found[1], found[0])


def remark(state: str, note: str) -> str:
    """What a note says beside the state; empty where that is the state again."""
    told = planned(note.removeprefix(f"{state}:"))
    return "" if told == state else told
