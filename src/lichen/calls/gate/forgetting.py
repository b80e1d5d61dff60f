"""Forgetting lengths of answers, whether or not a service runs or a rule asks for them now.

The entry point "gate" of the group "lichen.forget". What budgets charged stays: it holds the hash
of who was charged and a number, and who could erase that could spend anew.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lichen.calls import learnt_file
from lichen.calls.gate.lengths import Lengths
from lichen.ledger.errors import StoreUnavailable

if TYPE_CHECKING:
    from lichen.calls.forget import Forget
    from lichen.calls.steps import Place


def forget_lengths(place: Place, which: Forget) -> int:
    """Erase lengths of answers that are meant; of how many classes of calls.

    Raises:
        StoreUnavailable: the file cannot be written.
    """
    path = place.file("lengths")
    had, held = Lengths(), learnt_file.read(path)
    with suppress(ValueError, KeyError, TypeError):
        had.restore(held)
    gone = had.forget(which)
    if path is None or not gone:
        return 0
    try:
        learnt_file.write(path, had.state())
    except OSError as error:
        raise StoreUnavailable(str(path), str(error), "delete the file") from error
    return gone
