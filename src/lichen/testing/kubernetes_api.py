"""KubernetesApi: a local server that keeps the rules of the Kubernetes API for Jobs.

A Job's pod is a real process here: its container's command, started when the Job is not suspended,
sent SIGTERM when it is, and SIGKILL after its grace. Kept are: names taken (409), a resourceVersion
that is not the newest (409), what is not there (404), what is invalid or cannot be changed (422),
dry runs, the conditions Suspended, Complete and Failed, backoffLimit 0, pods with exit codes; of
Kueue the Workload of a queued Job with `spec.active`. Images and volumes are not looked at.

Source: Kubernetes API reference, batch/v1 and core/v1; Kueue API v1beta1.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from lichen.testing.kubernetes_rules import No, Plain, condition, now, pod_of, validate

if TYPE_CHECKING:
    from pathlib import Path

_QUEUE = "kueue.x-k8s.io/queue-name"


@dataclass
class _Job:
    """A Job, its process, and what its pods exited with."""

    body: Plain
    process: subprocess.Popen[bytes] | None = None
    pods: list[Plain] = field(default_factory=list)


class Cluster:
    """What the API keeps. `conflicts` are answered 409 before a change is taken.

    Of `lost` creations the answer is lost: the Job is there, and the connection is broken off.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, _Job] = {}
        self.workloads: dict[str, Plain] = {}
        self.conflicts = 0
        self.lost = 0
        self.requests: list[str] = []
        self.lock = threading.RLock()
        self._version = 0

    def create(self, body: Plain, *, dry: bool) -> Plain:
        """A new Job."""
        name = body.get("metadata", {}).get("name", "")
        validate(body, name)
        if name in self.jobs:
            raise No(HTTPStatus.CONFLICT, "AlreadyExists", f'jobs.batch "{name}" already exists')
        body["metadata"] |= {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": now(),
            "namespace": "default",
        }
        body["status"] = {}
        if dry:
            return body
        job = self.jobs[name] = _Job(body)
        if _QUEUE in body["metadata"].get("labels", {}):
            body["spec"]["suspend"] = True
            self._queue(name, body)
        self._reconcile(name, job)
        return body

    def _queue(self, name: str, body: Plain) -> None:
        labels = {"kueue.x-k8s.io/job-uid": body["metadata"]["uid"]}
        self.workloads[f"job-{name}"] = {
            "metadata": {"name": f"job-{name}", "labels": labels, "job": name},
            "spec": {"active": True},
        }
        body["spec"]["suspend"] = False

    def patch(self, name: str, change: Plain) -> Plain:
        """A merge patch of a Job."""
        job = self.get(name)
        if self.conflicts:
            self.conflicts -= 1
            self._touch(job)
        seen = change.get("metadata", {}).get("resourceVersion")
        if seen not in (None, job.body["metadata"]["resourceVersion"]):
            raise No(HTTPStatus.CONFLICT, "Conflict", "the object has been modified")
        if "template" in change.get("spec", {}):
            raise No(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", "spec.template: is immutable")
        notes = job.body["metadata"].setdefault("annotations", {})
        notes |= change.get("metadata", {}).get("annotations", {})
        job.body["spec"] |= change.get("spec", {})
        self._reconcile(name, job)
        return job.body

    def activate(self, name: str, change: Plain) -> Plain:
        """A merge patch of a Workload: Kueue suspends its Job, or lets it go on."""
        workload = self.workloads[name]
        workload["spec"] |= change["spec"]
        job = workload["metadata"]["job"]
        self.get(job).body["spec"]["suspend"] = not workload["spec"]["active"]
        self._reconcile(job, self.get(job))
        return workload

    def get(self, name: str) -> _Job:
        """A Job."""
        if name not in self.jobs:
            raise No(HTTPStatus.NOT_FOUND, "NotFound", f'jobs.batch "{name}" not found')
        return self.jobs[name]

    def delete(self, name: str) -> Plain:
        """Take a Job away; its pod is ended."""
        job = self.get(name)
        del self.jobs[name]
        self._end(job)
        return {"kind": "Status", "status": "Success"}

    def _touch(self, job: _Job) -> None:
        self._version += 1
        job.body["metadata"]["resourceVersion"] = str(self._version)

    def _reconcile(self, name: str, job: _Job) -> None:
        """What the Job controller does."""
        status, suspend = job.body["status"], bool(job.body["spec"].get("suspend"))
        self._touch(job)
        if any(each["type"] in ("Complete", "Failed") for each in status.get("conditions", [])):
            return
        status["conditions"] = [condition("Suspended", holds=suspend)]
        if suspend:
            self._end(job)
        elif job.process is None:
            status |= {"startTime": now(), "active": 1}
            container = job.body["spec"]["template"]["spec"]["containers"][0]
            job.process = subprocess.Popen(  # noqa: S603 (a test's own command)
                container["command"] + container.get("args", []),
                env={**os.environ, **{one["name"]: one["value"] for one in container["env"]}},
                cwd=container.get("workingDir"),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            watch = (name, job, job.process)
            threading.Thread(target=self._watch, args=watch, daemon=True).start()

    def _end(self, job: _Job) -> None:
        if job.process is None:
            return
        grace_s = job.body["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
        os.killpg(job.process.pid, signal.SIGTERM)
        killer = threading.Timer(grace_s, job.process.kill)
        killer.daemon = True
        killer.start()

    def _watch(self, name: str, job: _Job, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        code = 128 - code if code < 0 else code
        with self.lock:
            job.process = None
            job.body["status"]["active"] = 0
            job.pods.append(pod_of(name, code))
            if not job.body["spec"].get("suspend"):
                kind = "Failed" if code else "Complete"
                job.body["status"]["conditions"] = [condition(kind, holds=True)]
                if not code:
                    job.body["status"]["completionTime"] = now()
            elif name in self.jobs:
                job.body["status"].pop("startTime", None)
            self._touch(job)

    def end_all(self) -> None:
        """Kill what still runs."""
        for job in self.jobs.values():
            if process := job.process:
                process.kill()
                process.wait()


class KubernetesApi:
    """A server to use in a `with`; `cluster` is what it keeps, `write_config` tells of it."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.cluster))
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.cluster.end_all()

    def write_config(self, path: Path) -> None:
        """A kubeconfig with the contexts `here` and `elsewhere`."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        both = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in _CONTEXTS]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": both,
            "current-context": _CONTEXTS[0],
        }
        path.write_text(json.dumps(config), encoding="utf-8")


_CONTEXTS = ("here", "elsewhere")


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            split = urlsplit(self.path)
            try:
                with cluster.lock:
                    cluster.requests.append(f"{self.command} {split.path}")
                    found = _route(cluster, self.command, split.path, (split.query, body))
                    said, status = json.dumps(found), HTTPStatus.OK
                    if cluster.lost and self.command == "POST":
                        cluster.lost -= 1
                        self.close_connection = True
                        return
            except No as no:
                status = no.status
                said = json.dumps(
                    {
                        "kind": "Status",
                        "status": "Failure",
                        "reason": no.reason,
                        "message": str(no),
                        "code": status,
                    }
                )
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said.encode())))
            self.end_headers()
            self.wfile.write(said.encode())

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 (http.server's names)

    return Handler


def _route(cluster: Cluster, verb: str, path: str, said: tuple[str, Plain]) -> Plain:
    query, body = parse_qs(said[0]), said[1]
    if "/kueue.x-k8s.io/" in path and "/v1beta1/" not in path:
        raise No(HTTPStatus.NOT_FOUND, "NotFound", f"the server has no {path}")
    kind, _, name = path.partition("/namespaces/default/")[2].partition("/")
    selector = dict([query.get("labelSelector", ["="])[0].split("=", 1)])
    if kind == "jobs":
        if verb == "POST":
            return cluster.create(body, dry="dryRun" in query)
        if verb == "PATCH":
            return cluster.patch(name, body)
        return cluster.delete(name) if verb == "DELETE" else cluster.get(name).body
    if kind == "workloads":
        if verb == "PATCH":
            return cluster.activate(name, body)
        return {"items": [one for one in cluster.workloads.values() if _has(one, selector)]}
    if kind == "pods":
        pods = [pod for job in cluster.jobs.values() for pod in job.pods]
        return {"kind": "PodList", "items": [pod for pod in pods if _has(pod, selector)]}
    raise No(HTTPStatus.NOT_FOUND, "NotFound", f"the server has no {path}")


def _has(thing: Plain, labels: dict[str, str]) -> bool:
    has: dict[str, str] = thing["metadata"].get("labels", {})
    return labels.items() <= has.items()
