"""Checkup of green training: who forecasts, where jobs can run, which jobs wait to be settled."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lichen.cli.row import Row
from lichen.ledger.errors import ExecutorUnavailable, InputError, LichenError, to_install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lichen.settings import Settings


def forecasts(settings: Settings) -> Iterator[Row]:
    """Who would be asked of the time ahead, in order; nobody is asked."""
    from lichen.assemble import grid_names, open_forecasts

    if find_spec("numpy") is None:
        mend = to_install("grid")
        yield Row("forecast", "unavailable", "plans and forecasts need numpy", mend)
        return
    try:
        open_forecasts(settings)
    except LichenError as error:
        told = f"neither plan nor run can start: {error}"
        yield Row("forecast", "broken", told, "mend what the message names, or leave it out")
        return
    history = [*(["the trace"] if settings.trace else []), *grid_names(settings)]
    if history:
        told = f"{', '.join(history)}, then the built-in forecaster on their history"
        yield Row("forecast", "modelled", f"{told}, then the zone's average: lichen forecast ZONE")
    else:
        told = "the zone's average alone, so no hour is better than another and jobs run now"
        yield Row("forecast", "assumed", told, "set LICHEN_GRID or LICHEN_TRACE")


def executors(_: Settings) -> Iterator[Row]:
    """Each place where `lichen run` can run jobs, and why it cannot."""
    for point in sorted(entry_points(group="lichen.executor"), key=lambda point: point.name):
        what = f"{point.name} executor"
        try:
            yield _executor(what, point.load()())
        except ExecutorUnavailable as error:
            yield Row(what, "unavailable", error.why, error.mend)
        except (LichenError, ImportError) as error:
            yield Row(what, "unavailable", str(error))


def _executor(what: str, made: Any) -> Row:
    """Whether it would take a command that does nothing."""
    from dataclasses import replace
    from datetime import timedelta

    from lichen.train.green.executor import Task

    with tempfile.TemporaryDirectory() as folder:
        task = Task(
            job="0" * 16,
            attempt=1,
            argv=("true",),
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            folder=Path(folder),
            grace=timedelta(seconds=1),
            lasts=timedelta(seconds=1),
        )
        able = ["keeps the start time"] if made.queues else []
        able += ["chooses among places"] if made.places else []
        able += ["stops jobs in memory"] if made.freezes else []
        told = ", ".join(able) or "runs jobs"
        # The place first: what a job has to say of itself is no fault of it.
        made.check(replace(task, options=getattr(made, "probe", {})))
        try:
            made.check(task)
        except InputError as error:
            return Row(what, "ok", f"{told}; {error}")
    return Row(what, "ok", told)


def settlements(settings: Settings) -> Iterator[Row]:
    """Jobs of this ledger that ended and are not settled."""
    from lichen.assemble import open_queue, open_store

    where = settings.ledger
    if ":" in where or not Path(f"{where}.jobs").exists():
        return
    from lichen.train.green.settle import entry_id

    with open_queue(settings) as queue, closing(open_store(where)) as store:
        ended = [one for one in queue.newest(1000) if one.state.ended and one.stretches]
        left = [one for one in ended if store.entry(entry_id(one)) is None]
    if left:
        told = f"{len(left)} of {len(ended)} jobs that ran are not settled"
        yield Row("settlement", "gap", told, "lichen status --settle says why")
    elif ended:
        yield Row("settlement", "ok", f"all {len(ended)} jobs that ran are settled")
