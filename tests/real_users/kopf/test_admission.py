"""kopf's own webhook server and the configurations that it manages, against a cluster in virtual time."""

import socket

import pytest

pytest.importorskip("kopf")

from .test_operator import DEFINITION, render, running, until

pytestmark = pytest.mark.lifepod(clock="manual")


def test_kopfs_admission_handlers_change_and_refuse_what_is_written(kube, monkeypatch):
    tls = kube.server_tls()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("HOOK_TLS", f"{tls.certificate}:{tls.key}")
    monkeypatch.setenv("HOOK_PORT", str(port))
    kube.apply(DEFINITION)
    with running("admission.py"):
        until(lambda: kube.list("mutatingwebhookconfigurations") and kube.list("validatingwebhookconfigurations"))
        until(lambda: kube.get("mutatingwebhookconfigurations", "auto.studio.example")["webhooks"])
        until(lambda: kube.get("validatingwebhookconfigurations", "auto.studio.example")["webhooks"])
        made = kube.apply(render("film"))
        assert made["spec"]["frames"] == 24
        with pytest.raises(Exception, match="denied the request: nobody renders for days"):
            kube.apply(render("epic", seconds=90000))
        assert kube.get("renders", "epic") is None
        kube.patch("renders", "film", {"spec": {"frames": 48}})
        assert kube.get("renders", "film")["spec"]["frames"] == 48
