"""Helm: a chart installed, upgraded, rolled back and removed, each time waiting until it is so."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FETCHED = Path(os.environ.get("LIFEPOD_KUBECTLS", Path(__file__).parents[3] / ".cache" / "kubectl")) / "helm"
HELM = str(FETCHED) if FETCHED.exists() else shutil.which("helm")
CHART = """apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: d}}
  template:
    metadata: {labels: {app: d}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "busybox:1.36", command: [sleep, "600"]}]}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {selector: {app: d}, ports: [{port: 80}]}
"""

pytestmark = [pytest.mark.clients, pytest.mark.skipif(HELM is None, reason="helm is not to be had")]


@pytest.fixture
def helm(served, tmp_path):
    chart = tmp_path / "demo"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: demo\nversion: 0.1.0\nkubeVersion: '>=1.30.0-0'\n")
    (chart / "values.yaml").write_text("replicas: 1\n")
    (chart / "templates" / "all.yaml").write_text(CHART)
    env = {**os.environ, "KUBECONFIG": str(served.kubeconfig), "HOME": str(tmp_path)}

    def run(*args: str) -> str:
        done = subprocess.run(
            [str(HELM), *args], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_release_from_install_to_uninstall(helm):
    wait = ("--wait", "--timeout", "30s")
    assert "STATUS: deployed" in helm("install", "r", "demo", *wait)
    assert "demo-0.1.0" in helm("list")
    assert "REVISION: 2" in helm("upgrade", "r", "demo", "--set", "replicas=2", *wait)
    assert "Rollback was a success" in helm("rollback", "r", "1", *wait)
    assert [line.split()[0] for line in helm("history", "r").splitlines()[1:]] == ["1", "2", "3"]
    assert "replicas: 1" in helm("get", "manifest", "r")
    assert 'release "r" uninstalled' in helm("uninstall", "r", *wait)
    assert helm("list", "-q") == ""
