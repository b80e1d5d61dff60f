"""Jobs on Kubernetes through the official client, against a server that keeps the API's rules."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lichen.cli.checkup_green import executors
from lichen.ledger.errors import ExecutorUnavailable, InputError
from lichen.settings import load
from lichen.testing.executors import ExecutorContract, Make, ended, shell_task
from lichen.testing.jobs import SECOND, pausing
from lichen.testing.kubernetes_api import KubernetesApi
from lichen.testing.waiting import until
from lichen.train.green import kubernetes
from lichen.train.green.executor import Ask, Phase
from lichen.train.green.kubernetes import Kubernetes
from lichen.train.green.record import State
from lichen.train.green.runner import Runner, submit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lichen.cli.row import Row
    from lichen.testing.jobs import Yard
    from lichen.train.green.order import Order
    from lichen.train.green.record import Record

TRAINING = """
import os, pathlib, signal, sys, time
kept = pathlib.Path(os.environ["LICHEN_CHECKPOINT_DIR"]) / "count"
count = int(kept.read_text()) if os.environ["LICHEN_RESUME"] == "1" else 0
with open("log", "a") as file:
    file.write(f"start {os.environ['LICHEN_RESUME']} {count}\\n")
def stop(*_):
    kept.write_text(str(count))
    sys.exit(75)
signal.signal(signal.SIGTERM, stop)
while count < int(sys.argv[1]):
    time.sleep(0.1)
    count += 1
with open("log", "a") as file:
    file.write(f"end {count}\\n")
"""


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesApi]:
    kubernetes._apis.cache_clear()
    with KubernetesApi() as server:
        server.write_config(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield server
        for context in ("", "here", "elsewhere"):
            kubernetes._apis(context).jobs.api_client.close()
    kubernetes._apis.cache_clear()


def options(folder: Path, **more: str) -> dict[str, str]:
    return {"image": "train", "workdir": str(folder), "mount": str(folder / "mnt"), **more}


@pytest.mark.usefixtures("api")
class TestKubernetes(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Kubernetes:
        return Kubernetes()

    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        return partial(shell_task, tmp_path, options=options(tmp_path))


def drive(yard: Yard, order: Order, *values: float) -> Record:
    executor = Kubernetes(SECOND / 4)
    record, _ = submit(yard.queue, yard.planner(*values), executor, order)
    return Runner(yard.queue, yard.planner(), lambda _: executor).run([record.id])[0]


@pytest.mark.parametrize("queue", [{}, {"queue": "team-a"}])
@pytest.mark.usefixtures("api")
def test_a_job_that_can_pause_is_suspended_and_goes_on_where_it_was(
    yard: Yard, queue: dict[str, str]
) -> None:
    order = yard.order(
        sys.executable,
        "-c",
        TRAINING,
        "45",
        executor="kubernetes",
        lasts=6,
        within=20,
        pausing=pausing(restart=SECOND / 10),
        options=tuple(options(yard.folder, pvc="checkpoints", **queue).items()),
    )

    record = drive(yard, order, *[50.0] * 4, *[900.0] * 4, *[50.0] * 4, 900.0)

    lines = yard.text("log").splitlines()
    assert record.state is State.DONE, (record, lines)
    assert lines[0] == "start 0 0"
    assert lines[1].startswith("start 1 ")
    assert int(lines[1].split()[2]) > 0
    assert lines[2:] == ["end 45"]
    assert record.attempt == 1
    assert len(record.stretches) == 2


def test_a_change_that_somebody_was_quicker_than_is_made_again(
    api: KubernetesApi, tmp_path: Path
) -> None:
    executor = Kubernetes()
    handle = executor.submit(shell_task(tmp_path, "sleep 60", options=options(tmp_path)))
    until(lambda: executor.look(handle).phase is Phase.RUNNING)
    api.cluster.conflicts = 3

    executor.ask(handle, Ask.PAUSE)

    patches = [one for one in api.cluster.requests if one.startswith("PATCH")]
    assert len(patches) == 4
    until(lambda: executor.look(handle).phase is Phase.FROZEN)


def test_a_conflict_that_does_not_end_is_told(api: KubernetesApi, tmp_path: Path) -> None:
    executor = Kubernetes()
    handle = executor.submit(shell_task(tmp_path, "sleep 60", options=options(tmp_path)))
    api.cluster.conflicts = 99

    with pytest.raises(ExecutorUnavailable, match="409"):
        executor.ask(handle, Ask.PAUSE)


def test_a_job_that_somebody_deletes_is_lost_not_started_again(
    api: KubernetesApi, tmp_path: Path
) -> None:
    executor = Kubernetes()
    handle = executor.submit(shell_task(tmp_path, "sleep 60", options=options(tmp_path)))
    with api.cluster.lock:
        api.cluster.delete(next(iter(api.cluster.jobs)))

    assert executor.look(handle).phase is Phase.GONE


@pytest.mark.usefixtures("api")
def test_a_second_submission_of_a_task_starts_nothing(tmp_path: Path) -> None:
    executor = Kubernetes()
    task = shell_task(tmp_path, "echo x >> starts", options=options(tmp_path))

    handles = [executor.submit(task), executor.submit(task)]

    assert ended(executor, handles[0]).exit_code == 0
    assert handles[0] == handles[1]
    assert (tmp_path / "starts").read_text() == "x\n"


def test_a_submission_whose_answer_is_lost_runs_once(api: KubernetesApi, yard: Yard) -> None:
    executor = Kubernetes(SECOND / 4)
    order = yard.order(
        "sh",
        "-c",
        "echo x >> starts; sleep 1",
        executor="kubernetes",
        options=tuple(options(yard.folder).items()),
    )
    record, _ = submit(yard.queue, yard.planner(), executor, order)
    api.cluster.lost = 1

    ended = Runner(yard.queue, yard.planner(), lambda _: executor).run([record.id])[0]

    assert api.cluster.lost == 0
    assert (ended.state, ended.attempt) == (State.DONE, 1)
    assert yard.text("starts") == "x\n"


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"options": {}}, "image"),
        ({"options": {"image": ""}}, "invalid"),
        ({"options": {"image": "x"}, "requeue": True}, "pvc"),
        ({"options": {"image": "x"}, "job": "No_Name"}, "invalid"),
    ],
)
def test_what_the_cluster_would_refuse_is_refused_at_submission(
    tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        Kubernetes().check(shell_task(tmp_path, "true", **changes))


@pytest.mark.usefixtures("api")
def test_a_context_that_is_not_there_is_told(tmp_path: Path) -> None:
    task = shell_task(tmp_path, "true", options=options(tmp_path), place="nowhere")

    with pytest.raises(ExecutorUnavailable, match="nowhere"):
        Kubernetes().check(task)


def test_a_place_is_a_context(api: KubernetesApi, tmp_path: Path) -> None:
    task = shell_task(tmp_path, "true", options=options(tmp_path), place="elsewhere")

    handle = Kubernetes().submit(task)

    assert ended(Kubernetes(), handle).exit_code == 0
    assert list(api.cluster.jobs) == [task.name]


def doctor() -> Row:
    """What the doctor says of Kubernetes."""
    [row] = [row for row in executors(load()) if row.what == "kubernetes executor"]
    return row


@pytest.mark.usefixtures("api")
def test_doctor_says_of_a_cluster_that_answers_what_a_job_has_to_tell() -> None:
    row = doctor()

    assert row.state == "ok"
    assert "--option image=NAME" in row.says


def test_doctor_does_not_call_a_cluster_fine_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    kubernetes._apis.cache_clear()

    row = doctor()

    kubernetes._apis.cache_clear()
    assert row.state == "unavailable"
    assert "KUBECONFIG" in row.mend


def test_doctor_says_that_the_client_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)

    row = doctor()

    assert row.state == "unavailable"
    assert "needs kubernetes: install lichen's extra 'kubernetes'" in row.says
