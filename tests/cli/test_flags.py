"""Flags and settings are one list, told twice; here they are held together."""

from __future__ import annotations

from dataclasses import fields

import pytest

from lichen.cli import VERBS, lichen, naming
from lichen.cli.flags import FLAGS
from lichen.settings import CREDENTIALS, UNFLAGGED, Settings

SETTINGS = {field.name: field.default for field in fields(Settings) if field.name != "routes"}
# Defaults that are told in words, since they are found out and not written down.
TOLD = {
    "token",
    "upstream",
    "upstream_key",
    "zone",
    "upstream_zone",
    "trace",
    "gguf",
    "cache",
    "state",
} | {
    "grid",
    "grid_cache",
    "grid_urls",
}
# The service prices without a network: plans and forecasts ask live sources.
OF_PLANS = {"grid", "grid_cache", "grid_urls"}


def test_every_setting_but_a_credential_has_a_flag() -> None:
    assert set(FLAGS) == set(SETTINGS) - set(CREDENTIALS) - set(UNFLAGGED)


def test_serve_takes_every_setting_of_the_service() -> None:
    import click

    serve = lichen.get_command(click.Context(lichen), "serve")

    assert serve is not None
    assert {parameter.name for parameter in serve.params} == set(FLAGS) - OF_PLANS


@pytest.mark.parametrize("name", sorted(set(FLAGS) - TOLD))
def test_the_default_a_flag_tells_is_the_setting_s_own(name: str) -> None:
    made = Settings().with_(**{name: FLAGS[name].default})

    assert getattr(made, name) == SETTINGS[name]


@pytest.mark.parametrize("name", sorted(TOLD))
def test_a_default_told_in_words_is_empty_in_the_settings(name: str) -> None:
    assert SETTINGS[name] == ""


def test_hits_go_by_the_names_they_are_booked_under() -> None:
    from lichen.calls import booking

    assert (naming.EXACT, naming.COALESCE) == (booking.EXACT, booking.COALESCE)
    assert naming.WITHHELD == booking.WITHHELD


def test_every_verb_is_one_module_and_one_function_of_its_name() -> None:
    import click

    group = click.Context(lichen)

    assert all(lichen.get_command(group, verb).name == verb for verb in VERBS)  # type: ignore[union-attr]
