"""`kube.as_service_account`: code under test asks as its pod would, and is refused what its Role does not give."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import lifepod
from lifepod.api.writes import ApiError

kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "viewers"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    "subjects": [{"kind": "ServiceAccount", "name": "default"}],
}


def test_kubernetes_is_refused_and_after_a_binding_served(kube: lifepod.Kube) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    before = dict(os.environ)
    with kube.as_service_account():
        kubernetes.config.load_incluster_config()
        core = kubernetes.client.CoreV1Api()
        with pytest.raises(kubernetes.client.ApiException) as refused:
            core.list_namespaced_pod("default")
        assert refused.value.status == 403
        kube.apply(BINDING)
        assert core.list_namespaced_pod("default").items == []
        with pytest.raises(kubernetes.client.ApiException):
            core.list_pod_for_all_namespaces()
    assert dict(os.environ) == before
    kubernetes.config.load_incluster_config()
    assert len(kubernetes.client.CoreV1Api().list_node().items) == 1


def test_its_clients_and_files_are_of_its_namespace(kube: lifepod.Kube) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}})
    account = kube.as_service_account(namespace="apps")
    review = kubernetes.client.AuthenticationV1Api(account.client()).create_self_subject_review({})
    assert review.status.user_info.username == "system:serviceaccount:apps:default"
    with account:
        assert Path(os.environ["KUBECONFIG"]).with_name("namespace").read_text() == "apps"


@kubectl
def test_a_child_process_is_refused_too(kube: lifepod.Kube) -> None:
    with kube.as_service_account():
        done = subprocess.run(["kubectl", "get", "pods"], capture_output=True, text=True)
    assert 'User "system:serviceaccount:default:default" cannot list resource "pods"' in done.stderr


def test_an_account_that_is_not_there_cannot_be_had(kube: lifepod.Kube) -> None:
    with pytest.raises(ApiError, match='serviceaccounts "nobody" not found'):
        kube.as_service_account("nobody")
