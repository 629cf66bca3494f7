"""A cluster as one of its service accounts sees it, so that code under test runs with the rights of its pod and not the administrator's."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import orjson

from lifepod.api.objects import JsonObject
from lifepod.assembly.virtual_server import server_thread, written_files
from lifepod.testing.clients import Clients
from lifepod.testing.environment import Environment
from lifepod.testing.objects import Objects

_YEAR_SECONDS = 365 * 24 * 3600


class ServiceAccount(Clients):
    """Clients, kubeconfig and token of a service account.

    As a context manager it also has $KUBECONFIG and the in-cluster configuration of this process name the account.
    """

    def __init__(self, kubeconfig: JsonObject, token: str, namespace: str) -> None:
        self.token, self.namespace = token, namespace
        context, cluster = kubeconfig["contexts"][0], kubeconfig["clusters"][0]["cluster"]
        config = {
            **kubeconfig,
            "users": [{"name": context["context"]["user"], "user": {"token": token}}],
            "contexts": [{**context, "context": {**context["context"], "namespace": namespace}}],
        }
        ca_pem = b64decode(cluster["certificate-authority-data"])
        self._url = cluster["server"]
        self._files = written_files(server_thread().new_folder(), config, token, ca_pem, namespace)
        self._environment: Environment | None = None

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file of the cluster, for the account."""
        return self._files.kubeconfig

    def __enter__(self) -> ServiceAccount:
        self._environment = Environment(self._url, self._files)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._environment is not None
        self._environment.restore()


class Accounts(Objects, Clients):
    """A cluster whose service accounts can be had."""

    def as_service_account(self, name: str = "default", namespace: str = "default") -> ServiceAccount:
        """The cluster as this service account sees it, which must exist: `with kube.as_service_account("operator"): …`."""
        path = f"/api/v1/namespaces/{quote(namespace)}/serviceaccounts/{quote(name)}/token"
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": _YEAR_SECONDS},
        }
        token = self._request("POST", path, asked)["status"]["token"]
        return ServiceAccount(orjson.loads(self.kubeconfig.read_bytes()), token, namespace)
