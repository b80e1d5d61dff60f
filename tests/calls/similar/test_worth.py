from __future__ import annotations

from lichen.calls.similar.worth import Worth


def looks(
    worth: Worth, count: int, cost_j: float, *, since: float = 1.0, over: float = 3600.0
) -> None:
    for n in range(count + 1):
        worth.looked(since + over * n / count, cost_j)


def test_a_window_that_cost_more_than_it_spared_turns_it_off_and_says_why() -> None:
    worth = Worth(3600.0)

    worth.spared(10.0)
    looks(worth, 300, 0.05)

    assert worth.is_off(3602.0)
    assert worth.reason == "off: 301 looks cost 15.1 J and spared 10 J; tried again in 60 min"


def test_it_tries_again_after_as_long() -> None:
    worth = Worth(3600.0)
    looks(worth, 300, 0.05)

    assert worth.is_off(7000.0)
    assert not worth.is_off(7202.0)
    assert worth.reason == ""


def test_a_window_that_spared_more_keeps_it_on() -> None:
    worth = Worth(3600.0)

    worth.spared(20.0)
    looks(worth, 300, 0.05)

    assert not worth.is_off(3602.0)


def test_a_window_with_few_looks_says_nothing() -> None:
    worth = Worth(3600.0)

    looks(worth, 100, 0.05)

    assert not worth.is_off(3602.0)


def test_each_window_is_judged_by_itself() -> None:
    worth = Worth(3600.0)
    worth.spared(1000.0)
    looks(worth, 300, 0.05)

    looks(worth, 300, 0.05, since=3700.0)

    assert worth.is_off(7302.0)
