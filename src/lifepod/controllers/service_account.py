"""Every active namespace has a ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`.

Key: ("", namespace).
Source: k8s.io/kubernetes v1.34.4 pkg/controller/serviceaccount/serviceaccounts_controller.go,
        pkg/controller/certificates/rootcacertpublisher/publisher.go
"""

from __future__ import annotations

from collections.abc import Iterable

from lifepod.api.writes import Write
from lifepod.controllers.outcome import NOTHING, Change, Controller, Look, Outcome, Wish
from lifepod.controllers.ownership import is_being_deleted, name_of, namespace_of
from lifepod.controllers.view import Key

ROOT_CA = "kube-root-ca.crt"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


def _keys(change: Change) -> Iterable[Key]:
    if change.resource == "namespaces":
        return (("", name_of(change.obj)),) if change.type == "ADDED" else ()
    wanted = "default" if change.resource == "serviceaccounts" else ROOT_CA
    if name_of(change.obj) != wanted or change.type == "ADDED":
        return ()
    return (("", namespace_of(change.obj)),)


def service_account_controller(ca_pem: str) -> Controller:
    """The controller for a cluster whose API presents certificates of this CA."""

    def reconcile(look: Look) -> Outcome:
        """Make what is missing, and set the CA right where somebody changed it."""
        name = look.key[1]
        namespace = look.view.get("namespaces", "", name)
        if namespace is None or is_being_deleted(namespace):
            return NOTHING
        wishes = []
        if look.view.get("serviceaccounts", name, "default") is None:
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": name},
            }
            wishes.append(Wish(Write("create", "serviceaccounts", name, "default", account)))
        published = look.view.get("configmaps", name, ROOT_CA)
        if published is None:
            config_map = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": ROOT_CA,
                    "namespace": name,
                    "annotations": {"kubernetes.io/description": DESCRIPTION},
                },
                "data": {"ca.crt": ca_pem},
            }
            wishes.append(Wish(Write("create", "configmaps", name, ROOT_CA, config_map)))
        elif published.get("data") != {"ca.crt": ca_pem}:
            body = {**published, "data": {"ca.crt": ca_pem}}
            wishes.append(Wish(Write("update", "configmaps", name, ROOT_CA, body)))
        return Outcome((tuple(wishes),)) if wishes else NOTHING

    resources = ("namespaces", "serviceaccounts", "configmaps")
    return Controller("service-account", "serviceaccount-controller", resources, _keys, reconcile)
