"""Each gap that the code can write is explained: on the dashboard, and in docs/gaps.md.

The code is read, not run: whatever stands in an expression that becomes a gap is followed to the
constant behind it. So a gap that somebody adds tomorrow fails here until it is explained.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lichen.operate.watch import words
from lichen.operate.watch.gap_words import GAPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    # A text and the module that writes it; an expression and the module in which it stands.
    Said: TypeAlias = tuple[str, str]
    Value: TypeAlias = tuple[ast.expr, str]

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
PAGE = ROOT / "docs" / "gaps.md"
# Functions that take a gap, and all of whose arguments may be one.
TAKERS = ("note_gap", "_note_gap", "mark", "lost", "with_gap")
# Those that take them last, and at which place.
LAST = {"unknown": 2, "Act": 4, "act": 3}
# Functions that give one, or a dictionary of them.
GIVERS = ("gap_of", "_lost")
HOLDERS = ("gap", "gaps", "reading_gaps")
# Beginnings of gaps that are looked for, keys of a stored plan, and the mark in a shorter prompt.
NO_GAPS = frozenset({"", "gaps", "gap", "model-", "[…]"})


def test_every_gap_that_the_code_writes_is_explained(written: dict[str, str]) -> None:
    unexplained = {gap: file for gap, file in written.items() if not gap.startswith(tuple(GAPS))}

    assert not unexplained


def test_every_gap_that_is_explained_is_written_somewhere(written: dict[str, str]) -> None:
    stale = [word for word in GAPS if not any(gap.startswith(word) for gap in written)]

    assert not stale


def test_a_gap_is_named_by_the_longest_word_that_it_begins_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longer = GAPS["model-unknown"]._replace(title="longer")
    monkeypatch.setitem(GAPS, "model-unknown-here", longer)

    assert words.gap("model-unknown-here-and-now") == longer
    assert all(words.gap(word) == said for word, said in GAPS.items())


def test_the_page_explains_the_gaps_that_the_dashboard_does() -> None:
    told = re.findall(r"^\| `([^`]+)` \| (.+) \| .+ \|$", PAGE.read_text("utf-8"), re.MULTILINE)

    assert sorted(word for word, _ in told) == sorted(GAPS)
    assert all(said == GAPS[word].meaning for word, said in told)


def test_the_reader_of_the_code_finds_gaps_however_they_are_written(
    written: dict[str, str],
) -> None:
    assert {
        "earlier-tries-not-metered",  # a constant, in a tuple
        "time-of-run-unknown",  # a constant, given to a function
        "batch-answered-later",  # a keyword
        "upstream-answered",  # a text with a value in it
        "entries lost at a hard stop (at most one flush)",  # a key of a dictionary
        "embodied-unknown",  # by how a figure is known
        "meter-failed",
        "raised",
    } <= set(written)


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """Each gap that the code can write, up to its colon, and a module that does."""
    code = Code(
        {
            ".".join(path.relative_to(SOURCE).with_suffix("").parts): ast.parse(path.read_text())
            for path in sorted((SOURCE / "lichen").rglob("*.py"))
            if "testing" not in path.parts and path.stem != "gap_words"
        }
    )
    made = {text.partition(":")[0].strip(): module for text, module in code.gaps()}
    return {gap: module for gap, module in made.items() if gap not in NO_GAPS}


class Code:
    """All modules of the package by their dotted names, as syntax trees."""

    def __init__(self, modules: dict[str, ast.Module]) -> None:
        self._modules = modules

    def gaps(self) -> Iterator[Said]:
        """Each text that becomes a gap, and the module that writes it."""
        for module, tree in self._modules.items():
            for node in ast.walk(tree):
                for expression in _becoming_gaps(node):
                    for text in self._texts(expression, module):
                        yield text, module

    def _texts(self, node: ast.AST, module: str) -> Iterator[str]:
        """The texts an expression may give; of one with values in it, what stands before them."""
        if isinstance(node, ast.Constant):
            yield from [node.value] if isinstance(node.value, str) else []
        elif isinstance(node, ast.Name):
            for value, where in self._behind(node.id, module):
                yield from self._texts(value, where)
        else:
            for part in _parts(node):
                yield from self._texts(part, module)

    def _behind(self, name: str, module: str) -> list[Value]:
        """What stands behind a name: a constant of the module, an imported one, a local choice."""
        tree = self._modules[module]
        for node in tree.body:
            for target, value in _assigned(node):
                if _name(target) == name:
                    return [(value, module)]
            if isinstance(node, ast.ImportFrom) and node.module in self._modules:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self._behind(alias.name, str(node.module))
        local = [
            value for node in ast.walk(tree) for to, value in _assigned(node) if _name(to) == name
        ]
        return [(value, module) for value in local if isinstance(value, ast.IfExp)]


def _becoming_gaps(node: ast.AST) -> list[ast.expr]:
    """The expressions of a node whose value becomes a gap, or several."""
    if isinstance(node, ast.Call):
        return _given(node)
    if isinstance(node, ast.AugAssign):
        if isinstance(node.target, ast.Subscript) and _name(node.target.value) == "_unnoted":
            return [node.target.slice]
        return [node.value] if _name(node.target) in HOLDERS else []
    if isinstance(node, ast.FunctionDef) and node.name in GIVERS:
        return [x.value for x in ast.walk(node) if isinstance(x, ast.Return) and x.value]
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        # Figures and what could not be known of them go back together.
        return [x for x in node.value.elts if isinstance(x, ast.Tuple)]
    return [value for target, value in _assigned(node) if _holds_gaps(target)]


def _given(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call that are gaps."""
    named = [word.value for word in call.keywords if word.arg in HOLDERS]
    taker = _name(call.func)
    if taker in TAKERS:
        return named + call.args
    if taker in LAST:
        return named + call.args[LAST[taker] :]
    held = isinstance(call.func, ast.Attribute) and _name(call.func.value) in HOLDERS
    return named + call.args if taker == "append" and held else named


def _parts(node: ast.AST) -> list[ast.AST]:
    """The parts of an expression that its texts can come from."""
    if isinstance(node, ast.JoinedStr):
        first = node.values[0]
        return [first.value if isinstance(first, ast.FormattedValue) else first]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    if isinstance(node, ast.Dict):
        # Gaps by what they are of, or numbers by their gap.
        sets = all(isinstance(value, (ast.Tuple, ast.Constant)) for value in node.values)
        return list(node.values if sets else filter(None, node.keys))
    if isinstance(node, ast.Subscript):
        return [node.value]
    wholes = (ast.Tuple, ast.List, ast.BinOp, ast.BoolOp, ast.Starred)
    return list(ast.iter_child_nodes(node)) if isinstance(node, wholes) else []


def _assigned(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """What a statement assigns, and to what."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return [(node.target, node.value)]
    if not isinstance(node, ast.Assign):
        return []
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return [(target, value), *zip(target.elts, value.elts, strict=True)]
    return [(target, value)]


def _holds_gaps(target: ast.expr) -> bool:
    names = target.elts if isinstance(target, ast.Tuple) else [target]
    return any(_name(x).lower().strip("_") in HOLDERS for x in names)


def _name(node: ast.AST) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))
