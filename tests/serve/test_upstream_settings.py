"""Upstreams as the settings say them: what is wrong with one is told by the setting's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen import assemble
from lichen.ledger.errors import InputError
from lichen.settings import load

if TYPE_CHECKING:
    from pathlib import Path

HERE = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LICHEN_UPSTREAM", "foo", "upstream (LICHEN_UPSTREAM)"),
        ("LICHEN_RESILIENCE_FALLBACK", "ftp://x", "[resilience] fallback"),
        ("LICHEN_ANTHROPIC_UPSTREAM", "foo", "[anthropic] upstream"),
        ("LICHEN_ANTHROPIC_FALLBACK", "http:", "[anthropic] fallback"),
        ("LICHEN_GEMINI_FALLBACK", "nowhere", "[gemini] fallback"),
    ],
)
def test_a_url_that_is_none_is_told_with_the_setting_and_its_value(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        opened(tmp_path, {"LICHEN_UPSTREAM": HERE, variable: value})

    assert str(caught.value).startswith(said)
    assert variable in str(caught.value)
    assert repr(value) in str(caught.value)


def test_a_key_that_no_header_can_carry_is_told_by_whose_it_is_and_never_shown(
    tmp_path: Path,
) -> None:
    told = {"LICHEN_UPSTREAM": HERE, "LICHEN_ANTHROPIC_KEY": "two words"}

    with pytest.raises(
        InputError, match=r"\[anthropic\] upstream .*key of LICHEN_ANTHROPIC_UPSTREAM"
    ) as caught:
        opened(tmp_path, told)

    assert "two words" not in str(caught.value)


def test_models_of_a_provider_s_fallback_are_read_at_the_start(tmp_path: Path) -> None:
    told = {
        "LICHEN_UPSTREAM": HERE,
        "LICHEN_GEMINI_FALLBACK": HERE,
        "LICHEN_GEMINI_FALLBACK_MODELS": "zz",
    }

    with pytest.raises(InputError, match=r"\[gemini\] fallback .*'zz'.*model=model"):
        opened(tmp_path, told)


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("LICHEN_UPSTREAM_ZONE", "upstream_zone"),
        ("LICHEN_RESILIENCE_FALLBACK_ZONE", r"\[resilience\] fallback_zone"),
        ("LICHEN_ANTHROPIC_ZONE", r"\[anthropic\] zone"),
        ("LICHEN_GEMINI_FALLBACK_ZONE", r"\[gemini\] fallback_zone"),
    ],
)
def test_a_zone_that_is_none_is_refused_with_its_setting_and_those_near_it(
    tmp_path: Path, variable: str, named: str
) -> None:
    with pytest.raises(InputError, match=rf"{named} \({variable}\): .*SE-SE9.*SE-SE"):
        opened(tmp_path, {"LICHEN_UPSTREAM": HERE, variable: "SE-SE9"})


def test_a_zone_of_a_smaller_model_s_upstream_is_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text(
        '[[gate.cascade]]\nname = "small"\nmodel = "big"\nsmall = "little"\n'
        f'upstream = "{HERE}"\nupstream_zone = "QQ"\n'
    )

    with pytest.raises(InputError, match=r"\[\[gate.cascade\]\] small .*QQ"):
        opened(tmp_path, {"LICHEN_UPSTREAM": HERE})


def opened(folder: Path, environ: dict[str, str]) -> None:
    settings = load(folder, environ)
    first = assemble.open_http(settings, settings.upstream, print)
    assemble.open_upstreams(settings, first, print)


def test_a_live_grid_source_that_is_not_there_is_refused_where_calls_are_priced(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match=r"'foo'.*neso"):
        assemble.make_pricer(load(tmp_path, {"LICHEN_GRID": "neso,foo"}))
