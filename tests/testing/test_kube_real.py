"""The fixture `kube_real`: containers that really run, with the same face."""

from __future__ import annotations

import os

import pytest

import lifepod
from lifepod.testing.errors import NotVirtual

from .manifests import pod

pytestmark = pytest.mark.sandbox


def test_a_pod_really_runs(kube_real: lifepod.RealKube) -> None:
    kube_real.apply(pod("web", "/bin/sh", "-c", "echo hello; sleep 0.2; exit 3"))
    assert kube_real.run_until(lambda: kube_real.pod("web").phase == "Failed", timeout="30s")
    assert kube_real.logs("web") == "hello\n"
    kube_real.pod("web").went("Pending", "Running", "Failed").restarted(0)
    assert "exit code 3" in kube_real.pod("web").timeline
    assert kube_real.why("web")


def test_exec_and_clients(kube_real: lifepod.RealKube) -> None:
    kubernetes = pytest.importorskip("kubernetes")
    kube_real.apply(pod("web", "/bin/sleep", "60"))
    assert kube_real.run_until(lambda: kube_real.pod("web").is_ready)
    assert kube_real.exec("web", "/bin/sh", "-c", "echo here; exit 3") == (3, "here\n")
    kubernetes.config.load_kube_config()
    assert kubernetes.client.CoreV1Api().read_namespaced_pod("web", "default").status.phase == "Running"
    kubernetes.config.load_incluster_config()
    assert len(kubernetes.client.CoreV1Api().list_node().items) == 1
    assert os.environ["KUBECONFIG"] == str(kube_real.kubeconfig)
    with kube_real.as_service_account():
        kubernetes.config.load_incluster_config()
        with pytest.raises(kubernetes.client.ApiException, match="Forbidden"):
            kubernetes.client.CoreV1Api().list_node()


def test_what_only_virtual_time_can_is_refused(kube_real: lifepod.RealKube) -> None:
    with pytest.raises(NotVirtual, match="Use the fixture `kube`"):
        kube_real.advance("1h")
    for copy in (kube_real.snapshot, kube_real.fork, kube_real.reset):
        with pytest.raises(NotVirtual):
            copy()
