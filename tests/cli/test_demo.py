"""`lichen demo`: a real service, a real model, the real client, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lichen.cli.demo_calls import prompts
from lichen.cli.demo_service import DemoService
from lichen.ledger.errors import InputError, LichenError

if TYPE_CHECKING:
    from tests.cli.conftest import Run

QUESTIONS = ("How do I reset my password?", "Where is my order?", "How do I reset my password?")


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A few calls, one of them twice, one of them a stream."""
    path = tmp_path / "asked.jsonl"
    calls = [
        {
            "id": f"call-{place}",
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": 4,
            "stream": place == 1,
        }
        for place, question in enumerate(QUESTIONS)
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in calls), encoding="utf-8")
    return path


def demo(*arguments: object) -> subprocess.Popen[str]:
    """The demo in a process of its own, in a group of its own, as a shell starts it."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "lichen", "demo", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def descendants(pid: int) -> set[int]:
    """All processes that a process has started, and they in turn."""
    found: set[int] = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (thread / "children").read_text(encoding="ascii").split()):
            found |= {child} | descendants(child)
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def test_the_bundled_prompts_are_calls_with_ids_of_their_own() -> None:
    calls = prompts()

    ids = [call["id"] for call in calls]
    assert len(set(ids)) == len(ids) >= 20
    assert all(call["max_tokens"] > 0 for call in calls)


def test_the_bundled_prompts_repeat_as_a_support_desk_s_do() -> None:
    asked_for = [json.dumps(call["messages"]) for call in prompts()]

    assert len(set(asked_for)) < len(asked_for)


@pytest.mark.parametrize(
    "line", ["rubbish", '{"id": "no-messages"}', '{"id": "a", "messages": []}', "[1]"]
)
def test_a_line_that_is_no_call_is_refused_with_its_place(tmp_path: Path, line: str) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text(f"\n{line}\n", encoding="utf-8")

    with pytest.raises(InputError, match="line 2: a call is"):
        prompts(path)


def test_a_prompt_file_that_is_not_there_is_wrong_usage(run: Run) -> None:
    result = run("demo", "--prompts", "nowhere.jsonl")

    assert result.exit_code == 2
    assert "nowhere.jsonl" in result.stderr


def test_a_service_that_cannot_start_is_shown_with_its_last_output(tmp_path: Path) -> None:
    service = DemoService(tmp_path, ["--zone", "SE-SE33", "--gguf", "nowhere.gguf"])

    with (
        pytest.raises(LichenError, match="the service ended; its last output:\n  lichen: "),
        service,
    ):
        pass


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a whole demo said, with a provider's key and settings that it must not use."""
    folder = tmp_path_factory.mktemp("demo")
    path = folder / "asked.jsonl"
    lines = [
        {"id": str(n), "messages": [{"role": "user", "content": q}], "temperature": 0}
        for n, q in enumerate(QUESTIONS)
    ]
    text = "".join(
        json.dumps({**line, "max_tokens": 4, "stream": line["id"] == "1"}) + "\n" for line in lines
    )
    path.write_text(text, encoding="utf-8")
    theirs = {
        "OPENAI_API_KEY": "sk-not-used",
        "LICHEN_UPSTREAM": "http://127.0.0.1:9/v1",
        "LICHEN_ZONE": "SE-SE3",
    }
    done = subprocess.run(
        [sys.executable, "-m", "lichen", "demo", "--json", "--prompts", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **theirs},
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.local_model
def test_the_demo_answers_every_call_and_the_repeated_one_from_the_store(
    finished: dict[str, Any],
) -> None:
    report = finished["report"]

    assert (report["calls"], report["hits"]) == (3, 1)
    assert {line["name"] for line in report["by"]["model"]} >= {"SmolLM2-135M-Instruct"}


@pytest.mark.local_model
def test_the_demo_s_ledger_holds_what_was_used_avoided_and_lichen_s_own_use(
    finished: dict[str, Any],
) -> None:
    energy = {
        name: finished["report"][name]["energy_j"]["value"]
        for name in ("used", "avoided", "overhead")
    }

    assert all(joules > 0 for joules in energy.values())


@pytest.mark.local_model
def test_the_demo_stands_in_the_zone_that_the_environment_tells(finished: dict[str, Any]) -> None:
    gaps = {gap["what"] for gap in finished["report"]["gaps"]["named"]}

    assert "zone-assumed" not in gaps


def test_a_zone_in_the_environment_that_nobody_knows_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LICHEN_ZONE", "SE-SE33")

    result = run("demo", "--json")

    assert result.exit_code == 2
    assert "unknown grid zone 'SE-SE33'" in result.stderr


@pytest.mark.local_model
def test_the_demo_proves_its_hit(finished: dict[str, Any]) -> None:
    assert finished["proof"]["holds"] is True


@pytest.mark.local_model
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing_behind(asked: Path, number: int) -> None:
    lines = asked.read_text(encoding="utf-8")
    asked.write_text(lines.replace('"max_tokens": 4', '"max_tokens": 400'), encoding="utf-8")

    with demo("--prompts", asked) as child:
        assert child.stdout is not None
        while "lichen answers" not in child.stdout.readline():
            assert child.poll() is None
        started = descendants(child.pid)
        # As a terminal does: everyone in the group hears of Ctrl-C.
        os.killpg(child.pid, number)
        child.communicate()

    assert started
    assert child.returncode == 130
    assert within(5, lambda: not alive(started))


def within(seconds: float, holds: Any) -> bool:
    """Whether something comes to hold in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False
