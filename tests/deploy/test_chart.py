"""The Helm chart: linted and rendered by Helm, held against the Kubernetes API's own models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lichen.serve.guard import Guard
from lichen.settings import load
from tests.deploy.conftest import HelmFailed

if TYPE_CHECKING:
    from tests.deploy.conftest import Helm

EVERYTHING: dict[str, Any] = {
    "image": {"digest": f"sha256:{'0' * 64}"},
    "pullSecrets": ["registry"],
    "config": '[[route]]\nmodel = "gpt-*"\nsampled = "reuse"\n',
    "settings": {"zone": "SE-SE3", "context": 4096},
    "service": {"annotations": {"a": "b"}},
    "networkPolicy": {"from": [{"namespaceSelector": {"matchLabels": {"team": "ai"}}}]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "serviceAccount": {"annotations": {"a": "b"}},
    "podAnnotations": {"a": "b"},
    "podLabels": {"c": "d"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
}
LEAST: dict[str, Any] = {
    "autoscaling": {"enabled": False},
    "disruption": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "settings": {"upstream": "", "grace": ""},
    "state": {"enabled": False},
}
ALONE: dict[str, Any] = {
    "replicas": 1,
    "autoscaling": {"enabled": False},
    "disruption": {"enabled": False},
    "state": {"claim": "learnt"},
}
# What the client's models call the objects of the chart; ServiceMonitor is the operator's own.
MODELS = {
    "ConfigMap": "V1ConfigMap",
    "Deployment": "V1Deployment",
    "HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler",
    "NetworkPolicy": "V1NetworkPolicy",
    "PodDisruptionBudget": "V1PodDisruptionBudget",
    "Service": "V1Service",
    "ServiceAccount": "V1ServiceAccount",
}


def strays(said: Any, kind: str, where: str) -> list[str]:
    """Fields that the API's model of that kind does not have, and lists that are none."""
    from kubernetes import client

    if kind.lower().startswith("list["):
        if not isinstance(said, list):
            return [f"{where} is no list"]
        each_kind = kind[5:-1]
        return [s for n, each in enumerate(said) for s in strays(each, each_kind, f"{where}[{n}]")]
    model = getattr(client, kind, None)
    if model is None or not isinstance(said, dict):
        return []
    known = {theirs: ours for ours, theirs in model.attribute_map.items()}
    found = [f"{where}.{name}" for name in said if name not in known]
    for name, inner in said.items():
        if name in known:
            found += strays(inner, model.openapi_types[known[name]], f"{where}.{name}")
    return found


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one object of a kind."""
    [found] = [each for each in objects if each["kind"] == kind]
    return found


def container(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The one container of the deployment."""
    [found] = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def mounts(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The volume that is mounted at each path."""
    volumes = one(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    named = {each["name"]: each for each in volumes}
    return {each["mountPath"]: named[each["name"]] for each in container(objects)["volumeMounts"]}


def state_of(objects: list[dict[str, Any]]) -> str:
    """Where lichen keeps what its steps learn, as it reads it; empty where nowhere."""
    told = {each["name"]: each.get("value", "") for each in container(objects)["env"]}
    return load(environ={"LICHEN_STATE": told.get("LICHEN_STATE", "")}).state


@pytest.mark.parametrize("values", [{}, EVERYTHING, LEAST, ALONE])
def test_helm_finds_nothing_wrong(helm: Helm, values: dict[str, Any]) -> None:
    assert helm.lint(**values) == []


@pytest.mark.parametrize("values", [{}, EVERYTHING, LEAST, ALONE])
def test_every_field_is_one_that_the_api_knows(helm: Helm, values: dict[str, Any]) -> None:
    objects = helm.render(**values)

    known = [each for each in objects if each["kind"] != "ServiceMonitor"]
    assert [s for each in known for s in strays(each, MODELS[each["kind"]], each["kind"])] == []
    assert {each["metadata"]["name"] for each in objects} == {"green-lichen"}
    assert {each["metadata"]["namespace"] for each in objects} == {"ai"}


def test_a_field_that_the_api_does_not_know_would_be_seen() -> None:
    wrong = {"spec": {"replica": 1, "template": {"spec": {"containers": {}}}}}

    found = strays(wrong, "V1Deployment", "Deployment")

    assert found == [
        "Deployment.spec.replica",
        "Deployment.spec.template.spec.containers is no list",
    ]


def test_it_runs_as_nobody_on_a_file_system_it_cannot_write(helm: Helm) -> None:
    objects = helm.render()
    pod, inside = one(objects, "Deployment")["spec"]["template"]["spec"], container(objects)

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert inside["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(mounts(objects)) == {"/var/lib/lichen", "/var/lib/lichen/learnt", "/tmp"}
    assert pod["terminationGracePeriodSeconds"] > load(environ={}).grace


@pytest.mark.parametrize("values", [{}, EVERYTHING])
def test_the_variables_are_settings_that_lichen_takes(helm: Helm, values: dict[str, Any]) -> None:
    environ = {}
    for each in container(helm.render(**values))["env"]:
        secret = each.get("valueFrom", {}).get("secretKeyRef", {}).get("key")
        told = {"ledger": "postgresql://db/lichen", "cache": "rediss://cache:6379/0"}
        environ[each["name"]] = told.get(secret, "s" * 40) if secret else each["value"]

    settings = load(environ=environ)

    Guard(settings)
    assert (settings.host, settings.port) == ("0.0.0.0", 8420)
    assert settings.ledger == "postgresql://db/lichen"
    assert settings.cache == "rediss://cache:6379/0"
    assert settings.token == settings.upstream_key == "s" * 40


def test_secrets_come_by_reference_and_the_token_is_no_option(helm: Helm) -> None:
    objects = helm.render()
    refs = [each["valueFrom"]["secretKeyRef"] for each in container(objects)["env"][-4:]]

    assert {ref["name"] for ref in refs} == {"lichen"}
    assert {ref["key"]: ref["optional"] for ref in refs} == {
        "token": False,
        "ledger": True,
        "cache": True,
        "upstream-key": True,
    }
    assert [each for each in objects if each["kind"] == "Secret"] == []


def test_what_selects_the_pods_selects_them(helm: Helm) -> None:
    objects = helm.render(**EVERYTHING)
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]

    selectors = [
        one(objects, "Deployment")["spec"]["selector"]["matchLabels"],
        one(objects, "Service")["spec"]["selector"],
        one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]

    assert all(selector.items() <= labels.items() for selector in selectors)
    monitored = one(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= one(objects, "Service")["metadata"]["labels"].items()


def test_the_autoscaler_alone_says_how_many_where_there_is_one(helm: Helm) -> None:
    scaled, fixed = helm.render(), helm.render(**LEAST)

    assert "replicas" not in one(scaled, "Deployment")["spec"]
    assert one(scaled, "HorizontalPodAutoscaler")["spec"]["minReplicas"] == 2
    assert one(fixed, "Deployment")["spec"]["replicas"] == 2
    assert {each["kind"] for each in fixed} == {"Deployment", "Service", "ServiceAccount"}


def test_a_new_configuration_is_a_new_pod_that_reads_it(helm: Helm) -> None:
    before, after = helm.render(), helm.render(**EVERYTHING)

    sums = [
        one(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for objects in (before, after)
    ]
    written = one(after, "ConfigMap")["data"]["lichen.toml"]

    assert sums[0] != sums[1]
    assert written == EVERYTHING["config"]
    assert "/etc/lichen/lichen" in {m["mountPath"] for m in container(after)["volumeMounts"]}


def test_what_steps_learn_has_a_volume_of_each_pods_own(helm: Helm) -> None:
    objects, without = helm.render(state={"sizeLimit": "2Gi"}), helm.render(**LEAST)

    assert mounts(objects)[state_of(objects)]["emptyDir"] == {"sizeLimit": "2Gi"}
    assert state_of(without) == ""
    assert "/var/lib/lichen/learnt" not in mounts(without)


def test_a_claim_outlives_its_pod_and_is_of_one_pod_at_a_time(helm: Helm) -> None:
    objects = helm.render(**ALONE)

    volume = mounts(objects)[state_of(objects)]

    assert volume["persistentVolumeClaim"] == {"claimName": "learnt"}
    assert one(objects, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("values", [{"replicas": 2}, {"autoscaling": {"enabled": True}}])
def test_a_claim_for_several_pods_is_refused(helm: Helm, values: dict[str, Any]) -> None:
    with pytest.raises(HelmFailed, match=r"state\.claim learnt is for one service alone"):
        helm.render(**{**ALONE, **values})


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 0},
        {"replica": 2},
        {"settings": {"token": "t0p-secret"}},
        {"settings": {"upstream_key": "sk-secret"}},
        {"settings": {"state": "/elsewhere"}},
        {"state": {"sizeLimit": "much"}},
        {"secret": {"keys": {"token": ""}}},
        {"image": {"digest": "sha256:short"}},
        {"service": {"port": 0}},
        {"serviceMonitor": {"interval": "often"}},
    ],
)
def test_values_that_make_no_sense_are_refused(helm: Helm, values: dict[str, Any]) -> None:
    with pytest.raises(HelmFailed, match="values don't meet the specifications"):
        helm.render(**values)
