"""The peer: litellm's proxy, in an environment of its own outside the repository.

The version is pinned: 1.82.7 and 1.82.8 carried malware.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.gateway.traffic import KEY, MODEL

REQUIREMENT = "litellm[proxy]==1.106.2"
READY_PATH = "/health/liveliness"
# It imports for about 5 s on an idle machine.
READY_WAIT_S = 180.0
_INSTALL_S = 1800


class PeerMissingError(RuntimeError):
    """The peer could not be installed, and why."""


def home() -> Path:
    """Where its virtual environment lives: below XDG_CACHE_HOME, or ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "lichen-bench" / "litellm"


def installed() -> bool:
    """Whether it is there already."""
    return _program().exists()


def install() -> None:
    """Install it, once.

    Raises:
        PeerMissingError: pip or venv failed.
    """
    if installed():
        return
    python = home() / "bin" / "python"
    print(f"installing {REQUIREMENT} into its own environment, once (about 750 MB) ...")
    for command in (
        [sys.executable, "-m", "venv", str(home())],
        [str(python), "-m", "pip", "install", "--quiet", REQUIREMENT],
    ):
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=_INSTALL_S
            )
        except subprocess.TimeoutExpired as error:
            raise PeerMissingError(f"installing took more than {_INSTALL_S} s") from error
        if ran.returncode != 0:
            said = ran.stderr.strip().splitlines() or [f"{command[2]} ended with {ran.returncode}"]
            raise PeerMissingError(said[-1][-200:])


def command(folder: Path, *, upstream: str, kind: str) -> list[str]:
    """How to start it against `upstream`, with its in-memory cache on for `hit`.

    Args:
        folder: gets its configuration file.
        upstream: scheme, host and port of the mock provider.
        kind: `hit` or `pass`.
    """
    settings: dict[str, object] = {"telemetry": False, "num_retries": 0}
    if kind == "hit":
        settings |= {"cache": True, "cache_params": {"type": "local"}}
    target = {"model": f"openai/{MODEL}", "api_base": f"{upstream}/v1", "api_key": "sk-bench"}
    document = {
        "model_list": [{"model_name": MODEL, "litellm_params": target}],
        "litellm_settings": settings,
        # It does not start without one. The callers send it, so that it knows its tenant too.
        "general_settings": {"master_key": KEY},
    }
    # JSON is YAML, which is what it reads.
    config = folder / f"litellm-{kind}.yaml"
    config.write_text(json.dumps(document))
    return [str(_program()), "--host", "127.0.0.1", "--port", "{port}", "--config", str(config)]


# No price list from the network, no banner, no debug log: nothing but the proxy.
ENVIRONMENT = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "NO_DOCS": "True"}


def _program() -> Path:
    return home() / "bin" / "litellm"
