"""The trial of a route: harm is found, no harm is rarely cried, and the route stays closed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from lichen.calls.compress.options import CompressOptions
from lichen.calls.compress.trial import Trial
from lichen.calls.compress.watch import Judged, Watch

if TYPE_CHECKING:
    from pathlib import Path


def run(treated: float, held: float, *, answers: int, seed: int, share: float = 0.1) -> Trial:
    """A trial after so many answers, with these shares of bad ones."""
    draw = random.Random(seed)
    trial = Trial(margin=0.05, error=0.05)
    for _ in range(answers):
        is_held = draw.random() < share
        trial.see(bad=draw.random() < (held if is_held else treated), held=is_held)
    return trial


def test_harm_is_found() -> None:
    trials = [run(0.25, 0.05, answers=2000, seed=seed) for seed in range(20)]

    assert all(trial.failed for trial in trials)
    assert not any(trial.passed for trial in trials)


def test_where_there_is_no_harm_it_is_cried_no_more_often_than_allowed() -> None:
    trials = [run(0.1, 0.1, answers=5000, seed=seed) for seed in range(100)]

    # 5 of 100 are expected at most; 11 would be one chance in a hundred.
    assert sum(trial.failed for trial in trials) <= 10
    assert sum(trial.passed for trial in trials) >= 60


def test_harm_that_begins_late_is_found_too() -> None:
    draw = random.Random(5)
    trial = run(0.05, 0.05, answers=20_000, seed=5)
    assert not trial.failed

    for _ in range(20_000):
        held = draw.random() < 0.1
        trial.see(bad=draw.random() < (0.05 if held else 0.4), held=held)

    assert trial.failed


def test_a_trial_that_was_kept_goes_on_where_it_stood() -> None:
    trial = run(0.2, 0.1, answers=700, seed=1)

    again = Trial.again(0.05, 0.05, trial.kept())

    assert again.kept() == trial.kept()
    assert (again.harm.most, again.safety.most) == (0.0, -0.05)


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Service:
    """A watch with a clock, and what it told."""

    def __init__(self, path: Path | None = None, **options: str) -> None:
        self.clock = Clock()
        self.closed: list[str] = []
        self.warned: list[object] = []
        self.watch = Watch(
            CompressOptions(**options),  # type: ignore[arg-type] # only texts are given here
            path,
            lambda route, _trial: self.closed.append(route),
            self.warned.append,
            self.clock,
        )

    def answer(self, number: int, *, held: bool, bad: bool) -> str:
        """An answer that comes now."""
        entry_id = f"{number:016x}"
        again = number.to_bytes(8, "big")
        self.watch.answered(entry_id, Judged("r", held, bad, 0.0, "t", again))
        return entry_id

    def harm(self, answers: int = 3000) -> None:
        """Answers that are worse where prompts were shortened."""
        draw = random.Random(2)
        for number in range(answers):
            held = draw.random() < 0.1
            self.answer(number, held=held, bad=draw.random() < (0.05 if held else 0.4))
            self.clock.now += 60


def test_a_route_whose_answers_are_worse_is_closed_and_it_is_told_once(tmp_path: Path) -> None:
    service = Service(tmp_path / "compress")

    service.harm()

    assert not service.watch.is_open("r")
    assert service.watch.is_open("another")
    assert service.closed == ["r"]


def test_it_stays_closed_over_a_restart_until_it_is_armed_again(tmp_path: Path) -> None:
    path = tmp_path / "compress"
    Service(path).harm()

    again, armed = Service(path), Service(path, rearm="after the fix")

    assert not again.watch.is_open("r")
    assert armed.watch.is_open("r")
    assert armed.watch.trials == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1, "rearm": "", "trials": 3}'])
def test_a_file_that_is_broken_begins_the_trials_anew_and_says_so(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "compress"
    path.write_text(content)

    service = Service(path)

    assert service.watch.is_open("r")
    assert len(service.warned) == 1


def test_an_answer_counts_after_ten_minutes_as_it_then_stands() -> None:
    service = Service()
    liked = service.answer(1, held=False, bad=True)
    disliked = service.answer(2, held=False, bad=False)
    service.answer(3, held=False, bad=False)
    others = service.answer(4, held=False, bad=False)

    assert service.watch.judged(liked, "t", bad=False)
    assert service.watch.judged(disliked, "t", bad=True)
    assert not service.watch.judged(others, "somebody else", bad=True)
    service.watch.asked((3).to_bytes(8, "big"))
    service.clock.now += 601
    service.watch.settle()

    treated = service.watch.trials["r"].treated
    assert (treated.count, treated.bad) == (4, 2)
    assert not service.watch.judged(liked, "t", bad=True)
