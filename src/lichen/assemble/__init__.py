"""Assemble: the only room that puts meters, grids, stores and strategies together.

Built-ins and plug-ins come in by the same door, the entry points `lichen.store`, `lichen.meter`,
`lichen.grid`, `lichen.forecast`, `lichen.executor`, `lichen.step`, `lichen.prover` and
`lichen.embedder`; everything else meets through the protocols
in `lichen.ledger.ports`.

books       open(): a book with its store, prices and provers; meters
grids       what prices entries, what plans look ahead with, what forecasters learn from
exchanges   the pipeline of calls
upstreams   a service at a URL, with what lies around it for when it fails
jobs        the queue, the planner, executors, the runner, the settlement
plugins     what entry points name
"""

from __future__ import annotations

from lichen.assemble.books import (
    find_meters,
    make_call_meter,
    make_pricer,
    make_window_meter,
    open,  # noqa: A004 (lichen.open reads as what it is)
    open_book,
    open_store,
)
from lichen.assemble.exchanges import learnt_in_memory, open_answers, open_layers, pipeline
from lichen.assemble.grids import (
    grid_names,
    make_grid,
    make_live,
    open_forecasts,
    open_grid,
    open_history,
)
from lichen.assemble.jobs import make_executor, make_planner, make_runner, make_settler, open_queue
from lichen.assemble.upstreams import open_http, open_upstreams

__all__ = [
    "find_meters",
    "grid_names",
    "learnt_in_memory",
    "make_call_meter",
    "make_executor",
    "make_grid",
    "make_live",
    "make_planner",
    "make_pricer",
    "make_runner",
    "make_settler",
    "make_window_meter",
    "open",
    "open_answers",
    "open_book",
    "open_forecasts",
    "open_grid",
    "open_history",
    "open_http",
    "open_layers",
    "open_queue",
    "open_store",
    "open_upstreams",
    "pipeline",
]
