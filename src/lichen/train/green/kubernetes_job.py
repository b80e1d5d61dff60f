"""The Kubernetes Job of a task: one pod, never tried again by Kubernetes itself.

Checkpoints lie on a claimed volume, in a folder of the job's own; a mark in it says whether the job
ran before, since a Job's environment cannot change from one pod to the next.

Source: Kubernetes API reference, batch/v1 Job; Kueue, "Run A Kubernetes Job".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lichen.train.green.executor import Task

QUEUE = "kueue.x-k8s.io/queue-name"
# Says by a mark in the checkpoints' folder whether the job ran before; then it is the command.
_WRAP = (
    'mkdir -p "$LICHEN_CHECKPOINT_DIR"; m="$LICHEN_CHECKPOINT_DIR/.lichen-ran"; '
    '[ -e "$m" ] && export LICHEN_RESUME=1; : > "$m"; exec "$@"'
)


def job_of(task: Task) -> dict[str, Any]:
    """The Job as the API takes it."""
    labels = {"app.kubernetes.io/managed-by": "lichen", "lichen/job": task.job}
    if "queue" in task.options:
        labels[QUEUE] = task.options["queue"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": task.name, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            # Kueue lets a Job go when there is room for it.
            "suspend": "queue" in task.options,
            "template": {"metadata": {"labels": {"lichen/job": task.job}}, "spec": _pod(task)},
        },
    }


def _pod(task: Task) -> dict[str, Any]:
    given = task.options
    mount = given.get("mount", "/lichen")
    environ = {**task.env, "LICHEN_CHECKPOINT_DIR": f"{mount}/{task.job}"}
    container: dict[str, Any] = {
        "name": "command",
        "image": given.get("image", ""),
        "command": ["sh", "-c", _WRAP, "lichen", *task.argv],
        "env": [{"name": name, "value": value} for name, value in environ.items()],
    }
    limits = {"gpus": "nvidia.com/gpu", "cpus": "cpu", "memory": "memory"}
    asked = {kind: given[name] for name, kind in limits.items() if name in given}
    if asked:
        container["resources"] = {"limits": asked, "requests": asked}
    if "workdir" in given:
        container["workingDir"] = given["workdir"]
    volume: dict[str, Any] = {"name": "checkpoints", "emptyDir": {}}
    if "pvc" in given:
        volume = {
            "name": "checkpoints",
            "persistentVolumeClaim": {"claimName": given["pvc"]},
        }
    container["volumeMounts"] = [{"name": "checkpoints", "mountPath": mount}]
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": max(1, round(task.grace.total_seconds())),
        "containers": [container],
        "volumes": [volume],
    }
    if "service-account" in given:
        pod["serviceAccountName"] = given["service-account"]
    return pod
