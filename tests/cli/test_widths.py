"""What the verbs print on screens of any width: numbers wrap, and are never cut."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from lichen.cli.screen import Held, screen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Kinds, Make, Run

VERBS = (
    ("report", "--entries", "8", "--by", "strategy", "--by", "model", "--by", "hour"),
    ("sci",),
    ("recompute", "--dry-run"),
    ("doctor", "--port", "1"),
)
INTERVAL = re.compile(r"\([^()]+ – [^()]+\)")


def numbers(text: str) -> list[str]:
    return sorted(INTERVAL.findall(text))


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
@pytest.mark.parametrize("width", [40, 60, 66, 72, 80, 110])
def test_no_figure_is_cut_or_broken_at_any_width(
    run: Run, ledger: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    whole = run(*verb, "--ledger", ledger).stdout
    monkeypatch.setenv("COLUMNS", str(width))

    shown = run(*verb, "--ledger", ledger).stdout

    lines = shown.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert "…" not in shown
    assert [line for line in lines if line != line.rstrip()] == []
    assert numbers(shown) == numbers(whole) != []
    assert not any("(" in line and " –" in line and ")" not in line for line in lines)


def test_a_long_name_of_lichens_own_makes_no_list_of_the_table(
    run: Run, make: Make, kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make([kinds.call(), kinds.hit(strategy="calls.gate")])
    monkeypatch.setenv("COLUMNS", "80")

    shown = run("report", "--ledger", path, "--by", "strategy").stdout

    assert re.search(r"^  answered by +calls +energy used", shown, re.MULTILINE)
    (second,) = [line for line in shown.splitlines() if "smaller models" in line]
    assert "rules" not in second


@pytest.mark.parametrize("width", [8, 14, 20, 40])
def test_a_line_never_ends_inside_an_interval(width: int) -> None:
    console = screen()
    text = Held("it used 9.02 mWh (4.70 – 33.4) of energy (63 %)")

    lines = [line.plain.rstrip() for line in text.wrap(console, width)]

    assert " ".join(" ".join(lines).split()) == text.plain or width < len("(4.70 – 33.4)")
    assert "\ue000" not in "".join(lines)
    if width >= len("(4.70 – 33.4)"):
        assert any("(4.70 – 33.4)" in line for line in lines)
        assert any("9.02 mWh" in line for line in lines)


def test_a_long_hash_is_folded_and_not_cut() -> None:
    digest = "0123456789abcdef" * 2

    lines = Held(f"the hash: {digest}").wrap(screen(), 20)

    assert "".join(line.plain for line in lines).endswith(digest)
