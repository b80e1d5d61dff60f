"""What the Kubernetes API refuses, and how it writes conditions and pods.

Source: Kubernetes API reference, batch/v1 and core/v1.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeAlias

Plain: TypeAlias = dict[str, Any]
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def now() -> str:
    """The moment, as the API writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class No(Exception):  # noqa: N818 (what the API says)
    """A refusal: its HTTP status, the API's reason, a message."""

    def __init__(self, status: HTTPStatus, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


def condition(kind: str, *, holds: bool) -> Plain:
    """A condition of a Job."""
    status = "True" if holds else "False"
    reason = "BackoffLimitExceeded" if kind == "Failed" else f"Job{kind}"
    return {"type": kind, "status": status, "reason": reason, "lastTransitionTime": now()}


def pod_of(name: str, code: int) -> Plain:
    """A pod that has ended."""
    ended = {"exitCode": code, "finishedAt": now(), "reason": "Error" if code else "Completed"}
    status = {
        "name": "command", "state": {"terminated": ended}, "image": "", "imageID": "",
        "ready": False, "restartCount": 0,
    }  # fmt: skip
    return {
        "metadata": {
            "name": f"{name}-{uuid.uuid4().hex[:5]}",
            "labels": {"job-name": name},
            "creationTimestamp": now(),
        },
        "status": {"phase": "Failed" if code else "Succeeded", "containerStatuses": [status]},
    }


def validate(body: Plain, name: str) -> None:
    """Refuse a Job that the API finds invalid.

    Raises:
        No: it is; with what is wrong.
    """
    pod = body.get("spec", {}).get("template", {}).get("spec", {})
    wrong = ""
    if not _NAME.fullmatch(name):
        wrong = f'metadata.name: Invalid value: "{name}"'
    elif pod.get("restartPolicy") not in ("Never", "OnFailure"):
        wrong = "spec.template.spec.restartPolicy: Required value"
    elif not pod.get("containers") or not pod["containers"][0].get("image"):
        wrong = "spec.template.spec.containers[0].image: Required value"
    if wrong:
        raise No(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", f"Job.batch is invalid: {wrong}")
