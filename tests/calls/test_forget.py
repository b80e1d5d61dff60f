"""What is meant by forgetting, and what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.forget import Forget
from lichen.ledger.errors import InputError, NaiveTime

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOON_US = int(NOON.timestamp() * 1e6)


def test_nothing_said_is_not_everything() -> None:
    with pytest.raises(InputError, match="give a tenant, a text or a moment"):
        Forget()


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(NaiveTime):
        Forget(before=datetime(2026, 11, 25))  # noqa: DTZ001 (that is the point)


@pytest.mark.parametrize(
    ("which", "meant"),
    [
        (Forget(tenant="a"), True),
        (Forget(tenant="b"), False),
        (Forget(before=NOON), True),
        (Forget(tenant="b", before=NOON), False),
        (Forget(contains="SECRET word"), True),
        (Forget(contains="other word"), False),
        (Forget(tenant="a", contains="other word"), False),
    ],
)
def test_all_that_is_given_must_hold(which: Forget, *, meant: bool) -> None:
    found = which.covers(tenant="a", at_us=NOON_US - 1, texts=(b"a secret Word", "more"))

    assert found is meant


def test_what_is_as_old_as_the_moment_stays() -> None:
    assert not Forget(before=NOON).covers(tenant="a", at_us=NOON_US)


def test_what_does_not_say_whose_it_is_is_forgotten_with_any_tenant() -> None:
    assert Forget(tenant="a").covers(tenant="", at_us=0)


@given(st.text(min_size=1), st.text(), st.text())
def test_words_are_found_in_json_whichever_way_it_escapes_them(
    words: str, before: str, after: str
) -> None:
    body = {"content": before + words + after}
    try:
        written = json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        written = json.dumps(body).encode()

    assert Forget(contains=words).is_in(json.dumps(body).encode())
    assert Forget(contains=words).is_in(written)
