"""Our own guards: tests stay on this machine, CI skips nothing, no file or function is long."""

from __future__ import annotations

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import lichen

SOURCE = Path(lichen.__file__).parent
_SKIPPING = """
import pytest

def test_one():
    pytest.skip("there is no such machine")

@pytest.mark.skipif(True, reason="never mind")
def test_two():
    pass

@pytest.mark.xfail(reason="known", strict=True)
def test_three():
    assert False
"""
_SKIPPED_WHOLE = """
import pytest
pytest.importorskip("no_such_module_anywhere")
"""


def run(folder: Path, *, ci: str) -> tuple[int, str]:
    """Run the tests of a folder under our conftest: exit status and what was said."""
    shutil.copy(Path(__file__).with_name("conftest.py"), folder)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", folder],
        cwd=folder,
        env=os.environ | {"CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_skip_fails_in_ci_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(_SKIPPING)

    status, said = run(tmp_path, ci="true")

    assert status == 1
    assert "1 failed, 1 xfailed, 1 error" in said
    assert "CI runs everything: Skipped: there is no such machine" in said
    assert "CI runs everything: Skipped: never mind" in said


def test_a_file_that_is_skipped_fails_in_ci(tmp_path: Path) -> None:
    (tmp_path / "test_whole.py").write_text(_SKIPPED_WHOLE)

    status, said = run(tmp_path, ci="true")

    assert status != 0
    assert "no_such_module_anywhere" in said


def test_elsewhere_a_skip_is_a_skip(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(_SKIPPING)

    status, said = run(tmp_path, ci="")

    assert status == 0
    assert "2 skipped, 1 xfailed" in said


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 443), ("8.8.8.8", 53)])
def test_a_connection_to_elsewhere_is_refused(address: tuple[str, int]) -> None:
    with socket.socket() as outward, pytest.raises(RuntimeError, match="keep to this machine"):
        outward.connect(address)


def test_a_connection_to_this_machine_is_fine() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()

        client.connect(server.getsockname())

        assert client.getpeername() == server.getsockname()


def test_no_test_leans_on_another_test() -> None:
    here = Path(__file__).parent

    leaning = [
        f"{path.relative_to(here)}: {line}"
        for path in here.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(?:from|import) tests\.(?:\w+\.)*test_", line)
    ]

    assert leaning == [], "what tests share belongs in lichen.testing"


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_file_has_more_than_300_lines() -> None:
    sizes = {path: len(path.read_text("utf-8").splitlines()) for path in SOURCE.rglob("*.py")}

    long = {str(path.relative_to(SOURCE)): size for path, size in sizes.items() if size > 300}

    assert len(sizes) > 100
    assert long == {}


def test_no_function_has_a_body_of_more_than_40_lines() -> None:
    lengths = {
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}": body_length(node)
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert len(lengths) > 1000
    assert {name: length for name, length in lengths.items() if length > 40} == {}
