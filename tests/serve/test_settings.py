"""Settings: where they come from, in which order, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.rules import RouteRule
from lichen.ledger.errors import InputError
from lichen.settings import Settings, load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a user file of its own."""
    folder = tmp_path / "home" / ".config" / "lichen"
    folder.mkdir(parents=True)
    (folder / "lichen.toml").write_text("port = 1\nzone = 'user'\n")
    return {"HOME": str(tmp_path / "home")}


def test_each_source_gives_way_to_the_one_above_it(tmp_path: Path, home: dict[str, str]) -> None:
    seen = [load(tmp_path, {}).port, load(tmp_path, home).port]
    (tmp_path / "pyproject.toml").write_text("[tool.lichen]\nport = 2\n")
    seen.append(load(tmp_path, home).port)
    (tmp_path / "lichen.toml").write_text("port = 3\n")
    seen.append(load(tmp_path, home).port)
    home["LICHEN_PORT"] = "4"
    seen.append(load(tmp_path, home).port)
    seen.append(load(tmp_path, home, port=5).port)

    assert seen == [8420, 1, 2, 3, 4, 5]


def test_a_source_that_is_silent_on_a_setting_leaves_it(
    tmp_path: Path, home: dict[str, str]
) -> None:
    (tmp_path / "lichen.toml").write_text("port = 3\n")

    assert load(tmp_path, home, port=None).zone == "USER"


def test_the_user_s_file_is_where_xdg_says(tmp_path: Path) -> None:
    (tmp_path / "xdg" / "lichen").mkdir(parents=True)
    (tmp_path / "xdg" / "lichen" / "lichen.toml").write_text("zone = 'xdg'\n")

    assert load(tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}).zone == "XDG"


def test_a_user_s_folder_that_cannot_be_looked_into_holds_no_settings(tmp_path: Path) -> None:
    unreachable = f"/{'x' * 300}"

    assert load(tmp_path, environ={"XDG_CONFIG_HOME": unreachable}) == load(tmp_path, environ={})


def test_a_pyproject_of_another_s_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")

    assert load(tmp_path, {}) == Settings()


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, {"LICHEN_PORT": "", "LICHEN_HOST": ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("ttl", "90s", 90),
        ("ttl", "5min", 300),
        ("ttl", "5m", 300),
        ("ttl", "2h", 7200),
        ("ttl", "1.5 d", 129_600),
        ("ttl", "1e3", 1000),
        ("ttl", 12, 12),
        ("body_limit", "256MB", 256e6),
        ("body_limit", "1.5 KiB", 1536),
        ("body_limit", "100B", 100),
        ("cache_size", "1GB", 1e9),
        ("timeout", 0.5, 0.5),
        ("port", "0", 0),
        ("threads", 2, 2),
    ],
)
def test_a_number_may_have_a_unit(name: str, given: Any, read: float) -> None:
    assert getattr(load(environ={}, **{name: given}), name) == pytest.approx(read)


