"""Jobs put together: the queue, the planner, executors, the runner and the settlement."""

from __future__ import annotations

import logging
from functools import cache, partial
from typing import TYPE_CHECKING

from lichen.assemble.grids import open_forecasts, open_history
from lichen.assemble.plugins import plugin

if TYPE_CHECKING:
    from lichen.ledger.ports import Store
    from lichen.ledger.proof import Prover
    from lichen.settings import Settings
    from lichen.train.green.executor import Executor
    from lichen.train.green.planning import Planner
    from lichen.train.green.queue import Queue
    from lichen.train.green.runner import Runner
    from lichen.train.green.settle import Settler


_log = logging.getLogger(__name__)


def open_queue(settings: Settings) -> Queue:
    """The queue of jobs in the ledger's file.

    Raises:
        InputError: the ledger is no file.
        StoreUnavailable: it cannot be opened.
    """
    from lichen.train.green.queue import Queue  # noqa: PLC0415 (strategies are put together here)

    return Queue(settings.ledger)


def make_planner(settings: Settings) -> Planner:
    """Plans over what the grid's sources say of the time ahead.

    Raises:
        InputError: as `open_grid`.
        MissingExtra: numpy is not installed.
    """
    from lichen.train.green.planning import Planner  # noqa: PLC0415 (as above)

    return Planner(source=open_forecasts(settings))


def make_settler(settings: Settings, store: Store) -> Settler:
    """Settles jobs by what recordings and live sources say the grid emitted.

    Raises:
        InputError: as `open_history`.
    """
    from lichen.meter.host import factors, reading_of_cpu  # noqa: PLC0415 (put together here)
    from lichen.train.green.settle import Settler  # noqa: PLC0415

    return Settler(store, open_history(settings), reading_of_cpu, factors=factors())


def settlement_provers(settings: Settings) -> dict[str, Prover]:
    """What proves the saving of a settled job: it is settled again."""
    from lichen.meter.host import factors, reading_of_cpu  # noqa: PLC0415 (put together here)
    from lichen.train.green.account import RUN_NOW  # noqa: PLC0415
    from lichen.train.green.proof import ProveSettlement  # noqa: PLC0415

    made = ProveSettlement(
        partial(open_queue, settings), partial(open_history, settings), reading_of_cpu, factors
    )
    return {RUN_NOW: made}


def make_executor(name: str) -> Executor:
    """The executor of that name.

    Raises:
        InputError: nothing installed provides it.
    """
    made: Executor = plugin("lichen.executor", name)()
    return made


def make_runner(settings: Settings, queue: Queue, *, shown: bool = False) -> Runner:
    """A runner of the queue's jobs; `shown` lets their commands write to this terminal."""
    from lichen.train.green.runner import Runner  # noqa: PLC0415 (strategies are put together here)

    return Runner(queue, _planner(settings), cache(make_executor), shown=shown)


def _planner(settings: Settings) -> Planner:
    """The planner of jobs that are in the queue already: nothing of the grid may hold them up.

    Where its sources cannot be opened, such as a trace that went bad since, it says so once and
    plans no more: what was planned stands, and each job runs at its latest safe start.
    """
    from lichen.ledger.errors import LichenError  # noqa: PLC0415 (as above)
    from lichen.train.green.planning import Planner  # noqa: PLC0415

    try:
        return make_planner(settings)
    except LichenError as error:
        _log.warning("lichen: no plan is made anew, and jobs run by their deadline: %s", error)
        return Planner(source=None)
