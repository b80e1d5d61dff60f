"""The pytest plug-in, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import lichen
from lichen.ledger.sqlite import SqliteStore

_PLAIN = ("-q", "-p", "no:asyncio", "-p", "no:cacheprovider", "--strict-markers", "-W", "error")
BUSY = """
import pytest, time

def spin(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
"""
CALL = """
import pytest, sqlite3
from contextlib import closing
from lichen.ledger.sqlite import SqliteStore
from lichen.ledger.window import Window, Work
from lichen.ledger.entry import Entry
from lichen.ledger.tokens import Tokens
from lichen.testing.samples import sample_figures
from datetime import datetime, UTC

@pytest.mark.limit_tokens({limit})
def test_call():
    now = datetime.now(UTC)
    figures = sample_figures(0, tokens=Tokens(prefill=100, decode=50))
    with closing(SqliteStore("book.db")) as store:
        store.append([Entry.of(Window(now, now, "SE-SE3"), figures)])
"""
# A meter of somebody else's that takes the CPU over: it breaks when it is made, or when it is read.
METER = """
from lichen.ledger.errors import MeterUnavailable
from lichen.ledger.estimate import Basis

class Plug:
    basis, covers, within_s = Basis.MEASURED, frozenset({{"cpu", "ram", "gpu", "platform"}}), None
    method = factors = why = "plug/1"

    def __init__(self):
        if "{when}" == "made":
            raise ValueError("a plug of an unknown make")

    def read(self):
        raise MeterUnavailable("plug", "it was pulled out", "plug it in")
"""
# What an old pytest had in place of today's marker of hooks.
OLD = """
import pytest
from _pytest.config import hookimpl

def marker(function=None, hookwrapper=False, optionalhook=False, tryfirst=False, trylast=False):
    return hookimpl(function, hookwrapper, optionalhook, tryfirst, trylast)

pytest.hookimpl = marker
"""
SOURCES = str(Path(lichen.__file__).parents[1])


def run(folder: Path, text: str, *more: str) -> tuple[int, str]:
    """Run a file of tests: exit status and what was said."""
    (folder / "test_it.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *_PLAIN, *more, "test_it.py"],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": SOURCES,
            "LICHEN_LEDGER": "book.db",
            "LICHEN_ZONE": "SE-SE3",
            **({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} if more else {}),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("mark", ["limit_energy('1 kJ')", "limit_carbon('1 kg')"])
def test_a_test_within_its_limit_passes(tmp_path: Path, mark: str) -> None:
    status, said = run(tmp_path, f"{BUSY}\n@pytest.mark.{mark}\ndef test_it(): spin(0.05)\n")

    assert status == 0, said
    assert not (tmp_path / "book.db").exists()


@pytest.mark.parametrize("mark", ["limit_energy('1 mJ')", "limit_carbon('1 ng')"])
def test_a_test_beyond_its_limit_fails_and_shows_the_interval(tmp_path: Path, mark: str) -> None:
    status, said = run(tmp_path, f"{BUSY}\n@pytest.mark.{mark}\ndef test_it(): spin(0.2)\n")

    assert status == 1
    assert "and its limit is 1" in said
    assert " – " in said


def plug_in(folder: Path, when: str) -> None:
    """Install a meter that fails when it is made, or when it is read."""
    (folder / "plug.py").write_text(METER.format(when=when))
    about = folder / "plug-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[lichen.meter]\nplug = plug:Plug\n")


@pytest.mark.parametrize("mark", ["limit_energy('1 kJ')", "limit_carbon('1 kg')"])
def test_what_no_meter_saw_is_below_no_limit(tmp_path: Path, mark: str) -> None:
    plug_in(tmp_path, "read")

    status, said = run(tmp_path, f"{BUSY}\n@pytest.mark.{mark}\ndef test_it(): spin(0.05)\n")

    assert status == 1, said
    assert "is not known (meter-failed:plug)" in said
    assert "lichen doctor" in said


def test_a_meter_that_cannot_be_made_leaves_the_limit_to_the_others(tmp_path: Path) -> None:
    plug_in(tmp_path, "made")
    within, beyond = ("@pytest.mark.limit_energy('1 kJ')", "@pytest.mark.limit_energy('1 mJ')")
    tests = f"{within}\ndef test_a(): spin(0.1)\n{beyond}\ndef test_b(): spin(0.1)\n"

    status, said = run(tmp_path, f"{BUSY}\n{tests}")

    assert status == 1, said
    assert "1 failed, 1 passed" in said


@pytest.mark.parametrize(("line", "status"), [("@pytest.mark.limit_energy('1 kJ')", 1), ("", 0)])
def test_an_old_pytest_runs_all_tests_but_those_with_a_limit(
    tmp_path: Path, line: str, status: int
) -> None:
    (tmp_path / "old.py").write_text(OLD)
    plugins = ("-p", "old", "-p", "lichen.hooks.pytest_limits")

    got, said = run(tmp_path, f"import pytest\n{line}\ndef test_it(): pass\n", *plugins)

    assert got == status, said
    assert status == 0 or "limits need pytest 8 or newer, and this is" in said


def test_a_test_that_fails_by_itself_keeps_its_own_reason(tmp_path: Path) -> None:
    body = "    spin(.1)\n    assert 1 == 2\n"
    text = f"{BUSY}\n@pytest.mark.limit_energy('1 mJ')\ndef test_it():\n{body}"

    status, said = run(tmp_path, text)

    assert status == 1
    assert "assert 1 == 2" in said
    assert "its limit is" not in said


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        ("limit_energy('5 parsecs')", "is not an energy"),
        ("limit_energy()", "a limit has one amount"),
        ("limit_carbon('5 J')", "is not carbon"),
    ],
)
def test_a_limit_that_says_nothing_fails_the_test(tmp_path: Path, mark: str, why: str) -> None:
    status, said = run(tmp_path, f"{BUSY}\n@pytest.mark.{mark}\ndef test_it(): pass\n")

    assert status == 1
    assert why in said


@pytest.mark.parametrize(("limit", "status"), [(150, 0), (149, 1)])
def test_tokens_are_those_the_ledger_got_during_the_test(
    tmp_path: Path, limit: int, status: int
) -> None:
    with closing(SqliteStore(tmp_path / "book.db")):
        pass

    got, said = run(tmp_path, CALL.format(limit=limit))

    assert got == status, said
    assert status == 0 or "used 150 tokens, and its limit is 149" in said


def test_without_a_ledger_nothing_counts_tokens(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.limit_tokens(5)\ndef test_it(): pass\n"

    status, said = run(tmp_path, text)

    assert status == 1
    assert "nothing counts tokens here" in said


def test_a_test_without_a_limit_loads_nothing(tmp_path: Path) -> None:
    text = "import sys\ndef test_it(): assert 'lichen.assemble' not in sys.modules\n"

    status, said = run(tmp_path, text)

    assert status == 0, said


@pytest.mark.parametrize(
    ("mark", "value"),
    [
        ("limit_energy", "'5 parsecs'"),
        ("limit_energy", "5"),
        ("limit_carbon", "'a lot'"),
        ("limit_tokens", "'many'"),
        ("limit_tokens", "-1"),
    ],
)
def test_a_limit_that_is_none_says_so_and_how_to_write_one(
    tmp_path: Path, mark: str, value: str
) -> None:
    status, said = run(
        tmp_path, f"import pytest\n@pytest.mark.{mark}({value})\ndef test_it(): pass\n"
    )

    assert status == 1
    assert f"@pytest.mark.{mark}: {value} is " in said
    assert "Traceback" not in said
    assert "amounts.py" not in said
