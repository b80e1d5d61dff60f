"""The Dockerfile, read line by line: no Docker daemon is needed, and none builds it here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lichen.testing.provider import ScriptedProvider
from lichen.testing.service import RunningService

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The stages, each a list of instructions and what they say."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: list[list[tuple[str, str]]] = [[]]
    for line in lines:
        name, _, said = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, said))
    return found[1:]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that is healthy."""
    with (
        ScriptedProvider() as upstream,
        RunningService(tmp_path_factory.mktemp("healthy"), upstream=upstream.url) as running,
    ):
        yield running


def said(stage: list[tuple[str, str]], name: str) -> list[str]:
    """What the instructions of a name say."""
    return [what for each, what in stage if each == name]


def test_what_builds_is_left_behind_and_pins_hold(stages: list[list[tuple[str, str]]]) -> None:
    build, final = stages

    installs = " ".join(said(build, "RUN"))
    assert installs.count("--constraint constraints.txt") == 2
    assert "pip uninstall" in installs
    assert said(final, "COPY") == ["--from=build /opt/lichen /opt/lichen"]
    assert "pip" not in " ".join(said(final, "RUN"))
    assert [name for stage in stages for name, _ in stage if name == "ADD"] == []


def test_it_is_nobody_who_runs(stages: list[list[tuple[str, str]]]) -> None:
    names = [name for name, _ in stages[-1]]

    assert said(stages[-1], "USER") == ["10001:10001"]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "RUN" not in names[names.index("USER") :]


def test_all_that_is_written_lies_in_the_volume(stages: list[list[tuple[str, str]]]) -> None:
    [environ] = said(stages[-1], "ENV")
    folders = dict(pair.split("=", 1) for pair in environ.split() if "/var/lib" in pair)

    assert said(stages[-1], "VOLUME") == said(stages[-1], "WORKDIR") == ["/var/lib/lichen"]
    assert set(folders) == {"HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"}
    assert "PYTHONDONTWRITEBYTECODE=1" in environ


def test_what_is_copied_is_there_and_is_all_that_a_wheel_is_made_of(
    stages: list[list[tuple[str, str]]],
) -> None:
    copied = {name for what in said(stages[0], "COPY") for name in what.split()[:-1]}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert all((ROOT / name).exists() for name in copied)
    assert copied == let_in
    assert {project["readme"], *project["license-files"]} <= copied


def test_the_extras_are_extras_of_the_project_and_the_light_ones_of_calls_are_in(
    stages: list[list[tuple[str, str]]],
) -> None:
    [extras] = [what.partition("=")[2] for what in said(stages[0], "ARG") if "EXTRAS" in what]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    chosen = set(extras.split(","))
    assert chosen <= set(project["optional-dependencies"])
    assert chosen >= {"serve", "postgres", "redis", "gate", "compress"}


def test_its_health_check_tells_a_service_that_lives_from_one_that_does_not(
    stages: list[list[tuple[str, str]]], service: RunningService
) -> None:
    [check] = said(stages[-1], "HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    command[0] = sys.executable

    def healthy(port: int) -> bool:
        environ = os.environ | {"LICHEN_PORT": str(port)}
        done = subprocess.run(command, env=environ, capture_output=True, timeout=30, check=False)
        return done.returncode == 0

    assert healthy(service.port)
    assert not healthy(1)
