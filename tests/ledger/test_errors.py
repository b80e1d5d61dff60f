"""Errors: one tree, and messages that say what to do."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime

import pytest

from lichen.ledger import errors
from lichen.ledger.errors import (
    EntryConflict,
    InputError,
    LedgerError,
    LichenError,
    MeterUnavailable,
    MissingExtra,
    NaiveTime,
    NoWorkDone,
    SignalUnavailable,
    SourceError,
    StoreUnavailable,
    UnitError,
    UnknownZone,
    UpstreamError,
    to_install,
)

TREE = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", TREE)
def test_every_error_is_a_lichen_error_and_drawn_in_the_tree(kind: type[Exception]) -> None:
    assert issubclass(kind, LichenError)
    assert errors.__doc__ is not None
    assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize(
    ("kind", "python"),
    [(UnitError, TypeError), (InputError, ValueError), (MissingExtra, ImportError)],
)
def test_errors_are_also_what_python_calls_them(
    kind: type[Exception], python: type[Exception]
) -> None:
    assert issubclass(kind, python)


def test_errors_stand_under_what_they_are_about() -> None:
    assert {NaiveTime, UnknownZone} <= {*InputError.__subclasses__()}
    assert {MeterUnavailable, SignalUnavailable, UpstreamError} <= {*SourceError.__subclasses__()}
    assert {EntryConflict, NoWorkDone, StoreUnavailable} <= {*LedgerError.__subclasses__()}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NaiveTime(datetime(2026, 3, 1)), "write 2026-03-01T00:00:00+00:00"),  # noqa: DTZ001 (naive is the point)
        (UnknownZone("DEU", ["DE", "DK-DK1"]), "did you mean DE, DK-DK1?"),
        (UnknownZone("X"), "'WORLD' is the wide world average"),
        (MeterUnavailable("RAPL", "no permission", "run chmod"), "no permission; run chmod"),
        (StoreUnavailable("a.db", "it is locked", "end the other"), "it is locked; end the other"),
        (MissingExtra("tune.adapt", "torch", "tune"), to_install("tune")),
        (NoWorkDone("request", ["image"]), "units with work: image"),
        (EntryConflict("0" * 16), "append-only"),
    ],
)
def test_a_message_says_the_value_in_hand_and_the_way_out(error: LichenError, said: str) -> None:
    assert said in str(error)


def test_an_upstream_error_carries_how_to_answer() -> None:
    error = UpstreamError("it is too busy", status=429, code="rate_limited")

    assert (error.status, error.code) == (429, "rate_limited")


def test_a_naive_time_keeps_the_moment() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None)

    assert NaiveTime(moment).moment == moment


def test_how_an_extra_is_installed_is_right_for_a_checkout() -> None:
    said = str(MissingExtra("a gate rule with a pattern", "google-re2", "gate"))

    assert said == (
        "a gate rule with a pattern needs google-re2: install lichen's extra 'gate', in a "
        "checkout by pip install -c constraints.txt -e '.[gate]'"
    )
