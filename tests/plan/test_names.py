"""The room's public face, and what it asks of those who only look."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import lichen.plan
from lichen.ledger.errors import to_install

WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None
from lichen.plan import Job, Pause, Plan, Segment
from lichen.ledger.errors import MissingExtra
try:
    from lichen.plan import Shift
except MissingExtra as error:
    print(error)
"""


@pytest.mark.parametrize("name", lichen.plan.__all__)
def test_every_public_name_is_there(name: str) -> None:
    found: Any = getattr(lichen.plan, name)

    assert found.__name__ == name
    assert found.__doc__


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Scheduler'"):
        lichen.plan.Scheduler  # noqa: B018 (it is the look-up that fails)


def test_dir_shows_the_public_names() -> None:
    assert dir(lichen.plan) == sorted(lichen.plan.__all__)


def test_without_numpy_the_types_are_there_and_a_policy_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMPY], check=True, capture_output=True, text=True
    )

    assert done.stdout.strip() == f"lichen.plan.Shift needs numpy: {to_install('grid')}"
