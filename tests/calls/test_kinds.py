"""Kinds of calls in rules: a slip is told, since a rule that meets nothing protects nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.calls.kinds import KINDS
from lichen.calls.providers import doors
from lichen.ledger.errors import InputError
from lichen.settings import load

if TYPE_CHECKING:
    from pathlib import Path


def test_the_kinds_are_those_of_the_doors() -> None:
    told = {door.kind for door in doors.DOORS.values()} | set(doors._ACTIONS.values())

    assert set(KINDS) == told - {""}


@pytest.mark.parametrize("table", ["route", "gate.rule", "gate.budget", "gate.cascade"])
@pytest.mark.parametrize(
    ("slip", "near"),
    [("chat", "it is one of"), ("embedding", "'embeddings'"), ("chat.completion", "'chat.comp")],
)
def test_a_route_that_no_call_takes_is_refused(
    tmp_path: Path, table: str, slip: str, near: str
) -> None:
    (tmp_path / "lichen.toml").write_text(f"[[{table}]]\nroute = '{slip}'\n")

    with pytest.raises(InputError, match=near) as caught:
        load(tmp_path, {})

    assert "lichen.toml" in str(caught.value)


@pytest.mark.parametrize("route", ["*", "chat*", "embed*", "messages"])
def test_a_pattern_that_some_call_meets_is_taken(tmp_path: Path, route: str) -> None:
    (tmp_path / "lichen.toml").write_text(f"[[route]]\nroute = '{route}'\n")

    assert load(tmp_path, {}).rules[0].route == route
