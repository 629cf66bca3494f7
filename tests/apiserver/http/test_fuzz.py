"""Bodies that were right once and were then damaged: objects, protobuf, patches. Never our mistake."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from .fuzz import NS, Send, damaged, scrambled, seeds, sender

BODIES = json.loads((Path(__file__).parents[2] / "api" / "kubectl_protobuf_bodies.json").read_text())
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {"a": "b"}, "ownerReferences": [], "finalizers": []},
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "busybox",
                "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "ports": [{"containerPort": 80}],
                "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
                "livenessProbe": {"httpGet": {"port": 80}, "periodSeconds": 1},
                "lifecycle": {"preStop": {"exec": {"command": ["x"]}}},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            }
        ],
        "volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}],
        "tolerations": [{"key": "k", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
        "topologySpreadConstraints": [],
        "schedulingGates": [{"name": "g"}],
    },
}
OTHERS = {
    "/apis/batch/v1/namespaces/default/jobs": {
        "metadata": {"name": "j"},
        "spec": {
            "template": {"spec": {"restartPolicy": "Never", "containers": POD["spec"]["containers"][:1]}},
            "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "x", "status": "True"}]}]},
        },
    },
    "/apis/apps/v1/namespaces/default/deployments": {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {
                "matchLabels": {"a": "b"},
                "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}],
            },
            "strategy": {"rollingUpdate": {"maxSurge": "25%"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]},
        },
    },
    f"{NS}/services": {
        "metadata": {"name": "s"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30001}]},
    },
    f"{NS}/resourcequotas": {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "9", "requests.cpu": "9"}}},
    f"{NS}/limitranges": {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Pod", "max": {"cpu": "9"}}]}},
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": {
        "metadata": {"name": "ws.ex.io"},
        "spec": {
            "group": "ex.io",
            "scope": "Namespaced",
            "names": {"plural": "ws", "kind": "W", "shortNames": ["w"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {"type": "object", "properties": {"a": {"type": "string", "pattern": "a"}}}
                            },
                        }
                    },
                    "additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".spec.a"}],
                }
            ],
        },
    },
}


@pytest.fixture
def send(cluster: Any, caplog: pytest.LogCaptureFixture) -> Send:
    return sender(cluster, caplog)


def test_damaged_objects(send: Send) -> None:
    for chance in seeds():
        path, good = chance.choice([(f"{NS}/pods", POD), *OTHERS.items()])
        body = json.dumps(damaged(good, chance)).encode()
        if chance.random() < 0.2:
            body = scrambled(body, chance)
        send(chance, "POST", path, body, chance.choice(["application/json", "application/yaml"]), "dryRun=All")
        send(chance, "POST", path, body, "application/json")
        send(chance, "PUT", f"{path}/{good['metadata']['name']}", body, "application/json")
        send(chance, "DELETE", f"{path}/{good['metadata']['name']}", b'{"gracePeriodSeconds":0}', "application/json")


def test_damaged_protobuf(send: Send) -> None:
    plurals = {"configmap": "configmaps", "secret": "secrets", "serviceaccount": "serviceaccounts"}
    for chance in seeds():
        command, text = chance.choice(list(BODIES.items()))
        path = f"{NS}/{plurals.get(command.split()[1], 'configmaps')}"
        send(chance, "POST", path, scrambled(base64.b64decode(text), chance), "application/vnd.kubernetes.protobuf")


PATCHES: list[tuple[str, Any]] = [
    (
        "application/json-patch+json",
        [
            {"op": "replace", "path": "/spec/containers/0/image", "value": "x"},
            {"op": "copy", "from": "/metadata/labels", "path": "/metadata/annotations"},
            {"op": "test", "path": "/kind", "value": "Pod"},
        ],
    ),
    (
        "application/merge-patch+json",
        {"metadata": {"labels": {"a": None, "b": "c"}}, "spec": {"activeDeadlineSeconds": 5}},
    ),
    (
        "application/strategic-merge-patch+json",
        {
            "spec": {
                "$setElementOrder/containers": [{"name": "c"}],
                "containers": [{"name": "c", "image": "y", "$patch": "merge"}],
                "$retainKeys": ["containers"],
            },
            "metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]},
        },
    ),
    (
        "application/apply-patch+yaml",
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "z", "env": [{"name": "A", "value": "1"}]}]},
        },
    ),
]


def test_damaged_patches(send: Send) -> None:
    first = next(seeds())
    send(first, "POST", f"{NS}/pods", json.dumps(POD).encode(), "application/json")
    for chance in seeds():
        kind, good = chance.choice(PATCHES)
        body = json.dumps(damaged(good, chance)).encode()
        body = scrambled(body, chance) if chance.random() < 0.2 else body
        sub = chance.choice(["", "/status", "/resize", "/ephemeralcontainers"])
        query = "fieldManager=f&force=true" if kind.endswith("yaml") else "fieldManager=f"
        send(chance, "PATCH", f"{NS}/pods/p{sub}", body, kind, query)
