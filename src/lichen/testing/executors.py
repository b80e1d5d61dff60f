"""ExecutorContract: what every executor of jobs keeps.

    class TestMyExecutor(ExecutorContract):
        @pytest.fixture
        def executor(self) -> Executor:
            return MyExecutor()

Tasks are short shell commands; an executor on other machines shares this one's temporary folder, or
gives its own `argv_of`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from lichen.ledger.errors import InputError
from lichen.testing.waiting import until
from lichen.train.green.executor import RESUME_ME, Ask, Phase, Sight, Task

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.train.green.executor import Executor

Make: TypeAlias = Callable[..., Task]

_OVER = (Phase.ENDED, Phase.GONE, Phase.VOID)
_FOUR = 4
_numbers = itertools.count()


def shell_task(folder: Path, shell: str, **changes: Any) -> Task:
    """A task of a piece of shell, in a folder."""
    number = next(_numbers)
    given: dict[str, Any] = {
        "job": f"{time.time_ns():016x}{number}",
        "attempt": 1,
        "argv": ("sh", "-c", shell),
        "cwd": str(folder),
        "env": {"LICHEN_RESUME": "0", "LICHEN_CHECKPOINT_DIR": str(folder)},
        "folder": folder / f"task{number}",
        "grace": timedelta(seconds=5),
        "lasts": timedelta(minutes=1),
    }
    return Task(**{**given, **changes})


def ended(executor: Executor, handle: str, within: float = 30.0) -> Sight:
    """The sight of a task once it is over; waits for up to `within` [s]."""

    def look() -> Sight | None:
        sight = executor.look(handle)
        return sight if sight.phase in _OVER else None

    found = until(look, within=within, every=0.1)
    assert found is not None
    return found


class ExecutorContract:
    """The laws of `Executor`; inherit it and give `executor`."""

    #: How long a task may take to be started and to be seen. [s]
    patience_s = 30.0

    @pytest.fixture
    def executor(self) -> Executor:
        """The executor under test."""
        raise NotImplementedError("give the executor under test")

    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        """Make a task of a piece of shell; it runs in a folder of the test's own."""
        return partial(shell_task, tmp_path)

    def ended(self, executor: Executor, handle: str) -> Sight:
        """The sight of a task once it is over."""
        return ended(executor, handle, self.patience_s)

    @pytest.mark.parametrize("code", [0, 3, RESUME_ME])
    def test_a_task_runs_and_its_exit_code_is_seen(
        self, executor: Executor, make: Make, code: int
    ) -> None:
        """Whatever the command says at its end is passed on."""
        task = make(f"exit {code}")
        executor.check(task)

        sight = self.ended(executor, executor.submit(task))

        assert (sight.phase, sight.exit_code) == (Phase.ENDED, code)
        assert sight.started_at is not None

    def test_a_task_that_was_submitted_is_found(self, executor: Executor, make: Make) -> None:
        """After a crash the handle comes back."""
        task = make("sleep 1; exit 4")
        handle = executor.submit(task)

        found = executor.find(task)

        assert found is not None
        assert self.ended(executor, found).exit_code == _FOUR
        assert self.ended(executor, handle).exit_code == _FOUR

    def test_a_task_that_was_not_found_never_runs(
        self, executor: Executor, make: Make, tmp_path: Path
    ) -> None:
        """Not found is a promise: even a submission that comes late starts nothing."""
        task = make(f"echo ran > {tmp_path}/ran-late")

        found = executor.find(task)
        handle = executor.submit(task)

        assert found is None
        assert self.ended(executor, handle).phase in _OVER
        assert not (tmp_path / "ran-late").exists()

    def test_a_task_that_is_cancelled_ends(self, executor: Executor, make: Make) -> None:
        """It is ended, and not with 0."""
        handle = executor.submit(make("sleep 60"))
        until(lambda: executor.look(handle).phase is Phase.RUNNING, within=self.patience_s)

        executor.ask(handle, Ask.CANCEL)

        assert self.ended(executor, handle).exit_code != 0

    def test_asking_a_task_that_has_ended_does_nothing(
        self, executor: Executor, make: Make
    ) -> None:
        """Whoever asks late is not told off."""
        handle = executor.submit(make("exit 0"))
        before = self.ended(executor, handle)

        executor.ask(handle, Ask.CANCEL)

        assert executor.look(handle).exit_code == before.exit_code == 0

    def test_an_unknown_option_is_refused(self, executor: Executor, make: Make) -> None:
        """A slip of the pen is an error, not a default."""
        with pytest.raises(InputError, match="no-such-option"):
            executor.check(make("true", options={"no-such-option": "1"}))

    def test_one_that_keeps_the_time_starts_nothing_before_it_and_can_be_moved(
        self, executor: Executor, make: Make
    ) -> None:
        """Its start time holds until it is told another."""
        if not executor.queues:
            return
        handle = executor.submit(make("exit 0", begin=datetime.now(UTC) + timedelta(hours=2)))
        waited = executor.look(handle).phase

        executor.move(handle, datetime.now(UTC))

        assert waited is Phase.WAITING
        assert self.ended(executor, handle).exit_code == 0