@pytest.mark.parametrize(
    ("name", "given", "way_out"),
    [
        ("port", "http", "a whole number from 0 to 65535"),
        ("port", 70000, "a whole number from 0 to 65535"),
        ("port", True, "a whole number"),
        ("port", 8420.5, "a whole number"),
        ("port", -1, "a whole number"),
        ("threads", "²", "a whole number"),
        ("ttl", "256MB", "one of s, m, min, h, d"),
        ("body_limit", "2h", "one of B, kB, MB"),
        ("ttl", "nan", "of 0 or more"),
        ("ttl", "inf", "of 0 or more"),
        ("grace", -1, "of 0 or more"),
        ("timeout", 0, "above 0"),
        ("body_limit", "0B", "above 0"),
        ("ttl", "soon", "of 0 or more"),
        ("sampled", "always", "one of bypass, reuse"),
        ("scope", ["tenant"], "one of tenant, shared"),
        ("zone", 5, "it must be text"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_what_is_right(
    name: str, given: Any, way_out: str
) -> None:
    with pytest.raises(InputError, match=way_out) as caught:
        load(environ={}, **{name: given})

    assert f"--{name.replace('_', '-')}: {name} cannot be {given!r}" in str(caught.value)


def test_an_unknown_setting_in_a_file_names_the_file_and_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text("prot = 1\n")

    with pytest.raises(InputError, match=r"lichen\.toml: unknown setting 'prot'.*'port'"):
        load(tmp_path, {})


def test_a_setting_unlike_any_other_is_told_all_there_are(tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text("xyzzy = 1\n")

    with pytest.raises(InputError, match=r"known: .*body_limit, cache, .*route.*zone"):
        load(tmp_path, {})


def test_a_slip_in_a_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"LICHEN_TOKN: .* did you mean LICHEN_TOKEN"):
        load(tmp_path, {"LICHEN_TOKN": "long-enough-for-a-token"})


def test_variables_of_others_that_begin_alike_are_left_alone(tmp_path: Path) -> None:
    theirs = {"LICHEN_SERVICE_HOST": "10.0.0.1", "LICHEN_PORT_8420_TCP": "tcp://10.0.0.1:8420"}

    assert load(tmp_path, theirs) == Settings()


def test_a_bad_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"LICHEN_PORT: port cannot be 'tcp://10\.0\.0\.1:8420'"):
        load(tmp_path, {"LICHEN_PORT": "tcp://10.0.0.1:8420"})


@pytest.mark.parametrize("text", ["port = ", "\xff", "[tool"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "lichen.toml").write_bytes(text.encode("latin-1"))

    with pytest.raises(InputError, match=r"lichen\.toml cannot be read as TOML"):
        load(tmp_path, {})


def test_a_table_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\nlichen = 5\n")

    with pytest.raises(InputError, match=r"\[tool.lichen\] must be a table, got 5"):
        load(tmp_path, {})


def test_names_may_be_written_with_dashes(tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text("body-limit = '1MB'\n")

    assert load(tmp_path, {}).body_limit == 1e6


def test_routes_come_in_their_order_and_the_general_rule_last(tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text(
        "[[route]]\nmodel = 'gpt-*'\nsampled = 'reuse'\nttl = '1h'\n"
        "[[route]]\nroute = 'embeddings'\nscope = 'shared'\n"
    )

    assert load(tmp_path, {}).rules == (
        RouteRule("*", "gpt-*", "reuse", "tenant", 3600.0),
        RouteRule("embeddings", "*", "bypass", "shared", 86400.0),
        RouteRule(),
    )


def test_what_a_route_does_not_say_is_said_by_the_settings_wherever_they_stand(
    tmp_path: Path,
) -> None:
    (tmp_path / "lichen.toml").write_text("ttl = '1h'\n[[route]]\nmodel = 'gpt-*'\n")

    rules = load(tmp_path, {"LICHEN_SCOPE": "shared"}).rules

    assert {rule.ttl for rule in rules} == {3600.0}
    assert {rule.scope for rule in rules} == {"shared"}


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("[[route]]\nmodle = 'x'\n", "unknown 'modle' in a .*did you mean 'model'"),
        ("[[route]]\nttl = '5MB'\n", "ttl cannot be '5MB'"),
        ("[[route]]\nsampled = 'always'\n", "one of bypass, reuse"),
        ("route = 'x'\n", r"written as \[\[route\]\] tables"),
        ("route = ['x']\n", "is a table, got 'x'"),
    ],
)
def test_a_route_that_makes_no_sense_is_refused(tmp_path: Path, text: str, way_out: str) -> None:
    (tmp_path / "lichen.toml").write_text(text)

    with pytest.raises(InputError, match=way_out):
        load(tmp_path, {})


def test_secrets_are_not_shown() -> None:
    shown = repr(load(environ={}, token="correct-horse-battery", upstream_key="sk-secret"))

    assert "correct-horse" not in shown
    assert "sk-secret" not in shown


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_text_without_its_last_quote_is_named(tmp_path: Path, end: str) -> None:
    (tmp_path / "lichen.toml").write_text(f'zone = "DE{end}')

    with pytest.raises(InputError, match="a quote is missing at the end of a text"):
        load(tmp_path, {})


def test_a_secret_of_the_wrong_kind_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text("token = 1234567890123456\n")

    with pytest.raises(InputError, match="token cannot be read: it must be text") as caught:
        load(tmp_path, {})

    assert "1234567890123456" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_loopback_addresses_are_this_machine_s_alone(host: str) -> None:
    assert Settings(host=host).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "10.0.0.1", "127.evil.example", "gateway"])
def test_other_addresses_are_not(host: str) -> None:
    assert not Settings(host=host).is_loopback


def test_a_zone_is_taken_in_any_case(tmp_path: Path) -> None:
    spoken = {"LICHEN_ZONE": "se-se3", "LICHEN_UPSTREAM_ZONE": " AWS:eu-north-1"}

    found = load(tmp_path, spoken)

    assert (found.zone, found.upstream_zone) == ("SE-SE3", "aws:eu-north-1")


def test_more_threads_than_any_machine_has_cores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"LICHEN_THREADS: .* from 0 to"):
        load(tmp_path, {"LICHEN_THREADS": "9999"})


def test_text_without_quotes_is_refused_with_the_quotes(tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text("zone = SE\n")

    with pytest.raises(InputError, match=r'text needs quotes: zone = "SE-SE3"'):
        load(tmp_path, {})


def test_a_context_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--context: .* from 1 to"):
        load(tmp_path, {}, context=0)


def test_a_section_is_a_table_in_the_file_and_variables_with_its_name_in_front(
    tmp_path: Path,
) -> None:
    (tmp_path / "lichen.toml").write_text("[holdout]\nshare = '5%'\n")

    from_file = load(tmp_path, {})
    from_variable = load(tmp_path, {"LICHEN_HOLDOUT_SHARE": "0.1"})

    assert from_file.holdout.share == 0.05
    assert from_variable.holdout.share == 0.1
    assert Settings().holdout.share == 0.02


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("[holdout]\nshrae = 1\n", r"lichen\.toml: unknown 'shrae' in \[holdout\].*'share'"),
        ("[holdout]\nshare = 0.9\n", r"share in \[holdout\] cannot be 0.9: it is a share"),
        ("[holdout]\nshare = true\n", r"cannot be True: it is a share"),
        ("holdout = 1\n", r"holdout is a table, written \[holdout\], got 1"),
        ("steps = 5\n", "steps cannot be 5: it is a list of texts"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(tmp_path: Path, text: str, way_out: str) -> None:
    (tmp_path / "lichen.toml").write_text(text)

    with pytest.raises(InputError, match=way_out):
        load(tmp_path, {})


def test_a_slip_in_the_variable_of_a_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean LICHEN_HOLDOUT_SHARE"):
        load(tmp_path, {"LICHEN_HOLDOUT_SHARES": "0.1"})


def test_steps_may_be_told_in_a_variable(tmp_path: Path) -> None:
    assert load(tmp_path, {"LICHEN_STEPS": "exact, keeping"}).steps == ("exact", "keeping")
