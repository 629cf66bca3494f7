"""Handlers of kopf that judge and change a Render before it is stored."""

import os

import kopf


@kopf.on.startup()
def configure(settings, **_):
    certificate, key = os.environ["HOOK_TLS"].split(":")
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1", port=int(os.environ["HOOK_PORT"]), certfile=certificate, pkeyfile=key
    )
    settings.admission.managed = "auto.studio.example"


@kopf.on.mutate("studio.example", "v1", "renders")
def frames_by_default(spec, patch, **_):
    if spec.get("frames", 1) == 1:
        patch.spec["frames"] = 24


@kopf.on.validate("studio.example", "v1", "renders")
def not_for_days(spec, warnings, **_):
    if spec["seconds"] > 86400:
        raise kopf.AdmissionError("nobody renders for days", code=403)
    if spec["seconds"] > 3600:
        warnings.append("this will take a while")
