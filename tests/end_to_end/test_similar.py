"""Similar answers through a real service: certified, given, proved, and after a kill -9 again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from lichen.testing.desks import FIRST, RULES, SECOND, SECONDS, VERBS, clerk
from lichen.testing.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.testing.provider import ScriptedProvider
    from lichen.testing.service import RunningService
    from tests.end_to_end.conftest import Connect, Serve


def lichen(service: RunningService, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lichen", *arguments, "--ledger", str(service.ledger)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_answers_to_like_questions_outlive_a_kill_and_their_proof_holds(
    serve: Serve, connect: Connect, upstream: ScriptedProvider, tmp_path: Path
) -> None:
    (tmp_path / "lichen.toml").write_text(RULES)
    upstream.script = clerk
    service = serve()

    def ask(text: str) -> Any:
        asked: dict[str, Any] = {
            "model": "gpt-4o-mini",
            "messages": [{"role": "user", "content": text}],
            "temperature": 0,
        }
        return connect(service).chat.completions.with_raw_response.create(**asked)

    def shown(name: str) -> float:
        lines = service.get("/metrics")[1].splitlines()
        return next((float(each.split()[1]) for each in lines if each.startswith(f"{name} ")), 0.0)

    def ask_and_learn(text: str) -> str:
        before, count = shown("lichen_similar_questions"), len(upstream.calls)
        source: str = ask(text).headers["x-lichen-cache"]
        if len(upstream.calls) > count:
            # Kept beside the call: its other wording must find it.
            until(lambda: shown("lichen_similar_questions") > before, within=30)
        return source

    until(lambda: shown("lichen_similar_looks_total") or not ask("Are you there?"), within=30)
    for verb, second in zip(VERBS, SECONDS, strict=False):
        ask_and_learn(FIRST.format(verb))
        ask_and_learn(second.format(verb))
    until(lambda: shown("lichen_similar_certified") == 1, within=30)
    time.sleep(2.5)  # what is learnt is kept every 2 s
    ask_and_learn("What keeps what was learnt?")
    service.kill()
    service.start()
    until(lambda: shown("lichen_similar_questions") >= len(VERBS), within=30)
    asked = len(upstream.calls)

    later = [ask(SECOND.replace("could", "would").format(verb)) for verb in VERBS[8:16]]

    given = [each for each in later if each.headers["x-lichen-cache"] == "similar"]
    assert given
    assert len(upstream.calls) == asked + len(later) - len(given)
    entry = given[-1].headers["x-lichen-id"]
    until(lambda: any(each.id == entry for each in service.entries()), within=30)
    proved = lichen(service, "prove", entry)
    assert proved.returncode == 0, proved.stdout
    assert "no guard tells the two questions apart" in " ".join(proved.stdout.split())
    told = json.loads(lichen(service, "report", "--json").stdout)
    assert told["similar"][0]["given"] > 0
    forgotten = lichen(service, "forget", "--contains", "learn to", "--yes")
    assert forgotten.returncode == 0, forgotten.stderr
    assert (
        b"learn to" not in (service.ledger.parent / f"{service.ledger.name}.similar").read_bytes()
    )
