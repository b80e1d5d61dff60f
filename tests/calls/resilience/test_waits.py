"""When an upstream wants to be asked again, in each of the ways in which upstreams say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.resilience.waits import asked_wait, duration, told

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


def wait(**headers: str) -> float | None:
    return asked_wait(
        [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()], NOW
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:00:00 GMT"}, 0.0),
        ({"retry_after_ms": "1500", "retry_after": "2"}, 1.5),
        ({"retry_after_ms": "soon", "retry_after": "2"}, 2.0),
        ({"x_ratelimit_reset_tokens": "6m0.5s", "x_ratelimit_remaining_tokens": "0"}, 360.5),
        ({"x_ratelimit_reset_requests": "120ms", "x_ratelimit_remaining_requests": "0"}, 0.12),
        (
            {
                "anthropic_ratelimit_input_tokens_reset": "2026-10-21T07:28:09Z",
                "anthropic_ratelimit_input_tokens_remaining": "0",
            },
            9.0,
        ),
    ],
)
def test_a_wait_is_read_in_each_of_its_forms(headers: dict[str, str], seconds: float) -> None:
    assert wait(**headers) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry_after": "soon"},
        {"retry_after": "-1"},
        {"retry_after": "nan"},
        {"retry_after": "inf"},
        {"retry_after": "1e9"},
        {"retry_after": "Wed, 99 Oct 2026 07:28:30 GMT"},
        {"x_ratelimit_reset_tokens": "6m0s", "x_ratelimit_remaining_tokens": "12"},
        {"x_ratelimit_reset_tokens": "6m0s"},
        {"x_ratelimit_reset_tokens": "6 minutes", "x_ratelimit_remaining_tokens": "0"},
        {"anthropic_ratelimit_tokens_reset": "x", "anthropic_ratelimit_tokens_remaining": "0"},
    ],
)
def test_what_says_nothing_sensible_is_no_wait(headers: dict[str, str]) -> None:
    assert wait(**headers) is None


def test_of_several_limits_that_are_reached_the_longest_wait_counts() -> None:
    found = wait(
        x_ratelimit_reset_requests="2s",
        x_ratelimit_remaining_requests="0",
        x_ratelimit_reset_tokens="9s",
        x_ratelimit_remaining_tokens="0",
    )

    assert found == 9.0


def test_a_wait_is_told_in_whole_seconds_and_never_shorter() -> None:
    assert [told(wait) for wait in (0.0, 0.2, 1.0, 1.01, 59.5)] == [b"1", b"1", b"1", b"2", b"60"]


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_whatever_it_says_breaks_the_reading(one: str, other: str) -> None:
    headers = [
        (b"retry-after", one.encode("utf-8", "replace")),
        (b"retry-after-ms", other.encode("utf-8", "replace")),
        (b"x-ratelimit-reset-tokens", one.encode("utf-8", "replace")),
        (b"x-ratelimit-remaining-tokens", b"0"),
        (b"anthropic-ratelimit-tokens-reset", other.encode("utf-8", "replace")),
        (b"anthropic-ratelimit-tokens-remaining", b"0"),
    ]

    found = asked_wait(headers, NOW)

    assert found is None or 0 <= found <= 86400


@given(st.integers(0, 86399))
def test_a_date_is_the_wait_until_it(seconds: int) -> None:
    then = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    assert wait(retry_after=then) == seconds


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int) -> None:
    assert duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds
