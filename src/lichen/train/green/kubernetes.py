"""Kubernetes: a Job a task, paused and resumed by `spec.suspend`, or by Kueue where it has a queue.

    pause    spec.suspend: true    pods get SIGTERM, and SIGKILL after terminationGracePeriodSeconds
    thaw     spec.suspend: false   a new pod, LICHEN_RESUME=1
    Kueue    label kueue.x-k8s.io/queue-name; pause and thaw by the Workload's spec.active

The Job's name is the task's, so that a second submission is refused by the API itself. Every change
names the resourceVersion it was made from, and is made again where somebody was quicker (409). A
pod cannot be stopped in memory, nor be sent SIGUSR1 by this API: a checkpoint is asked for by
pausing alone. Was tested against a local server that keeps the API's rules, not a live cluster.

Source: Kubernetes API batch/v1 Job (suspend, backoffLimit, conditions Complete, Failed, Suspended);
Kueue API v1beta2 and v1beta1, Workload (spec.active, label kueue.x-k8s.io/job-uid).
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from lichen.ledger.errors import ExecutorUnavailable, InputError
from lichen.train.green.executor import Ask, Phase, Sight, Task, known_options
from lichen.train.green.kubernetes_client import installed
from lichen.train.green.kubernetes_job import QUEUE, job_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPTIONS = ("image", "namespace", "queue", "pvc", "mount", "workdir", "gpus", "cpus", "memory",
            "service-account")  # fmt: skip
_PAUSED, _VOID = "lichen/paused", "lichen/void"
_TIMEOUT_S, _TRIES = 30, 6
_LOOK_EVERY = timedelta(seconds=5)
_NEVER = (Ask.CHECKPOINT, Ask.KILL)
# The newest first; a cluster without it answers 404.
_KUEUE_VERSIONS = ("v1beta2", "v1beta1")
_NOT_FOUND, _CONFLICT, _INVALID = 404, 409, 422


class _Apis(NamedTuple):
    """Clients of one cluster."""

    jobs: Any
    pods: Any
    custom: Any


class Kubernetes:
    """The cluster of the current kubeconfig; a task's place is a context of it."""

    queues = False
    places = True
    freezes = False
    probe: ClassVar = {"image": "lichen-doctor"}

    def __init__(self, look_every: timedelta = _LOOK_EVERY) -> None:
        self.look_every = look_every

    def check(self, task: Task) -> None:
        """Have the cluster look at the Job, and create nothing.

        Raises:
            InputError: an option is unknown or missing, or the cluster finds the Job invalid.
            ExecutorUnavailable: the cluster does not answer, or does not let this user.
            MissingExtra: the client is not installed.
        """
        installed()
        known_options(task, _OPTIONS, "Kubernetes")
        if "image" not in task.options:
            raise InputError("Kubernetes needs to know what to run it in: --option image=NAME")
        if task.requeue and "pvc" not in task.options:
            raise InputError(
                "a job that is paused needs a volume for its checkpoints: --option pvc=NAME (its "
                "claim), or leave out --interruptible"
            )
        try:
            with _translated():
                _apis(task.place).jobs.create_namespaced_job(
                    _namespace(task), job_of(task), dry_run="All", _request_timeout=_TIMEOUT_S
                )
        except _Refused as error:
            if error.status == _INVALID:
                raise InputError(f"Kubernetes finds the job invalid: {error.why}") from error
            raise

    def submit(self, task: Task) -> str:
        """Create the Job; a Job of that name is the same task, submitted before.

        Raises:
            ExecutorUnavailable: the cluster did not take it.
        """
        self._create(task, job_of(task))
        return json.dumps([task.place, _namespace(task), task.name])

    def find(self, task: Task) -> str | None:
        """The Job of that name; where there is none, one that never runs takes the name."""
        void = job_of(task)
        void["metadata"]["annotations"] = {_VOID: "true"}
        void["metadata"]["labels"].pop(QUEUE, None)
        void["spec"]["suspend"] = True
        self._create(task, void)
        handle = json.dumps([task.place, _namespace(task), task.name])
        return None if self.look(handle).phase is Phase.VOID else handle

    @staticmethod
    def _create(task: Task, body: dict[str, Any]) -> None:
        try:
            with _translated():
                _apis(task.place).jobs.create_namespaced_job(
                    _namespace(task), body, _request_timeout=_TIMEOUT_S
                )
        except _Refused as error:
            if error.status != _CONFLICT:
                raise

    def look(self, handle: str) -> Sight:
        """How the Job stands, by its conditions and its pod's exit code.

        Raises:
            ExecutorUnavailable: the cluster does not answer.
        """
        apis, namespace, name = _of(handle)
        job = _read(apis, namespace, name)
        if job is None:
            return Sight(phase=Phase.GONE, note="the Job was deleted")
        status = job.status
        started = status.start_time.astimezone(UTC) if status.start_time else None
        ended = {each.type: each for each in status.conditions or () if each.status == "True"}
        for kind in ("Complete", "Failed"):
            if kind in ended:
                at = status.completion_time or ended[kind].last_transition_time
                code = 0 if kind == "Complete" else _exit_code(apis, namespace, name)
                note = "" if kind == "Complete" else ended[kind].reason or ""
                return Sight(
                    phase=Phase.ENDED, started_at=started, ended_at=at, exit_code=code, note=note
                )
        marks = job.metadata.annotations or {}
        if marks.get(_VOID):
            return Sight(phase=Phase.VOID)
        if status.active or (started and not job.spec.suspend):
            return Sight(phase=Phase.RUNNING, started_at=started)
        phase = Phase.FROZEN if marks.get(_PAUSED) == "true" else Phase.WAITING
        return Sight(phase=phase, started_at=started)

    def move(self, handle: str, begin: datetime, place: str = "") -> None:
        """Nothing: here the runner keeps the time."""

    def ask(self, handle: str, what: Ask) -> None:
        """Suspend it, let it go on, or delete it; a checkpoint cannot be asked for alone.

        Raises:
            ExecutorUnavailable: the cluster did not do it, or a pod was to be frozen in memory.
        """
        if what is Ask.FREEZE:
            raise ExecutorUnavailable(
                "freezing on Kubernetes", "suspending a Job ends its pod", "leave out --freeze"
            )
        if what in _NEVER or self.look(handle).phase in (Phase.ENDED, Phase.GONE):
            return
        apis, namespace, name = _of(handle)
        if what is Ask.CANCEL:
            with _translated():
                apis.jobs.delete_namespaced_job(
                    name, namespace, propagation_policy="Background", _request_timeout=_TIMEOUT_S
                )
        else:
            _suspend(apis, namespace, name, "true" if what is Ask.PAUSE else "false")


class _Refused(ExecutorUnavailable):
    """The API said no; with its status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__("Kubernetes", f"it answers {status}: {why}", "it is asked again")
        self.status = status


@contextmanager
def _translated() -> Iterator[None]:
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415 (heavy, and an extra)
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 (comes with it)

    try:
        yield
    except ApiException as error:
        try:
            why = json.loads(error.body or "")["message"]
        except (TypeError, ValueError, KeyError):
            why = str(error.reason)
        raise _Refused(error.status or 0, why) from error
    except (HTTPError, OSError) as error:
        raise ExecutorUnavailable("Kubernetes", str(error), "it is asked again") from error


@cache
def _apis(context: str) -> _Apis:
    client, config = installed()
    try:
        api = config.new_client_from_config(
            # Read now: the client's own default is the environment at its import.
            config_file=os.environ.get("KUBECONFIG"),
            context=context or None,
            persist_config=False,
        )
    except config.ConfigException as error:
        if context or "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise ExecutorUnavailable(
                "Kubernetes", str(error), "set KUBECONFIG, or see `kubectl config get-contexts`"
            ) from error
        config.load_incluster_config()
        api = client.ApiClient()
    return _Apis(client.BatchV1Api(api), client.CoreV1Api(api), client.CustomObjectsApi(api))


def _of(handle: str) -> tuple[_Apis, str, str]:
    place, namespace, name = json.loads(handle)
    return _apis(place), namespace, name


def _namespace(task: Task) -> str:
    return task.options.get("namespace", "default")


def _read(apis: _Apis, namespace: str, name: str) -> Any:
    """The Job, None if there is none."""
    try:
        with _translated():
            return apis.jobs.read_namespaced_job(name, namespace, _request_timeout=_TIMEOUT_S)
    except _Refused as error:
        if error.status != _NOT_FOUND:
            raise
        return None


def _exit_code(apis: _Apis, namespace: str, name: str) -> int | None:
    """What its pod exited with; None where the pod is gone."""
    with _translated():
        pods = apis.pods.list_namespaced_pod(
            namespace, label_selector=f"job-name={name}", _request_timeout=_TIMEOUT_S
        ).items
    for pod in sorted(pods, key=lambda each: each.metadata.creation_timestamp, reverse=True):
        for status in pod.status.container_statuses or ():
            if status.state and status.state.terminated:
                code: int = status.state.terminated.exit_code
                return code
    return None


def _suspend(apis: _Apis, namespace: str, name: str, paused: str) -> None:
    """Pause or go on, from the version that was seen; where somebody was quicker, once more."""
    for attempt in range(_TRIES):
        job = _read(apis, namespace, name)
        if job is None:
            return
        queued = QUEUE in (job.metadata.labels or {})
        body: dict[str, Any] = {
            "metadata": {
                "resourceVersion": job.metadata.resource_version,
                "annotations": {_PAUSED: paused},
            }
        }
        if not queued:
            body["spec"] = {"suspend": paused == "true"}
        try:
            with _translated():
                apis.jobs.patch_namespaced_job(name, namespace, body, _request_timeout=_TIMEOUT_S)
                if queued:
                    _activate(apis, namespace, job.metadata.uid, paused == "false")
        except _Refused as error:
            if error.status != _CONFLICT or attempt == _TRIES - 1:
                raise
        else:
            return


def _activate(apis: _Apis, namespace: str, uid: str, active: bool) -> None:  # noqa: FBT001 (its name)
    """Kueue suspends and resumes the Job itself: tell it by the Job's Workload."""
    for version in _KUEUE_VERSIONS:
        where = ("kueue.x-k8s.io", version, namespace, "workloads")
        try:
            with _translated():
                found = apis.custom.list_namespaced_custom_object(
                    *where,
                    label_selector=f"kueue.x-k8s.io/job-uid={uid}",
                    _request_timeout=_TIMEOUT_S,
                )
        except _Refused as error:
            if error.status != _NOT_FOUND or version == _KUEUE_VERSIONS[-1]:
                raise
            continue
        for workload in found["items"]:
            name, body = workload["metadata"]["name"], {"spec": {"active": active}}
            apis.custom.patch_namespaced_custom_object(
                *where, name, body, _request_timeout=_TIMEOUT_S
            )
        return
