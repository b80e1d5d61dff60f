"""What lies around a would-be hit: neighbours that agree, neighbours that do not, and their record.

Questions whose answers were verified to serve one another are a group. A question whose neighbours
are all of one group, far from any other, is most likely of that group too; a group whose answers
have served often will serve again. Measured on question pairs, this tells more than a second model
(docs/method/similar.md).

Source: ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

# Below this cosine a question is no neighbour. [1]
FAR: Final = 0.75
_MOST: Final = 5


class History(NamedTuple):
    """How often a stored answer was verified, and how often those of its group were.

    `right` times it served, `wrong` times it did not; `group_right` and `group_wrong` likewise for
    all questions of its group, itself included; `size` is how many questions the group has.
    """

    right: int = 0
    wrong: int = 0
    group_right: int = 0
    group_wrong: int = 0
    size: int = 1


class Neighbour(NamedTuple):
    """A stored question near the one asked: its cosine, its group, and what guards say.

    `differs` is whether a guard tells it apart from the question that is asked.
    """

    cosine: float
    group: Hashable
    differs: bool = False


class Around(NamedTuple):
    """The neighbours of a question, seen from the nearest that no guard tells apart.

    `inside` of them are of its group, itself left out, `outside` are not; `apart` is the cosine of
    the nearest that is outside or told apart, `second` that of the next inside, `mean` that of up
    to five inside.
    """

    inside: int = 0
    outside: int = 0
    apart: float = FAR
    second: float = FAR
    mean: float = FAR


def around(neighbours: Sequence[Neighbour]) -> Around:
    """What the neighbours say, nearest first; the first that no guard tells apart is the hit."""
    hit: Neighbour | None = None
    inside: list[float] = []
    outside = 0
    apart = FAR
    for neighbour in neighbours:
        if neighbour.cosine < FAR:
            break
        if hit is None and not neighbour.differs:
            hit = neighbour
        elif hit is not None and not neighbour.differs and neighbour.group == hit.group:
            inside.append(neighbour.cosine)
        else:
            outside += not neighbour.differs
            apart = max(apart, neighbour.cosine)
    if hit is None:
        return Around(0, outside, apart)
    near = [hit.cosine, *inside][:_MOST]
    return Around(
        len(inside),
        outside,
        apart,
        inside[0] if inside else FAR,
        sum(near) / len(near),
    )
