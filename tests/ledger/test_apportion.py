"""Apportioning: every joule to exactly one window, whatever is inside or beside what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.ledger.apportion import Apportioner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.ledger.window import Reserved


class Dial:
    """A window meter that a test turns by hand: it reads one number."""

    method = "window/1"
    within_s: float | None = None

    def __init__(self) -> None:
        self.at = 100.0
        self.faults = 0

    def stand(self) -> tuple[float, ...]:
        """Where the dial stands."""
        return (self.at,)

    def failed_since(self, faults: int) -> tuple[str, ...]:
        """The dial, if it failed."""
        return ("dial",) if self.faults > faults else ()

    def raw(
        self,
        spent: Sequence[float],
        reserved: Reserved | None,  # noqa: ARG002 (the port's signature)
    ) -> tuple[dict[str, float | str], tuple[str, ...]]:
        """What was spent."""
        return {"seconds": spent[0]}, ()


@pytest.fixture
def dial() -> Dial:
    return Dial()


@pytest.fixture
def windows(dial: Dial) -> Apportioner:
    return Apportioner(dial)


def test_a_window_has_what_is_spent_while_it_is_open(dial: Dial, windows: Apportioner) -> None:
    dial.at += 5
    window = windows.open(None)
    dial.at += 3
    windows.close(window)
    dial.at += 9

    assert window.own == (3.0,)
    assert not window.shared


def test_a_window_inside_takes_its_part_from_the_outer_one(
    dial: Dial, windows: Apportioner
) -> None:
    outer = windows.open(None)
    dial.at += 1
    inner = windows.open(outer)
    dial.at += 10
    windows.close(inner)
    dial.at += 2
    windows.close(outer)

    assert (outer.own, inner.own, outer.inner) == ((3.0,), (10.0,), (10.0,))
    assert not outer.shared
    assert not inner.shared


def test_windows_side_by_side_share_and_say_so(dial: Dial, windows: Apportioner) -> None:
    one = windows.open(None)
    dial.at += 4
    other = windows.open(None)
    dial.at += 6
    windows.close(one)
    dial.at += 1
    windows.close(other)

    assert (one.own, other.own) == ((7.0,), (4.0,))
    assert one.shared
    assert other.shared


def test_a_window_after_a_crowd_is_not_in_it(dial: Dial, windows: Apportioner) -> None:
    one, other = windows.open(None), windows.open(None)
    dial.at += 6
    windows.close(one)
    windows.close(other)

    alone = windows.open(None)
    dial.at += 1
    windows.close(alone)

    assert one.shared
    assert not alone.shared


def test_tasks_inside_one_window_share_among_themselves(dial: Dial, windows: Apportioner) -> None:
    outer = windows.open(None)
    one, other = windows.open(outer), windows.open(outer)
    dial.at += 8
    windows.close(one)
    windows.close(other)
    dial.at += 1
    windows.close(outer)

    assert (one.own, other.own, outer.own, outer.inner) == ((4.0,), (4.0,), (1.0,), (8.0,))


def test_a_window_that_outlives_the_one_around_it_goes_on(dial: Dial, windows: Apportioner) -> None:
    outer = windows.open(None)
    inner = windows.open(outer)
    dial.at += 2
    windows.close(outer)
    dial.at += 5
    later = windows.open(outer)
    dial.at += 4
    windows.close(later)
    windows.close(inner)

    assert (outer.own, inner.own, later.own) == ((0.0,), (9.0,), (2.0,))
    assert not windows.busy


def test_the_outermost_takes_over_what_was_inside_a_closed_one(
    dial: Dial, windows: Apportioner
) -> None:
    outer = windows.open(None)
    middle = windows.open(outer)
    inner = windows.open(middle)
    dial.at += 3
    windows.close(middle)
    dial.at += 4
    windows.close(inner)
    dial.at += 5
    windows.close(outer)

    assert (outer.own, middle.own, inner.own) == ((5.0,), (0.0,), (7.0,))
    assert outer.inner == (7.0,)


def test_closing_twice_is_closing_once(dial: Dial, windows: Apportioner) -> None:
    window = windows.open(None)
    dial.at += 3
    windows.close(window)
    dial.at += 3
    windows.close(window)

    assert window.own == (3.0,)
    assert not windows.busy


def test_a_fault_belongs_to_the_windows_open_then(dial: Dial, windows: Apportioner) -> None:
    before = windows.open(None)
    windows.close(before)
    during = windows.open(None)
    dial.faults += 1
    windows.close(during)

    assert before.failed == ()
    assert during.failed == ("dial",)
