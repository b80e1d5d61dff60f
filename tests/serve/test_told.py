"""What a service says at its start of where things are kept."""

from __future__ import annotations

from lichen.serve.build import told_of_state
from lichen.settings import load

DATABASE = "postgresql://lichen:secret@127.0.0.1:1/lichen"
ROUTE = ({"similar": "shadow"},)


def test_a_start_says_what_is_learnt_in_memory_alone_and_how_to_keep_it() -> None:
    lost = load(environ={}, ledger=DATABASE, route=ROUTE)

    assert told_of_state(lost) == (
        "in memory, lost at a stop (what similar answers were worth): set LICHEN_STATE"
    )


def test_a_start_says_nothing_of_state_that_lies_beside_the_ledger() -> None:
    assert told_of_state(load(environ={}, route=ROUTE)) == ""
    assert told_of_state(load(environ={}, ledger=DATABASE)) == ""
    assert told_of_state(load(environ={}, ledger=DATABASE, route=ROUTE, state="st")) == "st"
